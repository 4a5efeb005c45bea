/* The other end runs without the library: a client or a server from which LD_PRELOAD was taken. */
#include "common.h"

static void talk_server(int fd)
{
	recv_pattern("stream", fd, 500000, 9000, 1);
	send_pattern(fd, 500000, 9000, 2);
	recv_to_end("rest", fd, 3);
}

static void talk_client(int fd)
{
	send_pattern(fd, 500000, 9000, 1);
	recv_pattern("stream", fd, 500000, 9000, 2);
	send_pattern(fd, 1000, 1000, 3);
	MUST(shutdown(fd, SHUT_WR));
}

/* The warm-up by hand, since the runner must not look for acceleration here. */
static void exchange(int fd, bool first)
{
	char byte = 'x';
	for (int i = 0; i < 50; i++) {
		if (first)
			send_all(fd, &byte, 1);
		recv_all(fd, &byte, 1);
		if (!first)
			send_all(fd, &byte, 1);
		usleep(200);
	}
}

static void enabled_server(int unused)
{
	(void)unused;
	int port, listener = listen_local(AF_INET, &port);
	post(PORT_PLACE, port);
	int fd = MUST(accept(listener, NULL, NULL));
	exchange(fd, false);
	talk_server(fd);
}

static void enabled_client(int unused)
{
	(void)unused;
	int fd = connect_local(AF_INET, await(PORT_PLACE));
	exchange(fd, true);
	talk_client(fd);
}

/* Runs cat without the library, with standard input and output on the connection: an end that is not ours. */
static void become_cat(int fd)
{
	MUST(dup2(fd, 0));
	MUST(dup2(fd, 1));
	MUST(unsetenv("LD_PRELOAD"));
	execl("/bin/cat", "cat", (char *)NULL);
	_exit(20);
}

static void foreign_server(int unused)
{
	(void)unused;
	int port, listener = listen_local(AF_INET, &port);
	post(PORT_PLACE, port);
	become_cat(MUST(accept(listener, NULL, NULL)));
}

static void foreign_client(int unused)
{
	(void)unused;
	become_cat(connect_local(AF_INET, await(PORT_PLACE)));
}

static void echoed(int fd)
{
	uint8_t sent[20000], received[20000];
	int right = 0;
	for (int i = 0; i < 200; i++) {
		fill(sent, 1 + i * 97, i, 0);
		send_all(fd, sent, 1 + i * 97);
		recv_all(fd, received, 1 + i * 97);
		right += memcmp(sent, received, 1 + i * 97) == 0;
	}
	say("echoes: %d", right);
	MUST(shutdown(fd, SHUT_WR));
	recv_to_end("end", fd, 0);
}

static void echoed_client(int unused)
{
	(void)unused;
	echoed(connect_local(AF_INET, await(PORT_PLACE)));
}

static void echoed_server(int unused)
{
	(void)unused;
	int port, listener = listen_local(AF_INET, &port);
	post(PORT_PLACE, port);
	echoed(MUST(accept(listener, NULL, NULL)));
}

static const struct test_case cases[] = {
	{ "both enabled", enabled_server, enabled_client, RAW },
	{ "server not enabled", foreign_server, echoed_client, RAW },
	{ "client not enabled", echoed_server, foreign_client, RAW },
};
MAIN(cases)
