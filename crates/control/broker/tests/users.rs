//! A broker for all users: who is paired, and what an end can do with what it gets. Needs root, who can be any user.

mod support;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::os::fd::AsRawFd;
use std::sync::{Mutex, PoisonError};
use support::*;
use vmmc_broker::Policy;
use vmmc_protocol::{Client, ControlError, Reason};

const ALICE: u32 = 61_001;
const BOB: u32 = 61_002;

/// Becomes a user, in this thread alone.
fn become_user(user: u32) {
    // SAFETY: plain numbers. The raw calls change the calling thread, where the C library's would change all.
    let done = unsafe {
        [libc::syscall(libc::SYS_setresgid, user, user, user), libc::syscall(libc::SYS_setresuid, user, user, user)]
    };
    assert_eq!(done, [0, 0], "only root is several users");
}

/// A process of a user.
fn guest_of(user: u32, dir: &Dir) -> Guest {
    let place = dir.runtime();
    let client = apart(move || {
        become_user(user);
        Client::connect(&place)
    });
    Guest { client: client.unwrap() }
}

#[test]
fn two_users_are_paired_only_if_the_policy_says_so() {
    let allowed = "[[allow]]\nserver = { users = [61001] }\nclient = { users = [61002] }";
    let elsewhere = format!("{allowed}\n[[deny]]\nserver = {{ addresses = [\"127.0.0.0/8\"] }}");
    for (name, policy, is_paired) in [("none", "", false), ("allowed", allowed, true), ("denied", &elsewhere, false)] {
        let dir = Dir::new(name);
        let _broker = Running::for_all(&dir, policy);
        let (server, client) = (guest_of(ALICE, &dir), guest_of(BOB, &dir));
        let (near, far) = connection();
        if is_paired {
            pair(&client, &near, &server, &far);
            continue;
        }
        client.offer(1, &near);
        await_pending(&dir, 1);
        server.offer(2, &far);
        assert_eq!(client.confirm(), 1);
        client.offer(1, &near);
        assert_eq!((client.refused(), server.refused()), ((1, Reason::POLICY), (2, Reason::POLICY)), "{name}");
        await_status(&dir, |status| (status.links, status.pending) == (0, 0));
    }
}

#[test]
fn one_user_is_paired_by_a_broker_for_all() {
    let dir = Dir::new("one-user");
    let _broker = Running::for_all(&dir, "");
    let (server, client) = (guest_of(ALICE, &dir), guest_of(ALICE, &dir));
    let (near, far) = connection();
    pair(&client, &near, &server, &far);
}

#[test]
fn an_offer_without_the_socket_gets_nothing_and_one_of_another_s_connection_neither() {
    let dir = Dir::new("no-proof");
    let _broker = Running::for_all(&dir, "[[allow]]\nserver = { users = \"any\" }\nclient = { users = \"any\" }");
    let (server, client, thief) = (guest_of(ALICE, &dir), guest_of(ALICE, &dir), guest_of(BOB, &dir));
    let ((near, far), (own, _kept)) = (connection(), connection());
    server.offer(2, &far);
    await_pending(&dir, 1);
    // Whatever it shows is not the end that fits.
    for token in 1..4 {
        thief.offer(token, &own);
    }
    server.hears_nothing();
    // And where the true end has come first, the answer to the broker's question decides: it is asked of that end alone.
    let (one, other) = pair(&client, &near, &server, &far);
    assert_eq!(one.pairing.link, other.pairing.link);
    for refused in 1..3 {
        assert_eq!(thief.refused(), (refused, Reason::SHARED_BEFORE_PAIRING));
    }
    thief.hears_nothing();
}

#[test]
fn what_an_end_gets_is_of_fixed_length_and_is_the_brokers_alone() {
    let dir = Dir::new("rights");
    let _broker = Running::for_all(&dir, "[[allow]]\nserver = { users = [61001] }\nclient = { users = [61002] }");
    let (server, client) = (guest_of(ALICE, &dir), guest_of(BOB, &dir));
    let (near, far) = connection();
    let (one, _other) = pair(&client, &near, &server, &far);
    let segment = one.segment.unwrap();
    let files = [file(segment.export), file(segment.import)];
    for file in &files {
        assert_eq!(rustix::fs::ftruncate(file, 0), Err(Errno::PERM), "sealed");
        // A process that may look at another's descriptors is stopped by the file's own permissions.
        let found = rustix::fs::fstat(file).unwrap();
        assert_eq!((found.st_uid, found.st_mode & 0o777), (0, 0o600));
    }
}

#[test]
fn nobody_but_the_user_speaks_to_a_user_s_own_broker() {
    let dir = Dir::new("own");
    let _broker = Running::start(&dir);
    let place = dir.runtime();
    let refused = apart(move || {
        become_user(ALICE);
        Client::connect(&place).map(drop)
    });
    assert_eq!(refused, Err(ControlError::Kernel(libc::EACCES)));
}

