/* One-shot epoll: one report, then silence until EPOLL_CTL_MOD; one thread only gets it. */
#include "common.h"

enum { ALL = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP | EPOLLERR };

static void change(int set, int operation, int fd, unsigned events)
{
	struct epoll_event event = { .events = events | EPOLLONESHOT, .data.fd = fd };
	MUST(epoll_ctl(set, operation, fd, &event));
}

static void say_wait(const char *what, int set, int timeout)
{
	struct epoll_event event = { 0 };
	int count = MUST(epoll_wait(set, &event, 1, timeout));
	say_events(what, count ? event.events : 0, ALL);
}

static void reports(int fd, unsigned edge)
{
	int set = MUST(epoll_create1(0));
	char buffer[64];
	change(set, EPOLL_CTL_ADD, fd, EPOLLIN | edge);
	meet();
	say_wait("first arrival", set, 30000);
	say_wait("silence", set, 30);
	meet();
	meet();
	say_wait("second arrival: silence", set, 30);
	change(set, EPOLL_CTL_MOD, fd, EPOLLIN | edge);
	say_wait("armed again", set, 30000);
	say_result("recv", recv(fd, buffer, 60, MSG_DONTWAIT));
	change(set, EPOLL_CTL_MOD, fd, EPOLLIN | edge);
	say_wait("armed, nothing there", set, 30);
	meet();
	say_wait("third arrival, while asleep", set, -1);
	meet();
	say_wait("even the end is not said", set, 30);
	change(set, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLRDHUP | edge);
	say_wait("armed: data and end", set, 30000);
	change(set, EPOLL_CTL_MOD, fd, EPOLLOUT | edge);
	say_wait("room", set, 30000);
	say_wait("said once", set, 10);
}

static void level_server(int fd)
{
	reports(fd, 0);
}

static void edge_server(int fd)
{
	reports(fd, EPOLLET);
}

static void reports_client(int fd)
{
	send_text(fd, "12345");
	meet();
	meet();
	send_text(fd, "67890");
	meet();
	meet();
	sleep_ms(50);
	send_text(fd, "late");
	meet();
	MUST(shutdown(fd, SHUT_WR));
	sleep_ms(10);
}

/* Four threads wait; each message must come to exactly one of them. */
enum { MESSAGES = 200 };
static int shared_set, shared_socket;
static _Atomic int taken, inside, overlaps;

static void *wait_in_turn(void *unused)
{
	(void)unused;
	struct epoll_event event;
	while (atomic_load(&taken) < MESSAGES) {
		if (MUST(epoll_wait(shared_set, &event, 1, 50)) == 0)
			continue;
		if (atomic_fetch_add(&inside, 1) != 0)
			atomic_fetch_add(&overlaps, 1);
		char buffer[8];
		if (recv(shared_socket, buffer, 8, 0) == 8) {
			atomic_fetch_add(&taken, 1);
			send_all(shared_socket, buffer, 8);
		}
		atomic_fetch_sub(&inside, 1);
		change(shared_set, EPOLL_CTL_MOD, shared_socket, EPOLLIN);
	}
	return NULL;
}

static void threads_server(int fd)
{
	shared_set = MUST(epoll_create1(0));
	shared_socket = fd;
	set_nonblocking(fd, true);
	change(shared_set, EPOLL_CTL_ADD, fd, EPOLLIN);
	pthread_t threads[4];
	for (int i = 0; i < 4; i++)
		threads[i] = start_thread(wait_in_turn, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	say("taken: %d, two threads at once: %d", taken, overlaps);
}

static void threads_client(int fd)
{
	char buffer[8];
	for (int i = 0; i < MESSAGES; i++) {
		send_all(fd, "message", 8);
		recv_all(fd, buffer, 8);
		if (i % 20 == 0)
			sleep_ms(1);
	}
}

static const struct test_case cases[] = {
	{ "level", level_server, reports_client, PAIRED },
	{ "edge", edge_server, reports_client, PAIRED },
	{ "threads", threads_server, threads_client, PAIRED },
};
MAIN(cases)
