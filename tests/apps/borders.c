/* Bytes on both sides of a change of roads: a peek and FIONREAD see all that is there, as often as they are asked. */
#include "common.h"
#include <sys/sendfile.h>

static int waiting(int fd)
{
	int count = -1;
	MUST(ioctl(fd, FIONREAD, &count));
	return count;
}

static bool wait_waiting(int fd, int least)
{
	for (int i = 0; i < 3000 && waiting(fd) < least; i++)
		usleep(1000);
	return waiting(fd) == least;
}

static bool peek_whole(int fd, uint64_t at, int length)
{
	static uint8_t buffer[1 << 20];
	for (int i = 0; i < 3000; i++) {
		ssize_t seen = recv(fd, buffer, length, MSG_PEEK);
		if (seen == length)
			return matches(buffer, length, 1, at);
		usleep(1000);
	}
	return false;
}

enum { PART = 300, ROUNDS = 30, MUCH = 600000 };

/* The first sends after a pause and those that follow may take different roads. */
static void small_server(int fd)
{
	uint64_t at = 0;
	int counted = 0, peeked = 0;
	for (int i = 0; i < ROUNDS; i++) {
		static uint8_t buffer[4 * PART];
		counted += wait_waiting(fd, 4 * PART);
		peeked += peek_whole(fd, at, 4 * PART);
		recv_all(fd, buffer, 4 * PART);
		at += 4 * PART;
		send_text(fd, "on");
	}
	say("counted %d, peeked %d", counted, peeked);
}

static void small_client(int fd)
{
	uint8_t part[PART];
	for (uint64_t at = 0; at < 4 * PART * ROUNDS; at += PART) {
		fill(part, PART, 1, at);
		send_all(fd, part, PART);
		if ((at / PART) % 4 == 3)
			expect_text(fd, "on");
	}
}

/* A receiver that is not there yet: the stream overflows to the kernel road, and what is there stands on both. */
static void full_server(int fd)
{
	static uint8_t buffer[MUCH];
	meet();
	sleep_ms(50);
	say_whether("counted", wait_waiting(fd, MUCH));
	say_whether("peeked", peek_whole(fd, 0, MUCH));
	recv_all(fd, buffer, 1000);
	say_whether("peeked behind", peek_whole(fd, 1000, MUCH - 1000));
	recv_all(fd, buffer, MUCH - 1000);
	say_whether("received", matches(buffer, MUCH - 1000, 1, 1000));
	say_whether("nothing left", waiting(fd) == 0);
	send_text(fd, "thanks");
}

static void full_client(int fd)
{
	static uint8_t much[MUCH];
	fill(much, MUCH, 1, 0);
	int size = 4 << 20;
	MUST(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size));
	for (int at = 0; at < MUCH; at += 20000)
		send_all(fd, much + at, 20000);
	meet();
	expect_text(fd, "thanks");
}

/* A file goes by the kernel where a send goes by memory, or not: one after the other, unread. */
static void mixed_server(int fd)
{
	uint64_t at = 0;
	int counted = 0, peeked = 0;
	for (int i = 0; i < ROUNDS; i++) {
		uint8_t buffer[24];
		counted += wait_waiting(fd, sizeof buffer);
		peeked += peek_whole(fd, at, sizeof buffer);
		recv_all(fd, buffer, sizeof buffer);
		at += sizeof buffer;
		send_text(fd, "on");
	}
	say("counted %d, peeked %d", counted, peeked);
}

static void mixed_client(int fd)
{
	uint8_t part[24 * ROUNDS];
	fill(part, sizeof part, 1, 0);
	int file = MUST(memfd_create("file", 0));
	MUST(write(file, part, sizeof part));
	for (off_t at = 0; at < 24 * ROUNDS;) {
		for (int half = 0; half < 2; half++) {
			MUST(sendfile(fd, file, &at, 1));
			send_all(fd, part + at, 11);
			at += 11;
		}
		expect_text(fd, "on");
	}
}

/* The urgent byte is received while what was sent before it is still unread. */
static void urgent_server(int fd)
{
	char text[8] = "";
	for (int i = 0; i < 5; i++) {
		send_text(fd, "go");
		MUST(wait_for(fd, POLLPRI) ? 0 : -1);
		say_result("urgent", recv(fd, text, 1, MSG_OOB));
		say("it is %.1s", text);
		expect_text(fd, "b");
	}
}

static void urgent_client(int fd)
{
	for (int i = 0; i < 5; i++) {
		expect_text(fd, "go");
		send_text(fd, "b");
		MUST(send(fd, "!", 1, MSG_OOB));
	}
}

static const struct test_case cases[] = {
	{ "small", small_server, small_client, PAIRED },
	{ "files between", mixed_server, mixed_client, PAIRED },
	{ "overflowed", full_server, full_client, PAIRED },
	{ "urgent behind the ring", urgent_server, urgent_client, PAIRED },
};
MAIN(cases)
