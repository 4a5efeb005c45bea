/* MSG_PEEK, alone and with other flags: what was looked at is still there. */
#include "common.h"

static void say_got(const char *what, ssize_t got, const char *buffer)
{
	if (got >= 0)
		say("%s: %zd \"%.*s\"", what, got, (int)got, buffer);
	else
		say("%s: %s", what, error_name(errno));
}

static void server(int fd)
{
	char buffer[32];
	meet();
	MUST(wait_for(fd, POLLIN) ? 0 : -1);
	say_got("peek of 4", recv(fd, buffer, 4, MSG_PEEK), buffer);
	say_got("peek of 4 again", recv(fd, buffer, 4, MSG_PEEK), buffer);
	say_got("peek of all", recv(fd, buffer, sizeof buffer, MSG_PEEK), buffer);
	say_got("recv of 4", recv(fd, buffer, 4, 0), buffer);
	say_got("peek of the rest", recv(fd, buffer, sizeof buffer, MSG_PEEK | MSG_DONTWAIT), buffer);
	struct iovec parts[2] = { { buffer, 2 }, { buffer + 2, 20 } };
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
	say_got("recvmsg, peek", recvmsg(fd, &message, MSG_PEEK), buffer);
	say_got("peek and wait for all", recv(fd, buffer, 6, MSG_PEEK | MSG_WAITALL), buffer);
	say_got("recv", recv(fd, buffer, sizeof buffer, 0), buffer);
	say_got("peek at nothing", recv(fd, buffer, 4, MSG_PEEK | MSG_DONTWAIT), buffer);
	meet();
	say_got("blocked peek", recv(fd, buffer, sizeof buffer, MSG_PEEK), buffer);
	say_got("recv", recv(fd, buffer, sizeof buffer, 0), buffer);
	meet();
	meet();
	say_got("peek at end", recv(fd, buffer, 4, MSG_PEEK), buffer);
	say_got("recv at end", recv(fd, buffer, 4, 0), buffer);
}

static void client(int fd)
{
	send_text(fd, "0123456789");
	meet();
	meet();
	sleep_ms(40);
	send_text(fd, "late");
	meet();
	MUST(shutdown(fd, SHUT_WR));
	sleep_ms(10);
	meet();
}

/* Peeking at more and more of a long stream, then taking it. */
static void large_server(int fd)
{
	static uint8_t buffer[200000];
	post(0, 1);
	uint64_t got = 0;
	bool right = true;
	while (got < 1000000) {
		ssize_t seen = MUST(recv(fd, buffer, 1 + got % 150000, MSG_PEEK));
		if (seen == 0)
			die("end at %d", (int)got);
		right = right && matches(buffer, seen, 8, got);
		memset(buffer, 0, seen);
		ssize_t taken = MUST(recv(fd, buffer, (seen + 1) / 2, 0));
		right = right && matches(buffer, taken, 8, got);
		got += taken;
	}
	say_whether("all right", right);
}

static void large_client(int fd)
{
	await(0);
	send_pattern(fd, 1000000, 50000, 8);
}

static const struct test_case cases[] = {
	{ "small", server, client, PAIRED },
	{ "large", large_server, large_client, PAIRED },
};
MAIN(cases)
