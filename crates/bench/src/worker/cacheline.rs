//! The bare cache-line round trip: one word each way, each on a line of its own, both ends spinning. No socket, no data.

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;

use super::shared::SharedWords;
use super::{begin, done, listening, measure, spin};
use crate::job::Job;

const THERE: usize = 0;
const BACK: usize = 1;
/// The word that ends the server.
const LAST: u64 = u64::MAX;

pub(super) fn serve() -> Result<()> {
    let words = SharedWords::create()?;
    listening(&words.name())?;
    let mut count = 0;
    await_change(words.word(THERE), 0);
    done(measure::all(|| {
        loop {
            let word = await_change(words.word(THERE), count);
            words.word(BACK).store(word, Ordering::Release);
            if word == LAST {
                return Ok((count, 0));
            }
            count = word;
        }
    })?)
}

pub(super) fn call(job: &Job) -> Result<()> {
    let words = SharedWords::open(begin(job)?)?;
    let mut count = 0;
    let measured = measure::each(job, || {
        words.word(THERE).store(count + 1, Ordering::Release);
        count = await_change(words.word(BACK), count);
        Ok(())
    })?;
    words.word(THERE).store(LAST, Ordering::Release);
    done(measured)
}

fn await_change(word: &AtomicU64, known: u64) -> u64 {
    spin::until(|| Some(word.load(Ordering::Acquire)).filter(|value| *value != known))
}
