//! What this process knows of an epoll set: its accelerated members. The kernel's set stays the truth for everything else.
use crate::connection::Connection;
use crate::lock::{Held, Lock};
use core::sync::atomic::AtomicBool;
use std::collections::BTreeMap;
use vmmc_os::abi;
use vmmc_sync::{AtomicU32, AtomicU64, AtomicUsize};

/// What a member that is readable reports, as far as asked.
pub(super) const READABLE: u32 = (abi::EPOLLIN | abi::EPOLLRDNORM) as u32;
/// What a member that is writable reports, as far as asked.
pub(super) const WRITABLE: u32 = (abi::EPOLLOUT | abi::EPOLLWRNORM) as u32;

/// Most sets of one process that are followed.
pub(super) const SETS_MAX: usize = 256;

/// What a member is.
#[derive(Clone, Copy)]
pub(super) enum What {
    /// A TCP socket.
    Socket(&'static Connection),
    /// Another set, by its number.
    Set(usize),
    /// What the kernel alone knows; followed only because its data may be a socket's too.
    Other,
}

/// One registration that could concern the ring.
#[derive(Clone, Copy)]
pub(super) struct Member {
    pub(super) what: What,
    /// As the application last asked.
    pub(super) events: u32,
    pub(super) data: u64,
    /// As the kernel knows it, if it does: behind while a change was not worth a call.
    pub(super) kernel: (u32, u64),
    /// Removed by the application; the kernel hears of it before a sleep, and until then its reports say nothing.
    pub(super) removed: bool,
    /// Its descriptor was closed, perhaps by a signal handler: [`Members::tidy`] frees what it takes.
    pub(super) gone: bool,
    /// False once a one-shot registration has been reported.
    pub(super) enabled: bool,
    /// It was reported out of memory, and the kernel takes it for unspent.
    pub(super) unheard: bool,
    /// Edge-triggered: what had come when it was last reported, if it was since it was registered.
    pub(super) mark: Option<u64>,
    /// Edge-triggered, and the kernel has not heard of the registration as it is now: it is reported as the kernel would, if
    /// there is anything to report at all.
    pub(super) is_due: bool,
    /// Edge-triggered: so many bytes, of which it had been told, were moved back, which the kernel takes for an edge.
    pub(super) moved_told: u64,
    /// Edge-triggered: the connection's state has changed here, which the kernel reports to everybody.
    pub(super) is_changed: bool,
    /// Stands in `hot`.
    pub(super) is_hot: bool,
    /// What had come when the hand of [`super::hot::cool_idle`] last passed.
    pub(super) seen: u64,
    /// The look that last reported it, and the place of that report.
    pub(super) reported: (u64, usize),
}

impl Member {
    pub(super) fn has(&self, bits: i32) -> bool {
        self.events & bits as u32 != 0
    }

    /// There was nothing to report, `mark` having come by then: an edge is past, unless the kernel has one of its own to tell.
    pub(super) fn looked_at(&mut self, mark: u64) {
        if self.mark.is_some() || self.is_due {
            self.mark = Some(mark);
        }
    }
}

/// The part of a set that a lock guards.
pub(super) struct Members {
    pub(super) by_fd: BTreeMap<i32, Member>,
    /// Data that the kernel will report -> the members registered with it.
    pub(super) by_data: BTreeMap<u64, Vec<i32>>,
    /// Members to be looked at in user space: on the VMMC road and not armed.
    pub(super) hot: Vec<i32>,
    /// Members whose registration at the kernel is behind.
    pub(super) behind: Vec<i32>,
    /// Members that are sets.
    pub(super) nested: Vec<i32>,
    /// The set's own descriptor; it alone refers to the set while `references` is 1.
    pub(super) epfd: i32,
    /// Descriptors that refer to the set.
    pub(super) references: u32,
    /// The process that made the set, which others have if it has forked.
    pub(super) made_by: u32,
    /// Where in `hot` the next one that may be idle stands.
    pub(super) hand: usize,
    /// Some members are gone.
    pub(super) any_gone: bool,
    /// Number of the last look at the members.
    pub(super) look: u64,
    /// Where the next look at `hot` begins, so that nobody is always last.
    pub(super) turn: usize,
}

/// One set.
pub(super) struct Set {
    pub(super) members: Lock<Members>,
    pub(super) in_use: AtomicBool,
    /// A member's data has come over VMMC: from then on this set's waits are ours.
    pub(super) accelerated: AtomicBool,
    /// Where [`super::shared`] has the words that say whose it is, and which of its number's sets it is there; 0: nobody else's.
    pub(super) words: AtomicUsize,
    pub(super) generation: AtomicU32,
    /// Threads asleep in the kernel on this set.
    pub(super) sleepers: AtomicU32,
    /// What spinning on this set has lately paid.
    pub(super) spin: AtomicU32,
    /// Ticks of the last look at the kernel's set.
    pub(super) looked: AtomicU64,
}

impl Set {
    /// The members, for a call that may free memory.
    pub(super) fn enter(&self) -> Held<'_, Members> {
        let mut members = self.members.hold();
        members.tidy();
        members
    }

