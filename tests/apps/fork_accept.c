/* A server that forks for each connection, before or after the first bytes; the parent closes its copy. */
#include "common.h"

enum { CONNECTIONS = 5 };

static int listener;

static void serve_connection(int fd)
{
	close(listener);
	warm_server(fd);
	char buffer[1000];
	ssize_t got;
	while ((got = recv(fd, buffer, sizeof buffer, 0)) > 0)
		send_all(fd, buffer, got);
	if (got != 0)
		_exit(9);
}

static void each_server(int unused)
{
	(void)unused;
	int port;
	listener = listen_local(AF_INET, &port);
	post(PORT_PLACE, port);
	pid_t children[CONNECTIONS];
	for (int i = 0; i < CONNECTIONS; i++) {
		int fd = MUST(accept(listener, NULL, NULL));
		children[i] = start_child(serve_connection, fd);
		MUST(close(fd));
	}
	for (int i = 0; i < CONNECTIONS; i++)
		join_child("child", children[i]);
}

/* Workers that all accept from the listener that they inherited. */
static void accept_and_serve(int inherited)
{
	int fd = MUST(accept(inherited, NULL, NULL));
	listener = inherited;
	serve_connection(fd);
}

static void workers_server(int unused)
{
	(void)unused;
	int port;
	listener = listen_local(AF_INET, &port);
	pid_t children[CONNECTIONS];
	for (int i = 0; i < CONNECTIONS; i++)
		children[i] = start_child(accept_and_serve, listener);
	post(PORT_PLACE, port);
	MUST(close(listener));
	for (int i = 0; i < CONNECTIONS; i++)
		join_child("worker", children[i]);
}

static void client(int unused)
{
	(void)unused;
	int fds[CONNECTIONS];
	uint8_t sent[1000], received[1000];
	for (int i = 0; i < CONNECTIONS; i++) {
		fds[i] = connect_local(AF_INET, await(PORT_PLACE));
		warm_client(fds[i]);
	}
	int right = 0;
	for (int round = 0; round < 100; round++) {
		for (int i = 0; i < CONNECTIONS; i++) {
			fill(sent, sizeof sent, i, round);
			send_all(fds[i], sent, sizeof sent);
		}
		for (int i = 0; i < CONNECTIONS; i++) {
			recv_all(fds[i], received, sizeof received);
			right += matches(received, sizeof received, i, round);
		}
	}
	say("echoes: %d", right);
	for (int i = 0; i < CONNECTIONS; i++) {
		char byte;
		MUST(shutdown(fds[i], SHUT_WR));
		say_result("end", recv(fds[i], &byte, 1, 0));
	}
}

/* Warmed up in the parent, then handed to a child; the parent closes. */
static void echo_pattern(int fd)
{
	recv_pattern("child", fd, 100000, 3000, 1);
	send_pattern(fd, 100000, 3000, 2);
}

static void handed_server(int fd)
{
	pid_t child = start_child(echo_pattern, fd);
	MUST(close(fd));
	join_child("child", child);
}

static void handed_client(int fd)
{
	send_pattern(fd, 100000, 3000, 1);
	recv_pattern("answer", fd, 100000, 3000, 2);
	char byte;
	say_result("end", recv(fd, &byte, 1, 0));
}

static const struct test_case cases[] = {
	{ "a child for each", each_server, client, RAW },
	{ "workers", workers_server, client, RAW },
	{ "handed on warm", handed_server, handed_client, PAIRED },
};
MAIN(cases)
