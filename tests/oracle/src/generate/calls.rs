//! Moves of one call: data, readiness, options.

use super::model::{End, Kind};
use super::{Generator, UNREAD_MOST};

/// Sends in a hundred that are urgent: none while ARCHITECTURE.md, "What is not done yet", says that they differ.
const URGENT_CHANCE: usize = 0;
/// Option moves in a hundred that set a low-water mark: none, since it moves the connection back for good and ends what is of interest.
const LOWAT_CHANCE: usize = 0;

impl Generator {
    pub(super) fn send(&mut self, actor: char, slot: usize, end: End) {
        let length = self.length();
        if self.model.ends[end ^ 1].unread + length > UNREAD_MOST {
            return;
        }
        if self.random.percent(URGENT_CHANCE) && self.tame(end) {
            return self.urgent(actor, slot, end);
        }
        let verbs =
            ["send", "send", "send", "sendto", "write", "writev", "pwritev2", "sendmsg", "sendmmsg", "sendfile"];
        let mut verb = self.random.pick(&verbs);
        if self.random.percent(3) && self.model.may_hand_on(end) {
            verb = "splice_out";
        }
        if verb == "sendmmsg" && self.model.ends[end].finished {
            // How many of them go before the peer's answer to the first one is heard is left open.
            verb = "sendmsg";
        }
        let pieces = 1 + self.random.below(4);
        let length = if verb == "sendmmsg" { length.next_multiple_of(pieces) } else { length };
        let mut flags = self.flags(&[("NOSIGNAL", 50), ("DONTWAIT", 30), ("EOR", 5)]);
        if !self.tame(end) && !flags.contains(&"DONTWAIT") {
            flags.push("DONTWAIT");
        }
        let flags = self.words(&flags);
        self.step(actor, format!("{verb} s{slot} {length}b {pieces}x {flags}"));
        if verb == "splice_out" && length > 4096 {
            // A pipe takes this much for certain, and more on most machines.
            self.model.wild[end / 2] = true;
        }
        self.model.sent(end, length);
    }

    /// Flags as one word; a word that names none where there are none.
    fn words(&mut self, flags: &[&str]) -> String {
        if flags.is_empty() { "0".to_owned() } else { flags.join("|") }
    }

    fn urgent(&mut self, actor: char, slot: usize, end: End) {
        let length = self.random.pick(&[1, 1, 5]);
        self.step(actor, format!("send s{slot} {length}b 1x OOB|NOSIGNAL"));
        self.model.sent(end, length);
        self.model.wild[end / 2] = true;
        if let Some((other, theirs)) = self.model.holder(end ^ 1, actor) {
            self.step(other, format!("atmark s{theirs}"));
            self.step(other, format!("poll 0ms s{theirs} IN|PRI|OUT"));
            if self.random.percent(60) {
                self.step(other, format!("recv s{theirs} 10b 1x OOB|DONTWAIT"));
            }
        }
    }

    pub(super) fn receive(&mut self, actor: char, slot: usize, end: End) {
        let (unread, finished) = (self.model.ends[end].unread, self.model.ends[end].finished);
        let blocks = !finished && !self.model.ends[end].nonblocking;
        let wanted = match self.random.below(5) {
            0 => unread.max(1),
            1 => 1 + unread / 2,
            2 => unread + 10,
            _ => self.length(),
        };
        let mut flags = self.flags(&[("PEEK", 15), ("DONTWAIT", 30), ("WAITALL", 15), ("TRUNC", 3), ("NOSIGNAL", 3)]);
        let careful = !self.tame(end)
            || blocks
                && (unread == 0 || self.model.ends[end].wants_much || wanted > unread && flags.contains(&"WAITALL"));
        if careful && !flags.contains(&"DONTWAIT") {
            flags.push("DONTWAIT");
        }
        let mut verbs = vec!["recv", "recv", "recvfrom", "recvmsg", "recvmmsg"];
        if flags.is_empty() {
            verbs.extend(["read", "read", "readv", "preadv2"]);
        }
        if self.random.percent(2) && flags.iter().all(|flag| *flag == "DONTWAIT") && self.model.may_hand_on(end) {
            verbs = vec!["splice_in"];
        }
        let verb = self.random.pick(&verbs);
        let pieces = 1 + self.random.below(4);
        let length = if verb == "recvmmsg" { wanted.next_multiple_of(pieces) } else { wanted };
        if verb == "recvmmsg" && !flags.contains(&"DONTWAIT") {
            flags.retain(|flag| *flag != "WAITALL");
            flags.push("WAITFORONE");
        }
        let words = self.words(&flags);
        self.step(actor, format!("{verb} s{slot} {length}b {pieces}x {words}"));
        if !flags.contains(&"PEEK") {
            self.model.ends[end].unread = unread.saturating_sub(length);
        }
    }

