/* SO_LINGER of 0: close resets; what the peer has received before can still be read. Positive: close waits. */
#include "common.h"

static void linger(int fd, int seconds)
{
	struct linger value = { 1, seconds };
	MUST(setsockopt(fd, SOL_SOCKET, SO_LINGER, &value, sizeof value));
}

static void reset_server(int fd)
{
	linger(fd, 0);
	meet();
	MUST(close(fd));
	meet();
}

static void reset_client(int fd)
{
	char byte = 0;
	meet();
	meet();
	MUST(wait_for(fd, POLLHUP) ? 0 : -1);
	say_result("recv", recv(fd, &byte, 1, 0));
	say_result("recv again", recv(fd, &byte, 1, 0));
	say_result("send", send(fd, &byte, 1, MSG_NOSIGNAL));
}

static void data_server(int fd)
{
	linger(fd, 0);
	send_text(fd, "received before");
	meet();
	MUST(close(fd));
	meet();
}

static void data_client(int fd)
{
	char byte = 0;
	MUST(wait_for(fd, POLLIN) ? 0 : -1);
	meet();
	meet();
	expect_text(fd, "received before");
	say_result("recv", recv(fd, &byte, 1, 0));
	say_result("recv again", recv(fd, &byte, 1, 0));
}

static void wait_server(int fd)
{
	linger(fd, 2);
	send_pattern(fd, 200000, 200000, 6);
	say_result("close", close(fd));
}

static void wait_client(int fd)
{
	recv_to_end("stream", fd, 6);
}

static const struct test_case cases[] = {
	{ "reset", reset_server, reset_client, PAIRED },
	{ "reset after data", data_server, data_client, PAIRED },
	{ "close waits", wait_server, wait_client, PAIRED },
};
MAIN(cases)
