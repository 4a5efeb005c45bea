//! Moves of several actors: one blocks and another one wakes it; two move much; one holds bytes back.

use super::model::{End, Kind};
use super::{Generator, UNREAD_MOST};

impl Generator {
    /// Something that needs the other end, if another actor has it.
    pub(super) fn meet(&mut self, actor: char, slot: usize, end: End) {
        let Some((other, theirs)) = self.model.holder(end ^ 1, actor) else { return };
        let (here, there) = (&self.model.ends[end], &self.model.ends[end ^ 1]);
        if !self.tame(end) || here.finished || there.shut {
            return;
        }
        let plain = here.unread == 0 && !here.nonblocking && !here.wants_much;
        match self.random.below(9) {
            0 if plain => self.blocked_receive(actor, slot, end, (other, theirs)),
            1 if plain => self.wait_for_all(actor, slot, (other, theirs)),
            2 if here.unread == 0 => self.blocked_wait(actor, slot, end, (other, theirs)),
            3 if plain => self.interrupted(actor, slot, (other, theirs)),
            4 if plain => self.expires(actor, slot),
            5 => self.bulk(actor, slot, end, (other, theirs)),
            6 if plain => self.stuffed(actor, slot, end, (other, theirs)),
            7 => self.held_back(actor, slot, end, (other, theirs)),
            8 if here.unread == 0 && !here.wants_much && there.unread == 0 && !there.wants_much && !here.shut => {
                self.warm((actor, slot), (other, theirs));
            }
            _ => {}
        }
    }

    fn pause(&mut self, actor: char) {
        if self.random.percent(70) {
            let pause = self.random.pick(&[0, 1, 3, 12]);
            self.step(actor, format!("sleep {pause}ms"));
        }
    }

    /// A receive that sleeps until one small message comes, or the end.
    fn blocked_receive(&mut self, actor: char, slot: usize, end: End, (other, theirs): (char, usize)) {
        let verb = self.random.pick(&["recv", "read", "recvmsg", "recvfrom", "readv"]);
        let wanted = 1 + self.random.below(300);
        let peeks = verb.starts_with("recv") && self.random.percent(15);
        let flags = if peeks { "PEEK" } else { "0" };
        self.background(actor, format!("{verb} s{slot} {wanted}b 2x {flags}"));
        self.pause(other);
        if self.random.percent(8) {
            self.step(other, format!("shutdown s{theirs} WR"));
            self.model.ends[end ^ 1].shut = true;
            self.model.ends[end].finished = true;
        } else {
            let length = 1 + self.random.below(300);
            let verb = self.random.pick(&["send", "write", "sendmsg", "writev", "sendfile"]);
            self.step(other, format!("{verb} s{theirs} {length}b 2x 0"));
            self.model.ends[end].unread = if peeks { length } else { length.saturating_sub(wanted) };
        }
        self.step(actor, "join");
    }

    fn wait_for_all(&mut self, actor: char, slot: usize, (other, theirs): (char, usize)) {
        let pieces: Vec<usize> = (0..1 + self.random.below(4)).map(|_| self.length()).collect();
        let verb = self.random.pick(&["recv", "recvmsg"]);
        self.background(actor, format!("{verb} s{slot} {}b 1x WAITALL", pieces.iter().sum::<usize>()));
        for piece in pieces {
            self.pause(other);
            self.step(other, format!("send s{theirs} {piece}b 1x 0"));
        }
        self.step(actor, "join");
    }

