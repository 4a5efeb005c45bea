//! Each C program of `apps/` does under `vmmc run` what it does plainly. The programs say what each of them is about.

use vmmc_tests::{Road, behaves};

/// A test for each program, by its name.
macro_rules! programs {
    ($road:ident: $($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                behaves(stringify!($name), Road::$road);
            }
        )*
    };
}

programs! {
    Vmmc:
    all_closed
    background
    bad_arguments
    bad_places
    borders
    both_ways
    bytes_left
    bytes_waiting
    cancelled
    close_clean
    close_unread
    close_waiting
    connecting
    duplicates
    echo_sizes
    echo_waits
    epoll_before_connect
    epoll_close_member
    epoll_data
    epoll_edge
    epoll_errors
    epoll_exclusive
    epoll_level
    epoll_moved
    epoll_nested
    epoll_oneshot
    epoll_threads
    exec
    exec_after_end
    fork_accept
    fork_handlers
    fork_killed
    fork_share
    full_stream
    half_close
    handlers
    hang_up
    inherited
    interrupted
    ipv6
    kernel_features
    killed_peer
    last_bytes
    linger_zero
    listeners
    low_water
    many_connections
    many_messages
    mixed_descriptors
    nonblocking
    other_calls
    overflowed
    pass_descriptor
    peek
    poll_details
    privileged
    receive_flags
    room
    sandboxed
    scatter_gather
    sendfile
    shutdown_read
    signal_driven
    signal_masks
    sigpipe
    sleepers
    small_stack
    socket_options
    socket_timeouts
    splice
    stdio_sockets
    stopped_peer
    taken
    tcp_counts
    threads_one_socket
    threads_wake
    two_sleepers
    urgent
    uring
    uring_library
    wait_timeouts
    waitall
    zero_copy
}

programs! {
    Kernel:
    peer_not_enabled
}

#[test]
fn every_program_is_listed() {
    let apps = concat!(env!("CARGO_MANIFEST_DIR"), "/apps");
    let listed = include_str!("behaviour.rs");
    for entry in std::fs::read_dir(apps).expect("the programs").flatten() {
        let path = entry.path();
        let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let is_program = path.extension().is_some_and(|end| end == "c") && !["common", "tools"].contains(&name);
        assert!(!is_program || listed.lines().any(|line| line.trim() == name), "{name}.c has no test");
    }
}
