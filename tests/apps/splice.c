/* splice to and from a connection through a pipe, between sends and receives. */
#include "common.h"

static void splice_all(int from, int to, size_t length)
{
	while (length > 0) {
		ssize_t moved = splice(from, NULL, to, NULL, length, SPLICE_F_MOVE);
		if (moved == 0)
			errno = 0;
		if (moved <= 0)
			die("splice: %zd", moved);
		length -= moved;
	}
}

static void server(int fd)
{
	int ends[2];
	uint8_t buffer[20000];
	MUST(pipe(ends));
	recv_all(fd, buffer, 1000);
	say_whether("received", matches(buffer, 1000, 1, 0));
	/* A pipe holds few pieces, however small, so it is emptied often. */
	for (int got = 0; got < 20000; got += 2000) {
		splice_all(fd, ends[1], 2000);
		for (int now = 0; now < 2000;)
			now += MUST(read(ends[0], buffer + got + now, 2000 - now));
	}
	say_whether("spliced", matches(buffer, 20000, 1, 1000));
	recv_all(fd, buffer, 1000);
	say_whether("received after splice", matches(buffer, 1000, 1, 21000));
	set_nonblocking(fd, true);
	say_result("splice of nothing", splice(fd, NULL, ends[1], NULL, 10, SPLICE_F_NONBLOCK));
	set_nonblocking(fd, false);
	meet();
	say_result("splice at the end", splice(fd, NULL, ends[1], NULL, 10, 0));
}

static void client(int fd)
{
	send_pattern(fd, 22000, 4000, 1);
	meet();
	MUST(shutdown(fd, SHUT_WR));
}

static void to_server(int fd)
{
	int ends[2];
	uint8_t buffer[10000];
	MUST(pipe(ends));
	fill(buffer, sizeof buffer, 1, 0);
	send_all(fd, buffer, 500);
	MUST(write(ends[1], buffer + 500, 7000));
	splice_all(ends[0], fd, 7000);
	send_all(fd, buffer + 7500, 2500);
}

static void to_client(int fd)
{
	recv_pattern("sent and spliced", fd, 10000, 900, 1);
}

/* A proxy's loop: from the connection to a pipe and back into the connection. */
static void echo_server(int fd)
{
	int ends[2];
	MUST(pipe(ends));
	ssize_t moved;
	while ((moved = splice(fd, NULL, ends[1], NULL, 65536, 0)) > 0)
		splice_all(ends[0], fd, moved);
	say_result("end", moved);
	MUST(shutdown(fd, SHUT_WR));
}

static void echo_client(int fd)
{
	uint8_t sent[3000], received[3000];
	int right = 0;
	for (int i = 0; i < 100; i++) {
		fill(sent, sizeof sent, i, 0);
		send_all(fd, sent, 1 + i * 29);
		recv_all(fd, received, 1 + i * 29);
		right += memcmp(sent, received, 1 + i * 29) == 0;
	}
	say("echoes: %d", right);
	MUST(shutdown(fd, SHUT_WR));
	recv_to_end("end", fd, 0);
}

static const struct test_case cases[] = {
	{ "from", server, client, PAIRED },
	{ "to", to_server, to_client, PAIRED },
	{ "proxy", echo_server, echo_client, PAIRED },
};
MAIN(cases)
