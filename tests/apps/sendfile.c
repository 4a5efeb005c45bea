/* sendfile from a file, with an offset and without, between sends; from the middle, past the end, when full. */
#include "common.h"
#include <sys/sendfile.h>

enum { LENGTH = 500000 };

static int file_with_pattern(void)
{
	static uint8_t bytes[LENGTH];
	int file = MUST(memfd_create("file", 0));
	fill(bytes, LENGTH, 1, 0);
	MUST(write(file, bytes, LENGTH));
	return file;
}

static void server(int fd)
{
	int file = file_with_pattern();
	off_t offset = 1000;
	send_text(fd, "before");
	say_result("with an offset", sendfile(fd, file, &offset, 2000));
	say("offset: %d position: %d", (int)offset, (int)lseek(file, 0, SEEK_CUR));
	send_text(fd, "between");
	MUST(lseek(file, 10, SEEK_SET));
	say_result("without", sendfile(fd, file, NULL, 90));
	say("position: %d", (int)lseek(file, 0, SEEK_CUR));
	offset = LENGTH - 5;
	say_result("past the end", sendfile(fd, file, &offset, 100));
	say_result("at the end", sendfile(fd, file, &offset, 100));
	say_result("nothing", sendfile(fd, file, &offset, 0));
	say_result("a closed file", sendfile(fd, 999, &offset, 1));
	offset = 0;
	while (offset < LENGTH)
		MUST(sendfile(fd, file, &offset, LENGTH - offset));
	send_text(fd, "after");
	meet();
	MUST(shutdown(fd, SHUT_WR));
	say_result("after the end", ({ signal(SIGPIPE, SIG_IGN); offset = 0; sendfile(fd, file, &offset, 10); }));
}

static void say_part(const char *what, int fd, size_t length, uint64_t offset)
{
	static uint8_t buffer[LENGTH];
	recv_all(fd, buffer, length);
	say_whether(what, matches(buffer, length, 1, offset));
}

static void client(int fd)
{
	expect_text(fd, "before");
	say_part("offset 1000", fd, 2000, 1000);
	expect_text(fd, "between");
	say_part("offset 10", fd, 90, 10);
	say_part("the last five", fd, 5, LENGTH - 5);
	sleep_ms(30);
	say_part("all", fd, LENGTH, 0);
	expect_text(fd, "after");
	meet();
	char byte;
	say_result("end", recv(fd, &byte, 1, 0));
}

/* Nonblocking, to a reader that sleeps: goes until it is full, and goes on with poll. */
static void full_server(int fd)
{
	int file = file_with_pattern();
	set_nonblocking(fd, true);
	bool was_full = false;
	for (int round = 0; round < 20; round++) {
		off_t offset = 0;
		while (offset < LENGTH) {
			ssize_t sent = sendfile(fd, file, &offset, LENGTH - offset);
			if (sent < 0 && errno == EAGAIN) {
				was_full = true;
				post(0, 1);
				MUST(wait_for(fd, POLLOUT) ? 0 : -1);
				continue;
			}
			MUST(sent);
		}
	}
	say_whether("was full at some time", was_full);
}

static void full_client(int fd)
{
	await(0);
	for (int round = 0; round < 20; round++)
		recv_pattern("round", fd, LENGTH, 30000, 1);
}

static const struct test_case cases[] = {
	{ "offsets", server, client, PAIRED },
	{ "full", full_server, full_client, PAIRED },
};
MAIN(cases)
