//! What a call may be asked for: flags, options, requests, and ways of using a connection.

/// One flag, option, request or use.
#[derive(Clone, Copy, Debug)]
pub struct Feature {
    /// Its names, as a program writes them.
    pub names: &'static [&'static str],
    /// What it is about.
    pub part: Part,
    /// What becomes of it.
    pub road: Road,
    /// What is peculiar to it; for [`Road::Limit`] what is different. May be empty otherwise.
    pub note: &'static str,
    /// Programs of `tests/apps` that compare it with the kernel's own.
    pub proof: &'static [&'static str],
}

/// Where a feature is had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Road {
    /// The same over memory.
    Both,
    /// The connection moves back to the kernel road for good, and the kernel does it.
    MovesBack,
    /// The kernel alone does it, and that serves both roads.
    Kernels,
    /// Not as the kernel's.
    Limit,
}

impl Road {
    /// Every road, in the order in which they are explained.
    pub const ALL: &[Self] = &[Self::Both, Self::MovesBack, Self::Kernels, Self::Limit];

    /// Its name in the documentation.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Both => "both roads",
            Self::MovesBack => "moves back",
            Self::Kernels => "the kernel's",
            Self::Limit => "limit",
        }
    }

    /// What it means, in a sentence.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Both => "the same over memory as by the kernel",
            Self::MovesBack => {
                "the connection goes to the kernel road for good, with what is unread, and the kernel does it"
            }
            Self::Kernels => "the kernel does it for the socket, and that serves both roads",
            Self::Limit => "differs from the kernel's own, as the note says",
        }
    }
}

/// What a feature is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Flags of calls that move bytes.
    Flags,
    /// Socket options.
    Options,
    /// Requests of ioctl and commands of fcntl.
    Requests,
    /// How connections come about, are waited for, and end.
    Uses,
    /// How descriptors and processes travel.
    Travel,
}

impl Part {
    /// Every part, in the documentation's order.
    pub const ALL: &[Self] = &[Self::Flags, Self::Options, Self::Requests, Self::Uses, Self::Travel];

    /// Its heading.
    #[must_use]
    pub const fn heading(self) -> &'static str {
        match self {
            Self::Flags => "Flags",
            Self::Options => "Socket options",
            Self::Requests => "Requests of ioctl and commands of fcntl",
            Self::Uses => "Ways of using a connection",
            Self::Travel => "Descriptors and processes that travel",
        }
    }
}
