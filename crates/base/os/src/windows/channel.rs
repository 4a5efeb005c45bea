//! A channel is a message-mode pipe, whose name is made of the user's SID and the place's name and which only that user
//! may open.
//!
//! A message on the pipe: how many objects are attached, the numbers of their handles in the connecting process, then the message.
//! The listening end opens the connecting process once, and makes and fetches handles there; so handle numbers that it
//! sends are valid where they arrive, and what nobody fetches exists nowhere else. A socket is a handle like any other.
use super::descriptor::Descriptor;
use super::duplicate;
use super::overlapped::Event;
use super::pipe::{self, Read};
use super::{handle, last_error};
use crate::channel::{ATTACHED_MAX, Attached, Peer, Received, Refusal};
use crate::endpoint::Socket;
use core::cell::RefCell;
use core::time::Duration;
use std::path::PathBuf;
use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_BROKEN_PIPE, ERROR_FILE_NOT_FOUND, ERROR_IO_PENDING, ERROR_NO_DATA,
    ERROR_OPERATION_ABORTED, ERROR_PIPE_BUSY, ERROR_PIPE_NOT_CONNECTED, WAIT_OBJECT_0,
};
use windows_sys::Win32::Storage::FileSystem::WriteFile;
use windows_sys::Win32::System::IO::{CancelIoEx, GetOverlappedResult, OVERLAPPED};
use windows_sys::Win32::System::Threading::WaitForSingleObject;

pub use super::listener::{Listener, Waiter};

/// Longest name of a place, in bytes.
pub const PLACE_MAX: usize = 260;
/// Whether no process can find another's memory files unless it is given them.
pub const HIDES_MEMORY: bool = true;
/// What a user's own place begins with if nobody says where; the user's number follows.
pub const PLACE_DEFAULT: &str = "user-";

/// Bytes of the count of what is attached, and of the number of each.
const WORD: usize = 8;
/// No message on the pipe is longer.
pub(super) const FRAME_MAX: usize = 1024;

/// Whether these bytes can name a place: any word. It is only a name, and nothing of it is made in a file system.
#[must_use]
pub fn is_place(name: &[u8]) -> bool {
    !name.is_empty() && !name.contains(&0) && name.len() <= PLACE_MAX
}

/// Looks whether the place can be trusted: a name always can; who listens there is looked at by [`Channel::connect`].
///
/// # Errors
/// None.
pub fn check_place(_place: &[u8]) -> Result<(), Refusal> {
    Ok(())
}

/// Where the one who listens for all users would be found: nowhere, a pipe admits its owner alone.
pub const PLACE_OF_SYSTEM: &str = "system";

/// The place at which somebody listens for all users: none.
#[must_use]
pub fn system_place() -> Option<PathBuf> {
    None
}

/// The place that the session gives this user: none, the user's own serves all sessions.
#[must_use]
pub fn session_place() -> Option<PathBuf> {
    None
}

/// The one bell that this process wants rung for all its links.
#[must_use]
pub fn bell_of_process() -> Option<i32> {
    super::bell::of_service().ok()
}

pub(super) fn refusal(error: u32) -> Refusal {
    match error {
        ERROR_FILE_NOT_FOUND => Refusal::Absent,
        ERROR_ACCESS_DENIED => Refusal::Untrusted,
        ERROR_PIPE_BUSY | ERROR_OPERATION_ABORTED => Refusal::Busy,
        ERROR_BROKEN_PIPE | ERROR_NO_DATA | ERROR_PIPE_NOT_CONNECTED => Refusal::Lost,
        other => Refusal::System(other as i32),
    }
}

/// What was attached to a message.
#[derive(Debug, Default)]
pub struct Arrived {
    objects: [Option<Descriptor>; ATTACHED_MAX],
}

