/* A stream that has left its ring because the reader did not read, with bytes in the ring and more in the kernel, and whose
 * reader then hands it over: to another program in its place, to another process, to splice. Every byte is read in order,
 * by whoever reads. */
#include "common.h"

extern char **environ;

enum { TOTAL = 24 * 1000 * 1000, SOME = 1500 * 1000, SHORT = 6 * 1000 * 1000, PIECE = 100000, OWN = 1000 };

static char **without_preload(void)
{
	static char *kept[512];
	int count = 0;
	for (char **entry = environ; *entry && count < 511; entry++)
		if (strncmp(*entry, "LD_PRELOAD=", 11) != 0)
			kept[count++] = *entry;
	kept[count] = NULL;
	return kept;
}

/* Sends until nothing more goes and nothing has for a while: ring and kernel are full. */
static uint64_t send_until_full(int fd, uint64_t most, uint64_t seed)
{
	static uint8_t block[PIECE];
	uint64_t sent = 0;
	set_nonblocking(fd, true);
	for (int idle = 0; idle < 20 && sent < most;) {
		size_t length = most - sent < PIECE ? most - sent : PIECE;
		fill(block, length, seed, sent);
		ssize_t now = send(fd, block, length, 0);
		if (now < 0 && errno == EAGAIN) {
			idle++;
			usleep(1000);
			continue;
		}
		sent += MUST(now);
		idle = 0;
	}
	set_nonblocking(fd, false);
	return sent;
}

static void send_from(int fd, uint64_t from, uint64_t total, uint64_t seed)
{
	static uint8_t block[PIECE];
	while (from < total) {
		size_t length = total - from < PIECE ? total - from : PIECE;
		fill(block, length, seed, from);
		send_all(fd, block, length);
		from += length;
	}
}

/* The program that reads it all, without the library: this one, by another name. */
static void read_as_stranger(int fd)
{
	char number[16];
	snprintf(number, sizeof number, "%d", fd);
	setenv("OVERFLOWED_READ", number, 1);
	char *const words[] = { "overflowed", NULL };
	execve("/proc/self/exe", words, without_preload());
	die("exec");
}

static void read_own(int fd)
{
	uint8_t first[OWN];
	recv_all(fd, first, OWN);
	say_whether("first bytes", matches(first, OWN, 1, 0));
}

static void replaced_server(int fd)
{
	meet();
	read_own(fd);
	read_as_stranger(fd);
}

/* The sender is idle while it happens, and goes on afterwards. */
static void idle_client(int fd)
{
	uint64_t sent = send_until_full(fd, TOTAL, 1);
	say_whether("full", sent > 0);
	meet();
	sleep_ms(200);
	send_from(fd, sent, TOTAL, 1);
	char byte;
	say_result("answer", recv(fd, &byte, 1, 0));
	MUST(close(fd));
}

/* The sender sleeps in send(). */
static void asleep_client(int fd)
{
	uint64_t sent = send_until_full(fd, TOTAL, 1);
	meet();
	send_from(fd, sent, TOTAL, 1);
	char byte;
	say_result("answer", recv(fd, &byte, 1, 0));
	MUST(close(fd));
}

/* It polls. */
static void polling_client(int fd)
{
	static uint8_t block[PIECE];
	uint64_t sent = send_until_full(fd, TOTAL, 1);
	meet();
	set_nonblocking(fd, true);
	while (sent < TOTAL) {
		size_t length = TOTAL - sent < PIECE ? TOTAL - sent : PIECE;
		fill(block, length, 1, sent);
		MUST(wait_for(fd, POLLOUT) ? 0 : -1);
		ssize_t now = send(fd, block, length, 0);
		if (now < 0 && errno == EAGAIN)
			continue;
		sent += MUST(now);
	}
	set_nonblocking(fd, false);
	char byte;
	say_result("answer", recv(fd, &byte, 1, 0));
	MUST(close(fd));
}

/* Two threads of it send. */
static void *send_other(void *argument)
{
	int fd = *(int *)argument;
	static uint8_t zeros[PIECE];
	for (int i = 0; i < 30; i++)
		send_all(fd, zeros, PIECE);
	return NULL;
}

static void threads_client(int fd)
{
	static uint8_t zeros[PIECE];
	meet();
	pthread_t other = start_thread(send_other, &fd);
	for (int i = 0; i < 30; i++)
		send_all(fd, zeros, PIECE);
	MUST(pthread_join(other, NULL) ? -1 : 0);
	char byte;
	say_result("answer", recv(fd, &byte, 1, 0));
	MUST(close(fd));
}

static void threads_server(int fd)
{
	meet();
	sleep_ms(100);
	setenv("OVERFLOWED_ZEROS", "1", 1);
	setenv("OVERFLOWED_TOTAL", "6000000", 1);
	read_as_stranger(fd);
}

/* It ends its stream afterwards. */
static void closing_client(int fd)
{
	uint64_t sent = send_until_full(fd, SHORT, 1);
	meet();
	sleep_ms(100);
	send_from(fd, sent, SHORT, 1);
	MUST(shutdown(fd, SHUT_WR));
	char byte;
	say_result("answer", recv(fd, &byte, 1, 0));
	MUST(close(fd));
}

static void closing_server(int fd)
{
	meet();
	setenv("OVERFLOWED_TOTAL", "6000000", 1);
	read_own(fd);
	read_as_stranger(fd);
}

/* The reader has said that it sends no more, which does not mean that it reads no more. */
static void half_closed_client(int fd)
{
	uint64_t sent = send_until_full(fd, TOTAL, 1);
	meet();
	send_from(fd, sent, TOTAL, 1);
	char byte;
	say_result("end", recv(fd, &byte, 1, 0));
	MUST(close(fd));
}

