/* A process with a connection goes into the background, changes its user and its root, leaves its namespaces: the connection
 * goes on, and another one can be made. */
#include "common.h"
#include <grp.h>
#include <sched.h>
#include <sys/prctl.h>

static void converse_server(int fd)
{
	for (int i = 0; i < 30; i++) {
		expect_text(fd, "question");
		send_text(fd, "answer");
	}
	recv_pattern("much", fd, 200000, 10000, 1);
	send_text(fd, "x");
}

static void converse_client(int fd)
{
	for (int i = 0; i < 30; i++) {
		send_text(fd, "question");
		expect_text(fd, "answer");
		usleep(300);
	}
	send_pattern(fd, 200000, 20000, 1);
	expect_text(fd, "x");
}

/* The supervisor waits for its own child: that one waits for the one in the background. */
static void in_background(int fd, void (*body)(int))
{
	pid_t child = fork();
	if (child == 0) {
		MUST(daemon(1, 1));
		await(4);
		body(fd);
		post(2, 1);
		_exit(0);
	}
	join_child("daemon's parent", child);
	post(4, 1);
	MUST(close(fd));
	await(2);
}

static void again(int listener, void (*before)(void))
{
	post(3, 1);
	int second = MUST(accept(listener, NULL, NULL));
	warm_server(second);
	if (before)
		before();
	converse_server(second);
}

static void changed_server(void (*change)(void))
{
	int port, listener = listen_local(AF_INET, &port);
	post(PORT_PLACE, port);
	int fd = MUST(accept(listener, NULL, NULL));
	warm_server(fd);
	send_pattern(fd, 3000, 3000, 2);
	meet();
	change();
	converse_server(fd);
	again(listener, NULL);
}

static void client(int unused)
{
	(void)unused;
	int fd = connect_local(AF_INET, await(PORT_PLACE));
	warm_client(fd);
	meet();
	recv_pattern("from before", fd, 3000, 500, 2);
	converse_client(fd);
	await(3);
	int second = connect_local(AF_INET, look(PORT_PLACE));
	warm_client(second);
	converse_client(second);
}

static void be_nobody(void)
{
	if (geteuid() == 0) {
		MUST(setgroups(0, NULL));
		MUST(setresgid(65534, 65534, 65534));
		MUST(setresuid(65534, 65534, 65534));
	}
	say_whether("dumpable no more", prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0);
}

static void change_root(void)
{
	char directory[] = "/tmp/rootXXXXXX";
	if (geteuid() == 0) {
		if (!mkdtemp(directory))
			die("mkdtemp");
		MUST(chroot(directory));
		MUST(chdir("/"));
	}
}

static void leave_mounts(void)
{
	if (geteuid() == 0)
		MUST(unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_FS | CLONE_FILES));
}

static void leave_network(void)
{
	if (geteuid() == 0) {
		int home = MUST(open("/proc/self/ns/net", O_RDONLY));
		MUST(unshare(CLONE_NEWNET));
		MUST(setns(home, CLONE_NEWNET));
		MUST(close(home));
	}
}

static void leave_user(void)
{
	MUST(unshare(CLONE_NEWUSER));
}

static void nobody_server(int unused) { (void)unused; changed_server(be_nobody); }
static void root_server(int unused) { (void)unused; changed_server(change_root); }
static void mounts_server(int unused) { (void)unused; changed_server(leave_mounts); }
static void network_server(int unused) { (void)unused; changed_server(leave_network); }
static void user_server(int unused) { (void)unused; changed_server(leave_user); }

static void daemon_body(int fd)
{
	say_whether("a session of its own", getsid(0) != getpgid(getppid()));
	converse_server(fd);
}

static void daemon_server(int fd)
{
	send_pattern(fd, 3000, 3000, 2);
	meet();
	in_background(fd, daemon_body);
}

static void daemon_client(int fd)
{
	meet();
	recv_pattern("from before", fd, 3000, 500, 2);
	converse_client(fd);
	char byte;
	say_result("end", recv(fd, &byte, 1, 0));
}

static const struct test_case cases[] = {
	{ "daemon", daemon_server, daemon_client, PAIRED },
	{ "another user", nobody_server, client, RAW },
	{ "another root", root_server, client, RAW },
	{ "other mounts", mounts_server, client, RAW },
	{ "another network and back", network_server, client, RAW },
	{ "another user namespace", user_server, client, RAW },
};
MAIN(cases)
