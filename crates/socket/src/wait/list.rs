//! `select` on a list of sockets, as a face makes it of its `fd_set`s.
use super::poll::{self, Kernel};
use super::ready;
use crate::{Ending, table};
use std::time::Duration;
use vmmc_os::{PollFd, abi, kernel};

const SELECT: Kernel = Kernel { ask: kernel::select, sleep: kernel::select, counted: |events| events };

/// `select`: an entry's `POLLIN` is its place in the first set, `POLLOUT` in the second, `POLLPRI` in the third; `revents`
/// says the same of the result. A socket may have several entries. `timeout` `None` waits for ever. `Handled(n)`: n entries
/// have events.
///
/// Source: select in WinSock 2. `Bypass` if no socket whose first set is asked has anything on the VMMC road.
pub fn select(fds: &mut [PollFd], timeout: Option<Duration>) -> Ending {
    let is_ours =
        |entry: &PollFd| entry.events & abi::POLLIN != 0 && table::lookup(entry.fd).is_some_and(ready::on_ring);
    if !fds.iter().any(is_ours) {
        return Ending::Bypass;
    }
    match poll::wait(&SELECT, fds, timeout, None) {
        Ok(found) => Ending::Handled(found as isize),
        Err(error) => Ending::Failed(error),
    }
}
