/* A blocking echo of messages of 1 byte to 300,000 bytes: every size up to 130, then around the powers of two. */
#include "common.h"

static int next_size(int size)
{
	if (size < 130)
		return size + 1;
	/* 2^k - 1, 2^k, 2^k + 1, and one in between. */
	int power = 128;
	while (power * 2 - 1 <= size)
		power *= 2;
	if (size < power)
		return power;
	if (size == power)
		return power + 1;
	if (size < power * 3 / 2 + 7)
		return power * 3 / 2 + 7;
	return power * 2 - 1;
}

static void server(int fd)
{
	static uint8_t buffer[300000];
	for (int size = 1; size <= 300000; size = next_size(size)) {
		recv_all(fd, buffer, size);
		send_all(fd, buffer, size);
	}
}

static void client(int fd)
{
	static uint8_t sent[300000], received[300000];
	for (int size = 1; size <= 300000; size = next_size(size)) {
		fill(sent, size, size, 0);
		send_all(fd, sent, size);
		recv_all(fd, received, size);
		if (size > 120)
			say_result(memcmp(sent, received, size) ? "WRONG echo" : "echo", size);
	}
}

static void large_server(int fd)
{
	static uint8_t buffer[300000];
	recv_all(fd, buffer, sizeof buffer);
	send_all(fd, buffer, sizeof buffer);
}

static void large_client(int fd)
{
	send_pattern(fd, 300000, 300000, 9);
	recv_pattern("one large echo", fd, 300000, 300000, 9);
}

static const struct test_case cases[] = {
	{ "sizes", server, client, PAIRED },
	{ "300000", large_server, large_client, PAIRED },
};
MAIN(cases)
