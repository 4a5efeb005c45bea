//! What WinSock says of a TCP socket that another process has duplicated for this one.
//!
//! It has no name for a socket's identity: two sockets of one process that have both addresses in common are not told apart.
use super::duplicate::ProtocolInfo;
use super::winsock::{Dll, Symbol};
use super::{abi, kernel};
use crate::endpoint::{Address, Endpoint, Unfit};
use core::hash::{Hash as _, Hasher as _};
use windows_sys::Win32::Networking::WinSock::{
    FROM_PROTOCOL_INFO, INVALID_SOCKET, SO_LINGER, SO_TYPE, SOCKET, SOL_SOCKET, WSADATA, WSAPROTOCOL_INFOW,
};

type SocketOf = unsafe extern "system" fn(i32, i32, i32, *const WSAPROTOCOL_INFOW, u32, u32) -> SOCKET;
static SOCKET_OF: Symbol = Symbol::new(Dll::WinSock, c"WSASocketW");
type CloseSocket = unsafe extern "system" fn(SOCKET) -> i32;
static CLOSE_SOCKET: Symbol = Symbol::new(Dll::WinSock, c"closesocket");
type Startup = unsafe extern "system" fn(u16, *mut WSADATA) -> i32;
static STARTUP: Symbol = Symbol::new(Dll::WinSock, c"WSAStartup");

/// Makes WinSock ready in this process; any number of times.
pub(super) fn start_winsock() {
    const VERSION: u16 = 0x0202;
    // SAFETY: ws2_32's function of this name has this signature; all zeroes is a valid value of what it fills.
    unsafe {
        let mut data: WSADATA = core::mem::zeroed();
        if let Some(startup) = STARTUP.get::<Startup>() {
            startup(VERSION, &raw mut data);
        }
    }
}

/// A duplicate of another process's socket.
#[derive(Debug)]
pub struct Socket(SOCKET);

impl Socket {
    /// Opens what another process has duplicated.
    pub(super) fn open(info: &ProtocolInfo) -> Option<Self> {
        // SAFETY: ws2_32's function of this name has this signature.
        let open = unsafe { SOCKET_OF.get::<SocketOf>() }?;
        // SAFETY: plain words, of which every value is valid; the bytes need no alignment.
        let info: WSAPROTOCOL_INFOW = unsafe { core::ptr::read_unaligned(info.as_ptr().cast()) };
        let any = FROM_PROTOCOL_INFO;
        // SAFETY: the structure lives until the call returns.
        let socket = unsafe { open(any, any, any, &raw const info, 0, 0) };
        (socket != INVALID_SOCKET).then_some(Self(socket))
    }

    /// Its number.
    #[must_use]
    pub fn number(&self) -> i32 {
        self.0 as i32
    }

    /// Looks at it.
    ///
    /// # Errors
    /// Why it is no end of a connection that can be told from others.
    pub fn look(&self) -> Result<Endpoint, Unfit> {
        if self.option(SO_TYPE) != Some((abi::SOCK_STREAM as u32).to_ne_bytes()) {
            return Err(Unfit::NotTcp);
        }
        let name = |peer| self.name(peer).ok_or(Unfit::NotEstablished);
        let (local, remote) = (name(false)?, name(true)?);
        if self.is_over() {
            return Err(Unfit::NotEstablished);
        }
        let mut hasher = std::hash::DefaultHasher::new();
        (local, remote).hash(&mut hasher);
        Ok(Endpoint { network: 0, cookie: hasher.finish(), local, remote })
    }

    /// Whether closing its last handle may wait for data to be acknowledged (`SO_LINGER` with a time).
    #[must_use]
    pub fn lingers(&self) -> bool {
        self.option(SO_LINGER).is_some_and(|[on0, on1, seconds @ ..]| {
            u16::from_ne_bytes([on0, on1]) != 0 && u16::from_ne_bytes(seconds) > 0
        })
    }

    /// Makes its last close wait for nothing; for every holder of the socket.
    pub fn stop_lingering(&self) {
        let _ = kernel::setsockopt(self.number(), SOL_SOCKET, SO_LINGER, &[0; 4]);
    }

    /// Whether one of the ends has finished or reset.
    fn is_over(&self) -> bool {
        let events = kernel::events_now(self.number(), abi::POLLIN | abi::POLLOUT);
        events & (abi::POLLERR | abi::POLLHUP | abi::POLLRDHUP | abi::POLLNVAL) != 0
    }

    fn name(&self, peer: bool) -> Option<Address> {
        let mut raw = [0; 28];
        let len = kernel::address(self.number(), peer, &mut raw).ok()?;
        Address::of_raw(&raw, len, abi::AF_INET6)
    }

    fn option(&self, name: i32) -> Option<[u8; 4]> {
        let mut value = [0; 4];
        let len = kernel::getsockopt(self.number(), SOL_SOCKET, name, &mut value).ok()?;
        (len == value.len()).then_some(value)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // SAFETY: ws2_32's function of this name has this signature; the socket is this structure's own.
        unsafe {
            if let Some(close) = CLOSE_SOCKET.get::<CloseSocket>() {
                close(self.0);
            }
        }
    }
}
