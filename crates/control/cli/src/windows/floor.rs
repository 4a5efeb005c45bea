//! What the machine itself needs: a word there and back in a section that two threads have mapped, each for itself.

use std::io::{Error, Result};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use vmmc_os::{Descriptor, memory};

/// Bytes from one word to the other: two cache lines.
const APART: usize = 128;
/// Looks in vain, a microsecond or so, after which the other end may lack a processor and gets this one.
const LOOKS: u32 = 200;
/// The last word.
const END: u64 = u64::MAX;

/// The two words in a view of its own.
#[derive(Clone, Copy, Debug)]
struct Words(&'static [AtomicU64; 2 * APART / 8]);

impl Words {
    /// A view that stays until the process ends.
    #[allow(unsafe_code)]
    fn map(section: &Descriptor) -> Result<Self> {
        let address = memory::map_shared(section.number(), memory::PAGE, true);
        let address = address.map_err(|error| Error::from_raw_os_error(error.0))?;
        // SAFETY: the page is mapped for good, begins at a multiple of its size and is touched by atomic operations alone.
        Ok(Self(unsafe { &*std::ptr::with_exposed_provenance(address) }))
    }

    fn there(self) -> &'static AtomicU64 {
        &self.0[0]
    }

    fn back(self) -> &'static AtomicU64 {
        &self.0[APART / 8]
    }
}

/// Microseconds of a round trip, median, over `length`.
pub(super) fn round_trip(length: Duration) -> Result<f64> {
    let section = memory::create_sealed(c"vmmc-bench", memory::PAGE);
    let section = Descriptor::new(section.map_err(|error| Error::from_raw_os_error(error.0))?);
    let (ours, theirs) = (Words::map(&section)?, Words::map(&section)?);
    let echo = std::thread::spawn(move || {
        let mut last = 0;
        while last != END {
            last = changed(theirs.there(), last);
            theirs.back().store(last, Ordering::Release);
        }
    });
    let (begun, mut trips, mut number) = (Instant::now(), Vec::with_capacity(1 << 20), 0);
    while begun.elapsed() < length {
        let trip = Instant::now();
        ours.there().store(number + 1, Ordering::Release);
        number = changed(ours.back(), number);
        trips.push(trip.elapsed().as_secs_f64() * 1e6);
    }
    ours.there().store(END, Ordering::Release);
    let _ = echo.join();
    trips.sort_by(f64::total_cmp);
    Ok(trips.get(trips.len() / 2).copied().unwrap_or(f64::NAN))
}

/// What the word is once it is not `old` any more.
fn changed(word: &AtomicU64, old: u64) -> u64 {
    loop {
        for _ in 0..LOOKS {
            let now = word.load(Ordering::Acquire);
            if now != old {
                return now;
            }
            std::hint::spin_loop();
        }
        std::thread::yield_now();
    }
}
