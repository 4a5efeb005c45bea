/* shutdown(SHUT_RD), as Linux does it: what is there and what still arrives can be read; otherwise end of stream. */
#include "common.h"

static void say_recv(const char *what, int fd)
{
	char buffer[32];
	say_result(what, recv(fd, buffer, sizeof buffer, 0));
}

static void server(int fd)
{
	meet();
	MUST(wait_for(fd, POLLIN) ? 0 : -1);
	say_result("shutdown", shutdown(fd, SHUT_RD));
	struct pollfd entry = { .fd = fd, .events = POLLIN | POLLRDHUP };
	say_result("poll", poll(&entry, 1, 1000));
	say_events("after shutdown", entry.revents, POLLIN | POLLRDHUP | POLLHUP | POLLERR);
	say_recv("what was there", fd);
	say_recv("nothing more", fd);
	meet();
	meet();
	say_recv("what arrived later", fd);
	say_recv("nothing more", fd);
	send_text(fd, "we still send");
	say_result("odd direction", shutdown(fd, 7));
	say_result("shutdown of both", shutdown(fd, SHUT_RDWR));
	char byte = 0;
	say_result("send", send(fd, &byte, 1, MSG_NOSIGNAL));
	say_recv("recv", fd);
}

static void client(int fd)
{
	send_text(fd, "early");
	meet();
	meet();
	send_text(fd, "later!");
	sleep_ms(120);
	meet();
	expect_text(fd, "we still send");
	say_recv("end", fd);
}

static const struct test_case cases[] = { { "shutdown of reading", server, client, PAIRED } };
MAIN(cases)
