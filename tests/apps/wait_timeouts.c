/* Time-outs of poll, ppoll, select, pselect, epoll_wait: never shorter than asked, 0 returns at once, select's rest. */
#include "common.h"

enum call { POLL, PPOLL, SELECT, PSELECT, EPOLL, EPOLL2, CALLS };
static const char *const names[CALLS] = { "poll", "ppoll", "select", "pselect", "epoll_wait", "epoll_pwait2" };
static int set;

static long perform(enum call call, int fd, int timeout)
{
	struct pollfd entry = { .fd = fd, .events = POLLIN };
	struct epoll_event event;
	struct timespec precise = { timeout / 1000, timeout % 1000 * 1000000L };
	struct timeval limit = { timeout / 1000, timeout % 1000 * 1000 };
	fd_set in;
	FD_ZERO(&in);
	FD_SET(fd, &in);
	switch (call) {
	case POLL: return poll(&entry, 1, timeout);
	case PPOLL: return ppoll(&entry, 1, &precise, NULL);
	case SELECT: return select(fd + 1, &in, NULL, NULL, &limit);
	case PSELECT: return pselect(fd + 1, &in, NULL, NULL, &precise, NULL);
	case EPOLL: return epoll_wait(set, &event, 1, timeout);
	default: return epoll_pwait2(set, &event, 1, &precise, NULL);
	}
}

static uint64_t now_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000ull + now.tv_nsec / 1000;
}

static void server(int fd)
{
	static const int timeouts[] = { 0, 1, 5, 20, 100 };
	struct epoll_event event = { .events = EPOLLIN };
	set = MUST(epoll_create1(0));
	MUST(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
	for (enum call call = POLL; call < CALLS; call++) {
		int early = 0, late = 0, odd = 0;
		for (int i = 0; i < COUNT(timeouts); i++) {
			char byte;
			recv_all(fd, &byte, 1);
			uint64_t start = now_us();
			odd += perform(call, fd, timeouts[i]) != 0;
			uint64_t elapsed = now_us() - start;
			early += elapsed + 1 < timeouts[i] * 1000ull;
			late += elapsed > timeouts[i] * 1000ull + 10000000;
			send_all(fd, &byte, 1);
		}
		say("%s: early %d late %d not 0 %d", names[call], early, late, odd);
	}
	struct timeval limit = { 30, 0 };
	fd_set in;
	FD_ZERO(&in);
	FD_SET(fd, &in);
	meet();
	say_result("select", select(fd + 1, &in, NULL, NULL, &limit));
	say_whether("select says what is left of the time", limit.tv_sec < 30 && limit.tv_sec >= 1);
	limit = (struct timeval){ 0, 20000 };
	uint64_t start = now_us();
	say_result("select of nothing", select(0, NULL, NULL, NULL, &limit));
	say_result("poll of nothing", poll(NULL, 0, 20));
	say_whether("not early", now_us() - start >= 39999);
	FD_ZERO(&in);
	FD_SET(fd, &in);
	static volatile int minus_one = -1;
	limit = (struct timeval){ -1, 0 };
	say_result("select, negative time", select(fd + 1, &in, NULL, NULL, &limit));
	struct timespec precise = { 0, 2000000000 };
	struct pollfd entry = { .fd = fd, .events = POLLIN };
	say_result("ppoll, odd time", ppoll(&entry, 1, &precise, NULL));
	say_result("select, negative count", select(minus_one, &in, NULL, NULL, NULL));
}

static void client(int fd)
{
	char byte = 'x';
	for (int i = 0; i < CALLS * 5; i++) {
		send_all(fd, &byte, 1);
		recv_all(fd, &byte, 1);
	}
	meet();
	sleep_ms(30);
	send_all(fd, &byte, 1);
}

static const struct test_case cases[] = { { "time-outs", server, client, PAIRED } };
MAIN(cases)