    /// poll or select without waiting, on up to three descriptors.
    pub(super) fn ask_ready(&mut self, actor: char) {
        let verb = self.random.pick(&["poll", "poll", "ppoll", "select", "pselect"]);
        let polls = verb.ends_with("poll");
        let mut slots: Vec<usize> = self.model.slots(actor).keys().copied().collect();
        let mut text = format!("{verb} {}ms", self.random.pick(&[0, 0, 0, 0, 7]));
        for _ in 0..1 + self.random.below(3) {
            if slots.is_empty() {
                break;
            }
            let slot = slots.remove(self.random.below(slots.len()));
            let asked = if polls {
                self.random.pick(&["IN", "IN|OUT", "IN|OUT|RDHUP|PRI", "OUT", "RDHUP", "IN|RDNORM|WRNORM"])
            } else {
                self.random.pick(&["R", "R|W", "R|W|E", "W", "E"])
            };
            text.push_str(&format!(" s{slot} {asked}"));
        }
        self.step(actor, text);
    }

    /// Makes a set, changes it, or asks it.
    pub(super) fn epoll(&mut self, actor: char, slot: usize) {
        let sets = self.model.sets(actor);
        if sets.is_empty() || self.random.percent(5) {
            if self.model.has_room(1) {
                let (set, events) = (self.model.fresh_slot(), self.events());
                self.step(actor, format!("epoll_create s{set}"));
                self.step(actor, format!("epoll_add s{set} s{slot} {events}"));
                self.model.add(actor, set, Kind::Epoll);
            }
            return;
        }
        let (set, events) = (self.random.pick(&sets), self.events());
        match self.random.below(10) {
            0 | 1 => self.step(actor, format!("epoll_add s{set} s{slot} {events}")),
            2 => self.step(actor, format!("epoll_mod s{set} s{slot} {events}")),
            3 => self.step(actor, format!("epoll_del s{set} s{slot}")),
            _ => {
                let verb = self.random.pick(&["epoll_wait", "epoll_wait", "epoll_pwait"]);
                let limit = self.random.pick(&[0, 0, 0, 9]);
                self.step(actor, format!("{verb} s{set} 8x {limit}ms"));
            }
        }
    }

    fn events(&mut self) -> &'static str {
        self.random.pick(&[
            "IN",
            "IN|OUT",
            "IN|ET",
            "IN|OUT|ET",
            "IN|OUT|RDHUP|ET",
            "IN|ONESHOT",
            "IN|RDHUP|PRI",
            "OUT|ET|ONESHOT",
            "IN|EXCLUSIVE",
            "OUT",
        ])
    }

    pub(super) fn option(&mut self, actor: char, slot: usize, end: End) {
        match self.random.below(12) {
            0..3 => {
                let on = usize::from(!self.model.ends[end].nonblocking);
                let how = self.random.pick(&["", " ioctl"]);
                self.step(actor, format!("nonblock s{slot} {on}{how}"));
                self.model.ends[end].nonblocking = on == 1;
            }
            3 => self.step(actor, format!("fionread s{slot}")),
            4 => self.step(actor, format!("atmark s{slot}")),
            5 => self.step(actor, format!("info s{slot}")),
            6 => self.step(actor, format!("names s{slot}")),
            7 => self.step(actor, format!("getfl s{slot}")),
            8 if self.random.percent(LOWAT_CHANCE) => {
                let lowat = self.random.pick(&[1, 5, 100]);
                self.step(actor, format!("set s{slot} RCVLOWAT {lowat}"));
                self.model.ends[end].wants_much = lowat > 1;
            }
            9 => {
                let name = self.random.pick(&[
                    "NODELAY",
                    "NODELAY",
                    "KEEPALIVE",
                    "OOBINLINE",
                    "QUICKACK",
                    "PRIORITY",
                    "KEEPIDLE",
                ]);
                let value = 1 + self.random.below(2);
                self.step(actor, format!("set s{slot} {name} {value}"));
            }
            _ => {
                let names = [
                    "ERROR",
                    "NODELAY",
                    "CORK",
                    "RCVTIMEO",
                    "SNDTIMEO",
                    "RCVLOWAT",
                    "LINGER",
                    "TYPE",
                    "ACCEPTCONN",
                    "OOBINLINE",
                    "DOMAIN",
                ];
                let name = self.random.pick(&names);
                self.step(actor, format!("get s{slot} {name}"));
            }
        }
    }
}
