//! Programs that nobody connects run under the library as they do without it.

mod library;

use library::{compiled, run, same};

/// A C program of ours that checks itself: it must pass with the library and without.
fn passes(name: &str) {
    let program = compiled(name);
    for preloaded in [false, true] {
        let output = run(preloaded, &program, &[]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{name}, preloaded: {preloaded}: {} {said}", output.status);
    }
}

#[test]
fn variadic_functions_get_all_of_their_arguments() {
    passes("variadic");
}

#[test]
fn processes_fork_execute_and_end() {
    passes("processes");
}

#[test]
fn descriptors_come_and_go() {
    passes("descriptors");
}

#[test]
fn shells_pipe_redirect_and_execute() {
    same(
        "ls -l / | wc -l; (echo a; echo b >&2) 2>&1 | sort -r; exec 9>/dev/null; echo c >&9; exec 9>&-; env -i /bin/echo bare; exit 0",
    );
    same("for i in 1 2 3; do echo $i & done | sort; wait; cat <(echo substituted) <<< unused; (exit 3) || echo $?");
}

#[test]
fn a_compiler_compiles() {
    same("cd $(mktemp -d) && echo 'int main(void){return 0;}' | cc -x c - -o a && ./a && echo compiled");
}

#[test]
fn git_commits() {
    same(
        "cd $(mktemp -d) && git init -q . && echo x > f && git add f && git -c user.name=n -c user.email=e@x commit -q -m m && git log --format=%s \
         && git clone -q . copy && cat copy/f",
    );
}

#[test]
fn python_serves_and_curl_fetches() {
    same(
        r#"cd $(mktemp -d) && echo page > page && python3 - <<'END'
import http.server, subprocess, threading
class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = "http://127.0.0.1:%d/page" % server.server_port
for _ in range(3):
    print(subprocess.run(["curl", "-s", url], capture_output=True, check=True).stdout)
server.shutdown()
END"#,
    );
}

#[test]
fn python_waits_in_every_way() {
    same(
        r#"python3 - <<'END'
import asyncio, multiprocessing, os, select, selectors, signal, socket, subprocess
async def echo(reader, writer):
    while line := await reader.readline(): writer.write(line)
    writer.close()
async def main():
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    for i in range(100):
        writer.write(b"%d\n" % i); assert await reader.readline() == b"%d\n" % i
    writer.close(); server.close()
asyncio.run(main())
def child(there): there.send(os.getpid() != there.recv())
here, there = multiprocessing.Pipe()
process = multiprocessing.Process(target=child, args=(there,)); process.start()
here.send(os.getpid()); print(here.recv()); process.join()
a, b = socket.socketpair(); b.send(b"x")
for kind in (selectors.SelectSelector, selectors.PollSelector, selectors.EpollSelector):
    with kind() as waiting:
        waiting.register(a, selectors.EVENT_READ); print(len(waiting.select(1)))
print(subprocess.run("cat; exit 5", shell=True, input=b"in", capture_output=True))
signal.signal(signal.SIGALRM, lambda *_: print("alarm")); signal.setitimer(signal.ITIMER_REAL, 0.05); print(select.select([], [], [], 0.2)[0])
END"#,
    );
}
