//! `libvmmc.so`: the C library's calls that take or make a descriptor, put before the program's own by LD_PRELOAD.
//!
//! It decides nothing: pointers become slices, the socket room is asked, and its [`Ending`](vmmc_socket::Ending) becomes a
//! result and `errno`, or the C library's function is called with the arguments as they came. The program calls it; it
//! stands on `vmmc-socket`. Which symbols there are, and the fate of each, is `vmmc-calls`' table.
//!
//! Each function is named as its symbol, has its manual page's prototype and its manual page's demands on the caller: that is
//! the safety contract of every `extern "C"` function here, and what `SAFETY: the program's arguments` refers to.
//! Variadic functions are defined with the most arguments that they read: on x86-64 those travel in the same registers.
//! Those whose arguments are on the stack (`execl`, `dprintf`) step aside in `detour.rs`.
#![warn(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod aio;
mod alone;
mod answer;
mod arguments;
mod data;
mod descriptors_in_flight;
mod detour;
mod exec;
mod lifecycle;
mod makers;
mod message;
mod options;
mod pairs;
mod process;
mod real;
mod sandbox;
mod spawn;
mod spawn_actions;
mod start;
mod stdio;
mod syscall;
mod taken;
mod uring;
mod wait;
