//! What the table says of a function.

/// One function of the C library.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its symbol.
    pub symbol: &'static str,
    /// Other symbols of the same meaning: fortified, 64-bit and reserved names.
    pub aliases: &'static [&'static str],
    /// What it is about.
    pub class: Class,
    /// What becomes of a call.
    pub fate: Fate,
    /// What is peculiar to it; for [`Fate::Passes`] the reason. May be empty otherwise.
    pub note: &'static str,
}

impl Row {
    /// The symbol and its aliases.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        core::iter::once(self.symbol).chain(self.aliases.iter().copied())
    }
}

/// What becomes of a call on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Done over VMMC where the connection's stream is there.
    Ring,
    /// Not intercepted.
    Passes,
    /// Both streams go to the kernel road, for good, and then the kernel does it.
    MovesBackFirst,
    /// The kernel does it and gives a new descriptor, which the library takes note of.
    Makes,
    /// The kernel does it and the library takes note of what changed.
    Noted,
    /// The library lets go of the connection, then the kernel closes it.
    Closes,
    /// The process becomes two that hold the same connections.
    Forks,
    /// The process ends; its doorbells are taken out of the kernel's queues first.
    Ends,
}

impl Fate {
    /// Every fate, in the order in which they are explained.
    pub const ALL: &[Self] = &[
        Self::Ring,
        Self::Passes,
        Self::MovesBackFirst,
        Self::Makes,
        Self::Noted,
        Self::Closes,
        Self::Forks,
        Self::Ends,
    ];

    /// Its name in the documentation.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ring => "ring",
            Self::Passes => "passes",
            Self::MovesBackFirst => "moves back first",
            Self::Makes => "makes",
            Self::Noted => "noted",
            Self::Closes => "closes",
            Self::Forks => "forks",
            Self::Ends => "ends",
        }
    }

    /// What it means, in a sentence.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Ring => "done over VMMC where the connection's stream is there, else by the kernel",
            Self::Passes => "not intercepted: the C library's function itself is called",
            Self::MovesBackFirst => "the connection's streams go to the kernel road for good, then the kernel does it",
            Self::Makes => "the kernel does it, and the library takes note of the new descriptor",
            Self::Noted => "the kernel does it, and the library takes note of what changed",
            Self::Closes => {
                "the library lets go of the connection, then the kernel closes it; the library's own descriptors are spared"
            }
            Self::Forks => "the process becomes two, which hold the same connections and go on with them",
            Self::Ends => "doorbells are taken out of the kernel's queues, then the process ends",
        }
    }
}

/// What a function is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Moves bytes.
    Data,
    /// Waits for readiness.
    Wait,
    /// Descriptors come, are copied, and go.
    Lifecycle,
    /// Options and flags.
    Options,
    /// The process forks, executes, ends.
    Process,
    /// Makes a descriptor that is no connection.
    Makers,
    /// The C library's streams.
    Stdio,
    /// Concerns files, directories, terminals and other objects of the kernel.
    Files,
    /// liburing's, by which the kernel does things past the C library.
    Rings,
    /// Remote procedure calls and other relics.
    Relics,
}

impl Class {
    /// Every class, in the documentation's order.
    pub const ALL: &[Self] = &[
        Self::Data,
        Self::Wait,
        Self::Lifecycle,
        Self::Options,
        Self::Process,
        Self::Makers,
        Self::Stdio,
        Self::Files,
        Self::Rings,
        Self::Relics,
    ];

    /// Its heading.
    #[must_use]
    pub const fn heading(self) -> &'static str {
        match self {
            Self::Data => "Moving bytes",
            Self::Wait => "Waiting for readiness",
            Self::Lifecycle => "Descriptors come, are copied, and go",
            Self::Options => "Options and flags",
            Self::Process => "The process forks, executes, ends",
            Self::Makers => "Makers of other descriptors",
            Self::Stdio => "Streams of the C library",
            Self::Files => "Files, directories, terminals and other objects",
            Self::Rings => "Rings of the kernel (liburing)",
            Self::Relics => "Relics",
        }
    }
}
