//! A random program from a seed.
//!
//! The prologue makes connections; after it, moves follow one another. A move is one step, or a few that belong together, such as
//! an actor that blocks and another one that wakes it. What is generated where stands in the parts' own files.

mod calls;
mod lives;
mod meetings;
mod model;

use model::{End, EndState, Kind, Model};

use crate::program::{Program, Settings, Step};
use crate::random::Random;

/// Steps of a program, about.
const STEPS_MOST: usize = 70;
/// Bytes that may lie unread on one connection: less than any buffer holds.
const UNREAD_MOST: usize = 40_000;

/// A program under construction.
pub(crate) struct Generator {
    random: Random,
    model: Model,
    program: Program,
}

/// The program that belongs to a seed.
#[must_use]
pub fn generate(seed: u64) -> Program {
    let mut generator = Generator { random: Random::new(seed), model: Model::new(), program: Program::default() };
    generator.settings();
    generator.prologue();
    let most = 10 + generator.random.below(STEPS_MOST);
    while generator.program.steps.len() < most && !generator.model.actors.is_empty() {
        generator.one_move();
    }
    generator.program
}

impl Generator {
    fn settings(&mut self) {
        let run: &[&str] = match self.random.below(5) {
            0 | 1 => &["--spin", "off"],
            2 => &["--profile", "latency"],
            3 => &["--spin", "50"],
            _ => &[],
        };
        self.program.settings =
            Settings { separate: self.random.percent(50), run: run.iter().map(ToString::to_string).collect() };
    }

    fn prologue(&mut self) {
        self.connect('A', 'B');
        while self.random.percent(25) {
            let (a, b) = *self.random.pick(&[&('A', 'B'), &('B', 'A'), &('A', 'A')]);
            self.connect(a, b);
        }
    }

    /// Adds a step; the text's first word is the actor.
    fn step(&mut self, actor: char, text: impl AsRef<str>) {
        self.put(actor, false, text.as_ref());
    }

    /// Adds a step that goes on while others follow.
    fn background(&mut self, actor: char, text: impl AsRef<str>) {
        self.put(actor, true, text.as_ref());
    }

    fn put(&mut self, actor: char, background: bool, text: &str) {
        let words = text.split_whitespace().map(str::to_owned).collect();
        self.program.steps.push(Step { actor, background, words });
    }

    /// `accepting` accepts a connection that `connecting` makes; most are warmed up.
    fn connect(&mut self, accepting: char, connecting: char) {
        if !self.model.has_room(3) || self.model.ends.len() >= 30 || self.model.wild.len() >= 14 {
            return;
        }
        let (end, port) = (self.model.ends.len(), self.model.wild.len());
        let [listener, server, client] = [0; 3].map(|_| self.model.fresh_slot());
        let family = self.random.pick(&["v4", "v4", "v6"]);
        self.step(accepting, format!("listen s{listener} p{port} {family}"));
        let alone = accepting == connecting;
        if !alone && self.random.percent(50) {
            self.background(accepting, format!("accept s{server} s{listener} e{end}"));
            self.step(connecting, format!("connect s{client} p{port} e{}", end + 1));
            self.step(accepting, "join");
        } else {
            let how = self.random.pick(&["", "", "", " nonblock"]);
            self.step(connecting, format!("connect s{client} p{port} e{}{how}", end + 1));
            self.step(accepting, format!("accept s{server} s{listener} e{end}"));
            self.step(connecting, format!("nonblock s{client} 0"));
        }
        self.model.ends.extend([EndState::default(), EndState::default()]);
        self.model.wild.push(false);
        self.model.killed.push(false);
        self.model.add(accepting, server, Kind::Connection(end));
        self.model.add(connecting, client, Kind::Connection(end + 1));
        if self.random.percent(60) {
            self.step(accepting, format!("close s{listener}"));
        } else {
            self.model.add(accepting, listener, Kind::Listener);
        }
        if self.random.percent(75) {
            self.warm((accepting, server), (connecting, client));
        }
    }

    /// Bytes to and fro until both directions have had every chance to change roads; sometimes fewer.
    fn warm(&mut self, (one, slot): (char, usize), (other, theirs): (char, usize)) {
        let length = self.random.pick(&[16, 16, 17, 64, 1000]);
        let times = self.random.pick(&[40, 40, 40, 40, 3, 7]);
        if one == other {
            self.step(one, format!("bounce s{slot} s{theirs} {times}x {length}b"));
        } else {
            self.background(one, format!("echo s{slot} {length}b"));
            self.step(other, format!("ping s{theirs} {times}x {length}b"));
            self.step(one, "join");
        }
    }

    fn one_move(&mut self) {
        let actors: Vec<char> = self.model.actors.keys().copied().collect();
        let actor = self.random.pick(&actors);
        let connections = self.model.connections(actor);
        if connections.is_empty() {
            return self.without_connection(actor);
        }
        let (slot, end) = self.random.pick(&connections);
        let kinds = if self.model.killed[end / 2] { 26..60 } else { 0..100 };
        match kinds.start + self.random.below(kinds.len()) {
            0..26 => self.send(actor, slot, end),
            26..50 => self.receive(actor, slot, end),
            50..60 => self.ask_ready(actor),
            60..67 => self.epoll(actor, slot),
            67..72 => self.option(actor, slot, end),
            72..88 => self.meet(actor, slot, end),
            88..96 => self.live(actor, slot, end),
            _ => self.process(actor),
        }
    }

    fn without_connection(&mut self, actor: char) {
        let other = if actor == 'A' { 'B' } else { 'A' };
        if self.model.actors.contains_key(&other) && self.model.has_room(3) && self.model.wild.len() < 14 {
            self.connect(actor, other);
        } else {
            self.step(actor, "sleep 1ms");
        }
    }

    /// A length from one byte to some tens of thousands, small ones more often.
    fn length(&mut self) -> usize {
        match self.random.below(10) {
            0..3 => 1 + self.random.below(16),
            3..6 => 1 + self.random.below(200),
            6..9 => 1 + self.random.below(5000),
            _ => 1 + self.random.below(20_000),
        }
    }

    /// Some of these flags, joined.
    fn flags(&mut self, choices: &[(&'static str, usize)]) -> Vec<&'static str> {
        choices.iter().filter(|(_, chance)| self.random.percent(*chance)).map(|(flag, _)| *flag).collect()
    }

    /// Nothing on this connection may block unless it is known to come back.
    fn tame(&self, end: End) -> bool {
        !self.model.is_wild(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_program_and_another_one_another() {
        assert_eq!(generate(7), generate(7));
        assert_ne!(generate(7).steps, generate(8).steps);
    }

    #[test]
    fn every_program_can_be_read_back() {
        for seed in 0..200 {
            let program = generate(seed);
            assert_eq!(Program::parse(&program.to_string()).unwrap(), program, "seed {seed}");
        }
    }
}
