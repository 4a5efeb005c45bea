/* One direction ends, the other goes on; by either side; also with much in flight. */
#include "common.h"

static void answer_after_end(int fd)
{
	recv_to_end("question", fd, 1);
	send_pattern(fd, 100000, 7000, 2);
	MUST(shutdown(fd, SHUT_WR));
	meet();
	char byte;
	say_result("send after own end", send(fd, &byte, 1, MSG_NOSIGNAL));
	say_result("recv after both ends", recv(fd, &byte, 1, 0));
	say_result("shutdown again", shutdown(fd, SHUT_WR));
}

static void ask_and_end(int fd, uint64_t length)
{
	send_pattern(fd, length, 30000, 1);
	MUST(shutdown(fd, SHUT_WR));
	char byte;
	say_result("send after own end", send(fd, &byte, 1, MSG_NOSIGNAL));
	recv_to_end("answer", fd, 2);
	meet();
	say_result("recv at the end again", recv(fd, &byte, 1, MSG_DONTWAIT));
}

static void small_client(int fd) { ask_and_end(fd, 10); }
static void large_client(int fd) { ask_and_end(fd, 1000000); }
static void small_server(int fd) { ask_and_end(fd, 10); }

/* Ping-pong goes on in the open direction for a while, with the sender alone speaking. */
static void one_way_server(int fd)
{
	char byte;
	say_result("end", recv(fd, &byte, 1, 0));
	for (int i = 0; i < 50; i++) {
		send_all(fd, "tick", 4);
		if (i % 10 == 0)
			sleep_ms(2);
	}
	MUST(shutdown(fd, SHUT_WR));
}

static void one_way_client(int fd)
{
	MUST(shutdown(fd, SHUT_WR));
	char buffer[4];
	for (int i = 0; i < 50; i++)
		recv_all(fd, buffer, 4);
	say_result("end", recv(fd, buffer, 4, 0));
}

static void both_at_once(int fd)
{
	meet();
	send_pattern(fd, 5000, 5000, 3);
	MUST(shutdown(fd, SHUT_WR));
	recv_to_end("stream", fd, 3);
}

static const struct test_case cases[] = {
	{ "client ends", answer_after_end, small_client, PAIRED },
	{ "client ends, much in flight", answer_after_end, large_client, PAIRED },
	{ "server ends", small_server, answer_after_end, PAIRED },
	{ "one way for long", one_way_server, one_way_client, PAIRED },
	{ "both at once", both_at_once, both_at_once, PAIRED },
};
MAIN(cases)