static void half_closed_server(int fd)
{
	MUST(shutdown(fd, SHUT_WR));
	meet();
	read_own(fd);
	setenv("OVERFLOWED_SENT", "24000000", 1);
	read_as_stranger(fd);
}

/* All that was sent has been read, and its sender sends no more: the other program finds the end, and no doorbell before it. */
static void ended_client(int fd)
{
	send_from(fd, 0, OWN, 1);
	MUST(shutdown(fd, SHUT_WR));
	meet();
	char byte;
	say_result("answer", recv(fd, &byte, 1, 0));
}

static void ended_server(int fd)
{
	read_own(fd);
	meet();
	sleep_ms(20);
	setenv("OVERFLOWED_TOTAL", "1000", 1);
	setenv("OVERFLOWED_END", "1", 1);
	read_as_stranger(fd);
}

static void inherit(int over)
{
	read_as_stranger(recv_descriptor(over, 0));
}

static void passed_server(int unused)
{
	(void)unused;
	int over[2];
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, over));
	pid_t heir = start_child(inherit, over[1]);
	MUST(close(over[1]));
	int fd = server_connection(AF_INET);
	meet();
	read_own(fd);
	send_descriptor(over[0], fd);
	MUST(close(fd));
	join_child("heir", heir);
}

static void passed_client(int unused)
{
	(void)unused;
	idle_client(client_connection(AF_INET));
}

static void spliced_server(int fd)
{
	int ends[2];
	static uint8_t block[PIECE];
	MUST(pipe(ends));
	meet();
	read_own(fd);
	bool right = true;
	for (uint64_t got = OWN; got < TOTAL;) {
		ssize_t now = MUST(splice(fd, NULL, ends[1], NULL, 60000, 0));
		if (now == 0)
			die("end at %llu", (unsigned long long)got);
		for (ssize_t taken = 0; taken < now;)
			taken += MUST(read(ends[0], block + taken, now - taken));
		right = right && matches(block, now, 1, got);
		got += now;
	}
	say_whether("spliced", right);
	send_text(fd, "!");
}

/* Both ends are in one process, which becomes another program. */
static void alone_server(int unused)
{
	(void)unused;
	int port, listener = listen_local(AF_INET, &port), ends[2];
	ends[0] = connect_local(AF_INET, port);
	ends[1] = MUST(accept(listener, NULL, NULL));
	MUST(close(listener));
	uint8_t byte = 1;
	for (int i = 0; i < 200; i++) {
		send_all(ends[i % 2], &byte, 1);
		recv_all(ends[1 - i % 2], &byte, 1);
		if (i % 20 == 0)
			sleep_ms(2);
	}
	uint64_t sent = send_until_full(ends[0], SOME, 1);
	say_whether("sent", sent > 0);
	read_own(ends[1]);
	char number[32];
	snprintf(number, sizeof number, "%llu", (unsigned long long)sent);
	setenv("OVERFLOWED_TOTAL", number, 1);
	read_as_stranger(ends[1]);
}

static void nobody(int unused)
{
	(void)unused;
}

static uint64_t told(const char *name, uint64_t otherwise)
{
	const char *value = getenv(name);
	return value ? strtoull(value, NULL, 10) : otherwise;
}

struct rest {
	int fd;
	uint64_t from, seed;
};

static void *send_the_rest(void *argument)
{
	struct rest *rest = argument;
	send_from(rest->fd, rest->from, TOTAL, rest->seed);
	return NULL;
}

/* What was executed: sends the rest of the other stream if there is one, reads this one, and answers. Its exit says the rest. */
static int take_over(int fd)
{
	static uint8_t block[PIECE];
	uint64_t total = told("OVERFLOWED_TOTAL", TOTAL);
	struct rest rest = { fd, told("OVERFLOWED_SENT", TOTAL), 0 };
	bool both = getenv("OVERFLOWED_SENT"), zeros = getenv("OVERFLOWED_ZEROS");
	pthread_t sender = start_thread(send_the_rest, &rest);
	for (uint64_t from = zeros ? 0 : OWN; from < total;) {
		ssize_t now = read(fd, block, sizeof block);
		if (now <= 0)
			return 10;
		for (ssize_t i = 0; i < now; i++)
			if (block[i] != (zeros ? 0 : pattern(1, from + i)))
				return 11;
		from += now;
	}
	if (getenv("OVERFLOWED_END") && read(fd, block, sizeof block) != 0)
		return 13;
	pthread_join(sender, NULL);
	return both || write(fd, "!", 1) == 1 ? 0 : 12;
}

static const struct test_case cases[] = {
	{ "in place, sender idle", replaced_server, idle_client, PAIRED },
	{ "in place, sender asleep", replaced_server, asleep_client, PAIRED },
	{ "in place, sender polls", replaced_server, polling_client, PAIRED },
	{ "in place, two senders", threads_server, threads_client, PAIRED },
	{ "in place, sender ends", closing_server, closing_client, PAIRED },
	{ "in place, half closed", half_closed_server, half_closed_client, PAIRED },
	{ "in place, all read", ended_server, ended_client, PAIRED },
	{ "passed", passed_server, passed_client, RAW },
	{ "spliced", spliced_server, idle_client, PAIRED },
	{ "both in one process", alone_server, nobody, RAW },
};

int main(int argc, char **argv)
{
	const char *taken = getenv("OVERFLOWED_READ");
	if (taken)
		return take_over(atoi(taken));
	return run_cases(argc, argv, cases, COUNT(cases));
}
