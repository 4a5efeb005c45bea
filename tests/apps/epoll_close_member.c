/* Closing a member takes it out of its sets, unless a duplicate keeps it open; a new socket of the same number is not in. */
#include "common.h"

static int set_with(int fd)
{
	int set = MUST(epoll_create1(0));
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = 5 };
	MUST(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
	return set;
}

static void say_wait(const char *what, int set, int timeout)
{
	struct epoll_event event = { 0 };
	int count = MUST(epoll_wait(set, &event, 1, timeout));
	say_events(what, count ? event.events : 0, EPOLLIN | EPOLLOUT | EPOLLHUP | EPOLLERR);
	if (count)
		say("data: %d", (int)event.data.u64);
}

static void closed_server(int fd)
{
	int set = set_with(fd);
	meet();
	say_wait("open", set, 30000);
	MUST(close(fd));
	say_wait("closed", set, 20);
	int other = MUST(dup(set));
	say_whether("the number is used again", other == fd);
	say_wait("still nothing", set, 10);
	MUST(close(other));
	struct epoll_event event = { .events = EPOLLIN };
	say_result("modify", epoll_ctl(set, EPOLL_CTL_MOD, fd, &event));
	say_result("delete", epoll_ctl(set, EPOLL_CTL_DEL, fd, &event));
	meet();
}

static void client(int fd)
{
	send_text(fd, "data");
	meet();
	meet();
}

static void again_server(int fd)
{
	int set = set_with(fd);
	int port, listener = listen_local(AF_INET, &port);
	post(1, port);
	meet();
	MUST(close(fd));
	int fresh = MUST(accept(listener, NULL, NULL));
	say_whether("the number is used again", fresh == fd);
	meet();
	MUST(wait_for(fresh, POLLIN) ? 0 : -1);
	say_wait("the new connection is not in the set", set, 20);
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = 6 };
	say_result("add", epoll_ctl(set, EPOLL_CTL_ADD, fresh, &event));
	say_wait("now it is", set, 30000);
	expect_text(fresh, "fresh");
	warm_server(fresh);
	meet();
	say_wait("accelerated or not", set, 30000);
}

static void again_client(int fd)
{
	long port = await(1);
	meet();
	int fresh = connect_local(AF_INET, port);
	send_text(fresh, "fresh");
	meet();
	warm_client(fresh);
	send_text(fresh, "more");
	meet();
	MUST(close(fd));
}

static void duplicate_server(int fd)
{
	int set = set_with(fd);
	int twin = MUST(dup(fd));
	MUST(close(fd));
	meet();
	say_wait("a duplicate is open", set, 30000);
	expect_text(twin, "data");
	say_wait("drained", set, 10);
	MUST(close(twin));
	say_wait("all closed", set, 10);
	meet();
}

static void replaced_server(int fd)
{
	int set = set_with(fd), ends[2];
	MUST(pipe(ends));
	meet();
	say_wait("open", set, 30000);
	MUST(dup2(ends[0], fd));
	say_wait("replaced by dup2", set, 10);
	MUST(write(ends[1], "x", 1));
	say_wait("the pipe is not in the set", set, 10);
	meet();
}

static int waiting_set;

static void *wait_on_it(void *unused)
{
	(void)unused;
	say_wait("waiter", waiting_set, 150);
	return NULL;
}

static void waiting_server(int fd)
{
	waiting_set = set_with(fd);
	pthread_t thread = start_thread(wait_on_it, NULL);
	sleep_ms(30);
	MUST(close(fd));
	meet();
	pthread_join(thread, NULL);
	meet();
}

static void waiting_client(int fd)
{
	meet();
	(void)send(fd, "x", 1, MSG_NOSIGNAL);
	meet();
}

static const struct test_case cases[] = {
	{ "closed", closed_server, client, PAIRED },
	{ "used again", again_server, again_client, PAIRED },
	{ "duplicate", duplicate_server, client, PAIRED },
	{ "replaced", replaced_server, client, PAIRED },
	{ "closed while waiting", waiting_server, waiting_client, PAIRED },
};
MAIN(cases)
