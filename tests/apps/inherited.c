/* A listener that another program made: inherited over exec (as a service manager's), and received over a socket. And the
 * connection itself as standard input and output of a handler that knows of nothing else (as inetd's). */
#include "common.h"
#include "ends.h"

enum { FIRST = 3, CONNECTIONS = 3 };

static void converse_client(int fd)
{
	for (int i = 0; i < 30; i++) {
		send_text(fd, "question");
		expect_text(fd, "question");
		usleep(300);
	}
	uint8_t sent[20000], received[20000];
	int right = 0;
	for (int i = 0; i < 10; i++) {
		fill(sent, sizeof sent, i, 0);
		send_all(fd, sent, sizeof sent);
		recv_all(fd, received, sizeof received);
		right += memcmp(sent, received, sizeof sent) == 0;
	}
	say("echoes: %d", right);
	MUST(shutdown(fd, SHUT_WR));
	char byte;
	say_result("end", recv(fd, &byte, 1, 0));
	MUST(close(fd));
}

static void client(int unused)
{
	(void)unused;
	for (int i = 0; i < CONNECTIONS; i++)
		converse_client(connect_local(AF_INET, await(PORT_PLACE)));
}

/* What is accepted is as good as any other connection: the echo answers the warm-up too. */
static void warm_first_client(int unused)
{
	(void)unused;
	int fd = connect_local(AF_INET, await(PORT_PLACE));
	warm_client(fd);
	converse_client(fd);
	for (int i = 1; i < CONNECTIONS; i++)
		converse_client(connect_local(AF_INET, await(PORT_PLACE)));
}

static char *const handler[] = { "handler", NULL };
static char *const activated[] = { "handler", "3", NULL };

/* The manager listens, and a service starts with the listener at 3. */
static void become_service(int listener)
{
	if (listener != FIRST) {
		MUST(dup2(listener, FIRST));
		MUST(close(listener));
	}
	execv(beside("handler"), activated);
	_exit(20);
}

static void activated_server(int unused)
{
	(void)unused;
	int port, listener = listen_local(AF_INET, &port);
	pid_t service = start_child(become_service, listener);
	post(SERVER_PID_PLACE, service);
	post(PORT_PLACE, port);
	join_child("service", service);
}

/* For each connection a handler, with the connection at 0, 1 and 2. */
static void become_handler(int fd)
{
	for (int standard = 0; standard < 3; standard++)
		MUST(dup2(fd, standard));
	closefrom(3);
	execv(beside("handler"), handler);
	_exit(20);
}

static void inetd_server(int unused)
{
	(void)unused;
	int port, listener = listen_local(AF_INET, &port);
	post(PORT_PLACE, port);
	for (int i = 0; i < CONNECTIONS; i++) {
		int fd = MUST(accept(listener, NULL, NULL));
		pid_t child = start_child(become_handler, fd);
		MUST(close(fd));
		join_child("handler", child);
	}
}

/* A worker that is handed the listener, and for the last connection the connection itself. */
static void work(int over)
{
	char buffer[4096];
	int listener = recv_descriptor(over, 0);
	for (int i = 0; i < CONNECTIONS; i++) {
		int fd = i == CONNECTIONS - 1 ? recv_descriptor(over, 0) : MUST(accept(listener, NULL, NULL));
		if (i == CONNECTIONS - 2)
			MUST(write(over, "n", 1));
		ssize_t got;
		while ((got = recv(fd, buffer, sizeof buffer, 0)) > 0)
			send_all(fd, buffer, got);
		MUST(close(fd));
	}
}

static void passed_server(int unused)
{
	(void)unused;
	int over[2], port;
	char byte;
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, over));
	pid_t worker = start_child(work, over[1]);
	int listener = listen_local(AF_INET, &port);
	send_descriptor(over[0], listener);
	post(SERVER_PID_PLACE, worker);
	post(PORT_PLACE, port);
	MUST(read(over[0], &byte, 1));
	int last = MUST(accept(listener, NULL, NULL));
	send_descriptor(over[0], last);
	MUST(close(last));
	join_child("worker", worker);
}

static const struct test_case cases[] = {
	{ "a service's listener", activated_server, warm_first_client, RAW },
	{ "a handler for each connection", inetd_server, client, RAW },
	{ "passed", passed_server, warm_first_client, RAW },
};
MAIN(cases)
