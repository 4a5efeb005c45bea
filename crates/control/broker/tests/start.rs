//! Starting a broker on demand: this program starts itself as one, as the command does. It has its own `main`, since it is
//! called with the command's arguments.

mod support;

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};
use support::{Dir, SOON};
use vmmc_broker::{Options, Policy, Seat, ensure_running, run};
use vmmc_protocol::{Client, ControlError, RuntimeDir};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments == ["broker", "--background"] {
        let idle_exit = Some(Duration::from_millis(300));
        let seat = Seat::Own(RuntimeDir::of_environment().unwrap());
        let _ = run(&Options { seat, policy: Policy::default(), idle_exit });
        return;
    }
    if arguments.iter().any(|argument| argument == "--list") {
        println!("started_at_once_there_is_one_and_it_is_nobodys_child: test");
        return;
    }
    started_at_once_there_is_one_and_it_is_nobodys_child();
    what_cannot_be_started_is_an_error();
    println!("\nrunning 2 tests\n..\ntest result: ok. 2 passed; 0 failed");
}

fn started_at_once_there_is_one_and_it_is_nobodys_child() {
    let dir = Dir::new("start");
    let exe = std::env::current_exe().unwrap();
    // SAFETY: no other thread runs yet.
    unsafe { std::env::set_var("LD_PRELOAD", "") };
    // A descriptor that a shell might have left open, and that must not be kept by the broker.
    let (left, right) = std::io::pipe().unwrap();
    rustix::io::fcntl_setfd(&right, rustix::io::FdFlags::empty()).unwrap();

    std::thread::scope(|scope| {
        let starters: Vec<_> = (0..4).map(|_| scope.spawn(|| ensure_running(&dir.0, &exe))).collect();
        for starter in starters {
            starter.join().unwrap().unwrap();
        }
    });
    let broker = Client::ping(&dir.runtime(), 1000).unwrap().pid;
    assert_ne!(broker, std::process::id());
    drop(right);
    assert_eq!(std::io::Read::read(&mut &left, &mut [0]).unwrap(), 0, "nobody keeps the pipe's other end");
    drop(left);

    let proc = Path::new("/proc").join(broker.to_string());
    let (parent, session) = parent_and_session(&proc);
    assert_ne!(parent, std::process::id().to_string());
    assert_ne!(session, parent_and_session(Path::new("/proc/self")).1);
    assert_eq!(std::fs::read_link(proc.join("cwd")).unwrap(), Path::new("/"));
    let environment = std::fs::read(proc.join("environ")).unwrap();
    assert!(!environment.split(|byte| *byte == 0).any(|variable| variable.starts_with(b"LD_PRELOAD=")));
    for number in ["0", "1", "2"] {
        assert_eq!(std::fs::read_link(proc.join("fd").join(number)).unwrap(), Path::new("/dev/null"));
    }

    // With nobody there it ends, and takes its socket away.
    let started = Instant::now();
    while runs(&proc) {
        assert!(started.elapsed() < SOON, "the broker ends when it is idle");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(Client::ping(&dir.runtime(), 1000), Err(ControlError::Absent));
    assert!(!dir.0.join("broker.sock").exists());
}

/// Whether a process still runs; one that ended stays listed until PID 1 has waited for it, which some never do.
fn runs(proc: &Path) -> bool {
    std::fs::read_to_string(proc.join("stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// What `/proc/<pid>/stat` says of a process. A session that began outside this PID namespace is 0.
fn parent_and_session(proc: &Path) -> (String, String) {
    let stat = std::fs::read_to_string(proc.join("stat")).unwrap();
    let mut fields = stat.rsplit(')').next().unwrap().split_whitespace().skip(1);
    let (parent, _group, session) = (fields.next().unwrap(), fields.next(), fields.next().unwrap());
    (parent.to_owned(), session.to_owned())
}

fn what_cannot_be_started_is_an_error() {
    let dir = Dir::new("not-started");
    assert!(ensure_running(&dir.0, Path::new("/no/such/program")).is_err());
    let started = Instant::now();
    let error = ensure_running(&dir.0, Path::new("/bin/true")).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    assert!(started.elapsed() < Duration::from_secs(4));
    let others = Path::new("/tmp");
    assert!(others.as_os_str().as_bytes().len() < 10);
    assert_eq!(
        ensure_running(others, Path::new("/bin/true")).unwrap_err().kind(),
        std::io::ErrorKind::PermissionDenied
    );
}
