/* close with everything read: the peer reads all, then the end; its next send is answered by a reset. */
#include "common.h"

static void small_server(int fd)
{
	send_text(fd, "farewell");
	MUST(close(fd));
	meet();
	meet();
}

static void small_client(int fd)
{
	char byte = 0;
	meet();
	expect_text(fd, "farewell");
	say_result("end", recv(fd, &byte, 1, 0));
	say_result("end again", recv(fd, &byte, 1, 0));
	say_result("first send", send(fd, &byte, 1, MSG_NOSIGNAL));
	MUST(wait_for(fd, POLLHUP) ? 0 : -1);
	say_result("second send", send(fd, &byte, 1, MSG_NOSIGNAL));
	say_result("recv", recv(fd, &byte, 1, 0));
	meet();
}

static void large_server(int fd)
{
	send_pattern(fd, 3000000, 100000, 4);
	MUST(close(fd));
}

static void large_client(int fd)
{
	sleep_ms(20);
	recv_to_end("stream", fd, 4);
}

static void blocked_server(int fd)
{
	sleep_ms(50);
	MUST(close(fd));
}

static void blocked_client(int fd)
{
	char byte;
	say_result("blocked recv", recv(fd, &byte, 1, 0));
}

static void twice_server(int fd)
{
	say_result("close", close(fd));
	say_result("close again", close(fd));
	char byte;
	say_result("recv", recv(fd, &byte, 1, 0));
	say_result("send", send(fd, &byte, 1, 0));
	say_result("shutdown", shutdown(fd, SHUT_RDWR));
}

static const struct test_case cases[] = {
	{ "small", small_server, small_client, PAIRED },
	{ "large", large_server, large_client, PAIRED },
	{ "blocked receiver", blocked_server, blocked_client, PAIRED },
	{ "twice", twice_server, blocked_client, PAIRED },
};
MAIN(cases)
