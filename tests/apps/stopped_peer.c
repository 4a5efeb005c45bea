/* A peer that is stopped while it asks for a stream back: whoever it keeps waiting can end the stream, and the process, all the same. */
#include "common.h"

enum { SERVER, CLIENT, READY, STOPPED, DONE };

/* Stops the server; then the client, which meanwhile has asked the server for the stream; and lets the server go on. */
static void stop_both(int unused)
{
	(void)unused;
	pid_t server = await(SERVER), client = await(CLIENT);
	await(READY);
	kill(server, SIGSTOP);
	post(STOPPED, 1);
	sleep_ms(300);
	kill(client, SIGSTOP);
	kill(server, SIGCONT);
	while (!look(DONE) && kill(server, 0) == 0)
		sleep_ms(1);
	kill(client, SIGCONT);
}

static int prepared_server(void)
{
	post(SERVER, getpid());
	int fd = server_connection(AF_INET);
	send_text(fd, "unread");
	post(READY, 1);
	await(STOPPED);
	sleep_ms(500);
	return fd;
}

static int prepared_client(pid_t *stopper)
{
	*stopper = start_child(stop_both, -1);
	post(CLIENT, getpid());
	int fd = client_connection(AF_INET);
	await(STOPPED);
	int two = 2;
	MUST(setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &two, sizeof two));
	return fd;
}

static void shutdown_server(int unused)
{
	(void)unused;
	int fd = prepared_server();
	say_result("shutdown", shutdown(fd, SHUT_WR));
	post(DONE, 1);
	char byte;
	say_result("recv", recv(fd, &byte, 1, 0));
}

static void shutdown_client(int unused)
{
	(void)unused;
	pid_t stopper;
	int fd = prepared_client(&stopper);
	expect_text(fd, "unread");
	char byte;
	say_result("recv", recv(fd, &byte, 1, 0));
	close(fd);
	join_child("stopper", stopper);
}

static void *send_in_thread(void *fd)
{
	send_text((int)(intptr_t)fd, "more");
	return NULL;
}

static void exit_server(int unused)
{
	(void)unused;
	int fd = prepared_server();
	start_thread(send_in_thread, (void *)(intptr_t)fd);
	sleep_ms(200);
	say("exit");
	exit(0);
}

static void exit_client(int unused)
{
	(void)unused;
	pid_t stopper;
	prepared_client(&stopper);
	join_child("stopper", stopper);
}

static const struct test_case cases[] = {
	{ "shutdown", shutdown_server, shutdown_client, RAW },
	{ "exit", exit_server, exit_client, RAW },
};
MAIN(cases)
