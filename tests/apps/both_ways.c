/* Much in both directions at once: with poll in one thread, and with two blocking threads. */
#include "common.h"

enum { TOTAL = 20 * 1000 * 1000, PIECE = 100000 };

static uint8_t block[PIECE];

struct progress {
	uint64_t sent, got;
	int wrong;
};

static void put_some(int fd, struct progress *progress)
{
	ssize_t now = send(fd, block + progress->sent % PIECE, PIECE - progress->sent % PIECE, 0);
	if (now < 0 && errno != EAGAIN)
		die("send at %llu", (unsigned long long)progress->sent);
	progress->sent += now > 0 ? now : 0;
}

static void take_some(int fd, struct progress *progress)
{
	uint8_t buffer[PIECE];
	ssize_t now = recv(fd, buffer, PIECE - progress->got % PIECE, 0);
	if (now == 0 || (now < 0 && errno != EAGAIN))
		die("recv at %llu", (unsigned long long)progress->got);
	if (now < 0)
		return;
	progress->wrong += memcmp(buffer, block + progress->got % PIECE, now) != 0;
	progress->got += now;
}

static void with_poll(int fd)
{
	struct progress progress = { 0 };
	fill(block, PIECE, 1, 0);
	set_nonblocking(fd, true);
	while (progress.sent < TOTAL || progress.got < TOTAL) {
		struct pollfd entry = { .fd = fd };
		entry.events = (progress.sent < TOTAL ? POLLOUT : 0) | (progress.got < TOTAL ? POLLIN : 0);
		if (MUST(poll(&entry, 1, 30000)) == 0)
			die("stuck: sent %d got %d", (int)progress.sent, (int)progress.got);
		if (entry.revents & POLLOUT)
			put_some(fd, &progress);
		if (entry.revents & POLLIN)
			take_some(fd, &progress);
	}
	say("sent %llu got %llu wrong %d", (unsigned long long)progress.sent, (unsigned long long)progress.got,
	    progress.wrong);
}

static void *send_it_all(void *argument)
{
	struct progress progress = { 0 };
	while (progress.sent < TOTAL)
		put_some(*(int *)argument, &progress);
	return NULL;
}

static void with_threads(int fd)
{
	struct progress progress = { 0 };
	fill(block, PIECE, 1, 0);
	pthread_t sender = start_thread(send_it_all, &fd);
	while (progress.got < TOTAL)
		take_some(fd, &progress);
	pthread_join(sender, NULL);
	say("got %llu wrong %d", (unsigned long long)progress.got, progress.wrong);
}

static const struct test_case cases[] = {
	{ "poll", with_poll, with_poll, PAIRED },
	{ "threads", with_threads, with_threads, PAIRED },
	{ "one of each", with_poll, with_threads, PAIRED },
};
MAIN(cases)
