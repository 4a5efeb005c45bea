/* SO_RCVTIMEO and SO_SNDTIMEO: never early, data before the limit is data, 0 means for ever. */
#include "common.h"

static void limit(int fd, int option, int milliseconds)
{
	struct timeval value = { milliseconds / 1000, milliseconds % 1000 * 1000 };
	MUST(setsockopt(fd, SOL_SOCKET, option, &value, sizeof value));
}

static void say_limit(const char *what, int fd, int option)
{
	struct timeval value = { -1, -1 };
	socklen_t length = sizeof value;
	MUST(getsockopt(fd, SOL_SOCKET, option, &value, &length));
	say("%s: %d ms", what, (int)(value.tv_sec * 1000 + value.tv_usec / 1000));
}

static void say_elapsed(uint64_t start, int milliseconds)
{
	uint64_t elapsed = now_ms() - start;
	say_whether("not early", (int)elapsed + 1 >= milliseconds);
	say_whether("not very late", (int)elapsed < milliseconds + 10000);
}

static void receive_server(int fd)
{
	char buffer[16];
	say_limit("at first", fd, SO_RCVTIMEO);
	limit(fd, SO_RCVTIMEO, 120);
	say_limit("limit", fd, SO_RCVTIMEO);
	for (int way = 0; way < 3; way++) {
		struct iovec part = { buffer, 4 };
		struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
		uint64_t start = now_ms();
		say_result("nothing comes", way == 0 ? recv(fd, buffer, 4, 0) :
					    way == 1 ? read(fd, buffer, 4) :
						       recvmsg(fd, &message, MSG_PEEK));
		say_elapsed(start, 120);
	}
	limit(fd, SO_RCVTIMEO, 30000);
	meet();
	say_result("data comes in time", recv(fd, buffer, 4, 0));
	say_result("MSG_DONTWAIT", recv(fd, buffer, 4, MSG_DONTWAIT));
	limit(fd, SO_RCVTIMEO, 0);
	meet();
	say_result("no limit", recv(fd, buffer, 4, 0));
	limit(fd, SO_RCVTIMEO, 1);
	set_nonblocking(fd, true);
	say_result("nonblocking", recv(fd, buffer, 4, 0));
}

static void receive_client(int fd)
{
	meet();
	sleep_ms(60);
	send_text(fd, "data");
	meet();
	sleep_ms(150);
	send_text(fd, "data");
}

/* Two threads wait; one of them is woken for nothing, and its limit does not begin anew. */
enum { LIMIT = 1000, COMES_AFTER = 800 };

static atomic_int received, late;

static void *receive_one(void *argument)
{
	char byte;
	uint64_t start = now_ms();
	ssize_t got = recv(*(int *)argument, &byte, 1, 0);
	uint64_t elapsed = now_ms() - start;
	received += got == 1;
	late += got != 1 && (elapsed + 1 < LIMIT || elapsed > LIMIT + COMES_AFTER / 2);
	return NULL;
}

static void two_server(int fd)
{
	limit(fd, SO_RCVTIMEO, LIMIT);
	pthread_t threads[2];
	for (int i = 0; i < 2; i++)
		threads[i] = start_thread(receive_one, &fd);
	meet();
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	say("received: %d, early or late: %d", received, late);
}

static void two_client(int fd)
{
	meet();
	sleep_ms(COMES_AFTER);
	send_text(fd, "1");
}

static void send_server(int fd)
{
	static char buffer[100000];
	limit(fd, SO_SNDTIMEO, 150);
	say_limit("limit", fd, SO_SNDTIMEO);
	uint64_t start;
	ssize_t sent;
	uint64_t total = 0;
	do {
		start = now_ms();
		sent = send(fd, buffer, sizeof buffer, 0);
		total += sent > 0 ? sent : 0;
	} while (sent > 0);
	say_result("full", sent);
	say_elapsed(start, 150);
	post(0, total);
	limit(fd, SO_SNDTIMEO, 30000);
	send_text(fd, "there is room again");
}

static void send_client(int fd)
{
	long total = await(0);
	sleep_ms(60);
	static char buffer[100000];
	while (total > 0) {
		size_t now = total < (long)sizeof buffer ? total : (long)sizeof buffer;
		recv_all(fd, buffer, now);
		total -= now;
	}
	expect_text(fd, "there is room again");
}

static const struct test_case cases[] = {
	{ "receive", receive_server, receive_client, PAIRED },
	{ "two receive", two_server, two_client, PAIRED },
	{ "send", send_server, send_client, PAIRED },
};
MAIN(cases)
