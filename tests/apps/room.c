/* Ready for writing means that there is room: not while the receiver sleeps on a full stream, and again when it reads. */
#include "common.h"

enum how { POLL, SELECT, LEVEL, EDGE };

/* Sends until nothing more goes in and stays so; returns how much went in. */
static uint64_t stuff(int fd)
{
	static uint8_t buffer[65536];
	uint64_t total = 0;
	set_nonblocking(fd, true);
	for (;;) {
		fill(buffer, sizeof buffer, 1, total);
		ssize_t sent = send(fd, buffer, sizeof buffer, 0);
		struct pollfd entry = { .fd = fd, .events = POLLOUT };
		if (sent > 0)
			total += sent;
		else if (errno != EAGAIN)
			die("send");
		else if (poll(&entry, 1, 100) == 0)
			return total;
	}
}

static bool has_room(enum how how, int fd, int set, int timeout)
{
	struct epoll_event event = { 0 };
	struct pollfd entry = { .fd = fd, .events = POLLOUT };
	struct timeval limit = { timeout / 1000, timeout % 1000 * 1000 };
	fd_set out;
	FD_ZERO(&out);
	FD_SET(fd, &out);
	switch (how) {
	case POLL:
		return MUST(poll(&entry, 1, timeout)) == 1 && entry.revents == POLLOUT;
	case SELECT:
		return MUST(select(fd + 1, NULL, &out, NULL, &limit)) == 1;
	default:
		return MUST(epoll_wait(set, &event, 1, timeout)) == 1 && event.events == EPOLLOUT;
	}
}

static void fill_and_wait(enum how how, int fd)
{
	int set = MUST(epoll_create1(0));
	struct epoll_event event = { .events = how == EDGE ? EPOLLOUT | EPOLLET : EPOLLOUT };
	MUST(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
	say_whether("room at first", has_room(how, fd, set, 1000));
	uint64_t total = stuff(fd);
	if (how == EDGE)
		while (has_room(how, fd, set, 0))
			;
	char byte;
	say_whether("room when full", has_room(how, fd, set, 30));
	say_whether("the peer is still readable for us", recv(fd, &byte, 1, MSG_PEEK) == 1);
	post(1, total);
	say_whether("room after the peer has read", has_room(how, fd, set, 30000));
	meet();
	if (how != EDGE)
		say_whether("room at the end", has_room(how, fd, set, 1000));
	uint8_t more[100];
	fill(more, sizeof more, 1, total);
	say_result("send", send(fd, more, sizeof more, 0));
}

static void drain(int fd)
{
	send_all(fd, "!", 1);
	uint64_t total = await(1);
	uint8_t more[100];
	static uint8_t buffer[30000];
	bool right = true;
	for (uint64_t got = 0; got < total;) {
		size_t now = total - got < sizeof buffer ? total - got : sizeof buffer;
		recv_all(fd, buffer, now);
		right = right && matches(buffer, now, 1, got);
		got += now;
	}
	say_whether("what was sent is right", right);
	meet();
	recv_all(fd, more, sizeof more);
	say_whether("what came later is right", matches(more, sizeof more, 1, total));
}

static void poll_client(int fd) { fill_and_wait(POLL, fd); }
static void select_client(int fd) { fill_and_wait(SELECT, fd); }
static void level_client(int fd) { fill_and_wait(LEVEL, fd); }
static void edge_client(int fd) { fill_and_wait(EDGE, fd); }

static const struct test_case cases[] = {
	{ "poll", drain, poll_client, PAIRED },
	{ "select", drain, select_client, PAIRED },
	{ "epoll level", drain, level_client, PAIRED },
	{ "epoll edge", drain, edge_client, PAIRED },
};
MAIN(cases)
