/* dup, dup2, dup3, F_DUPFD: one connection under many numbers, until the last is closed. */
#include "common.h"

static void server(int fd)
{
	char buffer[8];
	int twins[5] = { MUST(dup(fd)), MUST(dup2(fd, 50)), MUST(dup3(fd, 51, O_CLOEXEC)), MUST(fcntl(fd, F_DUPFD, 60)),
			 MUST(fcntl(fd, F_DUPFD_CLOEXEC, 70)) };
	for (int i = 0; i < 5; i++) {
		expect_text(twins[i], "ping");
		send_text(twins[(i + 1) % 5], "pong");
	}
	MUST(close(fd));
	say_result("the first number", recv(fd, buffer, 4, 0));
	for (int i = 0; i < 4; i++) {
		MUST(close(twins[i]));
		expect_text(twins[4], "ping");
		send_text(twins[4], "pong");
	}
	say_result("dup2 to itself", dup2(twins[4], twins[4]) == twins[4] ? 0 : -1);
	say_result("dup3 to itself", dup3(twins[4], twins[4], 0));
	say_result("dup of a closed number", dup(fd));
	say_result("dup2 of a closed number", dup2(fd, twins[4]));
	expect_text(twins[4], "ping");
	MUST(close(twins[4]));
}

static void client(int fd)
{
	for (int i = 0; i < 9; i++) {
		send_text(fd, "ping");
		expect_text(fd, "pong");
		if (i % 3 == 0)
			sleep_ms(5);
	}
	send_text(fd, "ping");
	char byte;
	say_result("end", recv(fd, &byte, 1, 0));
}

/* dup2 over a connection closes it; the new one speaks under its number. */
static void over_server(int unused)
{
	(void)unused;
	int port, listener = listen_local(AF_INET, &port);
	post(PORT_PLACE, port);
	int first = MUST(accept(listener, NULL, NULL));
	warm_server(first);
	int second = MUST(accept(listener, NULL, NULL));
	warm_server(second);
	MUST(dup2(second, first));
	MUST(close(second));
	expect_text(first, "over the second");
	send_text(first, "heard");
	MUST(close_range(first, first, 0));
	char byte;
	say_result("closed by range", recv(first, &byte, 1, 0));
}

static void over_client(int unused)
{
	(void)unused;
	int first = connect_local(AF_INET, await(PORT_PLACE));
	warm_client(first);
	int second = connect_local(AF_INET, await(PORT_PLACE));
	warm_client(second);
	char byte;
	say_result("the first ends", recv(first, &byte, 1, 0));
	send_text(second, "over the second");
	expect_text(second, "heard");
	say_result("the second ends", recv(second, &byte, 1, 0));
}

/* Two threads on two numbers of one connection. */
static void *receive_half(void *argument)
{
	uint8_t buffer[1000];
	int fd = *(int *)argument;
	intptr_t total = 0;
	ssize_t got;
	while ((got = read(fd, buffer, sizeof buffer)) > 0)
		total += got;
	return (void *)total;
}

static void threads_server(int fd)
{
	int twin = MUST(dup(fd));
	pthread_t a = start_thread(receive_half, &fd), b = start_thread(receive_half, &twin);
	void *of_a, *of_b;
	pthread_join(a, &of_a);
	pthread_join(b, &of_b);
	say("together: %d", (int)((intptr_t)of_a + (intptr_t)of_b));
}

static void threads_client(int fd)
{
	int twin = MUST(dup(fd));
	for (int i = 0; i < 1000; i++)
		send_pattern(i & 1 ? fd : twin, 777, 777, 1);
	MUST(shutdown(twin, SHUT_WR));
}

static const struct test_case cases[] = {
	{ "numbers", server, client, PAIRED },
	{ "over another", over_server, over_client, RAW },
	{ "threads", threads_server, threads_client, PAIRED },
};
MAIN(cases)
