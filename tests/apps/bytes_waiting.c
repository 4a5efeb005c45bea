/* FIONREAD counts what can be read; SIOCATMARK and SIOCOUTQ answer. */
#include "common.h"
#include <linux/sockios.h>

static void say_waiting(const char *what, int fd)
{
	int count = -1;
	MUST(ioctl(fd, FIONREAD, &count));
	say("%s: %d", what, count);
}

static void server(int fd)
{
	static char buffer[100000];
	say_waiting("nothing", fd);
	meet();
	meet();
	MUST(wait_for(fd, POLLIN) ? 0 : -1);
	say_waiting("ten", fd);
	recv_all(fd, buffer, 3);
	say_waiting("seven", fd);
	recv(fd, buffer, 2, MSG_PEEK);
	say_waiting("still seven", fd);
	meet();
	meet();
	say_waiting("and eight thousand", fd);
	int old = -1;
	MUST(ioctl(fd, SIOCINQ, &old));
	say("by its other name: %d", old);
	recv_all(fd, buffer, 8007);
	say_waiting("drained", fd);
	int mark = -1, unsent = -1;
	say_result("SIOCATMARK", ioctl(fd, SIOCATMARK, &mark));
	say("mark: %d", mark);
	MUST(ioctl(fd, SIOCOUTQ, &unsent));
	say("all of ours was taken: %d", unsent);
	meet();
	meet();
	say_waiting("five and the end", fd);
	recv_all(fd, buffer, 5);
	say_waiting("the end", fd);
}

static void client(int fd)
{
	meet();
	send_text(fd, "0123456789");
	meet();
	meet();
	send_pattern(fd, 8000, 700, 1);
	/* Nagle's algorithm may hold some of it until a delayed acknowledgement. */
	sleep_ms(120);
	meet();
	meet();
	send_text(fd, "final");
	MUST(shutdown(fd, SHUT_WR));
	sleep_ms(60);
	meet();
}

static const struct test_case cases[] = { { "bytes waiting", server, client, PAIRED } };
MAIN(cases)
