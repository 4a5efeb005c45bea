/* Programs that close every descriptor that they do not know, at the start or with a connection under way. */
#include "common.h"

static void by_loop(int from, int keep)
{
	for (int fd = from; fd < 4096; fd++)
		if (fd != keep)
			close(fd);
}

static void by_range(int from, int keep)
{
	if (keep > from)
		MUST(close_range(from, keep - 1, 0));
	MUST(close_range(keep > from ? keep + 1 : from, ~0u, 0));
}

static void by_closefrom(int from, int keep)
{
	if (keep >= from) {
		MUST(dup2(keep, from));
		closefrom(from + 1);
		MUST(dup2(from, keep));
		if (keep != from)
			MUST(close(from));
	} else {
		closefrom(from);
	}
}

static void by_marks(int from, int keep)
{
	by_range(from, keep);
	MUST(close_range(3, ~0u, CLOSE_RANGE_CLOEXEC));
}

static void converse_server(int fd)
{
	for (int i = 0; i < 60; i++) {
		expect_text(fd, "question");
		send_text(fd, "answer");
	}
	recv_pattern("much", fd, 500000, 10000, 1);
	send_text(fd, "x");
}

static void converse_client(int fd)
{
	for (int i = 0; i < 60; i++) {
		send_text(fd, "question");
		expect_text(fd, "answer");
		if (i < 30)
			usleep(500);
	}
	send_pattern(fd, 500000, 20000, 1);
	expect_text(fd, "x");
}

/* Closes all the others while the connection is warm, and opens another one afterwards. */
static void serve(int fd, void (*close_all)(int, int))
{
	close_all(3, fd);
	converse_server(fd);
	int port, listener = listen_local(AF_INET, &port);
	post(PORT_PLACE - 2, port);
	int second = MUST(accept(listener, NULL, NULL));
	warm_server(second);
	close_all(3, second);
	converse_server(second);
	send_text(second, "bye");
}

static void loop_server(int fd) { serve(fd, by_loop); }
static void range_server(int fd) { serve(fd, by_range); }
static void closefrom_server(int fd) { serve(fd, by_closefrom); }
static void marks_server(int fd) { serve(fd, by_marks); }

static void client(int fd)
{
	converse_client(fd);
	int second = connect_local(AF_INET, await(PORT_PLACE - 2));
	warm_client(second);
	converse_client(second);
	expect_text(second, "bye");
	char byte;
	say_result("the first", recv(fd, &byte, 1, MSG_PEEK) < 0 ? -1 : 0);
}

/* Before anything else: also 0, 1 and 2, where the sockets then stand. */
static void naked_server(int unused)
{
	(void)unused;
	by_loop(0, -1);
	int port, listener = listen_local(AF_INET, &port);
	say("the listener is %d", listener);
	post(PORT_PLACE, port);
	int fd = MUST(accept(listener, NULL, NULL));
	say("the connection is %d", fd);
	warm_server(fd);
	converse_server(fd);
	int twin = MUST(dup(fd));
	say("its copy is %d", twin);
	MUST(close(fd));
	converse_server(twin);
}

static void naked_client(int unused)
{
	(void)unused;
	by_closefrom(0, -1);
	int fd = connect_local(AF_INET, await(PORT_PLACE));
	say("the connection is %d", fd);
	warm_client(fd);
	converse_client(fd);
	converse_client(fd);
}

static const struct test_case cases[] = {
	{ "one by one", loop_server, client, PAIRED },
	{ "close_range", range_server, client, PAIRED },
	{ "closefrom", closefrom_server, client, PAIRED },
	{ "marked close-on-exec", marks_server, client, PAIRED },
	{ "from the start", naked_server, naked_client, RAW },
};
MAIN(cases)
