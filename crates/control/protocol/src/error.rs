use core::fmt;

/// Why the broker could not be reached or spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlError {
    /// No broker listens in the runtime directory.
    Absent,
    /// The runtime directory is not a directory of this user's (or root's) that nobody else may write.
    Untrusted,
    /// Nothing was sent: the broker has much to read. Try again when the descriptor is writable, or a little later.
    Busy,
    /// The broker closed the connection or died. Every link it made stays usable; no more slots of it will come.
    Lost,
    /// The broker sent what this version never sends. The connection is of no further use.
    Malformed,
    /// The broker speaks another version of the protocol. The connection is of no further use.
    Version,
    /// The kernel refused, with this error number.
    Kernel(i32),
}

impl From<vmmc_os::channel::Refusal> for ControlError {
    fn from(refusal: vmmc_os::channel::Refusal) -> Self {
        use vmmc_os::channel::Refusal;
        match refusal {
            Refusal::Absent => Self::Absent,
            Refusal::Untrusted => Self::Untrusted,
            Refusal::Busy => Self::Busy,
            Refusal::Lost => Self::Lost,
            Refusal::System(number) => Self::Kernel(number),
        }
    }
}

impl fmt::Display for ControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "no broker is running",
            Self::Untrusted => "the runtime directory is not this user's own",
            Self::Busy => "the broker is busy",
            Self::Lost => "the broker has gone away",
            Self::Malformed => "the broker sent an impossible message",
            Self::Version => "the broker speaks another version of the protocol",
            Self::Kernel(number) => return write!(f, "the kernel refused (errno {number})"),
        })
    }
}

impl core::error::Error for ControlError {}
