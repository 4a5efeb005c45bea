//! Why a direction is on the kernel road: one table for the library, `vmmc status` and the documentation.

/// A reason, as it stands in shared memory (`0` is "none: on the VMMC road").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Reason(u8);

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The reason's constant.
    pub reason: Reason,
    /// Stable name, as printed and as found in `--json`.
    pub code: &'static str,
    /// What is the case, in a sentence.
    pub sentence: &'static str,
    /// What one may do about it; empty if nothing needs doing.
    pub advice: &'static str,
    /// It stays so for the connection's whole life.
    pub is_final: bool,
}

macro_rules! reasons {
    ($($number:literal $name:ident $code:literal $is_final:literal $sentence:literal $advice:literal)*) => {
        impl Reason {
            $(#[doc = $sentence] pub const $name: Reason = Reason($number);)*
        }
        /// Every reason, in the order of its number.
        pub const REASONS: &[Row] = &[$(
            Row { reason: Reason($number), code: $code, sentence: $sentence, advice: $advice, is_final: $is_final }
        ),*];
    };
}

reasons! {
    0 NONE "vmmc" false "Data travels over VMMC." ""
    1 YOUNG "young" false "Too few calls have been seen on this connection to be worth a set-up." "Nothing: short connections are meant to stay on the kernel road."
    2 PAIRING "pairing" false "The broker has been asked and has not found the other end yet." "Start the other program with `vmmc run` as well, as the same user."
    3 NO_BROKER "no-broker" false "No broker answers." "Run `vmmc doctor`; `vmmc run` starts a broker by itself."
    4 REMOTE_PEER "remote-peer" true "The other end is not on this host." "Nothing: VMMC between hosts needs an RDMA fabric."
    5 NOT_STREAM "not-tcp" true "This is not a TCP stream socket." "Nothing: only TCP connections are accelerated."
    6 NO_SEND_SEEN "no-send-seen" false "This end has not sent through an intercepted call." "Nothing, if this direction is idle."
    7 NO_RECEIVE_SEEN "no-receive-seen" false "The receiving end has not received through an intercepted call." "If the receiver uses io_uring or raw system calls, it cannot be accelerated."
    8 COUNTS_DIFFER "counts-differ" true "Bytes passed this socket beside the intercepted calls." "The program reads or writes the socket by a way that the library does not see (io_uring, static code)."
    9 INHERITED "inherited" true "A program that is not ours holds this socket too (exec, posix_spawn)." "Open the socket close-on-exec if the other program does not need it."
    10 DESCRIPTOR_PASSED "descriptor-passed" true "The socket's descriptor was passed to another process." ""
    11 URGENT_DATA "urgent-data" true "The connection uses urgent data." ""
    12 KERNEL_FEATURE "kernel-feature" true "The connection uses a kernel feature that only the kernel road has (kTLS, splice, zero-copy)." ""
    13 STDIO "stdio" true "A stdio stream was opened on the socket." ""
    14 PEER_FINISHED "peer-finished" false "The other end has finished sending, so the kernel must see what is sent to it." ""
    15 RING_FULL "ring-full" false "The receiver is slower than the sender; the stream overflowed to the kernel's buffers and returns when it has caught up." ""
    16 SHARED_BEFORE_PAIRING "shared" false "Several processes hold this socket and it was not paired before they forked." "It is paired once only one of them holds it."
    17 NO_MEMORY "no-memory" false "Memory for the connection could not be had." "Look at the limit of open files (`ulimit -n`), at the memory cgroup, and at `vmmc doctor`."
    18 PEER_LIED "peer-lied" true "The other end wrote impossible values; the connection was reset." "Report it: the two libraries may not be of one version."
    19 STRANGER_BYTE "stranger-byte" true "A byte that nobody announced came over the kernel road; the connection was reset." "Somebody wrote to the socket past the library."
    20 POLICY "policy" true "Policy does not allow these two processes to be paired." "By default only processes of one user are paired."
    21 VERSION "version" true "The two ends' libraries, or theirs and the broker's, speak different versions." "Restart the older program; end the broker if it is older than both (`vmmc doctor` shows its process)."
    22 RECEIVED_DESCRIPTOR "received-descriptor" true "The socket was inherited or received from another process." ""
    23 SANDBOXED "sandboxed" true "The process has sandboxed itself; nothing new is begun in it." ""
    24 DISABLED "disabled" true "The library was told to stay out (VMMC_DISABLE)." ""
    25 PEER_MOVED_BACK "peer-moved-back" false "The other end asked to move back to the kernel road." "See the reason at the other end."
    26 TOO_FAR_BEHIND "too-far-behind" false "The receiver has much kernel-road data left to read; the stream switches when it has caught up." ""
    27 NOT_ESTABLISHED "not-established" false "The connection is not established (any more), so it cannot be paired." ""
    28 OLD_KERNEL "old-kernel" true "The kernel cannot say which network a socket belongs to (SO_NETNS_COOKIE)." "Linux 5.14 or newer is needed."
    29 NO_PEER "no-peer" true "The other end never asked to be paired: it is not one of ours." "Start the other program with `vmmc run` as well, as the same user; what a connection carries from here on is not counted."
    30 PEER_ENDED "peer-ended" true "The other end's process has ended, and the system has not closed the connection; it was reset." ""
    31 IO_URING "io-uring" true "The program uses this connection by io_uring, or has a ring that the library cannot look into." "Ordinary calls on a connection that shall be accelerated; no SQPOLL on rings that are made without liburing (Node: UV_USE_IO_URING=0)."
    32 SHARED_SET "shared-set" true "An epoll set that it is in has been used by several processes." "Make the set after the fork."
}

impl Reason {
    /// The reason with this number; a number that no row has reads as `NONE`.
    #[must_use]
    pub fn from_number(number: u8) -> Self {
        if usize::from(number) < REASONS.len() { Self(number) } else { Self::NONE }
    }

    /// Its number in shared memory.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// Its row in the table.
    #[must_use]
    pub fn row(self) -> &'static Row {
        #[allow(clippy::indexing_slicing, reason = "indexed by the compiler, not in the guest")]
        const NO_ROW: &Row = &REASONS[0];
        REASONS.get(usize::from(self.0)).unwrap_or(NO_ROW)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_at_their_numbers_and_codes_differ() {
        for (at, row) in REASONS.iter().enumerate() {
            assert_eq!(usize::from(row.reason.number()), at);
            assert!(REASONS.iter().skip(at + 1).all(|other| other.code != row.code));
        }
    }
}