#[test]
fn nobody_is_believed_who_listens_in_another_user_s_directory() {
    let dir = Dir::new("trap");
    std::fs::create_dir(&dir.0).unwrap();
    std::os::unix::fs::chown(&dir.0, Some(BOB), Some(BOB)).unwrap();
    let _trap = {
        let path = dir.0.join("broker.sock");
        apart(move || {
            become_user(BOB);
            std::os::unix::net::UnixListener::bind(path).unwrap()
        })
    };
    assert_eq!(Client::connect(&dir.runtime()).map(drop), Err(ControlError::Untrusted));
    let place = dir.runtime();
    let of_alice = apart(move || {
        become_user(ALICE);
        Client::connect(&place).map(drop)
    });
    assert_eq!(of_alice, Err(ControlError::Untrusted));
}

#[test]
fn a_policy_that_others_can_write_is_none() {
    let dir = Dir::new("policy");
    std::fs::create_dir(&dir.0).unwrap();
    let path = dir.0.join("policy.toml");
    std::fs::write(&path, "").unwrap();
    for (owner, mode, is_fine) in [(0, 0o644, true), (0, 0o664, false), (0, 0o646, false), (ALICE, 0o644, false)] {
        std::os::unix::fs::chown(&path, Some(owner), None).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        assert_eq!(Policy::read(&path).is_ok(), is_fine, "{owner} {mode:o}");
    }
    std::fs::remove_file(&path).unwrap();
    assert_eq!(Policy::read(&path).unwrap_err().kind(), std::io::ErrorKind::NotFound);
}

/// The processes whose tables are shown to one of this user's.
fn tables_shown_to(user: u32, dir: &Dir) -> Vec<u32> {
    let place = dir.runtime();
    apart(move || {
        become_user(user);
        let mut shown = Vec::new();
        Client::tables(&place, 1000, |pid, _| shown.push(pid)).unwrap();
        shown
    })
}

#[test]
fn a_broker_opens_nothing_for_anybody_but_a_table_for_its_own_user() {
    let dir = Dir::new("tables");
    let _broker = Running::for_all(&dir, "");
    let secret = dir.0.join("secret");
    std::fs::write(&secret, "of root").unwrap();
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    // Whoever may enter the directory can have the path of the file, and send that.
    let path = apart(move || {
        become_user(ALICE);
        rustix::fs::open(secret, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap()
    });
    let alice = guest_of(ALICE, &dir);
    alice.client.hand_table(path.as_raw_fd()).unwrap();
    assert_eq!(tables_shown_to(ALICE, &dir), []);

    let table = vmmc_os::memory::create_sealed(c"table", 4096).unwrap();
    alice.client.hand_table(table).unwrap();
    assert_eq!(tables_shown_to(ALICE, &dir), [std::process::id()]);
    assert_eq!(tables_shown_to(BOB, &dir), []);
}

/// One test opens many descriptors, another one allows few of them for a moment.
static DESCRIPTORS: Mutex<()> = Mutex::new(());

/// What one user's connections wait for is not waited for by another's.
#[test]
fn one_user_cannot_keep_all_trials_busy() {
    const PAIRS: u64 = 300;
    const TRIALS: usize = 256;
    let _alone = DESCRIPTORS.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = Dir::new("trials");
    let _broker = Running::for_all(&dir, "");
    let (first, second) = (guest_of(ALICE, &dir), guest_of(ALICE, &dir));
    let (one, other) = (guest_of(BOB, &dir), guest_of(BOB, &dir));
    let ends: Vec<_> = (0..PAIRS).map(|_| connection()).collect();
    for (token, (near, _)) in (0..).zip(&ends) {
        first.offer(token, near);
    }
    await_pending(&dir, 300);
    for (token, (_, far)) in (0..).zip(&ends) {
        second.offer(token, far);
    }
    await_pending(&dir, 600);
    let (near, far) = connection();
    pair(&one, &near, &other, &far);
    let asked = std::iter::from_fn(|| first.within(A_WHILE)).take(TRIALS).count();
    assert!(asked <= TRIALS / 2, "{asked} questions at once");
}

/// As many processes of one user as may connect.
fn as_many_as_may_be(user: u32, dir: &Dir) -> Vec<Client> {
    let clients = || Client::ping(&dir.runtime(), 5000).unwrap().clients;
    let before = clients();
    let connect = |_| {
        let place = dir.runtime();
        apart(move || {
            become_user(user);
            Client::connect(&place).ok()
        })
    };
    let mut welcome = Vec::new();
    for client in (0..).map_while(connect) {
        while clients() <= before + u32::try_from(welcome.len()).unwrap() {
            if client.receive().is_err() {
                return welcome;
            }
        }
        welcome.push(client);
    }
    welcome
}

#[test]
fn one_user_cannot_use_up_the_descriptors() {
    const FEW: u64 = 512;
    let _alone = DESCRIPTORS.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = Dir::new("descriptors");
    let before = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let few = rustix::process::Rlimit { current: Some(FEW), maximum: before.maximum };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, few).unwrap();
    let broker = Running::for_all(&dir, "");
    rustix::process::setrlimit(rustix::process::Resource::Nofile, before).unwrap();
    let alices = as_many_as_may_be(ALICE, &dir);
    assert!((10..80).contains(&alices.len()), "{} processes of one user", alices.len());
    let bobs = as_many_as_may_be(BOB, &dir);
    assert!(bobs.len() >= alices.len() / 3, "{} and then {}", alices.len(), bobs.len());
    let ours = alices.len();
    drop((alices, bobs));
    await_status(&dir, |status| status.clients == 1);
    assert_eq!(as_many_as_may_be(ALICE, &dir).len(), ours);
    drop(broker);
}