impl Arrived {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.objects.iter().flatten().count()
    }

    /// As objects.
    #[must_use]
    pub fn into_objects(self) -> [Option<Descriptor>; ATTACHED_MAX] {
        self.objects
    }

    /// As the one socket.
    #[must_use]
    pub fn into_socket(self) -> Option<Socket> {
        let [socket, ..] = self.objects;
        socket.and_then(Socket::of)
    }
}

/// One end of a connection.
#[derive(Debug)]
pub struct Channel {
    /// Begun at the first look. It ends before the pipe is closed.
    read: RefCell<Option<Box<Read>>>,
    pipe: Descriptor,
    /// The connecting process; the listening end's only.
    peer: Option<(u32, Descriptor)>,
}

impl Channel {
    /// Connects to whoever listens at `place`. If the listener is just taking in others, it waits a few milliseconds.
    ///
    /// # Errors
    /// `Absent`, `Untrusted` (another user listens there), `Busy`, or the system's.
    pub fn connect(place: &[u8]) -> Result<Self, Refusal> {
        Ok(Self { pipe: pipe::open(place)?, read: RefCell::new(None), peer: None })
    }

    /// The listening end of a pipe that somebody has connected to, which the process was looked up for.
    pub(super) fn accepted(pipe: Descriptor) -> Option<Self> {
        let peer = duplicate::connecting_process(&pipe)?;
        Some(Self { pipe, read: RefCell::new(None), peer: Some(peer) })
    }

    pub(super) fn pipe(&self) -> &Descriptor {
        &self.pipe
    }

    /// Sends one message; never blocks.
    ///
    /// # Errors
    /// `Busy`: nothing was sent. `Lost`: the other end is gone. The system's.
    pub fn send(&self, bytes: &[u8], attached: Attached<'_>) -> Result<(), Refusal> {
        let numbers = match (&attached, &self.peer) {
            (Attached::Nothing, _) => &[],
            (Attached::Socket(_), Some(_)) => return Err(Refusal::System(ERROR_ACCESS_DENIED as i32)),
            (Attached::Socket(socket), None) => core::slice::from_ref(socket),
            (Attached::Objects(numbers), _) => *numbers,
        };
        let Some((_, process)) = &self.peer else { return self.write(Frame::of(numbers, bytes).bytes()) };
        let theirs = duplicate::into_process(process, numbers)?;
        let frame = Frame::of(theirs.get(..numbers.len()).unwrap_or_default(), bytes);
        self.write(frame.bytes()).inspect_err(|_| duplicate::close_there(process, &theirs))
    }

    /// Takes the next message, if there is one; never blocks.
    ///
    /// # Errors
    /// The system's.
    pub fn receive<const SIZE: usize>(&self) -> Result<Received<SIZE>, Refusal> {
        let Ok(mut read) = self.read.try_borrow_mut() else { return Ok(Received::Nothing) };
        let read = Read::begun(&mut read, &self.pipe)?;
        let mut frame = [0; FRAME_MAX];
        Ok(match read.take(&mut frame)? {
            pipe::Taken::Nothing => Received::Nothing,
            pipe::Taken::End => Received::End,
            pipe::Taken::TooLong => Received::Garbage,
            pipe::Taken::Bytes(len) => self.unpack(frame.get(..len).unwrap_or_default()).unwrap_or(Received::Garbage),
        })
    }

    /// An event that is signalled while [`receive`](Self::receive) has something; -1 if there is none to be had.
    #[must_use]
    pub fn waitable(&self) -> i32 {
        let Ok(mut read) = self.read.try_borrow_mut() else { return -1 };
        Read::begun(&mut read, &self.pipe).map_or(-1, |read| read.event())
    }

    /// Waits at most `limit` until [`receive`](Self::receive) has something: whether it has.
    ///
    /// # Errors
    /// The system's.
    pub fn wait(&self, limit: Duration) -> Result<bool, Refusal> {
        let milliseconds = super::kernel::milliseconds(Some(limit));
        // SAFETY: no memory is involved; a handle that is none is refused.
        Ok(unsafe { WaitForSingleObject(handle(self.waitable()), milliseconds) } == WAIT_OBJECT_0)
    }

