//! Linux.
pub mod abi;
pub mod cancel;
pub mod clock;
pub mod futex;
pub mod kernel;
pub mod memory;
pub mod process;