    const fn new() -> Self {
        let members = Members {
            by_fd: BTreeMap::new(),
            by_data: BTreeMap::new(),
            hot: Vec::new(),
            behind: Vec::new(),
            nested: Vec::new(),
            epfd: -1,
            references: 0,
            made_by: 0,
            hand: 0,
            any_gone: false,
            look: 0,
            turn: 0,
        };
        Self {
            members: Lock::new(members),
            in_use: AtomicBool::new(false),
            accelerated: AtomicBool::new(false),
            words: AtomicUsize::new(0),
            generation: AtomicU32::new(0),
            sleepers: AtomicU32::new(0),
            spin: AtomicU32::new(0),
            looked: AtomicU64::new(0),
        }
    }
}

static SETS: [Set; SETS_MAX] = [const { Set::new() }; SETS_MAX];

/// The set of this number.
pub(super) fn get(number: usize) -> &'static Set {
    SETS.get(number).unwrap_or(&SETS[0])
}

pub(super) fn all() -> impl Iterator<Item = (usize, &'static Set)> {
    SETS.iter().enumerate()
}

impl Members {
    /// Takes a member out of use, and frees nothing.
    pub(super) fn retire(&mut self, fd: i32) -> bool {
        let Some(member) = self.by_fd.get_mut(&fd).filter(|member| !member.gone) else { return false };
        (member.gone, member.removed, member.is_hot) = (true, true, false);
        self.any_gone = true;
        for list in [&mut self.hot, &mut self.behind, &mut self.nested] {
            list.retain(|found| *found != fd);
        }
        true
    }

    /// Frees what is gone.
    pub(super) fn tidy(&mut self) {
        if core::mem::take(&mut self.any_gone) {
            let gone: Vec<i32> = self.by_fd.iter().filter(|(_, member)| member.gone).map(|(fd, _)| *fd).collect();
            for fd in gone {
                self.take(fd);
            }
        }
    }

    pub(super) fn clear(&mut self) {
        self.by_fd.clear();
        self.by_data.clear();
        self.hot.clear();
        self.behind.clear();
        self.nested.clear();
        (self.turn, self.any_gone) = (0, false);
    }

    pub(super) fn index(&mut self, fd: i32, data: u64) {
        let fds = self.by_data.entry(data).or_default();
        if !fds.contains(&fd) {
            fds.push(fd);
        }
    }

    pub(super) fn unindex(&mut self, fd: i32, data: u64) {
        if let Some(fds) = self.by_data.get_mut(&data) {
            fds.retain(|found| *found != fd);
            if fds.is_empty() {
                self.by_data.remove(&data);
            }
        }
    }

    pub(super) fn take(&mut self, fd: i32) -> Option<Member> {
        let member = self.by_fd.remove(&fd)?;
        self.unindex(fd, member.kernel.1);
        self.nested.retain(|found| *found != fd);
        self.behind.retain(|found| *found != fd);
        if member.is_hot {
            self.hot.retain(|found| *found != fd);
        }
        Some(member)
    }
}
