//! One entry of a submission queue: which of our descriptors it names, and what comes first because of it.

use crate::answer::told;
use crate::descriptors_in_flight::before_passing;
use crate::lifecycle::{close, move_back};
use crate::wait::epoll_ctl;
use core::ffi::c_int;
use libc::msghdr;
use vmmc_protocol::Reason;
use vmmc_socket::lifecycle::{is_tracked, made};

/// `struct io_uring_sqe`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Entry {
    opcode: u8,
    flags: u8,
    priority: u16,
    fd: c_int,
    offset: u64,
    address: u64,
    length: u32,
    operation_flags: u32,
    user_data: u64,
    buffer: u16,
    personality: u16,
    other_fd: c_int,
    more: [u64; 2],
}

const _: () = assert!(size_of::<Entry>() == 64);

/// Flags of `io_uring_setup` that make no difference to how an entry is read. A later kernel's may.
pub(super) const SETUP_KNOWN: u32 = (1 << 19) - 1;

/// `fd` is a place among the registered files, which have moved back when they were registered.
const FIXED_FILE: u8 = 1;
/// The next entry waits for this one, or this one for those before.
const ORDERED: u8 = 1 << 1 | 1 << 2 | 1 << 3;
/// Flag of splice and tee: `other_fd` is such a place too.
const OTHER_FD_FIXED: u32 = 1 << 31;

const NOP: u8 = 0;
const SENDMSG: u8 = 9;
const CLOSE: u8 = 19;
const FILES_UPDATE: u8 = 20;
const EPOLL_CTL: u8 = 29;
const SPLICE: u8 = 30;
const TEE: u8 = 33;
const SENDMSG_ZC: u8 = 48;
/// Operations whose `fd` is no descriptor of a socket's: no operation, what concerns other operations, buffers and futexes.
const WITHOUT_SOCKET: &[u8] = &[NOP, 7, 11, 12, 14, 15, 31, 32, 40, 50, 51, 52, 53];

/// A submission queue's entries: where they are, and how to find the n-th.
pub(super) struct Queue {
    pub(super) entries: *mut Entry,
    pub(super) mask: u32,
    /// 1 if an entry takes two places.
    pub(super) shift: u32,
    /// Which entry stands n-th; null: the n-th.
    pub(super) order: *const u32,
}

impl Queue {
    /// The program is about to hand over what is queued from `from` on, up to `to`.
    ///
    /// # Safety
    /// The queue is mapped, and nobody else writes these entries.
    pub(super) unsafe fn prepare(&self, from: u32, to: u32) {
        // No queue is longer than its mask says, whatever stands in memory.
        let count = to.wrapping_sub(from).min(self.mask.wrapping_add(1));
        let mut follows = false;
        for n in 0..count {
            let place = from.wrapping_add(n) & self.mask;
            // SAFETY: the array has as many places as the queue; a number in it is the program's, and is masked.
            let named = if self.order.is_null() { place } else { unsafe { *self.order.add(place as usize) } };
            let at = named & self.mask;
            // SAFETY: within the queue by the mask; the caller vouches for the rest.
            let entry = unsafe { &mut *self.entries.add((at as usize) << self.shift) };
            let is_ordered = core::mem::replace(&mut follows, entry.flags & ORDERED != 0) || follows;
            // SAFETY: the program's entry, that the kernel would read in the same way.
            told(|| unsafe { entry.prepare(is_ordered) });
        }
    }
}

impl Entry {
    /// What is a connection among that which it names moves back.
    ///
    /// # Safety
    /// What it points to is what its operation demands.
    unsafe fn prepare(&mut self, is_ordered: bool) {
        match self.opcode {
            FILES_UPDATE => {
                // SAFETY: the caller's promise.
                unsafe { registered(self.address as *const c_int, self.length) };
            }
            EPOLL_CTL => {
                // SAFETY: the caller's promise.
                unsafe { self.note_membership(is_ordered) };
            }
            CLOSE if self.other_fd == 0 => self.note_close(is_ordered),
            SPLICE | TEE => {
                if self.operation_flags & OTHER_FD_FIXED == 0 {
                    leave(self.other_fd);
                }
                self.leave();
            }
            SENDMSG | SENDMSG_ZC => {
                self.leave();
                // SAFETY: null or the program's message.
                if let Some(message) = unsafe { (self.address as *const msghdr).as_ref() } {
                    // SAFETY: the program's message.
                    unsafe { before_passing(message) };
                }
            }
            opcode if WITHOUT_SOCKET.contains(&opcode) => {}
            _ => self.leave(),
        }
    }

    fn leave(&self) {
        if self.flags & FIXED_FILE == 0 {
            leave(self.fd);
        }
    }

    /// A set's membership is changed here and now, as by `epoll_ctl`, unless others wait for it to happen in its turn. What
    /// fails is left for the kernel to fail in the same way.
    ///
    /// # Safety
    /// The entry's event is readable.
    unsafe fn note_membership(&mut self, is_ordered: bool) {
        let member = self.offset as c_int;
        if is_ordered {
            leave(member);
        // SAFETY: the caller's promise.
        } else if unsafe { epoll_ctl(self.fd, self.length as c_int, member, self.address as *mut _) } == 0 {
            self.is_done();
        }
    }

    /// A connection is closed here and now, for the same reason.
    fn note_close(&mut self, is_ordered: bool) {
        if !is_tracked(self.fd) {
        } else if is_ordered {
            leave(self.fd);
            made(self.fd);
        // SAFETY: no memory is involved.
        } else if unsafe { close(self.fd) } == 0 {
            self.is_done();
        }
    }

    /// The kernel has nothing left to do but say that it succeeded.
    fn is_done(&mut self) {
        *self = Self {
            opcode: NOP,
            fd: -1,
            offset: 0,
            address: 0,
            length: 0,
            operation_flags: 0,
            buffer: 0,
            other_fd: 0,
            more: [0; 2],
            ..*self
        };
    }
}

/// These become registered files, and entries will name them by their places.
///
/// # Safety
/// `files` is null or the program's array of so many.
pub(super) unsafe fn registered(files: *const c_int, count: u32) {
    let count = if files.is_null() { 0 } else { count as usize };
    for at in 0..count {
        // SAFETY: the caller's promise.
        leave(unsafe { files.add(at).read_unaligned() });
    }
}

fn leave(fd: c_int) {
    move_back(fd, Reason::IO_URING);
}
