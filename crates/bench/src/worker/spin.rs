//! Polling memory: the floors' only way to wait.

use std::hint;
use std::thread;

/// Looks at once; after so many looks in vain (some tens of microseconds) the other end may lack a processor and gets this one.
const LOOKS: u32 = 4096;

/// Calls `look` until it finds something.
pub(super) fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    loop {
        for _ in 0..LOOKS {
            if let Some(found) = look() {
                return found;
            }
            hint::spin_loop();
        }
        thread::yield_now();
    }
}
