/* A nonblocking echo of messages of many sizes, once through each way of waiting for readiness. */
#include "common.h"

enum how { POLL, PPOLL, SELECT, PSELECT, LEVEL, EDGE, ONE_SHOT };

struct waiter {
	enum how how;
	int fd;
	int set;
};

static const int sizes[] = { 1, 7, 48, 49, 100, 1000, 4096, 5000, 65536, 70000, 262144, 300000 };

static struct waiter waiter_of(enum how how, int fd)
{
	struct waiter waiter = { how, fd, -1 };
	set_nonblocking(fd, true);
	if (how < LEVEL)
		return waiter;
	waiter.set = MUST(epoll_create1(0));
	struct epoll_event event = { .events = how == EDGE ? EPOLLIN | EPOLLOUT | EPOLLET : 0 };
	MUST(epoll_ctl(waiter.set, EPOLL_CTL_ADD, fd, &event));
	return waiter;
}

static unsigned wait_epoll(struct waiter *waiter, unsigned wanted)
{
	struct epoll_event event = { .events = wanted | (waiter->how == ONE_SHOT ? EPOLLONESHOT : 0) };
	if (waiter->how != EDGE)
		MUST(epoll_ctl(waiter->set, EPOLL_CTL_MOD, waiter->fd, &event));
	int count = MUST(epoll_wait(waiter->set, &event, 1, 30000));
	return count ? event.events : 0;
}

static unsigned wait_select(struct waiter *waiter, unsigned wanted)
{
	fd_set in, out;
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(waiter->fd, wanted == POLLIN ? &in : &out);
	struct timeval limit = { 30, 0 };
	struct timespec precise = { 30, 0 };
	MUST(waiter->how == SELECT ? select(waiter->fd + 1, &in, &out, NULL, &limit) :
				     pselect(waiter->fd + 1, &in, &out, NULL, &precise, NULL));
	return (FD_ISSET(waiter->fd, &in) ? POLLIN : 0) | (FD_ISSET(waiter->fd, &out) ? POLLOUT : 0);
}

static unsigned wait_poll(struct waiter *waiter, unsigned wanted)
{
	struct pollfd entry = { .fd = waiter->fd, .events = wanted };
	struct timespec precise = { 30, 0 };
	MUST(waiter->how == POLL ? poll(&entry, 1, 30000) : ppoll(&entry, 1, &precise, NULL));
	return entry.revents;
}

/* Called only after EAGAIN. An edge may be of the other direction; then we wait again. */
static void wait_until(struct waiter *waiter, unsigned wanted)
{
	for (int tries = 0; tries < 1000; tries++) {
		unsigned events = waiter->how >= LEVEL  ? wait_epoll(waiter, wanted) :
				  waiter->how >= SELECT ? wait_select(waiter, wanted) :
							  wait_poll(waiter, wanted);
		if (events & (wanted | POLLHUP | POLLERR))
			return;
		if (events == 0)
			die("nothing became ready (%s)", wanted == POLLIN ? "in" : "out");
	}
	die("only other events");
}

static void put(struct waiter *waiter, const uint8_t *bytes, int length)
{
	while (length > 0) {
		int sent = write(waiter->fd, bytes, length);
		if (sent < 0 && errno == EAGAIN) {
			wait_until(waiter, POLLOUT);
			continue;
		}
		MUST(sent);
		bytes += sent;
		length -= sent;
	}
}

static void take(struct waiter *waiter, uint8_t *bytes, int length)
{
	while (length > 0) {
		int got = read(waiter->fd, bytes, length);
		if (got < 0 && errno == EAGAIN) {
			wait_until(waiter, POLLIN);
			continue;
		}
		if (got == 0)
			die("end of stream");
		MUST(got);
		bytes += got;
		length -= got;
	}
}

static void serve(enum how how, int fd)
{
	static uint8_t buffer[300000];
	struct waiter waiter = waiter_of(how, fd);
	for (int round = 0; round < 3 * COUNT(sizes); round++) {
		take(&waiter, buffer, sizes[round % COUNT(sizes)]);
		put(&waiter, buffer, sizes[round % COUNT(sizes)]);
	}
}

static void ask(enum how how, int fd)
{
	static uint8_t sent[300000], received[300000];
	struct waiter waiter = waiter_of(how, fd);
	for (int round = 0; round < 3 * COUNT(sizes); round++) {
		int size = sizes[round % COUNT(sizes)];
		fill(sent, size, round, 0);
		put(&waiter, sent, size);
		take(&waiter, received, size);
		say("%d bytes: %s", size, memcmp(sent, received, size) ? "WRONG" : "right");
		if (round % 5 == 4)
			sleep_ms(3);
	}
}

#define WAY(name, how)                                                         \
	static void name##_server(int fd) { serve(how, fd); }                  \
	static void name##_client(int fd) { ask(how, fd); }
WAY(poll, POLL)
WAY(ppoll, PPOLL)
WAY(select, SELECT)
WAY(pselect, PSELECT)
WAY(level, LEVEL)
WAY(edge, EDGE)
WAY(one_shot, ONE_SHOT)

static const struct test_case cases[] = {
	{ "poll", poll_server, poll_client, PAIRED },
	{ "ppoll", ppoll_server, ppoll_client, PAIRED },
	{ "select", select_server, select_client, PAIRED },
	{ "pselect", pselect_server, pselect_client, PAIRED },
	{ "epoll level", level_server, level_client, PAIRED },
	{ "epoll edge", edge_server, edge_client, PAIRED },
	{ "epoll one-shot", one_shot_server, one_shot_client, PAIRED },
};
MAIN(cases)
