/* A process sandboxes itself while a connection is under way: it goes on, by the calls that the sandbox allows and no other. */
#include "common.h"
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define ALLOW(call)                                                            \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##call, 0, 1),                 \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

/* What the rest of this program calls, and the end of it: anything else kills. */
static struct sock_filter filter[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	ALLOW(read), ALLOW(write), ALLOW(sendto), ALLOW(recvfrom), ALLOW(poll), ALLOW(epoll_wait), ALLOW(epoll_ctl),
	ALLOW(close), ALLOW(shutdown), ALLOW(clock_nanosleep), ALLOW(exit_group),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
};
static struct sock_fprog program = { COUNT(filter), filter };

static int set;

static void echo(int fd, int rounds)
{
	char buffer[64];
	struct pollfd entry = { .fd = fd, .events = POLLIN };
	struct epoll_event event;
	for (int i = 0; i < rounds; i++) {
		MUST(i & 1 ? poll(&entry, 1, -1) : epoll_wait(set, &event, 1, -1));
		ssize_t got = MUST(i & 2 ? recv(fd, buffer, sizeof buffer, 0) : read(fd, buffer, sizeof buffer));
		if (MUST(i & 2 ? send(fd, buffer, got, 0) : write(fd, buffer, got)) != got)
			die("echo");
	}
}

enum { BEFORE = 40, AFTER = 100 };

static void serve(int fd, void (*restrict_calls)(void))
{
	set = MUST(epoll_create1(0));
	struct epoll_event event = { .events = EPOLLIN };
	MUST(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
	echo(fd, BEFORE);
	meet();
	MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	restrict_calls();
	expect_text(fd, "unread meanwhile");
	echo(fd, AFTER);
	MUST(shutdown(fd, SHUT_WR));
	MUST(close(fd));
	say("still alive");
}

static void by_prctl(void)
{
	say_result("asked", prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL, 0, 0));
	MUST(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0));
}

static void by_seccomp(void)
{
	MUST(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program));
}

static void by_landlock(void)
{
	struct landlock_ruleset_attr rules = { .handled_access_fs = LANDLOCK_ACCESS_FS_MAKE_SYM };
	int ruleset = syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0);
	if (ruleset >= 0)
		MUST(syscall(SYS_landlock_restrict_self, ruleset, 0));
}

static void by_failing(void)
{
	struct sock_fprog none = { 0, filter };
	say_result("an empty filter", prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &none, 0, 0));
}

static void prctl_server(int fd) { serve(fd, by_prctl); }
static void seccomp_server(int fd) { serve(fd, by_seccomp); }
static void landlock_server(int fd) { serve(fd, by_landlock); }
static void failing_server(int fd) { serve(fd, by_failing); }

static void ask(int fd, int rounds)
{
	char sent[64], received[64];
	int right = 0;
	for (int i = 0; i < rounds; i++) {
		size_t length = 1 + i % sizeof sent;
		fill(sent, length, 3, i);
		send_all(fd, sent, length);
		recv_all(fd, received, length);
		right += memcmp(sent, received, length) == 0;
		if (i % 8 == 0)
			usleep(300);
	}
	say("echoes: %d", right);
}

static void client(int fd)
{
	ask(fd, BEFORE);
	send_text(fd, "unread meanwhile");
	meet();
	ask(fd, AFTER);
	char byte;
	say_result("end", recv(fd, &byte, 1, 0));
}

/* Strict mode knows four calls; a process of one thread enters it, so the library's own thread must have gone. */
static void be_strict(int fd)
{
	char buffer[5];
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0) == 0)
		for (int i = 0; i < 3; i++)
			if (read(fd, buffer, sizeof buffer) != (ssize_t)sizeof buffer ||
			    write(fd, buffer, sizeof buffer) != (ssize_t)sizeof buffer)
				break;
	syscall(SYS_exit, 0);
}

static void strict_server(int fd)
{
	join_child("child", start_child(be_strict, fd));
	expect_text(fd, "after");
	send_text(fd, "after");
}

static void strict_client(int fd)
{
	for (int i = 0; i < 3; i++) {
		send_text(fd, "child");
		expect_text(fd, "child");
	}
	send_text(fd, "after");
	expect_text(fd, "after");
}

static const struct test_case cases[] = {
	{ "prctl", prctl_server, client, PAIRED },
	{ "seccomp", seccomp_server, client, PAIRED },
	{ "landlock", landlock_server, client, PAIRED },
	{ "a filter that is refused", failing_server, client, PAIRED },
	{ "strict", strict_server, strict_client, PAIRED },
};
MAIN(cases)
