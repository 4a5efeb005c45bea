//! Calls that wait for readiness.
use crate::Ending;
use std::time::Duration;
use vmmc_os::{EpollEvent, PollFd};

/// `poll`, `ppoll`: `timeout` `None` waits for ever; `sigmask` is the raw 8-byte kernel signal set to put in force while asleep.
pub fn poll(_fds: &mut [PollFd], _timeout: Option<Duration>, _sigmask: Option<u64>) -> Ending { Ending::Bypass }
/// `select`, `pselect`: sets are bit arrays of `nfds` bits rounded up to words, changed in place when `Handled`.
/// `remaining`: set to the time left (Linux select updates its timeout; pselect callers ignore it).
pub fn select(_nfds: i32, _read: Option<&mut [u64]>, _write: Option<&mut [u64]>, _except: Option<&mut [u64]>, _timeout: Option<Duration>, _sigmask: Option<u64>, _remaining: &mut Duration) -> Ending { Ending::Bypass }
/// `epoll_create*` returned `epfd`.
pub fn epoll_made(_epfd: i32) {}
/// `epoll_ctl`; `event` is `None` for a null pointer.
pub fn epoll_ctl(_epfd: i32, _op: i32, _fd: i32, _event: Option<EpollEvent>) -> Ending { Ending::Bypass }
/// `epoll_wait`, `epoll_pwait`, `epoll_pwait2`.
pub fn epoll_wait(_epfd: i32, _events: &mut [EpollEvent], _timeout: Option<Duration>, _sigmask: Option<u64>) -> Ending { Ending::Bypass }
