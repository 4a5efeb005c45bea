/* Descriptors that another process takes (pidfd_getfd): whose they are hears nothing of it. A connection that has not been used, and
 * a listener, are as any that somebody else has opened. */
#include "common.h"
#include <sys/prctl.h>
#include <sys/syscall.h>

enum { TAKEN_PLACE = 2, DONE_PLACE = 3, MUCH = 200000 };

/* What stands at this descriptor of our parent's; -1 if the kernel does not allow it. */
static int take(int fd)
{
	int parent = MUST(syscall(SYS_pidfd_open, getppid(), 0));
	int taken = syscall(SYS_pidfd_getfd, parent, fd, 0);
	say_whether("taken", taken >= 0);
	MUST(close(parent));
	return taken >= 0 ? taken : MUST(dup(fd));
}

static void allow(void)
{
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
}

static void converse(int fd)
{
	recv_pattern("all", fd, MUCH, 9000, 1);
	send_pattern(fd, MUCH, 9000, 2);
}

static void connection_taker(int fd)
{
	converse(take(fd));
	post(DONE_PLACE, 1);
}

static void connection_server(int unused)
{
	(void)unused;
	int port, listener = listen_local(AF_INET, &port);
	post(PORT_PLACE, port);
	int fd = MUST(accept(listener, NULL, NULL));
	allow();
	join_child("taker", start_child(connection_taker, fd));
	await(DONE_PLACE);
	converse(fd);
}

static void client(int fd)
{
	send_pattern(fd, MUCH, 20000, 1);
	recv_pattern("back", fd, MUCH, 5000, 2);
}

static void connection_client(int unused)
{
	(void)unused;
	int fd = connect_local(AF_INET, await(PORT_PLACE));
	client(fd);
	client(fd);
}

static void listener_taker(int listener)
{
	int fd = MUST(accept(take(listener), NULL, NULL));
	warm_server(fd);
	converse(fd);
}

static void listener_server(int unused)
{
	(void)unused;
	int port, listener = listen_local(AF_INET, &port);
	post(PORT_PLACE, port);
	allow();
	join_child("taker", start_child(listener_taker, listener));
}

static void listener_client(int unused)
{
	(void)unused;
	int fd = connect_local(AF_INET, await(PORT_PLACE));
	warm_client(fd);
	client(fd);
}

/* A process takes its own: a copy. */
static void own_server(int fd)
{
	int self = MUST(syscall(SYS_pidfd_open, getpid(), 0));
	int copy = MUST(syscall(SYS_pidfd_getfd, self, fd, 0));
	converse(copy);
	MUST(close(fd));
	converse(copy);
}

static void own_client(int fd)
{
	client(fd);
	client(fd);
}

static const struct test_case cases[] = {
	{ "a connection", connection_server, connection_client, RAW },
	{ "a listener", listener_server, listener_client, RAW },
	{ "one's own", own_server, own_client, PAIRED },
};
MAIN(cases)
