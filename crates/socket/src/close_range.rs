//! Many descriptors go at once.
use crate::{Ending, lifecycle::before_close, table};
use vmmc_os::{abi, kernel};

/// Before `close_range(first, last, flags)` (also closefrom): our own descriptors are spared by splitting the range.
/// `Handled` if it was done here.
pub fn close_range(first: u32, last: u32, flags: u32) -> Ending {
    if flags & abi::CLOSE_RANGE_CLOEXEC != 0 || first > last {
        return Ending::Bypass;
    }
    let (mut from, mut split) = (first, false);
    let mut failed = None;
    table::each_in(first, last, |fd, entry| {
        if matches!(entry, table::Entry::Internal) {
            split = true;
            let at = fd as u32;
            if at > from
                && let Err(error) = kernel::close_range(from, at - 1, flags)
            {
                failed.get_or_insert(error);
            }
            from = at + 1;
        } else {
            let _ = before_close(fd);
        }
    });
    if !split {
        return Ending::Bypass;
    }
    if from <= last
        && let Err(error) = kernel::close_range(from, last, flags)
    {
        failed.get_or_insert(error);
    }
    failed.map_or(Ending::Handled(0), Ending::Failed)
}
