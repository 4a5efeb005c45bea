//! The library's own beginning and end.

use crate::real::preceded;
use crate::{
    aio, alone, data, detour, exec, lifecycle, makers, message, options, pairs, process, sandbox, spawn, spawn_actions,
    stdio, syscall, taken, wait,
};
use core::ffi::c_int;
use vmmc_socket::process::before_exit;

/// In this order: the C library's functions, so that whatever the socket room does can pass through us; then the socket room.
extern "C" fn start() {
    let own = real::ALL;
    let rooms = [
        data::real::ALL,
        message::real::ALL,
        wait::real::ALL,
        lifecycle::real::ALL,
        options::real::ALL,
        process::real::ALL,
        exec::real::ALL,
        spawn::real::ALL,
        spawn_actions::real::ALL,
        pairs::real::ALL,
        makers::real::ALL,
        stdio::real::ALL,
        aio::real::ALL,
        alone::real::ALL,
        sandbox::real::ALL,
        detour::ALL,
        syscall::real::ALL,
        taken::real::ALL,
    ];
    for symbol in rooms.into_iter().flatten().chain(own) {
        symbol.resolve();
    }
    crate::answer::told(vmmc_socket::process::start);
    process::take_part_in_forks();
}

/// `exit` and the return from `main` come here: after the program's own exit handlers, which may still use its connections.
extern "C" fn end() {
    before_exit();
}

#[used]
#[unsafe(link_section = ".init_array")]
static START: extern "C" fn() = start;

#[used]
#[unsafe(link_section = ".fini_array")]
static END: extern "C" fn() = end;

// Ends that run no destructors.
preceded! {
    by before_exit;
    fn _exit(status: c_int);
    fn _Exit(status: c_int);
    fn quick_exit(status: c_int);
}
