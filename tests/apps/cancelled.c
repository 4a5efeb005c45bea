/* A thread is cancelled while it sleeps on a socket: nothing of it stays behind. */
#include "common.h"

static int the_socket;

static void *sleep_in_recv(void *unused)
{
	(void)unused;
	char byte;
	(void)recv(the_socket, &byte, 1, 0);
	return NULL;
}

static void *sleep_in_poll(void *unused)
{
	(void)unused;
	struct pollfd entry = { .fd = the_socket, .events = POLLIN };
	(void)poll(&entry, 1, -1);
	return NULL;
}

static void *sleep_in_epoll(void *unused)
{
	(void)unused;
	int set = MUST(epoll_create1(0));
	struct epoll_event event = { .events = EPOLLIN };
	MUST(epoll_ctl(set, EPOLL_CTL_ADD, the_socket, &event));
	(void)epoll_wait(set, &event, 1, -1);
	return NULL;
}

/* The close is the last one, so the peer sees the end of the stream and no reset. */
static void serve(int fd, void *(*sleeper_body)(void *))
{
	the_socket = fd;
	pthread_t sleeper = start_thread(sleeper_body, NULL);
	sleep_ms(50);
	MUST(pthread_cancel(sleeper));
	void *result;
	pthread_join(sleeper, &result);
	say_whether("cancelled", result == PTHREAD_CANCELED);
	meet();
	expect_text(fd, "last");
	MUST(close(fd));
	meet();
}

static void recv_server(int fd) { serve(fd, sleep_in_recv); }
static void poll_server(int fd) { serve(fd, sleep_in_poll); }
static void epoll_server(int fd) { serve(fd, sleep_in_epoll); }

static void client(int fd)
{
	meet();
	send_text(fd, "last");
	meet();
	char byte;
	say_result("end", recv(fd, &byte, 1, 0));
}

static const struct test_case cases[] = {
	{ "recv", recv_server, client, PAIRED },
	{ "poll", poll_server, client, PAIRED },
	{ "epoll", epoll_server, client, PAIRED },
};
MAIN(cases)
