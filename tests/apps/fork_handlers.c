/* A program whose pthread_atfork handlers use descriptors: the child's opens an epoll set of its own and looks at the connection. */
#include "common.h"

static int connection;

static void watch(void)
{
	int set = MUST(epoll_create1(EPOLL_CLOEXEC));
	struct epoll_event event = { .events = EPOLLIN };
	MUST(epoll_ctl(set, EPOLL_CTL_ADD, connection, &event));
	MUST(epoll_wait(set, &event, 1, -1));
	MUST(close(set));
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

static void child_client(int fd)
{
	char buffer[6];
	send_all(fd, "hello", sizeof buffer);
	recv_all(fd, buffer, sizeof buffer);
	say("%s", buffer);
}

static const struct test_case cases[] = {
	{ "child", child_server, child_client, PAIRED },
};

MAIN(cases)
