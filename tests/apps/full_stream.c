/* 50 MB to a slow reader: blocking, nonblocking with poll, and with edges; every byte is checked. */
#include "common.h"

enum { TOTAL = 50 * 1000 * 1000, PIECE = 200000 };

static uint8_t block[PIECE];

/* The pattern of one block again and again: checking 50 MB byte by byte would be the slowest part. */
static size_t next_piece(uint64_t done)
{
	size_t length = PIECE - done % PIECE;
	return length < TOTAL - done ? length : TOTAL - done;
}

static void read_slowly(int fd)
{
	static uint8_t buffer[PIECE];
	fill(block, PIECE, 1, 0);
	int wrong = 0;
	for (uint64_t got = 0, calls = 0; got < TOTAL; calls++) {
		size_t length = next_piece(got);
		length = calls % 3 == 0 && length > 5000 ? 5000 : length;
		ssize_t now = MUST(recv(fd, buffer, length, 0));
		if (now == 0)
			die("end at %llu", (unsigned long long)got);
		wrong += memcmp(buffer, block + got % PIECE, now) != 0;
		got += now;
		if (calls < 100 || calls % 256 == 0)
			usleep(500);
	}
	say("wrong pieces: %d", wrong);
	char byte;
	say_result("end", recv(fd, &byte, 1, 0));
}

static void blocking_client(int fd)
{
	fill(block, PIECE, 1, 0);
	for (uint64_t sent = 0; sent < TOTAL;)
		sent += MUST(send(fd, block + sent % PIECE, next_piece(sent), 0));
	MUST(close(fd));
}

static void poll_client(int fd)
{
	fill(block, PIECE, 1, 0);
	set_nonblocking(fd, true);
	bool was_full = false;
	for (uint64_t sent = 0; sent < TOTAL;) {
		ssize_t now = send(fd, block + sent % PIECE, next_piece(sent), 0);
		if (now < 0 && errno == EAGAIN) {
			was_full = true;
			MUST(wait_for(fd, POLLOUT) ? 0 : -1);
			continue;
		}
		sent += MUST(now);
	}
	say_whether("was full at some time", was_full);
	MUST(close(fd));
}

static void edge_client(int fd)
{
	fill(block, PIECE, 1, 0);
	set_nonblocking(fd, true);
	int set = MUST(epoll_create1(0));
	struct epoll_event event = { .events = EPOLLOUT | EPOLLET };
	MUST(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
	for (uint64_t sent = 0; sent < TOTAL;) {
		ssize_t now = send(fd, block + sent % PIECE, next_piece(sent), 0);
		if (now < 0 && errno == EAGAIN) {
			if (MUST(epoll_wait(set, &event, 1, 40000)) == 0)
				die("lost edge at %llu", (unsigned long long)sent);
			continue;
		}
		sent += MUST(now);
	}
	MUST(close(fd));
}

/* The same by writev with parts that never fit. */
static void parts_client(int fd)
{
	fill(block, PIECE, 1, 0);
	for (uint64_t sent = 0; sent < TOTAL;) {
		size_t length = next_piece(sent);
		uint8_t *start = block + sent % PIECE;
		struct iovec parts[3] = { { start, length / 3 }, { start + length / 3, length / 2 },
					  { start + length / 3 + length / 2, length - length / 3 - length / 2 } };
		sent += MUST(writev(fd, parts, 3));
	}
	MUST(close(fd));
}

static const struct test_case cases[] = {
	{ "blocking", read_slowly, blocking_client, PAIRED },
	{ "poll", read_slowly, poll_client, PAIRED },
	{ "edges", read_slowly, edge_client, PAIRED },
	{ "parts", read_slowly, parts_client, PAIRED },
};
MAIN(cases)
