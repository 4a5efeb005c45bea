/* SO_RCVLOWAT: a receive, poll, select and epoll wait for so many bytes, and the peer's end, and no longer. */
#include "common.h"

static void low_water(int fd, int bytes)
{
	MUST(setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes));
}

static int poll_for(int fd, int milliseconds)
{
	struct pollfd entry = { .fd = fd, .events = POLLIN };
	return MUST(poll(&entry, 1, milliseconds));
}

/* Beneath it nothing is readable; a receive that does not wait takes what there is all the same. */
static void server(int fd)
{
	char buffer[64];
	int set = MUST(epoll_create1(0));
	struct epoll_event event = { .events = EPOLLIN };
	MUST(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
	low_water(fd, 10);
	for (int i = 0; i < 5; i++) {
		send_text(fd, "four");
		meet();
		say_result("poll with 4", poll_for(fd, 100));
		say_result("epoll with 4", epoll_wait(set, &event, 1, 100));
		fd_set reads;
		FD_ZERO(&reads);
		FD_SET(fd, &reads);
		struct timeval none = { 0, 50000 };
		say_result("select with 4", select(fd + 1, &reads, NULL, NULL, &none));
		send_text(fd, "more");
		say_result("poll with 12", poll_for(fd, 5000));
		say_result("epoll with 12", epoll_wait(set, &event, 1, 5000));
		say_result("recv", recv(fd, buffer, sizeof buffer, 0));
		send_text(fd, "four");
		meet();
		say_result("recv of 4 without waiting", recv(fd, buffer, sizeof buffer, MSG_DONTWAIT));
		send_text(fd, "much");
		say_result("recv that waits", recv(fd, buffer, sizeof buffer, 0));
	}
	low_water(fd, 1);
	send_text(fd, "four");
	say_result("poll with 1 of 1", poll_for(fd, 5000));
	expect_text(fd, "1234");
	low_water(fd, 1000);
	send_text(fd, "end");
	say_result("recv at the end", recv(fd, buffer, sizeof buffer, 0));
	say_result("poll at the end", poll_for(fd, 5000));
	say_result("recv after the end", recv(fd, buffer, sizeof buffer, 0));
}

static void client(int fd)
{
	for (int i = 0; i < 5; i++) {
		expect_text(fd, "four");
		send_text(fd, "1234");
		sleep_ms(10);
		meet();
		expect_text(fd, "more");
		send_text(fd, "12345678");
		expect_text(fd, "four");
		send_text(fd, "1234");
		sleep_ms(10);
		meet();
		expect_text(fd, "much");
		send_text(fd, "123456789012");
	}
	expect_text(fd, "four");
	send_text(fd, "1234");
	expect_text(fd, "end");
	send_text(fd, "last");
	sleep_ms(20);
	MUST(shutdown(fd, SHUT_WR));
}

static const struct test_case cases[] = { { "low water", server, client, PAIRED } };
MAIN(cases)
