//! What the environment and the machine say, read once at start.
use core::sync::atomic::AtomicBool;
use std::sync::OnceLock;
use std::time::Duration;
use vmmc_os::{clock, process};
use vmmc_protocol::{RuntimeDir, record::Header, settings};
use vmmc_sync::{AtomicU32, AtomicU64, Ordering};

/// Longest spin of the default profile.
const SPIN_AUTO_MAX_MICROS: u32 = process::SLEEP_AND_WAKE_MICROS;
/// Longest spin of the latency profile.
const SPIN_LATENCY_MAX_MICROS: u32 = 1000;

static DISABLED: AtomicBool = AtomicBool::new(false);
static STRICT: AtomicBool = AtomicBool::new(false);
static LATENCY: AtomicBool = AtomicBool::new(false);
static SPIN_MAX: AtomicU32 = AtomicU32::new(0);
static SPIN_FIXED: AtomicBool = AtomicBool::new(false);
static TICKS_PER_MICRO: AtomicU64 = AtomicU64::new(1000);
static PROCESSORS: AtomicU32 = AtomicU32::new(1);
/// Remembered because the broker is sought later, when the program may have emptied its environment (nginx's workers do).
static RUNTIME_DIR: OnceLock<String> = OnceLock::new();

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Reads everything. Called once, by the constructor.
pub(crate) fn start() {
    let _ = RUNTIME_DIR.set(runtime_dir_of_environment());
    let on = |name| variable(name).is_some_and(|value| value == "1");
    DISABLED.store(on(settings::DISABLE), Ordering::Relaxed);
    STRICT.store(on(settings::STRICT), Ordering::Relaxed);
    let latency = variable(settings::PROFILE).is_some_and(|value| value == "latency");
    LATENCY.store(latency, Ordering::Relaxed);
    let default = if latency { SPIN_LATENCY_MAX_MICROS } else { SPIN_AUTO_MAX_MICROS };
    let spin = match variable(settings::SPIN).as_deref() {
        Some("off" | "0") => Some(0),
        Some(number) => number.parse::<u32>().ok(),
        None => None,
    };
    SPIN_FIXED.store(spin.is_some() || latency, Ordering::Relaxed);
    SPIN_MAX.store(spin.unwrap_or(default), Ordering::Relaxed);
    PROCESSORS.store(process::processors() as u32, Ordering::Relaxed);
    TICKS_PER_MICRO.store(clock::measure_ticks_per_microsecond(Duration::from_micros(20)), Ordering::Relaxed);
}

pub(crate) fn disabled() -> bool {
    DISABLED.load(Ordering::Relaxed)
}
pub(crate) fn strict() -> bool {
    STRICT.load(Ordering::Relaxed)
}
/// Most microseconds that one wait may spin; 0: never.
#[inline(always)]
pub(crate) fn spin_max_micros() -> u32 {
    SPIN_MAX.load(Ordering::Relaxed)
}
/// The spin does not adapt: it was given as a number, or the profile is `latency`.
pub(crate) fn spin_is_fixed() -> bool {
    SPIN_FIXED.load(Ordering::Relaxed)
}
#[inline(always)]
pub(crate) fn ticks(micros: u32) -> u64 {
    u64::from(micros) * TICKS_PER_MICRO.load(Ordering::Relaxed)
}
pub(crate) fn processors() -> u32 {
    PROCESSORS.load(Ordering::Relaxed)
}
/// The library's version of what the table's header says of the settings.
pub(crate) fn describe(header: &Header) {
    header.profile.store(u32::from(LATENCY.load(Ordering::Relaxed)), Ordering::Relaxed);
}
/// Where the broker's socket is.
pub(crate) fn runtime_dir() -> &'static str {
    RUNTIME_DIR.get().map_or("", String::as_str)
}

fn runtime_dir_of_environment() -> String {
    RuntimeDir::of_environment().map_or_else(String::new, |dir| dir.to_string_lossy().into_owned())
}