    /// Who opened the other end, for the end that listened.
    #[must_use]
    pub fn peer(&self) -> Option<Peer> {
        self.peer.as_ref().map(|(pid, _)| Peer { pid: *pid, user: Some(0) })
    }

    /// Gives up the connecting end's pipe without closing it. Not once anything was waited for or received.
    #[must_use]
    pub fn into_raw(mut self) -> i32 {
        drop(self.read.take());
        core::mem::replace(&mut self.pipe, Descriptor::new(-1)).into_raw()
    }

    /// The connecting end whose pipe `number` is, by [`into_raw`](Self::into_raw) or a duplicate; it is owned from now on.
    #[must_use]
    pub fn from_raw(number: i32) -> Self {
        Self { pipe: Descriptor::new(number), read: RefCell::new(None), peer: None }
    }

    /// Writes one message, if there is room.
    fn write(&self, bytes: &[u8]) -> Result<(), Refusal> {
        let event = Event::take().map_err(|error| Refusal::System(error.0))?;
        // SAFETY: all zeroes is an overlapped structure that has not been used.
        let mut overlapped: OVERLAPPED = unsafe { core::mem::zeroed() };
        overlapped.hEvent = event.without_port();
        let (pipe, mut done) = (handle(self.pipe.number()), 0);
        let len = u32::try_from(bytes.len()).unwrap_or(0);
        // SAFETY: the slice and the structure stay here until the system is done with them: below.
        if unsafe { WriteFile(pipe, bytes.as_ptr(), len, &raw mut done, &raw mut overlapped) } != 0 {
            return Ok(());
        }
        let error = last_error().0 as u32;
        if error != ERROR_IO_PENDING {
            return Err(refusal(error));
        }
        // SAFETY: the structure is the pending call's; the last call waits until the system is done with it.
        let finished = unsafe {
            CancelIoEx(pipe, &raw const overlapped);
            GetOverlappedResult(pipe, &raw const overlapped, &raw mut done, 1)
        };
        if finished != 0 { Ok(()) } else { Err(refusal(last_error().0 as u32)) }
    }

    /// What a message on the pipe says; `None` if it says nothing.
    fn unpack<const SIZE: usize>(&self, frame: &[u8]) -> Option<Received<SIZE>> {
        let (count, rest) = frame.split_first_chunk::<WORD>()?;
        let (numbers, message) = rest.split_last_chunk::<SIZE>()?;
        let count = usize::try_from(u64::from_le_bytes(*count)).ok().filter(|count| *count <= ATTACHED_MAX)?;
        if numbers.len() != count * WORD {
            return None;
        }
        let mut arrived = Arrived::default();
        for (place, number) in arrived.objects.iter_mut().zip(numbers.chunks_exact(WORD)) {
            let number = u64::from_le_bytes(number.try_into().ok()?) as i32;
            *place = match &self.peer {
                Some((_, process)) => duplicate::out_of_process(process, number),
                None => Some(Descriptor::new(number)),
            };
        }
        Some(Received::Message(*message, arrived))
    }
}

/// A message on the pipe, being written.
struct Frame {
    bytes: [u8; FRAME_MAX],
    len: usize,
}

impl Frame {
    fn of(numbers: &[i32], message: &[u8]) -> Self {
        let mut frame = Self { bytes: [0; FRAME_MAX], len: 0 };
        frame.put(&(numbers.len() as u64).to_le_bytes());
        for number in numbers {
            frame.put(&u64::from(*number as u32).to_le_bytes());
        }
        frame.put(message);
        frame
    }

    /// What does not fit is left out: no message of ours is so long.
    fn put(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        if let Some(place) = self.bytes.get_mut(self.len..end) {
            place.copy_from_slice(bytes);
            self.len = end;
        }
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}