    /// poll, select or epoll_wait that sleeps until a message comes.
    fn blocked_wait(&mut self, actor: char, slot: usize, end: End, (other, theirs): (char, usize)) {
        let length = 1 + self.random.below(100);
        if self.model.ends[end].wants_much {
            return;
        }
        match self.random.below(4) {
            0 => self.background(actor, format!("select 20000ms s{slot} R")),
            1 if self.model.has_room(1) => {
                let set = self.model.fresh_slot();
                let events = self.random.pick(&["IN", "IN|ET", "IN|ONESHOT", "IN|RDHUP|ET", "IN|EXCLUSIVE"]);
                self.step(actor, format!("epoll_create s{set}"));
                self.step(actor, format!("epoll_add s{set} s{slot} {events}"));
                self.background(actor, format!("epoll_wait s{set} 4x 20000ms"));
                self.model.add(actor, set, Kind::Epoll);
            }
            _ => self.background(actor, format!("poll 20000ms s{slot} IN|RDHUP")),
        }
        self.pause(other);
        self.step(other, format!("send s{theirs} {length}b 1x 0"));
        self.step(actor, "join");
        self.model.ends[end].unread += length;
    }

    fn interrupted(&mut self, actor: char, slot: usize, (other, theirs): (char, usize)) {
        let verb = self.random.pick(&["recv", "read", "recvmsg", "poll", "select"]);
        let how = match verb {
            "poll" => format!("poll 20000ms s{slot} IN"),
            "select" => format!("select 20000ms s{slot} R"),
            _ => format!("{verb} s{slot} 10b 1x 0"),
        };
        self.background(actor, how);
        if verb == "poll" || verb == "select" || self.random.percent(50) {
            self.step(other, format!("interrupt {actor} USR1"));
        } else {
            self.step(other, format!("interrupt {actor} USR2"));
            self.step(other, format!("send s{theirs} 10b 1x 0"));
        }
        self.step(actor, "join");
    }

    fn expires(&mut self, actor: char, slot: usize) {
        let limit = self.random.pick(&[1, 10, 30]);
        let verb = self.random.pick(&["recv", "read", "recvmsg"]);
        self.step(actor, format!("set s{slot} RCVTIMEO {limit}ms"));
        self.step(actor, format!("{verb} s{slot} 10b 1x 0"));
        self.step(actor, format!("set s{slot} RCVTIMEO 0ms"));
    }

    /// Much, in one direction or in both, or into the open arms of an end that reads late.
    fn bulk(&mut self, actor: char, slot: usize, end: End, (other, theirs): (char, usize)) {
        let total = self.random.pick(&[10_000, 100_000, 700_000, 3_000_000]);
        let [piece, sip] =
            [0; 2].map(|_| self.random.pick(&[100_usize, 1000, 4096, 65_536, 200_000]).max(total / 2000));
        let before = std::mem::take(&mut self.model.ends[end].unread);
        self.background(other, format!("pour s{theirs} {total}b {piece}b"));
        self.pause(actor);
        self.step(actor, format!("drink s{slot} {}b {sip}b", total + before));
        self.step(other, "join");
    }

    fn stuffed(&mut self, actor: char, slot: usize, end: End, (other, theirs): (char, usize)) {
        self.step(other, format!("stuff s{theirs}"));
        self.step(other, format!("poll 0ms s{theirs} OUT"));
        self.step(actor, format!("poll 0ms s{slot} IN"));
        let waits = !self.model.ends[end ^ 1].wants_much && self.random.percent(50);
        if waits {
            self.background(other, format!("poll 20000ms s{theirs} OUT"));
        }
        self.step(actor, format!("drain s{slot} e{}", end ^ 1));
        self.step(other, format!("poll 2000ms s{theirs} OUT"));
    }

    /// MSG_MORE or TCP_CORK, and what is sent behind it.
    fn held_back(&mut self, actor: char, slot: usize, end: End, (other, theirs): (char, usize)) {
        let (length, times) = (1 + self.random.below(500), 2 + self.random.below(3));
        if self.model.ends[end].unread + length * times > UNREAD_MOST {
            return;
        }
        let verb = self.random.pick(&["more", "cork"]);
        self.step(other, format!("{verb} s{theirs} {length}b {times}x"));
        self.step(actor, format!("poll 0ms s{slot} IN"));
        self.model.ends[end].unread += length * times;
    }
}
