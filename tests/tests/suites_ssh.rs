//! OpenSSH and rsync over 127.0.0.1: a server of our own on a free port, with keys of its own.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use vmmc_tests::{Expect, Launch, Program, Stage, compare, compare_whole, compare_with, net};

/// A running server, and what its clients have to say first.
struct Server {
    _sshd: Program,
    port: String,
    options: Vec<String>,
}

/// Bytes that neither repeat nor compress.
fn content(length: usize) -> Vec<u8> {
    let mut state = length as u64 + 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

fn name(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// A server that lets in whoever has the stage's key, as the user that we are.
fn start(stage: &Stage) -> Server {
    for key in ["host", "user"] {
        let file = name(&stage.path(key));
        let _ = stage.plain(&["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", &file]).run();
    }
    let _ = fs::copy(stage.path("user.pub"), stage.path("authorized")).expect("a key");
    // sshd, when root starts it, confines itself there.
    let _ = fs::create_dir_all("/run/sshd");
    let port = net::free_port();
    let configuration = format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {host}\nPidFile none\nAuthorizedKeysFile {authorized}\n\
         StrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\nSubsystem sftp internal-sftp\n",
        host = name(&stage.path("host")),
        authorized = name(&stage.path("authorized")),
    );
    let configuration = name(&stage.write("sshd_config", configuration));
    // It executes itself for every connection, by its full name.
    let mut sshd = stage.server(&["sshd", "-D", "-e", "-f", &configuration]).start();
    net::await_listener(&mut sshd, port);
    let mut options = Vec::new();
    let known = format!("UserKnownHostsFile={}", name(&stage.path("known")));
    for option in ["StrictHostKeyChecking=no", "BatchMode=yes", "LogLevel=ERROR", &known] {
        options.extend(["-o".to_owned(), option.to_owned()]);
    }
    options.extend(["-F", "none", "-i", &name(&stage.path("user"))].map(str::to_owned));
    Server { _sshd: sshd, port: port.to_string(), options }
}

impl Server {
    /// A client: `ssh` or another program of its kind, which says the port its own way.
    fn client(&self, stage: &Stage, program: &str, port: &str, more: &[&str]) -> Launch {
        let words: Vec<&str> = [program]
            .into_iter()
            .chain(self.options.iter().map(String::as_str))
            .chain([port, &self.port])
            .chain(more.iter().copied())
            .collect();
        stage.client(&words)
    }

    fn ssh(&self, stage: &Stage, more: &[&str]) -> Launch {
        self.client(stage, "ssh", "-p", more)
    }
}

/// Commands, their status and output; standard input of every size, through a pipe on the other side.
#[test]
fn commands_and_their_data() {
    compare_with("ssh", Expect::Anything, None, |stage| {
        let server = start(stage);
        let mut said = String::new();
        for (number, length) in [0, 1, 4095, 70_000, 9_000_011].into_iter().enumerate() {
            let input = stage.write(&format!("input-{number}"), content(length));
            said += &server.ssh(stage, &["127.0.0.1", "sha256sum"]).input(&input).run();
        }
        let failed = server.ssh(stage, &["127.0.0.1", "echo out; echo err >&2; exit 37"]).finish();
        let _ = write!(said, "{:?} {} {}", failed.status.code(), failed.stdout, failed.stderr);
        let long = server.ssh(stage, &["127.0.0.1", "seq 1 400000 | sha256sum; seq 1 400000"]).run();
        let _ = write!(said, "{} {}", long.len(), long.lines().next().unwrap_or_default());
        said
    });
}

/// scp there and back again, and a directory by sftp.
#[test]
fn files_by_scp_and_sftp() {
    compare_with("scp", Expect::Anything, None, |stage| {
        let server = start(stage);
        let data = content(24_000_013);
        let original = name(&stage.write("original", &data));
        let (there, back) = (name(&stage.path("there")), name(&stage.path("back")));
        let _ = server.client(stage, "scp", "-P", &["-q", &original, &format!("127.0.0.1:{there}")]).run();
        let _ = server.client(stage, "scp", "-P", &["-q", "-O", &format!("127.0.0.1:{there}"), &back]).run();
        assert!(fs::read(&back).expect("what came back") == data, "what came back differs");
        let commands = format!("put {original} {there}.2\nget {there}.2 {back}.2\nls -l {there}.2\n");
        let commands = stage.write("commands", commands);
        let _ = server.client(stage, "sftp", "-P", &["-q", "-b", &name(&commands), "127.0.0.1"]).run();
        assert!(fs::read(format!("{back}.2")).expect("what came back") == data, "what sftp brought back differs");
        "as it was".to_owned()
    });
}

/// A directory of many files, and then again with changes, through rsync's own delta protocol.
#[test]
fn rsync_over_ssh() {
    compare_with("rsync-ssh", Expect::Anything, None, |stage| {
        let server = start(stage);
        let tree = stage.path("tree");
        fs::create_dir(&tree).expect("a directory");
        for number in 0..150 {
            fs::write(tree.join(format!("file-{number}")), content(number * 1013)).expect("a file");
        }
        fs::write(tree.join("large"), content(12_000_017)).expect("a file");
        let shell = format!("{} {} -p {}", name(&vmmc_tests::find("ssh")), server.options.join(" "), server.port);
        let copy = format!("127.0.0.1:{}", name(&stage.path("copy")));
        let from = format!("{}/", name(&tree));
        fs::create_dir(stage.path("copy")).expect("a directory");
        let words = ["rsync", "-rc", "--out-format=%i %n %l", "-e", &shell, &from, &copy];
        let mut said = stage.client(&words).run();
        let mut changed = content(12_000_017);
        changed.splice(5_000_000..5_000_100, content(3000));
        fs::write(tree.join("large"), changed).expect("a file");
        said += &stage.client(&words).run();
        said += &stage.plain(&["diff", "-r", &name(&tree), &name(&stage.path("copy"))]).run();
        said
    });
}

/// rsync's own server, without ssh: sockets end to end.
#[test]
fn rsync_daemon() {
    compare("rsync-daemon", |stage| {
        let port = net::free_port();
        let data = content(60_000_029);
        let (tree, copy) = (stage.path("tree"), stage.path("copy"));
        [&tree, &copy].into_iter().for_each(|path| fs::create_dir(path).expect("a directory"));
        fs::write(tree.join("large"), &data).expect("a file");
        let configuration = format!(
            "port = {port}\naddress = 127.0.0.1\nuse chroot = no\nuid = {id}\ngid = {id}\n[tree]\npath = {tree}\nread only = no\n",
            id = fs::metadata(&tree).map(|about| std::os::unix::fs::MetadataExt::uid(&about)).unwrap_or_default(),
            tree = name(&tree),
        );
        let configuration = name(&stage.write("rsyncd.conf", configuration));
        let words =
            ["rsync", "--daemon", "--no-detach", &format!("--config={configuration}"), "--log-file=/dev/stderr"];
        let mut daemon = stage.server(&words).start();
        net::await_listener(&mut daemon, port);
        let url = format!("rsync://127.0.0.1:{port}/tree/");
        let said = stage.client(&["rsync", "-rW", "--out-format=%i %n %l", &url, &name(&copy)]).run();
        assert!(fs::read(copy.join("large")).expect("a copy") == data, "the copy differs");
        fs::write(copy.join("back"), &data[..20_000_001]).expect("a file");
        let back = name(&copy.join("back"));
        let said = said + &stage.client(&["rsync", "-W", "--out-format=%i %n %l", &back, &url]).run();
        assert!(fs::read(tree.join("back")).expect("a file") == data[..20_000_001], "what went back differs");
        said
    });
}

/// Ports forwarded both ways: curl through ssh to a server that also runs under `vmmc run`.
#[test]
fn forwarded_ports() {
    compare_whole("ssh-forward", Expect::OneWay, None, |stage| {
        let server = start(stage);
        let (web, local, remote) = (net::free_port(), net::free_port(), net::free_port());
        let data = content(30_000_007);
        let _ = stage.write("large", &data);
        let words = ["python3", "-m", "http.server", "--bind", "127.0.0.1", &web.to_string()];
        let mut http = stage.server(&words).start();
        net::await_listener(&mut http, web);
        let (forward, back) = (format!("{local}:127.0.0.1:{web}"), format!("{remote}:127.0.0.1:{web}"));
        let mut tunnel = server.ssh(stage, &["-N", "-L", &forward, "-R", &back, "127.0.0.1"]).start();
        [local, remote].into_iter().for_each(|port| net::await_listener(&mut tunnel, port));
        let mut said = String::new();
        for (number, port) in [local, remote, local].into_iter().enumerate() {
            let got = name(&stage.path(&format!("got-{number}")));
            let url = format!("http://127.0.0.1:{port}/large");
            said += &stage
                .client(&["curl", "-sS", "--fail", "-w", "%{http_code} %{size_download}\n", "-o", &got, &url])
                .run();
            assert!(fs::read(&got).expect("what curl got") == data, "what came through differs");
        }
        said
    });
}
