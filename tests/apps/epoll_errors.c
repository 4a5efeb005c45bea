/* The errors of epoll_create, epoll_ctl and epoll_wait. */
#include "common.h"

/* Not constants, or the compiler objects to what we mean to do. */
static volatile int less = -1, too_many = 1 << 30;

static void server(int fd)
{
	struct epoll_event event = { .events = EPOLLIN };
	int set = MUST(epoll_create1(0)), other = MUST(epoll_create(1));
	int file = MUST(open("/proc/self/exe", O_RDONLY));
	say_result("create of size 0", epoll_create(0));
	say_result("create with odd flags", epoll_create1(1));
	say_result("add", epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
	say_result("add again", epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
	say_result("modify elsewhere", epoll_ctl(other, EPOLL_CTL_MOD, fd, &event));
	say_result("delete elsewhere", epoll_ctl(other, EPOLL_CTL_DEL, fd, &event));
	say_result("delete without an event", epoll_ctl(set, EPOLL_CTL_DEL, fd, NULL));
	say_result("delete again", epoll_ctl(set, EPOLL_CTL_DEL, fd, NULL));
	say_result("add without an event", epoll_ctl(set, EPOLL_CTL_ADD, fd, NULL));
	say_result("odd operation", epoll_ctl(set, 77, fd, &event));
	say_result("closed member", epoll_ctl(set, EPOLL_CTL_ADD, 999, &event));
	say_result("negative member", epoll_ctl(set, EPOLL_CTL_ADD, -1, &event));
	say_result("closed set", epoll_ctl(998, EPOLL_CTL_ADD, fd, &event));
	say_result("a socket as set", epoll_ctl(fd, EPOLL_CTL_ADD, set, &event));
	say_result("a file as member", epoll_ctl(set, EPOLL_CTL_ADD, file, &event));
	say_result("a file as set", epoll_ctl(file, EPOLL_CTL_ADD, fd, &event));
	say_result("itself", epoll_ctl(set, EPOLL_CTL_ADD, set, &event));
	say_result("a set within a set", epoll_ctl(set, EPOLL_CTL_ADD, other, &event));
	say_result("a circle", epoll_ctl(other, EPOLL_CTL_ADD, set, &event));
	say_result("wait for no events", epoll_wait(set, &event, 0, 0));
	say_result("wait for less", epoll_wait(set, &event, less, 0));
	say_result("wait for too many", epoll_wait(set, &event, too_many, 0));
	say_result("wait on a socket", epoll_wait(fd, &event, 1, 0));
	say_result("wait on a file", epoll_wait(file, &event, 1, 0));
	say_result("wait on a closed set", epoll_wait(998, &event, 1, 0));
	MUST(close(set));
	say_result("wait after close", epoll_wait(set, &event, 1, 0));
	expect_text(fd, "still a connection");
}

static void client(int fd)
{
	send_text(fd, "still a connection");
}

static const struct test_case cases[] = { { "errors", server, client, PAIRED } };
MAIN(cases)
