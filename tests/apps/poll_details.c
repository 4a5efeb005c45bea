/* poll and select: negative and closed descriptors, one socket many times, no events asked, high numbers, other kinds. */
#include "common.h"

enum { ALL = POLLIN | POLLOUT | POLLPRI | POLLRDHUP | POLLHUP | POLLERR | POLLNVAL | POLLRDNORM | POLLWRNORM };

static void server(int fd)
{
	int ends[2], other;
	MUST(pipe(ends));
	meet();
	MUST(wait_for(fd, POLLIN) ? 0 : -1);
	other = MUST(dup(fd));
	int closed = MUST(dup(fd));
	MUST(close(closed));
	struct pollfd entries[] = {
		{ .fd = -1, .events = POLLIN, .revents = -1 }, { .fd = fd, .events = POLLIN },
		{ .fd = 900, .events = POLLIN },	       { .fd = fd, .events = POLLOUT },
		{ .fd = ends[0], .events = POLLIN },	       { .fd = ends[1], .events = POLLOUT },
		{ .fd = other, .events = ALL },		       { .fd = fd, .events = 0 },
		{ .fd = ~fd, .events = POLLIN },	       { .fd = fd, .events = POLLRDNORM | POLLWRNORM },
	};
	say_result("poll", poll(entries, COUNT(entries), 1000));
	for (int i = 0; i < COUNT(entries); i++)
		say_events("entry", entries[i].revents, ALL);
	struct pollfd bad = { .fd = 900, .events = POLLIN };
	say_result("a closed descriptor alone", poll(&bad, 1, -1));
	fd_set in;
	FD_ZERO(&in);
	FD_SET(fd, &in);
	FD_SET(closed, &in);
	struct timeval limit = { 1, 0 };
	say_result("select with a closed descriptor", select(closed + 1, &in, NULL, NULL, &limit));
	int high = MUST(fcntl(fd, F_DUPFD, 1000));
	FD_ZERO(&in);
	FD_SET(high, &in);
	say_result("select with a high number", select(high + 1, &in, NULL, NULL, &limit));
	say_whether("it is set", FD_ISSET(high, &in));
	char byte;
	recv_all(fd, &byte, 1);
	FD_ZERO(&in);
	FD_SET(fd, &in);
	FD_SET(ends[0], &in);
	limit = (struct timeval){ 0, 10000 };
	say_result("select, drained", select(high + 1, &in, NULL, NULL, &limit));
	say_whether("cleared", !FD_ISSET(fd, &in) && !FD_ISSET(ends[0], &in));
	struct pollfd none = { .fd = fd, .events = 0 };
	say_result("poll for nothing", poll(&none, 1, 10));
	say_events("nothing", none.revents, ALL);
}

static void client(int fd)
{
	send_text(fd, "x");
	meet();
}

static const struct test_case cases[] = { { "details", server, client, PAIRED } };
MAIN(cases)
