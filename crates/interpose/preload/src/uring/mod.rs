//! io_uring: operations that the kernel takes out of a queue in memory and does past us.
//!
//! Every entry is looked at before it is handed to the kernel (`entry.rs`): a connection that it names moves back first, and
//! the process's other connections stay where they are. There are two ways to hand entries over that we see: liburing's
//! functions (`library.rs`), and `syscall` (`rings.rs`), as libuv and others call it. What is handed over by neither, because
//! the kernel polls a queue that was made with `syscall` or the queue is one that we cannot look into, takes the whole
//! process to the kernel road. A program that has io_uring's system calls within itself is not seen at all.

mod entry;
mod library;
mod rings;

pub(crate) use rings::{before_enter, before_register, closed, has, made};
