/* A program whose pthread_atfork handlers use descriptors: each opens an epoll set of its own, and some look at the connection. */
#include "common.h"
#include <sys/resource.h>

static int connection;

static void watch(void)
{
	int set = MUST(epoll_create1(EPOLL_CLOEXEC));
	struct epoll_event event = { .events = EPOLLIN };
	MUST(epoll_ctl(set, EPOLL_CTL_ADD, connection, &event));
	MUST(epoll_wait(set, &event, 1, -1));
	MUST(close(set));
}

static void *use_descriptors(void *unused)
{
	(void)unused;
	int set = MUST(epoll_create1(EPOLL_CLOEXEC));
	MUST(close(set));
	int copy = MUST(dup(connection));
	MUST(close(copy));
	return NULL;
}

/* What waits for other threads before a fork, and starts them anew afterwards. */
static void wait_for_thread(void)
{
	pthread_join(start_thread(use_descriptors, NULL), NULL);
}

static void read_in_child(int fd)
{
	char buffer[6];
	recv_all(fd, buffer, sizeof buffer);
	send_all(fd, buffer, sizeof buffer);
}

static void child_server(int fd)
{
	connection = fd;
	MUST(pthread_atfork(NULL, NULL, watch));
	int set = MUST(epoll_create1(0));
	join_child("child", start_child(read_in_child, fd));
	MUST(close(set));
}

static void parent_server(int fd)
{
	connection = fd;
	MUST(pthread_atfork(wait_for_thread, wait_for_thread, NULL));
	errno = ENOTTY;
	join_child("child", start_child(read_in_child, fd));
	say_whether("errno kept", errno == ENOTTY);
}

/* A fork that fails, as it does for whoever has enough processes: nobody else holds the connection. */
static void refused_server(int fd)
{
	struct rlimit before;
	MUST(getrlimit(RLIMIT_NPROC, &before));
	struct rlimit none = { 0, before.rlim_max };
	MUST(setrlimit(RLIMIT_NPROC, &none));
	bool is_root = getuid() == 0;
	if (is_root)
		MUST(setresuid(65534, 65534, 0));
	say_result("fork", fork());
	if (is_root)
		MUST(setresuid(0, 0, 0));
	MUST(setrlimit(RLIMIT_NPROC, &before));
	read_in_child(fd);
}

static void client(int fd)
{
	char buffer[6];
	send_all(fd, "hello", sizeof buffer);
	recv_all(fd, buffer, sizeof buffer);
	say("%s", buffer);
}

static const struct test_case cases[] = {
	{ "child", child_server, client, PAIRED },
	{ "parent", parent_server, client, PAIRED },
	{ "refused", refused_server, client, PAIRED },
};

MAIN(cases)
