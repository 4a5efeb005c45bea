/* A set within a set, and poll and select on a set. */
#include "common.h"

static int set_with(int member, unsigned events)
{
	int set = MUST(epoll_create1(0));
	struct epoll_event event = { .events = events, .data.fd = member };
	MUST(epoll_ctl(set, EPOLL_CTL_ADD, member, &event));
	return set;
}

static void say_wait(const char *what, int set, int timeout)
{
	struct epoll_event event = { 0 };
	int count = MUST(epoll_wait(set, &event, 1, timeout));
	say_events(what, count ? event.events : 0, EPOLLIN | EPOLLOUT | EPOLLHUP | EPOLLERR);
}

static void say_poll(const char *what, int fd, int timeout)
{
	struct pollfd entry = { .fd = fd, .events = POLLIN | POLLOUT };
	MUST(poll(&entry, 1, timeout));
	say_events(what, entry.revents, POLLIN | POLLOUT | POLLHUP | POLLERR | POLLNVAL);
}

static void say_select(const char *what, int fd, int timeout)
{
	fd_set in;
	FD_ZERO(&in);
	FD_SET(fd, &in);
	struct timeval limit = { timeout / 1000, timeout % 1000 * 1000 };
	say_result(what, select(fd + 1, &in, NULL, NULL, &limit));
}

static void level_server(int fd)
{
	int inner = set_with(fd, EPOLLIN), outer = set_with(inner, EPOLLIN);
	char buffer[16];
	say_wait("outer, nothing yet", outer, 0);
	say_poll("poll on inner, nothing yet", inner, 0);
	say_select("select on inner, nothing yet", inner, 10);
	meet();
	say_wait("outer", outer, 30000);
	say_wait("outer again", outer, 30000);
	say_wait("inner", inner, 30000);
	say_poll("poll on inner", inner, 30000);
	say_poll("poll on outer", outer, 30000);
	say_select("select on inner", inner, 30000);
	say_select("select on outer", outer, 30000);
	recv_all(fd, buffer, 5);
	say_wait("drained, inner", inner, 0);
	say_wait("drained, outer", outer, 20);
	say_poll("drained, poll on outer", outer, 20);
	meet();
	say_wait("outer, while asleep", outer, -1);
	recv_all(fd, buffer, 5);
	meet();
	say_poll("poll on outer, while asleep", outer, -1);
	recv_all(fd, buffer, 5);
	meet();
	say_select("select on inner, while asleep", inner, 30000);
}

static void client(int fd)
{
	for (int round = 0; round < 4; round++) {
		meet();
		sleep_ms(30);
		send_text(fd, "bytes");
	}
}

static void edge_server(int fd)
{
	int inner = set_with(fd, EPOLLIN), outer = set_with(inner, EPOLLIN | EPOLLET);
	char buffer[16];
	meet();
	say_wait("outer", outer, 30000);
	say_wait("outer again", outer, 20);
	say_wait("inner", inner, 30000);
	recv_all(fd, buffer, 5);
	say_wait("inner, drained", inner, 0);
	meet();
	say_wait("outer, while asleep", outer, 30000);
	recv_all(fd, buffer, 5);
	say_wait("inner, drained", inner, 0);
	meet();
	say_wait("outer, while asleep", outer, 30000);
	recv_all(fd, buffer, 5);
	meet();
}

static const struct test_case cases[] = {
	{ "level", level_server, client, PAIRED },
	{ "edge outside", edge_server, client, PAIRED },
};
MAIN(cases)
