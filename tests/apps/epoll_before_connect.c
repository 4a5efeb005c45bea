/* A socket that joins a set before it is connected; a refused connection; a descriptor added at once after accept. */
#include "common.h"

enum { ALL = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP | EPOLLERR };

static void say_wait(const char *what, int set, int timeout)
{
	struct epoll_event event = { 0 };
	int count = MUST(epoll_wait(set, &event, 1, timeout));
	say_events(what, count ? event.events : 0, ALL);
}

static void change(int set, int operation, int fd, unsigned events)
{
	struct epoll_event event = { .events = events, .data.u64 = 42 };
	MUST(epoll_ctl(set, operation, fd, &event));
}

static void server(int unused)
{
	(void)unused;
	int port, listener = listen_local(AF_INET, &port);
	post(PORT_PLACE, port);
	int set = MUST(epoll_create1(0));
	change(set, EPOLL_CTL_ADD, listener, EPOLLIN);
	say_wait("listener", set, 30000);
	int fd = MUST(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
	change(set, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLET);
	warm_server(fd);
	change(set, EPOLL_CTL_MOD, fd, EPOLLIN);
	meet();
	for (int round = 0; round < 5; round++) {
		char byte;
		say_wait("server", set, 30000);
		recv_all(fd, &byte, 1);
		send_all(fd, &byte, 1);
	}
}

static int start_connect(int set, unsigned events)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(await(PORT_PLACE)) };
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = MUST(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
	change(set, EPOLL_CTL_ADD, fd, events);
	if (!(events & EPOLLET))
		say_wait("before connect", set, 100);
	say_result("connect", connect(fd, (struct sockaddr *)&address, sizeof address));
	return fd;
}

static void say_error(int fd)
{
	int error = -1;
	socklen_t length = sizeof error;
	MUST(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length));
	say("SO_ERROR: %s", error ? error_name(error) : "none");
}

static void exchange_rounds(int fd, int set)
{
	set_nonblocking(fd, false);
	warm_client(fd);
	meet();
	for (int round = 0; round < 5; round++) {
		char byte;
		sleep_ms(round);
		send_all(fd, "x", 1);
		change(set, EPOLL_CTL_MOD, fd, EPOLLIN);
		say_wait("client", set, 30000);
		recv_all(fd, &byte, 1);
	}
}

static void level_client(int unused)
{
	(void)unused;
	int set = MUST(epoll_create1(0));
	int fd = start_connect(set, EPOLLIN | EPOLLOUT);
	say_wait("connected", set, 30000);
	say_error(fd);
	exchange_rounds(fd, set);
}

static void edge_client(int unused)
{
	(void)unused;
	int set = MUST(epoll_create1(0));
	int fd = start_connect(set, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
	MUST(wait_for(fd, POLLOUT) ? 0 : -1);
	say_wait("connected", set, 30000);
	say_error(fd);
	exchange_rounds(fd, set);
}

static void refused_server(int unused)
{
	(void)unused;
	int port, listener = listen_local(AF_INET, &port);
	MUST(close(listener));
	post(PORT_PLACE, port);
}

static void refused_client(int unused)
{
	(void)unused;
	int set = MUST(epoll_create1(0));
	int fd = start_connect(set, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
	say_wait("refused", set, 30000);
	say_error(fd);
	say_error(fd);
	char byte;
	say_result("recv", recv(fd, &byte, 1, 0));
	say_result("send", send(fd, &byte, 1, MSG_NOSIGNAL));
}

static const struct test_case cases[] = {
	{ "level", server, level_client, RAW },
	{ "edge", server, edge_client, RAW },
	{ "refused", refused_server, refused_client, RAW },
};
MAIN(cases)
