/* Sleeping and waking many times, with pauses of every length: no wake-up is lost, in whatever call the receiver sleeps. */
#include "common.h"

enum { ROUNDS = 300 };
enum call { RECV, PEEK, POLL, SELECT, LEVEL, EDGE, NESTED, CALLS };

static int make_set(int fd, unsigned events)
{
	int set = MUST(epoll_create1(0));
	struct epoll_event event = { .events = events };
	MUST(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
	return set;
}

static void wait_in(enum call call, int fd, int set)
{
	char byte;
	struct pollfd entry = { .fd = fd, .events = POLLIN };
	struct epoll_event event;
	struct timeval limit = { 40, 0 };
	fd_set in;
	FD_ZERO(&in);
	FD_SET(fd, &in);
	long result = 1;
	switch (call) {
	case RECV: break;
	case PEEK: result = recv(fd, &byte, 1, MSG_PEEK); break;
	case POLL: result = poll(&entry, 1, 40000); break;
	case SELECT: result = select(fd + 1, &in, NULL, NULL, &limit); break;
	default: result = epoll_wait(set, &event, 1, 40000);
	}
	if (result != 1)
		die("a lost wake-up (%d): %ld", call, result);
}

static void server(int fd)
{
	int level = make_set(fd, EPOLLIN), edge = make_set(fd, EPOLLIN | EPOLLET), nested = make_set(level, EPOLLIN);
	unsigned state = 99;
	char byte;
	for (int round = 0; round < ROUNDS; round++) {
		enum call call = round % CALLS;
		wait_in(call, fd, call == LEVEL ? level : call == EDGE ? edge : nested);
		recv_all(fd, &byte, 1);
		state = state * 1103515245 + 12345;
		usleep((state >> 16) % 2 ? 0 : (state >> 17) % 3000);
		/* An edge of an earlier round may still be reported: take it. */
		struct epoll_event event;
		(void)epoll_wait(edge, &event, 1, 0);
		send_all(fd, &byte, 1);
	}
	say("rounds: %d", ROUNDS);
}

static void client(int fd)
{
	unsigned state = 7;
	char byte = 'x';
	for (int round = 0; round < ROUNDS; round++) {
		state = state * 1103515245 + 12345;
		usleep((state >> 16) % 3 ? (state >> 18) % 300 : (state >> 18) % 8000);
		send_all(fd, &byte, 1);
		recv_all(fd, &byte, 1);
	}
	say("rounds: %d", ROUNDS);
}

static const struct test_case cases[] = { { "sleepers", server, client, PAIRED } };
MAIN(cases)
