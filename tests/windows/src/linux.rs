//! The command of Linux on a stage, outside of Wine, with a broker of its own.

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use vmmc_tests::{Launch, Program};

use crate::Stage;

/// How long the broker runs at most, and may take to listen.
const BROKER_LIMIT: Duration = Duration::from_secs(3600);
const LISTEN_LIMIT: Duration = Duration::from_secs(60);

/// `vmmc` as `cargo build --release` makes it (`VMMC_BIN` names another), and its broker, which ends with this value.
#[derive(Debug)]
pub struct Linux {
    vmmc: String,
    rooms: PathBuf,
    _broker: Program,
}

impl Linux {
    /// Starts its broker.
    ///
    /// # Panics
    ///
    /// If that does not come to listen.
    #[must_use]
    pub fn new(stage: &Stage) -> Self {
        let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/release/vmmc");
        let vmmc = std::env::var_os("VMMC_BIN").map_or(usual, PathBuf::from).to_string_lossy().into_owned();
        let rooms = stage.path("linux");
        std::fs::create_dir(&rooms).expect("a directory for the broker of Linux");
        let broker = stage.native(&[&vmmc, "broker"]).env("VMMC_RUNTIME_DIR", &rooms).limit(BROKER_LIMIT);
        let (mut broker, began) = (broker.start(), Instant::now());
        while !rooms.join("broker.sock").exists() {
            let fine = broker.is_alive() && began.elapsed() < LISTEN_LIMIT;
            assert!(fine, "the broker of Linux does not listen:\n{}", broker.logs());
            sleep(Duration::from_millis(10));
        }
        Self { vmmc, rooms, _broker: broker }
    }

    /// The command with these words.
    #[must_use]
    pub fn command(&self, stage: &Stage, words: &[&str]) -> Launch {
        stage.native(&[&[self.vmmc.as_str()], words].concat()).env("VMMC_RUNTIME_DIR", &self.rooms)
    }
}
