//! While the broker is stopped, its queue must not hold what this process closes.

use rustix::process::{Pid, Signal, kill_process};
use vmmc_oracle::{Program, Theatre};
use vmmc_tests::{Ends, Stage};

/// Both ends are worth an offer when `A` ends in this way, and `B` asks how.
fn program(end: &str) -> Program {
    let talk = "B send s2 16b 1x 0\nA recv s1 16b 1x 0\n".repeat(12);
    let text = format!(
        "option separate\nA listen s0 p0 v4\nA& accept s1 s0 e0\nB connect s2 p0 e1\n{talk}A sleep 20ms\nA {end}\n\
         B sleep 20ms\nB recv s2 16b 1x DONTWAIT\nB poll 0ms s2 IN|OUT|RDHUP\n"
    );
    Program::parse(&text).expect("a program")
}

#[test]
fn every_end_is_heard_while_the_broker_is_stopped() {
    let mut stage = Stage::new("oracle-stopped", Ends::Both, None);
    stage.stop_watching();
    let theatre = Theatre::new(&stage);
    let broker = stage.broker().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)).expect("a broker");
    kill_process(broker, Signal::STOP).expect("it can be stopped");
    let ends = ["close s1", "end exit", "end _exit", "end kill"];
    let runs: Vec<_> = ends.iter().map(|end| theatre.accelerated(&program(end)).lines).collect();
    kill_process(broker, Signal::CONT).expect("it goes on");
    for (end, lines) in ends.iter().zip(runs) {
        for told in ["B recv s2 16b 1x DONTWAIT = 0", "B poll 0ms s2 IN|OUT|RDHUP = 1 IN|OUT|RDHUP"] {
            assert!(lines.iter().any(|line| line.ends_with(told)), "{end}: {}", lines.join("\n"));
        }
    }
}
