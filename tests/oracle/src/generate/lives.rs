//! Moves in the life of descriptors and processes.

use super::Generator;
use super::model::{End, Kind};

impl Generator {
    pub(super) fn live(&mut self, actor: char, slot: usize, end: End) {
        match self.random.below(20) {
            0..6 => self.double(actor, slot, end),
            6..9 => {
                let verb = self.random.pick(&["close", "close", "close_range"]);
                if self.random.percent(20) {
                    let linger = self.random.pick(&["0", "1", "-1"]);
                    self.step(actor, format!("set s{slot} LINGER {linger}"));
                    self.model.wild[end / 2] |= linger == "0";
                }
                self.step(actor, format!("{verb} s{slot}"));
                self.model.remove(actor, slot);
            }
            9..11 => self.shut(actor, slot, end),
            11..14 => self.pass(actor, slot, end),
            14 => {
                let on = self.random.below(2);
                self.step(actor, format!("cloexec s{slot} {on}"));
                self.step(actor, format!("getfd s{slot}"));
            }
            15 => self.step(actor, "sleep 12ms"),
            _ => {
                let other = self.random.pick(&['A', 'B']);
                if self.model.actors.contains_key(&other) && self.random.percent(40) {
                    self.connect(actor, other);
                }
            }
        }
    }

    fn double(&mut self, actor: char, slot: usize, end: End) {
        if !self.model.has_room(1) {
            return;
        }
        let fresh = self.model.fresh_slot();
        let verb = self.random.pick(&["dup", "dup", "dup2", "dup3", "dupfd"]);
        let least = if verb == "dupfd" { " 50x" } else { "" };
        self.step(actor, format!("{verb} s{slot} s{fresh}{least}"));
        self.model.add(actor, fresh, Kind::Connection(end));
    }

    fn shut(&mut self, actor: char, slot: usize, end: End) {
        // Bytes that come after a shutdown of the receiving side reset a connection, and doorbells are bytes.
        let quiet = self.model.ends[end].unread == 0 && self.model.ends[end ^ 1].unread == 0;
        let how = if quiet { self.random.pick(&["WR", "WR", "RD", "RDWR"]) } else { "WR" };
        self.step(actor, format!("shutdown s{slot} {how}"));
        if how != "RD" {
            self.model.ends[end].shut = true;
            self.model.ends[end ^ 1].finished = true;
        }
        if how != "WR" {
            self.model.ends[end].finished = true;
            self.model.wild[end / 2] = true;
        }
    }

    /// A descriptor goes to another process, or to the same; sometimes the original is closed meanwhile.
    fn pass(&mut self, actor: char, slot: usize, end: End) {
        if !self.model.has_room(1) || !self.model.may_hand_on(end) {
            return;
        }
        let actors: Vec<char> = self.model.actors.keys().copied().collect();
        let taker = self.random.pick(&actors);
        let fresh = self.model.fresh_slot();
        self.step(actor, format!("pass s{slot}"));
        // On its way it counts as the taker's.
        self.model.add(taker, fresh, Kind::Connection(end));
        if self.random.percent(30) {
            self.step(actor, format!("close s{slot}"));
            self.model.remove(actor, slot);
        }
        self.step(taker, format!("take s{fresh}"));
    }

    /// fork, thread, exec, the end of a process.
    pub(super) fn process(&mut self, actor: char) {
        let free = ('C'..='H').find(|new| {
            !self
                .program
                .steps
                .iter()
                .any(|step| step.actor == *new || step.words.get(1).is_some_and(|word| *word == new.to_string()))
        });
        let threads = self.model.actors.values().filter(|process| **process == self.model.actors[&actor]).count();
        match (self.random.below(10), free) {
            (0..4, Some(new)) => {
                self.step(actor, format!("fork {new}"));
                self.model.fork(actor, new);
            }
            (4..6, Some(new)) => {
                self.step(actor, format!("thread {new}"));
                let process = self.model.actors[&actor];
                self.model.actors.insert(new, process);
            }
            (6..8, _) if threads == 1 => self.exec(actor),
            (8..10, _) if self.model.actors.len() > 1 && self.random.percent(40) => {
                // Bytes in the ring that a killed process has not read reset nothing: nobody is left who could say so.
                let read_out =
                    self.model.connections(actor).into_iter().all(|(_, end)| self.model.ends[end].unread == 0);
                let how = self.random.pick(if read_out { &["exit", "_exit", "kill"] } else { &["exit", "_exit"] });
                self.step(actor, format!("end {how}"));
                self.model.end_process(actor, how == "kill");
            }
            _ => {}
        }
    }

    fn exec(&mut self, actor: char) {
        let ends: Vec<End> = self.model.connections(actor).into_iter().map(|(_, end)| end).collect();
        if !ends.into_iter().all(|end| self.model.may_hand_on(end)) {
            return;
        }
        self.step(actor, "exec");
        // Sets come over, too: they are not close-on-exec. What dup3 and `cloexec` have made does not, and the interpreter
        // says so at the next use.
        let connections = self.model.connections(actor);
        for (_, end) in connections {
            self.model.wild[end / 2] = true;
        }
    }
}
