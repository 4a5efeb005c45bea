/* A stream that moves between roads and brings nothing is not readable. */
#include "common.h"

enum { MOVED = 0, LOOKED = 1, LOOKS_AFTER = 2000 };

/* Looks without waiting, so that the move itself is met, and receives whatever is said to be there. */
static void look_on(int fd, unsigned events)
{
	int set = MUST(epoll_create1(0)), reports = 0, empty = 0;
	struct epoll_event event = { .events = EPOLLIN | events };
	MUST(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
	meet();
	for (int left = LOOKS_AFTER; left > 0; left -= look(MOVED) != 0) {
		char byte;
		if (MUST(epoll_wait(set, &event, 1, 0)) == 0)
			continue;
		reports++;
		empty += recv(fd, &byte, 1, MSG_DONTWAIT) != 1;
	}
	post(LOOKED, 1);
	say("reports %d, of nothing %d", reports, empty);
	expect_text(fd, "goes on");
	MUST(close(set));
}

static void level_server(int fd) { look_on(fd, 0); }
static void edge_server(int fd) { look_on(fd, EPOLLET); }

/* A stream of the C library moves a connection back to the kernel road. */
static void client(int fd)
{
	meet();
	sleep_ms(30);
	FILE *stream = fdopen(fd, "w");
	if (!stream)
		die("fdopen");
	sleep_ms(30);
	post(MOVED, 1);
	await(LOOKED);
	send_text(fd, "goes on");
}

static const struct test_case cases[] = {
	{ "level", level_server, client, PAIRED },
	{ "edge", edge_server, client, PAIRED },
};
MAIN(cases)
