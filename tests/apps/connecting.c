/* connect: nonblocking, refused, twice, dissolved, data before it; both ends in one process. */
#include "common.h"

static struct sockaddr_in address_of(long port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return address;
}

static void echo_server(int unused)
{
	(void)unused;
	int port, listener = listen_local(AF_INET, &port);
	post(PORT_PLACE, port);
	int fd = MUST(accept(listener, NULL, NULL));
	warm_server(fd);
	expect_text(fd, "hello");
	meet();
}

static void nonblocking_client(int unused)
{
	(void)unused;
	struct sockaddr_in address = address_of(await(PORT_PLACE));
	int fd = MUST(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
	char byte = 0;
	say_result("send before connect", send(fd, &byte, 1, MSG_NOSIGNAL));
	say_result("recv before connect", recv(fd, &byte, 1, 0));
	say_result("connect", connect(fd, (struct sockaddr *)&address, sizeof address));
	MUST(wait_for(fd, POLLOUT) ? 0 : -1);
	int error = -1;
	socklen_t length = sizeof error;
	MUST(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length));
	say("SO_ERROR: %d", error);
	say_result("first time again", connect(fd, (struct sockaddr *)&address, sizeof address));
	say_result("connect again", connect(fd, (struct sockaddr *)&address, sizeof address));
	set_nonblocking(fd, false);
	warm_client(fd);
	say_result("connect when warm", connect(fd, (struct sockaddr *)&address, sizeof address));
	say_result("listen when connected", listen(fd, 1));
	say_result("accept when connected", accept(fd, NULL, NULL));
	send_text(fd, "hello");
	meet();
}

static void refused_client(int unused)
{
	(void)unused;
	struct sockaddr_in address = address_of(await(PORT_PLACE));
	int fd = MUST(socket(AF_INET, SOCK_STREAM, 0));
	char byte = 0;
	meet();
	say_result("connect", connect(fd, (struct sockaddr *)&address, sizeof address));
	say_result("send", send(fd, &byte, 1, MSG_NOSIGNAL));
	say_result("recv", recv(fd, &byte, 1, 0));
	meet();
	await(3);
	say_result("connect at last", connect(fd, (struct sockaddr *)&address, sizeof address));
	warm_client(fd);
	send_text(fd, "hello");
	meet();
}

static void refused_server(int unused)
{
	(void)unused;
	int port, listener = listen_local(AF_INET, &port);
	MUST(close(listener));
	post(PORT_PLACE, port);
	meet();
	meet();
	struct sockaddr_in address = address_of(port);
	listener = MUST(socket(AF_INET, SOCK_STREAM, 0));
	int on = 1;
	MUST(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on));
	MUST(bind(listener, (struct sockaddr *)&address, sizeof address));
	MUST(listen(listener, 5));
	post(3, 1);
	int fd = MUST(accept(listener, NULL, NULL));
	warm_server(fd);
	expect_text(fd, "hello");
	meet();
}

/* AF_UNSPEC dissolves a connection; the same socket connects again. */
static void again_client(int unused)
{
	(void)unused;
	struct sockaddr_in address = address_of(await(PORT_PLACE));
	int fd = MUST(socket(AF_INET, SOCK_STREAM, 0));
	for (int round = 0; round < 2; round++) {
		say_result("connect", connect(fd, (struct sockaddr *)&address, sizeof address));
		warm_client(fd);
		send_text(fd, "hello");
		meet();
		struct sockaddr nobody = { .sa_family = AF_UNSPEC };
		say_result("dissolved", connect(fd, &nobody, sizeof nobody));
		char byte = 0;
		say_result("send", send(fd, &byte, 1, MSG_NOSIGNAL));
		meet();
	}
}

static void again_server(int unused)
{
	(void)unused;
	int port, listener = listen_local(AF_INET, &port);
	post(PORT_PLACE, port);
	for (int round = 0; round < 2; round++) {
		int fd = MUST(accept(listener, NULL, NULL));
		warm_server(fd);
		expect_text(fd, "hello");
		meet();
		meet();
		char byte;
		say_result("end", recv(fd, &byte, 1, 0));
		MUST(close(fd));
	}
}

/* Both ends in one process. */
static void alone_server(int unused)
{
	(void)unused;
	int port, listener = listen_local(AF_INET, &port);
	int a = connect_local(AF_INET, port), b = MUST(accept(listener, NULL, NULL));
	uint8_t buffer[3000];
	int right = 0;
	for (int i = 1; i <= 300; i++) {
		fill(buffer, i * 10, i, 0);
		send_all(i & 1 ? a : b, buffer, i * 10);
		recv_all(i & 1 ? b : a, buffer, i * 10);
		right += matches(buffer, i * 10, i, 0);
		if (i < 30)
			usleep(500);
	}
	say("right: %d", right);
	MUST(close(a));
	say_result("end", recv(b, buffer, 1, 0));
}

static void nobody(int unused)
{
	(void)unused;
}

static const struct test_case cases[] = {
	{ "nonblocking", echo_server, nonblocking_client, RAW },
	{ "refused, then not", refused_server, refused_client, RAW },
	{ "dissolved", again_server, again_client, RAW },
	{ "both ends in one process", alone_server, nobody, RAW },
};
MAIN(cases)
