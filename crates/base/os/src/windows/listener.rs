//! The one who listens at a place, and a wait for many channels: a completion port.
use super::channel::{Channel, is_place};
use super::descriptor::Descriptor;
use super::kernel::milliseconds;
use super::owner::OnlyOwner;
use super::{endpoint, handle, last_error, number, pipe};
use crate::channel::{Access, LISTENER, Ready, Refusal};
use core::ptr::{null, null_mut};
use core::time::Duration;
use std::collections::{HashMap, HashSet};
use std::io::{Error, ErrorKind, Result};
use windows_sys::Win32::Foundation::{
    ERROR_ALREADY_EXISTS, ERROR_IO_INCOMPLETE, ERROR_IO_PENDING, GetLastError, INVALID_HANDLE_VALUE, SetLastError,
    WAIT_TIMEOUT,
};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_FLAG_FIRST_PIPE_INSTANCE, FILE_FLAG_OVERLAPPED, PIPE_ACCESS_DUPLEX,
};
use windows_sys::Win32::System::IO::{
    CancelIoEx, CreateIoCompletionPort, GetOverlappedResult, GetQueuedCompletionStatus, OVERLAPPED,
    PostQueuedCompletionStatus,
};
use windows_sys::Win32::System::Pipes::{
    ConnectNamedPipe, CreateNamedPipeW, PIPE_READMODE_MESSAGE, PIPE_REJECT_REMOTE_CLIENTS, PIPE_TYPE_MESSAGE,
    PIPE_UNLIMITED_INSTANCES,
};
use windows_sys::Win32::System::Threading::{CreateEventW, CreateMutexW};

/// Pipe ends that wait for somebody to connect; more who come at one instant try again.
const WAITING: usize = 8;
/// Bytes that may wait in a pipe, each way.
const PIPE_BYTES: u32 = 64 * 1024;
/// A channel without room is tried again so soon: pipes do not tell.
const ROOM_PERIOD: Duration = Duration::from_millis(5);
/// Events that one wait reports.
const EVENTS_MAX: usize = 64;

/// The one who listens at a place.
#[derive(Debug)]
pub struct Listener {
    name: Vec<u16>,
    #[expect(clippy::vec_box, reason = "the system holds on to where each of them is")]
    waiting: Vec<Box<Instance>>,
    port: Option<Descriptor>,
    /// Held by the listener for its life, so that there are never two.
    _seat: Descriptor,
}

