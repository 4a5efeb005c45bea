/* What readiness says of half-close, close and reset: RDHUP, HUP, ERR, through poll, select and epoll, awake or asleep. */
#include "common.h"

enum { ALL = POLLIN | POLLOUT | POLLRDHUP | POLLHUP | POLLERR };

static void say_all(const char *what, int fd, unsigned wanted)
{
	char line[80];
	struct pollfd entry = { .fd = fd, .events = wanted };
	struct epoll_event event = { .events = wanted };
	int set = MUST(epoll_create1(0));
	MUST(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
	MUST(poll(&entry, 1, 1000));
	snprintf(line, sizeof line, "%s, poll", what);
	say_events(line, entry.revents, ALL);
	event.events = 0;
	MUST(epoll_wait(set, &event, 1, 0));
	snprintf(line, sizeof line, "%s, epoll", what);
	say_events(line, event.events, ALL);
	MUST(close(set));
	fd_set in, out, urgent;
	FD_ZERO(&in);
	FD_SET(fd, &in);
	out = urgent = in;
	struct timeval none = { 0, 0 };
	int count = MUST(select(fd + 1, &in, &out, &urgent, &none));
	say("%s, select: %d%s%s%s", what, count, FD_ISSET(fd, &in) ? " in" : "", FD_ISSET(fd, &out) ? " out" : "",
	    FD_ISSET(fd, &urgent) ? " urgent" : "");
}

static void say_recv(int fd)
{
	char buffer[32];
	say_result("recv", recv(fd, buffer, sizeof buffer, MSG_DONTWAIT));
}

static void half_server(int fd)
{
	say_all("open", fd, ALL);
	meet();
	meet();
	say_all("data and half-close", fd, ALL);
	say_all("data and half-close, in only", fd, POLLIN);
	say_all("data and half-close, nothing asked", fd, 0);
	say_recv(fd);
	say_all("half-close, drained", fd, ALL);
	say_recv(fd);
	MUST(shutdown(fd, SHUT_WR));
	meet();
	meet();
	say_all("both closed", fd, ALL);
	say_all("both closed, nothing asked", fd, 0);
	say_recv(fd);
}

static void half_client(int fd)
{
	meet();
	send_text(fd, "data");
	MUST(shutdown(fd, SHUT_WR));
	sleep_ms(10);
	say_all("own half-close", fd, ALL);
	meet();
	meet();
	sleep_ms(10);
	say_all("both closed", fd, ALL);
	meet();
}

static void reset_server(int fd)
{
	meet();
	meet();
	say_all("data and reset", fd, ALL);
	say_all("data and reset, nothing asked", fd, 0);
	say_recv(fd);
	say_recv(fd);
	say_recv(fd);
	say_all("reset, error taken", fd, ALL);
}

static void reset_client(int fd)
{
	meet();
	send_text(fd, "data");
	struct linger now = { 1, 0 };
	MUST(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now));
	MUST(close(fd));
	sleep_ms(10);
	meet();
}

static void close_client(int fd)
{
	meet();
	send_text(fd, "data");
	MUST(close(fd));
	sleep_ms(10);
	meet();
}

static void asleep(int fd, bool poll_it)
{
	struct pollfd entry = { .fd = fd, .events = POLLRDHUP };
	struct epoll_event event = { .events = EPOLLRDHUP | EPOLLET };
	int set = MUST(epoll_create1(0));
	MUST(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
	event.events = 0;
	meet();
	if (poll_it) {
		say_result("poll", poll(&entry, 1, 30000));
		say_events("woken", entry.revents, ALL);
	} else {
		say_result("epoll_wait", epoll_wait(set, &event, 1, 30000));
		say_events("woken", event.events, ALL);
	}
	meet();
}

static void asleep_poll_server(int fd) { asleep(fd, true); }
static void asleep_epoll_server(int fd) { asleep(fd, false); }

static void asleep_half_client(int fd)
{
	meet();
	sleep_ms(30);
	MUST(shutdown(fd, SHUT_WR));
	meet();
}

static void asleep_reset_client(int fd)
{
	struct linger now = { 1, 0 };
	MUST(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now));
	meet();
	sleep_ms(30);
	MUST(close(fd));
	meet();
}

static const struct test_case cases[] = {
	{ "half-close", half_server, half_client, PAIRED },
	{ "reset", reset_server, reset_client, PAIRED },
	{ "close", reset_server, close_client, PAIRED },
	{ "poll asleep, half-close", asleep_poll_server, asleep_half_client, PAIRED },
	{ "epoll asleep, half-close", asleep_epoll_server, asleep_half_client, PAIRED },
	{ "poll asleep, reset", asleep_poll_server, asleep_reset_client, PAIRED },
	{ "epoll asleep, reset", asleep_epoll_server, asleep_reset_client, PAIRED },
};
MAIN(cases)
