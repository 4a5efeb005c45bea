/* EINTR, with and without SA_RESTART, in every call that can sleep. */
#include "common.h"

static pthread_t sleeper;
static int interrupt_ms, interrupted_call;

static void *interrupt(void *unused)
{
	(void)unused;
	sleep_ms(interrupt_ms);
	pthread_kill(sleeper, SIGUSR1);
	/* Data that came before the sleeper has run would end its call as well. */
	while (!signals_counted)
		usleep(100);
	post(1 + interrupted_call, 1);
	return NULL;
}

/* One signal to this thread, later. */
static pthread_t interrupt_in(int milliseconds)
{
	sleeper = pthread_self();
	interrupt_ms = milliseconds;
	return start_thread(interrupt, NULL);
}

enum call { RECV, READ, RECVMSG, PEEK, POLL, SELECT, EPOLL, CALLS };
static const char *const names[CALLS] = { "recv", "read", "recvmsg", "peek", "poll", "select", "epoll_wait" };

static long perform(enum call call, int fd, int timeout)
{
	char buffer[8];
	struct iovec part = { buffer, 8 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	struct pollfd entry = { .fd = fd, .events = POLLIN };
	struct epoll_event event = { .events = EPOLLIN };
	struct timeval limit = { timeout / 1000, timeout % 1000 * 1000 };
	fd_set in;
	FD_ZERO(&in);
	FD_SET(fd, &in);
	int set = -1;
	long result = -1;
	switch (call) {
	case RECV: return recv(fd, buffer, 8, 0);
	case READ: return read(fd, buffer, 8);
	case RECVMSG: return recvmsg(fd, &message, 0);
	case PEEK: result = recv(fd, buffer, 8, MSG_PEEK); break;
	case POLL: return poll(&entry, 1, timeout);
	case SELECT: return select(fd + 1, &in, NULL, NULL, &limit);
	default:
		set = MUST(epoll_create1(0));
		MUST(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
		result = epoll_wait(set, &event, 1, timeout);
		int number = errno;
		MUST(close(set));
		errno = number;
	}
	return result;
}

static void each_call(int fd, int flags)
{
	char buffer[64];
	count_signal(SIGUSR1, flags);
	for (enum call call = RECV; call < CALLS; call++) {
		signals_counted = 0;
		interrupted_call = call;
		meet();
		pthread_t helper = interrupt_in(40);
		long result = perform(call, fd, 30000);
		say_result(names[call], result);
		say("signals: %d", (int)signals_counted);
		pthread_join(helper, NULL);
		meet();
		/* The message that the call was waiting for, if it is still there. */
		struct pollfd entry = { .fd = fd, .events = POLLIN };
		if (poll(&entry, 1, 200) > 0)
			recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
	}
}

static void plain_server(int fd) { each_call(fd, 0); }
static void restart_server(int fd) { each_call(fd, SA_RESTART); }

static void client(int fd)
{
	for (enum call call = RECV; call < CALLS; call++) {
		meet();
		await(1 + call);
		sleep_ms(50);
		send_text(fd, "data");
		meet();
	}
}

/* A time-out makes recv not restartable. */
static void timeout_server(int fd)
{
	count_signal(SIGUSR1, SA_RESTART);
	struct timeval limit = { 2, 0 };
	MUST(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
	pthread_t helper = interrupt_in(40);
	char buffer[8];
	say_result("recv with a time-out", recv(fd, buffer, 8, 0));
	pthread_join(helper, NULL);
	meet();
	say_result("recv with a time-out and data", recv(fd, buffer, 8, 0));
}

static void timeout_client(int fd)
{
	meet();
	send_text(fd, "data");
}

/* A full stream: a send that has put nothing is interrupted, one that has put something says how much. */
static void send_server(int fd)
{
	static char buffer[1 << 20];
	count_signal(SIGUSR1, 0);
	long total = 0, sent;
	set_nonblocking(fd, true);
	for (;;) {
		sent = send(fd, buffer, sizeof buffer, 0);
		struct pollfd entry = { .fd = fd, .events = POLLOUT };
		if (sent > 0)
			total += sent;
		else if (poll(&entry, 1, 60) == 0)
			break;
	}
	set_nonblocking(fd, false);
	pthread_t helper = interrupt_in(40);
	sent = send(fd, buffer, sizeof buffer, 0);
	say("a blocked send is cut short: %s", sent < (long)sizeof buffer ? "yes" : "no");
	say("signals: %d", (int)signals_counted);
	total += sent > 0 ? sent : 0;
	pthread_join(helper, NULL);
	count_signal(SIGUSR1, SA_RESTART);
	post(9, total);
	helper = interrupt_in(20);
	sleep_ms(1);
	send_text(fd, "and then all is well");
	pthread_join(helper, NULL);
}

static void send_client(int fd)
{
	static char buffer[100000];
	long total = await(9);
	while (total > 0) {
		long now = total < (long)sizeof buffer ? total : (long)sizeof buffer;
		recv_all(fd, buffer, now);
		total -= now;
	}
	expect_text(fd, "and then all is well");
}

/* A signal some microseconds after a call has begun: it may come before the call and be missed, but not often, or not for long where
 * other programs want the processor. */
enum { TRIES = 160, MISSED_MAX = 5, ROUNDS = 6, SENDS = 10 };
static _Atomic int begun, soon_us = 30;

static void *interrupt_soon(void *unused)
{
	struct timespec now, since;
	(void)unused;
	while (!begun)
		;
	clock_gettime(CLOCK_MONOTONIC, &since);
	do
		clock_gettime(CLOCK_MONOTONIC, &now);
	while ((now.tv_sec - since.tv_sec) * 1000000000L + now.tv_nsec - since.tv_nsec < soon_us * 1000);
	pthread_kill(sleeper, SIGUSR1);
	return NULL;
}

static void limit(int fd, int milliseconds)
{
	struct timeval limit = { 0, milliseconds * 1000 };
	MUST(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
}

static bool is_missed(enum call call, int fd)
{
	char byte;
	send_text(fd, "x");
	recv_all(fd, &byte, 1);
	begun = 0;
	sleeper = pthread_self();
	pthread_t helper = start_thread(interrupt_soon, NULL);
	limit(fd, 50);
	usleep(200);
	begun = 1;
	bool missed = perform(call, fd, 50) >= 0 || errno != EINTR;
	limit(fd, 0);
	pthread_join(helper, NULL);
	return missed;
}

/* A send that a reader who has stopped reading holds up. */
static bool is_missed_by_send(int fd)
{
	static char block[16 << 20];
	char byte;
	send_text(fd, "x");
	recv_all(fd, &byte, 1);
	begun = 0;
	sleeper = pthread_self();
	struct timeval limit = { 1, 0 };
	MUST(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit));
	pthread_t helper = start_thread(interrupt_soon, NULL);
	usleep(200);
	begun = 1;
	uint64_t since = now_ms();
	int64_t sent = MUST(send(fd, block, sizeof block, 0));
	bool missed = now_ms() - since > 900;
	pthread_join(helper, NULL);
	meet();
	post(1, sent);
	meet();
	return missed;
}

static void soon_send_server(int fd)
{
	count_signal(SIGUSR1, 0);
	soon_us = 1500;
	int missed = 0;
	for (int try = 0; try < SENDS; try++)
		missed += is_missed_by_send(fd);
	say("a send is interrupted soon after it has begun");
	if (missed > SENDS / 2)
		say("WRONG: not in %d of %d times", missed, SENDS);
}

static void soon_send_client(int fd)
{
	static char buffer[1 << 20];
	for (int try = 0; try < SENDS; try++) {
		char byte;
		recv_all(fd, &byte, 1);
		send_text(fd, "x");
		meet();
		meet();
		for (int64_t left = look(1); left > 0;)
			left -= MUST(recv(fd, buffer, left < (int64_t)sizeof buffer ? left : (int64_t)sizeof buffer, 0));
	}
}

static void soon_server(int fd)
{
	count_signal(SIGUSR1, 0);
	static const enum call calls[] = { RECV, POLL, SELECT, EPOLL };
	for (int i = 0; i < COUNT(calls); i++) {
		int missed = TRIES;
		for (int round = 0; round < ROUNDS && missed > MISSED_MAX; round++) {
			missed = 0;
			for (int try = 0; try < TRIES; try++)
				missed += is_missed(calls[i], fd);
		}
		say("%s is interrupted soon after it has begun", names[calls[i]]);
		if (missed > MISSED_MAX)
			say("WRONG: not in %d of %d times, %d times over", missed, TRIES, ROUNDS);
	}
	MUST(shutdown(fd, SHUT_WR));
}

static void soon_client(int fd)
{
	char byte;
	while (recv(fd, &byte, 1, 0) == 1)
		MUST(send(fd, &byte, 1, 0));
}

static const struct test_case cases[] = {
	{ "plain", plain_server, client, PAIRED },
	{ "SA_RESTART", restart_server, client, PAIRED },
	{ "time-out", timeout_server, timeout_client, PAIRED },
	{ "send", send_server, send_client, PAIRED },
	{ "a send, soon", soon_send_server, soon_send_client, PAIRED },
	{ "soon", soon_server, soon_client, PAIRED },
};
MAIN(cases)