impl Listener {
    /// Listens at the place.
    ///
    /// # Errors
    /// `AddrInUse` if somebody listens; `PermissionDenied` if it is another user; the system's.
    pub fn take(place: &[u8], access: Access) -> Result<Self> {
        if access == Access::Everyone {
            return Err(Error::new(ErrorKind::Unsupported, "on Windows a broker serves one user"));
        }
        let no_name = || Error::new(ErrorKind::InvalidInput, "the place has no usable name");
        if !is_place(place) {
            return Err(no_name());
        }
        endpoint::start_winsock();
        let seat = seat(&pipe::name(r"Global\", place).ok_or_else(no_name)?)?;
        let name = pipe::name(r"\\.\pipe\", place).ok_or_else(no_name)?;
        let first = Instance::new(&name, FILE_FLAG_FIRST_PIPE_INSTANCE)?;
        Ok(Self { name, waiting: vec![first], port: None, _seat: seat })
    }

    /// What a manager of services has handed over: nothing.
    ///
    /// # Errors
    /// None.
    pub fn handed_over() -> Result<Option<Self>> {
        Ok(None)
    }

    /// The next process that has connected, if there is one.
    pub fn accept(&mut self) -> Option<Channel> {
        loop {
            let at = self.waiting.iter().position(|instance| !instance.is_waiting())?;
            let instance = self.waiting.swap_remove(at);
            self.wait_for_more();
            // Who has gone again, or may not be opened, is passed over.
            if let Some(channel) = Channel::accepted(instance.into_pipe()) {
                return Some(channel);
            }
        }
    }

    /// Makes as many ends wait as there should be.
    fn wait_for_more(&mut self) {
        let Some(port) = &self.port else { return };
        while self.waiting.len() < WAITING {
            let Ok(mut instance) = Instance::new(&self.name, 0) else { return };
            if instance.begin(port).is_err() {
                return;
            }
            self.waiting.push(instance);
        }
    }
}

/// The seat of which there is one.
fn seat(name: &[u16]) -> Result<Descriptor> {
    let security = OnlyOwner::new().ok_or_else(Error::last_os_error)?;
    let attributes = security.attributes();
    // SAFETY: the name ends with a NUL; the security lives until the call returns.
    let (mutex, error) = unsafe {
        SetLastError(0);
        let mutex = CreateMutexW(&raw const attributes, 0, name.as_ptr());
        (mutex, GetLastError())
    };
    if mutex.is_null() {
        return Err(Error::from_raw_os_error(error as i32));
    }
    let seat = Descriptor::new(number(mutex));
    if error == ERROR_ALREADY_EXISTS {
        return Err(Error::new(ErrorKind::AddrInUse, "a broker is running already"));
    }
    Ok(seat)
}

/// A pipe end that nobody has connected to yet.
struct Instance {
    overlapped: OVERLAPPED,
    _event: Descriptor,
    pipe: Option<Descriptor>,
    is_under_way: bool,
}

// SAFETY: the pointers in it are a handle and the system's own.
unsafe impl Send for Instance {}

impl core::fmt::Debug for Instance {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Instance").field("pipe", &self.pipe).finish_non_exhaustive()
    }
}

impl Instance {
    fn new(name: &[u16], flags: u32) -> Result<Box<Self>> {
        let security = OnlyOwner::new().ok_or_else(Error::last_os_error)?;
        let flags = flags | PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED;
        let mode = PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE | PIPE_REJECT_REMOTE_CLIENTS;
        let (instances, attributes) = (PIPE_UNLIMITED_INSTANCES, security.attributes());
        // SAFETY: the name ends with a NUL; the security lives until the call returns.
        let pipe = unsafe {
            CreateNamedPipeW(name.as_ptr(), flags, mode, instances, PIPE_BYTES, PIPE_BYTES, 0, &raw const attributes)
        };
        if pipe == INVALID_HANDLE_VALUE {
            return Err(Error::last_os_error());
        }
        let pipe = Descriptor::new(number(pipe));
        // SAFETY: no security, no name: no memory is involved.
        let event = unsafe { CreateEventW(null(), 1, 0, null()) };
        if event.is_null() {
            return Err(Error::last_os_error());
        }
        // SAFETY: all zeroes is an overlapped structure that has not been used.
        let mut overlapped: OVERLAPPED = unsafe { core::mem::zeroed() };
        overlapped.hEvent = event;
        let _event = Descriptor::new(number(event));
        Ok(Box::new(Self { overlapped, _event, pipe: Some(pipe), is_under_way: false }))
    }

    fn pipe(&self) -> super::HANDLE {
        handle(self.pipe.as_ref().map_or(-1, Descriptor::number))
    }

    /// Waits for somebody to connect, which the port is told.
    fn begin(&mut self, port: &Descriptor) -> Result<()> {
        let (pipe, port) = (self.pipe(), handle(port.number()));
        // SAFETY: no memory is involved.
        if unsafe { CreateIoCompletionPort(pipe, port, pipe.addr(), 0) }.is_null() {
            return Err(Error::last_os_error());
        }
        // SAFETY: the structure is in a box that is dropped only when the system is done with it.
        let done = unsafe { ConnectNamedPipe(pipe, &raw mut self.overlapped) };
        self.is_under_way = done == 0 && last_error().0 as u32 == ERROR_IO_PENDING;
        if !self.is_under_way {
            // Connected (or even gone) already: the system will not tell the port.
            // SAFETY: no memory is involved.
            unsafe { PostQueuedCompletionStatus(port, 0, pipe.addr(), null()) };
        }
        Ok(())
    }

    fn is_waiting(&self) -> bool {
        let mut len = 0;
        // SAFETY: the structure is that of the call that is under way.
        self.is_under_way
            && unsafe { GetOverlappedResult(self.pipe(), &raw const self.overlapped, &raw mut len, 0) } == 0
            && last_error().0 as u32 == ERROR_IO_INCOMPLETE
    }

    /// The end of a pipe that somebody has connected to.
    #[expect(clippy::boxed_local, reason = "as the listener has it")]
    fn into_pipe(mut self: Box<Self>) -> Descriptor {
        self.is_under_way = false;
        self.pipe.take().unwrap_or_else(|| Descriptor::new(-1))
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if self.is_under_way {
            let (pipe, mut len) = (self.pipe(), 0);
            // SAFETY: the structure is that of the call that is under way; the second call waits until the system is done with it.
            unsafe {
                CancelIoEx(pipe, &raw const self.overlapped);
                GetOverlappedResult(pipe, &raw const self.overlapped, &raw mut len, 1);
            }
        }
    }
}

/// A wait for a listener and many channels. The port names pipes; those that no channel has are the listener's.
#[derive(Debug)]
pub struct Waiter {
    port: Descriptor,
    /// The keys of channels, by pipe.
    keys: HashMap<usize, u64>,
    /// The channels that wait for room.
    without_room: HashSet<u64>,
}

impl Waiter {
    /// A wait for `listener` alone, under the key [`LISTENER`].
    ///
    /// # Errors
    /// The system's.
    pub fn new(listener: &mut Listener) -> Result<Self> {
        // SAFETY: no memory is involved.
        let port = unsafe { CreateIoCompletionPort(INVALID_HANDLE_VALUE, null_mut(), 0, 1) };
        if port.is_null() {
            return Err(Error::last_os_error());
        }
        let port = Descriptor::new(number(port));
        for instance in &mut listener.waiting {
            instance.begin(&port)?;
        }
        listener.port = Some(port.duplicate().map_err(|error| Error::from_raw_os_error(error.0))?);
        listener.wait_for_more();
        Ok(Self { port, keys: HashMap::new(), without_room: HashSet::new() })
    }

    /// Waits for what `channel`, which the listener has accepted, brings, too.
    ///
    /// # Errors
    /// `Lost` if it brings nothing any more.
    pub fn add(&mut self, channel: &Channel, key: u64) -> core::result::Result<(), Refusal> {
        self.keys.insert(handle(channel.pipe().number()).addr(), key);
        // The first read; every one tells the port.
        if channel.waitable() < 0 { Err(Refusal::Lost) } else { Ok(()) }
    }

    /// Waits for it no more; before it is dropped.
    pub fn remove(&mut self, channel: &Channel, key: u64) {
        self.keys.remove(&handle(channel.pipe().number()).addr());
        self.without_room.remove(&key);
    }

    /// Whether the channel is also waited for until it has room for a message.
    ///
    /// # Errors
    /// None.
    pub fn want_room(&mut self, _channel: &Channel, key: u64, wanted: bool) -> core::result::Result<(), Refusal> {
        if wanted {
            self.without_room.insert(key);
        } else {
            self.without_room.remove(&key);
        }
        Ok(())
    }

    /// Waits at most `limit` (`None`: without end): who has something.
    ///
    /// # Errors
    /// Only if waiting itself is impossible.
    pub fn wait(&mut self, limit: Option<Duration>) -> Result<Vec<Ready>> {
        let room = (!self.without_room.is_empty()).then_some(ROOM_PERIOD);
        let mut limit = limit.into_iter().chain(room).min();
        let mut found: Vec<Ready> = self.without_room.iter().map(|key| Ready { key: *key, has_room: true }).collect();
        for _ in 0..EVENTS_MAX {
            let Some(pipe) = self.next(limit)? else { break };
            let key = self.keys.get(&pipe).copied().unwrap_or(LISTENER);
            if !found.iter().any(|ready| ready.key == key) {
                found.push(Ready { key, has_room: false });
            }
            limit = Some(Duration::ZERO);
        }
        Ok(found)
    }

    /// The next pipe that the port names.
    fn next(&self, limit: Option<Duration>) -> Result<Option<usize>> {
        let (mut len, mut pipe, mut overlapped) = (0, 0, null_mut());
        let (port, limit) = (handle(self.port.number()), milliseconds(limit));
        // SAFETY: the call fills all three.
        let done = unsafe { GetQueuedCompletionStatus(port, &raw mut len, &raw mut pipe, &raw mut overlapped, limit) };
        // A call that failed is told as well.
        if done != 0 || !overlapped.is_null() {
            return Ok(Some(pipe));
        }
        match last_error().0 as u32 {
            WAIT_TIMEOUT => Ok(None),
            error => Err(Error::from_raw_os_error(error as i32)),
        }
    }
}
