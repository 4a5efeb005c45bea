//! One message, with its descriptors, over a sequenced-packet socket.

use crate::descriptor::{Descriptor, borrow};
use crate::message::{Bytes, SIZE};
use core::mem::MaybeUninit;
use rustix::fd::BorrowedFd;
use rustix::io::{Errno, IoSlice, IoSliceMut};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};

/// No message carries more descriptors.
pub const DESCRIPTORS_MAX: usize = 4;

/// What came in with a message.
pub type Descriptors = [Option<Descriptor>; DESCRIPTORS_MAX];

/// What a look at the socket found.
#[derive(Debug)]
pub enum Received {
    /// Nothing at the moment.
    Nothing,
    /// The other side is gone.
    End,
    /// Not a message of the one size that there is.
    Garbage,
    /// A message, not looked at yet, and its descriptors in order.
    Message(Bytes, Descriptors),
}

/// Sends one message with `numbers` (at most [`DESCRIPTORS_MAX`], borrowed); never blocks, never raises SIGPIPE.
///
/// # Errors
/// The kernel's: `EAGAIN` if there is no room, `EPIPE` if the other side is gone.
pub fn send(socket: BorrowedFd<'_>, bytes: &Bytes, numbers: &[i32]) -> Result<(), Errno> {
    let mut fds = [borrow(0); DESCRIPTORS_MAX];
    for (fd, number) in fds.iter_mut().zip(numbers) {
        *fd = borrow(*number);
    }
    let fds = fds.get(..numbers.len()).ok_or(Errno::INVAL)?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(Errno::INVAL);
    }
    loop {
        match sendmsg(socket, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
            Err(Errno::INTR) => {}
            Ok(sent) if sent == SIZE => return Ok(()),
            Ok(_) => return Err(Errno::IO),
            Err(error) => return Err(error),
        }
    }
}

/// Takes the next message, if there is one; never blocks. Descriptors arrive close-on-exec.
///
/// A descriptor that this process had no room for is missing at the end of the array, and so is one that was never sent:
/// what a message must have is the caller's to check.
///
/// # Errors
/// The kernel's.
pub fn receive(socket: BorrowedFd<'_>) -> Result<Received, Errno> {
    // One byte more than a message, so that a longer one shows.
    let mut buffer = [0; SIZE + 1];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let answer = loop {
        match recvmsg(socket, &mut [IoSliceMut::new(&mut buffer)], &mut control, flags) {
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Ok(Received::Nothing),
            Err(Errno::CONNRESET) => return Ok(Received::End),
            Err(error) => return Err(error),
            Ok(answer) => break answer,
        }
    };
    let mut descriptors = Descriptors::default();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(fds) = message {
            let mut places = descriptors.iter_mut();
            for fd in fds {
                let fd = Descriptor::from(fd);
                if let Some(place) = places.next() {
                    *place = Some(fd);
                }
            }
        }
    }
    match buffer.first_chunk::<SIZE>() {
        _ if answer.bytes == 0 => Ok(Received::End),
        Some(bytes) if answer.bytes == SIZE && !answer.flags.contains(ReturnFlags::TRUNC) => {
            Ok(Received::Message(*bytes, descriptors))
        }
        _ => Ok(Received::Garbage),
    }
}
