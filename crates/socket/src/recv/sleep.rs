//! The sleep of a receive: in the kernel, on the socket itself.
use super::Call;
use crate::connection::{Connection, flag};
use crate::gate::Alone;
use crate::{end, family};
use vmmc_os::{Errno, PollFd, abi, cancel, clock, kernel};
use vmmc_protocol::record::count;
use vmmc_stream::Road;
use vmmc_sync::Ordering;

/// A thread is cancelled in its sleep on a connection.
extern "C" fn cancelled(connection: *mut core::ffi::c_void) {
    // SAFETY: `Call::sleep` names its own connection, and records are never unmapped.
    let connection: &'static Connection = unsafe { &*connection.cast::<Connection>() };
    connection.end_sleep();
    if family::let_go(connection) {
        end::give_up(connection);
    }
}

impl Call<'_, '_> {
    /// Sleeps until the kernel has something for this socket; consumes nothing, so that any number of threads may.
    pub(super) fn sleep(&mut self, alone: Alone<'_>) -> Option<Result<usize, Errno>> {
        count(&self.connection.record.incoming.sleeps, 1);
        // As the kernel's socket, ours outlives a close by another thread for as long as somebody sleeps in it.
        family::hold(self.connection);
        self.connection.begin_sleep();
        drop(alone);
        let slept = self.slept();
        self.connection.end_sleep();
        if family::let_go(self.connection) {
            return Some(self.outlived(slept));
        }
        if self.connection.has(flag::BROKEN) {
            return Some(if self.done > 0 { Ok(self.done) } else { Err(Errno(abi::ECONNRESET)) });
        }
        match slept {
            Ok(0) => self.ended = self.connection.recv.road() == Road::Vmmc,
            Ok(_) => self.woken = self.connection.recv.road() == Road::Vmmc,
            Err(error @ Errno(abi::EINTR | abi::EAGAIN)) => {
                return Some(if self.done > 0 { Ok(self.done) } else { Err(error) });
            }
            Err(Errno(error)) => {
                self.connection.recv_error.store(error as u32, Ordering::Relaxed);
                if self.connection.recv.road() == Road::Kernel {
                    return Some(Err(Errno(self.connection.recv_error.swap(0, Ordering::Relaxed) as i32)));
                }
            }
        }
        None
    }

    /// The first sleep of a call is limited by the kernel. One that follows it, because nothing had come for the program, ends
    /// when the first would have.
    fn slept(&mut self) -> Result<usize, Errno> {
        let (connection, fd) = (self.connection, self.fd);
        let by_kernel = |flags| kernel::recv(fd, &mut [0], abi::MSG_PEEK | flags);
        let limit = self.asleep_since.and_then(|since| Some((since, kernel::time_limit(fd, false)?)));
        self.asleep_since.get_or_insert_with(clock::monotonic);
        let Some((since, limit)) = limit else {
            return cancel::sleep_holding(connection, cancelled, || by_kernel(0));
        };
        let left = limit.saturating_sub(clock::monotonic().saturating_sub(since));
        let mut awaited = [PollFd { fd, events: abi::POLLIN, revents: 0 }];
        // As a receive with a limit, poll is not made again after a signal.
        match cancel::sleep_holding(connection, cancelled, || kernel::poll(&mut awaited, Some(left), None))? {
            0 => Err(Errno(abi::EAGAIN)),
            // Somebody else may have been quicker: then there is time left.
            _ => by_kernel(abi::MSG_DONTWAIT).or_else(|error| if error.0 == abi::EAGAIN { Ok(1) } else { Err(error) }),
        }
    }

    /// The last descriptor was closed while this call slept: what came for it is still delivered, and that is all.
    fn outlived(&mut self, slept: Result<usize, Errno>) -> Result<usize, Errno> {
        let alone = self.connection.recv_gate.alone(crate::process::id());
        let taken = self.take(&self.connection.receiver());
        drop(alone);
        end::give_up(self.connection);
        match taken {
            Ok(_) if self.done > 0 => Ok(self.done),
            _ => slept.map(|_| 0),
        }
    }
}
