/* Signal handlers that use the very socket, or another one, and one that jumps out of a receive for good. */
#include "common.h"
#include <setjmp.h>

static int handled_fd;
static _Atomic int answered;
static sigjmp_buf way_out;

static void on(int signal_number, void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };
	MUST(sigaction(signal_number, &action, NULL));
}

/* Answers from within the handler, while the program itself is in a receive on the same socket. */
static void answer(int number)
{
	(void)number;
	int before = errno;
	char text[] = "signal";
	if (send(handled_fd, text, 6, 0) == 6)
		answered++;
	errno = before;
}

static void sender_server(int fd)
{
	handled_fd = fd;
	on(SIGUSR1, answer, SA_RESTART);
	post(1, getpid());
	for (int i = 0; i < 50; i++)
		expect_text(fd, "go on");
	say("answered: %d", answered);
}

static void sender_client(int fd)
{
	pid_t server = await(1);
	for (int i = 0; i < 50; i++) {
		if (i % 3 == 0)
			usleep(300);
		MUST(kill(server, SIGUSR1));
		expect_text(fd, "signal");
		send_text(fd, "go on");
	}
}

/* The handler receives, without waiting, what the interrupted receive would have got. */
static char taken[64];
static _Atomic int taken_length;

static void take(int number)
{
	(void)number;
	int before = errno;
	ssize_t got = recv(handled_fd, taken + taken_length, sizeof taken - taken_length, MSG_DONTWAIT);
	if (got > 0)
		taken_length += got;
	errno = before;
}

static void taker_server(int fd)
{
	/* A signal just before the receive begins would leave it waiting for what the handler has taken. */
	struct timeval limit = { 0, 20000 };
	MUST(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
	handled_fd = fd;
	on(SIGUSR1, take, 0);
	post(1, getpid());
	char byte;
	for (int i = 0; i < 20; i++) {
		ssize_t got;
		while ((got = recv(fd, &byte, 1, 0)) < 0 && (errno == EINTR || errno == EAGAIN))
			if (taken_length > 0)
				break;
		if (got == 1)
			taken[taken_length++] = byte;
		if (taken_length != 1)
			say("WRONG: %d bytes", taken_length);
		taken_length = 0;
		send_text(fd, "k");
	}
	say("all taken");
}

static void taker_client(int fd)
{
	pid_t server = await(1);
	for (int i = 0; i < 20; i++) {
		send_text(fd, "x");
		if (i & 1)
			MUST(kill(server, SIGUSR1));
		expect_text(fd, "k");
		usleep(200);
		MUST(kill(server, SIGUSR1));
		usleep(200);
	}
}

static void jump(int number)
{
	(void)number;
	siglongjmp(way_out, 1);
}

/* A time limit by alarm and a jump: the receive never returns, and the connection goes on. */
static void jumper_server(int fd)
{
	volatile int jumped = 0;
	char byte;
	on(SIGALRM, jump, 0);
	for (volatile int i = 0; i < 20; i++) {
		if (sigsetjmp(way_out, 1) == 0) {
			struct itimerval soon = { .it_value = { 0, i & 1 ? 3000 : 30000 } };
			MUST(setitimer(ITIMER_REAL, &soon, NULL));
			if (i % 4 < 2) {
				say_result("UNEXPECTED", recv(fd, &byte, 1, 0));
			} else {
				struct pollfd entry = { .fd = fd, .events = POLLIN };
				say_result("UNEXPECTED", poll(&entry, 1, -1));
			}
		} else {
			jumped++;
		}
		send_text(fd, "jumped");
		expect_text(fd, "heard");
	}
	say("jumped: %d", jumped);
	MUST(close(fd));
}

static void jumper_client(int fd)
{
	for (int i = 0; i < 20; i++) {
		expect_text(fd, "jumped");
		send_text(fd, "heard");
	}
	char byte;
	say_result("end", recv(fd, &byte, 1, 0));
}

/* A send that a full connection holds up is left by a jump as well. */
static void full_server(int fd)
{
	static char block[1 << 20];
	on(SIGALRM, jump, 0);
	if (sigsetjmp(way_out, 1) == 0) {
		struct itimerval soon = { .it_value = { 0, 300000 } };
		MUST(setitimer(ITIMER_REAL, &soon, NULL));
		for (;;)
			MUST(send(fd, block, sizeof block, 0));
	}
	meet();
	expect_text(fd, "read all");
	send_text(fd, "x");
	say("done");
}

static void full_client(int fd)
{
	static char block[1 << 20];
	meet();
	struct pollfd entry = { .fd = fd, .events = POLLIN };
	while (poll(&entry, 1, 300) > 0)
		MUST(recv(fd, block, sizeof block, 0));
	send_text(fd, "read all");
	expect_text(fd, "x");
}

/* The handler ends the stream in the midst of a send: what the sends said they sent comes, and then the end. */
static volatile sig_atomic_t ended;

static void end_stream(int number)
{
	(void)number;
	int before = errno;
	MUST(shutdown(handled_fd, SHUT_WR));
	ended = 1;
	errno = before;
}

static void end_in_flow(int fd, bool send_on)
{
	static char block[1 << 20];
	handled_fd = fd;
	on(SIGALRM, end_stream, SA_RESTART);
	meet();
	struct itimerval soon = { .it_value = { 0, 30000 } };
	MUST(setitimer(ITIMER_REAL, &soon, NULL));
	int64_t sent = 0, received = 0;
	ssize_t now = 0;
	while ((send_on || !ended) && (now = send(fd, block, sizeof block, MSG_NOSIGNAL)) > 0)
		sent += now;
	recv_all(fd, &received, sizeof received);
	if (sent != received)
		say("WRONG: %lld bytes more were sent than came", (long long)(sent - received));
	say_result("a send after the end", send(fd, block, 1, MSG_NOSIGNAL));
}

static void ender_server(int fd) { end_in_flow(fd, false); }
static void ender_on_server(int fd) { end_in_flow(fd, true); }

static void receive_to_end(int fd, size_t most, int pause_us)
{
	static char block[1 << 20];
	int64_t received = 0;
	ssize_t now;
	meet();
	while ((now = MUST(recv(fd, block, most, 0))) > 0) {
		received += now;
		if (pause_us)
			usleep(pause_us);
	}
	send_all(fd, &received, sizeof received);
}

static void quick_client(int fd) { receive_to_end(fd, 1 << 20, 0); }
static void slow_client(int fd) { receive_to_end(fd, 100000, 500); }

static const struct test_case cases[] = {
	{ "sends", sender_server, sender_client, PAIRED },
	{ "receives", taker_server, taker_client, PAIRED },
	{ "jumps out of waiting", jumper_server, jumper_client, PAIRED },
	{ "jumps out of a full connection", full_server, full_client, PAIRED },
	{ "ends the stream", ender_server, quick_client, PAIRED },
	{ "ends the stream and sends on", ender_on_server, slow_client, PAIRED },
};
MAIN(cases)
