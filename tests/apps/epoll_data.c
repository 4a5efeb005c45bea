/* epoll_event.data comes back untouched: pointers, zeros, equal values, another descriptor's number. */
#include "common.h"
#include <inttypes.h>
#include <sys/eventfd.h>

static void say_all(const char *what, int set, uint64_t expected)
{
	struct epoll_event events[8];
	int count = MUST(epoll_wait(set, events, 8, 30000));
	int equal = 0;
	for (int i = 0; i < count; i++)
		equal += events[i].data.u64 == expected;
	say("%s: %d events, %d with the value", what, count, equal);
}

static void server(int fd)
{
	int set = MUST(epoll_create1(0)), other = MUST(eventfd(1, 0));
	int local;
	const uint64_t values[] = { 0, UINT64_MAX, (uintptr_t)&local, 0x8000000000000000u, (uint64_t)other,
				    0xdeadbeefcafef00du, (uint64_t)fd, (uint32_t)-1 };
	meet();
	MUST(wait_for(fd, POLLIN) ? 0 : -1);
	struct epoll_event event = { .events = EPOLLIN };
	MUST(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
	for (int i = 0; i < COUNT(values); i++) {
		event.data.u64 = values[i];
		MUST(epoll_ctl(set, EPOLL_CTL_MOD, fd, &event));
		say_all("socket alone", set, values[i]);
	}
	event.data.u64 = 77;
	MUST(epoll_ctl(set, EPOLL_CTL_ADD, other, &event));
	MUST(epoll_ctl(set, EPOLL_CTL_MOD, fd, &event));
	say_all("equal values", set, 77);
	int twin = MUST(dup(fd));
	MUST(epoll_ctl(set, EPOLL_CTL_ADD, twin, &event));
	say_all("and a duplicate of the socket", set, 77);
	event.data.ptr = &local;
	MUST(epoll_ctl(set, EPOLL_CTL_MOD, fd, &event));
	MUST(epoll_ctl(set, EPOLL_CTL_DEL, twin, &event));
	MUST(epoll_ctl(set, EPOLL_CTL_DEL, other, &event));
	char byte;
	for (int i = 0; i < 5; i++) {
		recv_all(fd, &byte, 1);
		meet();
		say_all("while data arrives", set, (uintptr_t)&local);
	}
}

static void client(int fd)
{
	send_all(fd, "x", 1);
	meet();
	for (int i = 0; i < 5; i++) {
		meet();
		sleep_ms(i * 4);
		send_all(fd, "y", 1);
	}
}

static const struct test_case cases[] = { { "data", server, client, PAIRED } };
MAIN(cases)
