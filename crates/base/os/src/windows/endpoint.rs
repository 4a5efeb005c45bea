//! What WinSock says of a TCP socket that was another process's, by a handle that was duplicated out of there.
//!
//! WinSock is asked for a duplicate of that in turn (`WSADuplicateSocket`, for this process): so it knows it as a socket. Where
//! sockets are no kernel handles (a layered provider's) there is none.
//!
//! It has no name for a socket's identity: two sockets of one process that have both addresses in common are not told apart.
use super::descriptor::Descriptor;
use super::winsock::{Dll, Symbol};
use super::{abi, handle, kernel};
use crate::endpoint::{Address, Endpoint, Unfit};
use core::hash::{Hash as _, Hasher as _};
use windows_sys::Win32::Networking::WinSock::{
    FROM_PROTOCOL_INFO, INVALID_SOCKET, SO_LINGER, SO_TYPE, SOCKET, SOL_SOCKET, WSADATA, WSAPROTOCOL_INFOW,
};
use windows_sys::Win32::System::Threading::GetCurrentProcessId;

type DuplicateSocket = unsafe extern "system" fn(SOCKET, u32, *mut WSAPROTOCOL_INFOW) -> i32;
static DUPLICATE_SOCKET: Symbol = Symbol::new(Dll::WinSock, c"WSADuplicateSocketW");
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
    /// The socket behind a handle that was duplicated out of another process; `None` if it is none.
    pub(super) fn of(duplicate: Descriptor) -> Option<Self> {
        let socket = Self::known(handle(duplicate.number()).addr());
        let duplicate = duplicate.into_raw();
        if !close(handle(duplicate).addr()) {
            // WinSock had not come to know it.
            drop(Descriptor::new(duplicate));
        }
        socket
    }

    /// A duplicate that WinSock knows.
    fn known(unknown: SOCKET) -> Option<Self> {
        // SAFETY: ws2_32's functions of these names have these signatures.
        let (duplicate, open) = unsafe { (DUPLICATE_SOCKET.get::<DuplicateSocket>()?, SOCKET_OF.get::<SocketOf>()?) };
        let any = FROM_PROTOCOL_INFO;
        // SAFETY: all zeroes is a valid value of the structure, which the first call fills, and it lives until both return.
        let socket = unsafe {
            let mut info: WSAPROTOCOL_INFOW = core::mem::zeroed();
            if duplicate(unknown, GetCurrentProcessId(), &raw mut info) != 0 {
                return None;
            }
            open(any, any, any, &raw const info, 0, 0)
        };
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
        close(self.0);
    }
}

/// closesocket, of one that is the caller's own: whether it was one.
fn close(socket: SOCKET) -> bool {
    // SAFETY: ws2_32's function of this name has this signature.
    unsafe { CLOSE_SOCKET.get::<CloseSocket>().is_some_and(|close| close(socket) == 0) }
}
