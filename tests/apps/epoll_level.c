/* Level-triggered epoll: reported until drained, what EPOLL_CTL_MOD changes, data that waits before EPOLL_CTL_ADD. */
#include "common.h"

enum { ALL = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP | EPOLLERR };

static void change(int set, int operation, int fd, unsigned events)
{
	struct epoll_event event = { .events = events, .data.fd = fd };
	MUST(epoll_ctl(set, operation, fd, &event));
}

static void say_wait(const char *what, int set, int timeout)
{
	struct epoll_event event = { 0 };
	int count = MUST(epoll_wait(set, &event, 1, timeout));
	say_events(what, count ? event.events : 0, ALL);
}

static void take(int fd, int length)
{
	char buffer[64];
	say_result("recv", recv(fd, buffer, length, MSG_DONTWAIT));
}

static void drained_server(int fd)
{
	int set = MUST(epoll_create1(0));
	change(set, EPOLL_CTL_ADD, fd, EPOLLIN);
	say_wait("nothing yet", set, 0);
	meet();
	meet();
	say_wait("ten bytes", set, 30000);
	say_wait("again", set, 30000);
	take(fd, 4);
	say_wait("six left", set, 30000);
	take(fd, 60);
	say_wait("drained", set, 0);
	say_wait("drained, 30 ms", set, 30);
	take(fd, 60);
	meet();
	say_wait("while asleep", set, -1);
	take(fd, 60);
	say_wait("drained again", set, 0);
}

static void drained_client(int fd)
{
	meet();
	send_text(fd, "0123456789");
	meet();
	meet();
	sleep_ms(60);
	send_text(fd, "late");
}

static void modified_server(int fd)
{
	int set = MUST(epoll_create1(0));
	change(set, EPOLL_CTL_ADD, fd, EPOLLOUT);
	say_wait("room", set, 30000);
	meet();
	MUST(wait_for(fd, POLLIN) ? 0 : -1);
	say_wait("room, data not asked for", set, 30000);
	change(set, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLOUT);
	say_wait("both", set, 30000);
	change(set, EPOLL_CTL_MOD, fd, 0);
	say_wait("neither", set, 10);
	change(set, EPOLL_CTL_MOD, fd, EPOLLIN);
	say_wait("data", set, 30000);
	change(set, EPOLL_CTL_DEL, fd, 0);
	say_wait("removed", set, 10);
	change(set, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLRDHUP);
	say_wait("added with data waiting", set, 30000);
	take(fd, 60);
	say_wait("drained", set, 10);
}

static void modified_client(int fd)
{
	send_text(fd, "some data");
	meet();
}

/* A second thread adds the socket, or asks for more, while the first one already waits. */
static int late_set;

static void *add_late(void *argument)
{
	int fd = *(int *)argument;
	sleep_ms(30);
	change(late_set, EPOLL_CTL_ADD, fd, EPOLLIN);
	return NULL;
}

static void *modify_late(void *argument)
{
	int fd = *(int *)argument;
	sleep_ms(30);
	change(late_set, EPOLL_CTL_MOD, fd, EPOLLOUT);
	return NULL;
}

static void late_server(int fd)
{
	late_set = MUST(epoll_create1(EPOLL_CLOEXEC));
	meet();
	MUST(wait_for(fd, POLLIN) ? 0 : -1);
	pthread_t thread = start_thread(add_late, &fd);
	say_wait("added while waiting", late_set, 30000);
	pthread_join(thread, NULL);
	take(fd, 60);
	thread = start_thread(modify_late, &fd);
	say_wait("modified while waiting", late_set, 30000);
	pthread_join(thread, NULL);
}

static void many_rounds_server(int fd)
{
	int set = MUST(epoll_create1(0));
	change(set, EPOLL_CTL_ADD, fd, EPOLLIN);
	struct epoll_event event;
	uint64_t got = 0;
	bool right = true;
	while (got < 20000) {
		uint8_t buffer[100];
		if (MUST(epoll_wait(set, &event, 1, 30000)) == 0)
			die("lost wake-up at %d", (int)got);
		int now = MUST(recv(fd, buffer, 1 + got % sizeof buffer, MSG_DONTWAIT));
		right = right && matches(buffer, now, 3, got);
		got += now;
		if (got % 1000 < 10)
			send_all(fd, "+", 1);
	}
	say_whether("right", right);
	say_wait("end", set, 10);
	set_nonblocking(fd, true);
}

static void many_rounds_client(int fd)
{
	uint8_t buffer[20000];
	fill(buffer, sizeof buffer, 3, 0);
	for (int sent = 0; sent < 20000; sent += 50) {
		send_all(fd, buffer + sent, 50);
		if (sent % 700 == 0)
			sleep_ms(2);
	}
}

static const struct test_case cases[] = {
	{ "drained", drained_server, drained_client, PAIRED },
	{ "modified", modified_server, modified_client, PAIRED },
	{ "changed while waiting", late_server, modified_client, PAIRED },
	{ "many rounds", many_rounds_server, many_rounds_client, PAIRED },
};
MAIN(cases)
