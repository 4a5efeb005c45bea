/* Edge-triggered epoll: one report per arrival, drained or not; none lost; EPOLL_CTL_MOD looks anew. */
#include "common.h"

enum { ALL = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP | EPOLLERR };

static void change(int set, int operation, int fd, unsigned events)
{
	struct epoll_event event = { .events = events | EPOLLET, .data.fd = fd };
	MUST(epoll_ctl(set, operation, fd, &event));
}

static void say_wait(const char *what, int set, int timeout)
{
	struct epoll_event event = { 0 };
	int count = MUST(epoll_wait(set, &event, 1, timeout));
	say_events(what, count ? event.events : 0, ALL);
}

static void arrivals_server(int fd)
{
	int set = MUST(epoll_create1(0));
	char buffer[64];
	change(set, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLRDHUP);
	say_wait("nothing yet", set, 0);
	meet();
	meet();
	say_wait("first arrival", set, 30000);
	say_wait("no second report", set, 30);
	meet();
	say_wait("second arrival, nothing read yet", set, 30000);
	say_wait("no second report", set, 30);
	say_result("recv of a part", recv(fd, buffer, 4, 0));
	say_wait("no report for what is left", set, 30);
	change(set, EPOLL_CTL_MOD, fd, EPOLLIN);
	say_wait("modified: looked at anew", set, 30000);
	say_result("recv of the rest", recv(fd, buffer, 60, MSG_DONTWAIT));
	say_result("recv of nothing", recv(fd, buffer, 60, MSG_DONTWAIT));
	say_wait("drained", set, 30);
	meet();
	say_wait("third arrival, while asleep", set, -1);
	say_result("recv", recv(fd, buffer, 60, MSG_DONTWAIT));
	say_wait("drained", set, 0);
}

static void arrivals_client(int fd)
{
	meet();
	send_text(fd, "12345");
	meet();
	meet();
	send_text(fd, "67890");
	meet();
	sleep_ms(50);
	send_text(fd, "late");
}

/* A report tells the whole state, so an arrival also says that there is room. */
static void room_server(int fd)
{
	int set = MUST(epoll_create1(0));
	char buffer[64];
	change(set, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLOUT);
	say_wait("room", set, 30000);
	say_wait("room is reported once", set, 30);
	send_text(fd, "a small message fills nothing");
	say_wait("nor again after a small send", set, 30);
	meet();
	say_wait("an arrival", set, 30000);
	say_result("recv", recv(fd, buffer, 60, MSG_DONTWAIT));
	say_wait("drained", set, 30);
}

static void room_client(int fd)
{
	meet();
	expect_text(fd, "a small message fills nothing");
	send_text(fd, "data");
}

/* Random bursts and pauses; the receiver trusts edges alone. */
static void bursts_server(int fd)
{
	int set = MUST(epoll_create1(0));
	struct epoll_event event;
	uint8_t buffer[3000];
	uint64_t got = 0;
	bool right = true;
	set_nonblocking(fd, true);
	change(set, EPOLL_CTL_ADD, fd, EPOLLIN);
	post(0, 1);
	while (got < 400000) {
		if (MUST(epoll_wait(set, &event, 1, 30000)) == 0)
			die("lost edge at %d", (int)got);
		int now;
		while ((now = recv(fd, buffer, sizeof buffer, 0)) > 0) {
			right = right && matches(buffer, now, 5, got);
			got += now;
		}
		if (now == 0 || errno != EAGAIN)
			die("recv %d", now);
	}
	say_whether("all right", right);
	say_wait("no edge is left", set, 10);
}

static void bursts_client(int fd)
{
	static uint8_t buffer[400000];
	fill(buffer, sizeof buffer, 5, 0);
	await(0);
	unsigned state = 12345;
	for (int sent = 0; sent < (int)sizeof buffer;) {
		state = state * 1103515245 + 12345;
		int now = 1 + (state >> 8) % ((state >> 28) < 12 ? 200 : 9000);
		now = now < (int)sizeof buffer - sent ? now : (int)sizeof buffer - sent;
		send_all(fd, buffer + sent, now);
		sent += now;
		if ((state >> 24) % 4 == 0)
			usleep((state >> 16) % 800);
	}
}

static void end_server(int fd)
{
	int set = MUST(epoll_create1(0));
	char buffer[64];
	change(set, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLRDHUP);
	meet();
	meet();
	say_wait("data and end", set, 30000);
	say_wait("said once", set, 30);
	say_result("recv", recv(fd, buffer, 60, MSG_DONTWAIT));
	say_result("recv at the end", recv(fd, buffer, 60, MSG_DONTWAIT));
	say_wait("not said again", set, 30);
	change(set, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLRDHUP);
	say_wait("modified: said anew", set, 30000);
}

static void end_client(int fd)
{
	meet();
	send_text(fd, "last words");
	MUST(shutdown(fd, SHUT_WR));
	sleep_ms(20);
	meet();
}

static const struct test_case cases[] = {
	{ "arrivals", arrivals_server, arrivals_client, PAIRED },
	{ "room", room_server, room_client, PAIRED },
	{ "bursts", bursts_server, bursts_client, PAIRED },
	{ "end", end_server, end_client, PAIRED },
};
MAIN(cases)
