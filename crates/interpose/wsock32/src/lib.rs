//! `wsock32.dll`: WinSock put before the system's own, for the program beside whose file it is dropped.
//!
//! It decides nothing: pointers become slices, the socket room is asked, and its [`Ending`](vmmc_socket::Ending) becomes a
//! result and the thread's last error, or the system's function is called with the arguments as they came. Programs call it;
//! it stands on `vmmc-socket` and, for its table of exports, on what `stubgen` has written into `generated/`.
//!
//! Two doors lead here. A program that asks for WSOCK32 gets the exports (`calls`). And since programs take some calls from
//! there and others from WS2_32, or none from WSOCK32 at all, the imports of the program's modules that carry a socket's
//! data, wait for it or pass it on are redirected to functions of the same names (`redirect`, `modules`).
//!
//! Each `extern "system"` function is named as the system's, has its documented prototype and its documentation's demands on
//! the caller: that is the safety contract of every one here, and what `SAFETY: the program's arguments` refers to.
#![cfg(windows)]
#![warn(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]
#![allow(non_snake_case, reason = "functions are named as the system's")]

mod answer;
mod arguments;
mod calls;
mod children;
mod data;
mod extensions;
mod lifecycle;
mod modules;
mod notices;
mod options;
mod process;
mod real;
mod redirect;
mod retrieval;
mod start;
#[path = "../generated/stubs.rs"]
mod stubs;
#[path = "../generated/table.rs"]
mod table;
mod wait;
