/* Kernel descriptors in one wait with a socket that is always ready: a pipe, an eventfd, a timerfd, a listener and UDP
 * are served all the same. */
#include "common.h"
#include <sys/eventfd.h>
#include <sys/timerfd.h>

enum { STREAM, PIPE, EVENT, TIMER, LISTENER, UDP, MEMBERS };
enum { WANTED = 20 };
enum how { POLL, SELECT, LEVEL, SMALL, EDGE };

static const char *const names[MEMBERS] = { "stream", "pipe", "eventfd", "timerfd", "listener", "UDP" };
static int members[MEMBERS], pipe_end;
static _Atomic bool finished;

static void *feed_local(void *unused)
{
	(void)unused;
	uint64_t one = 1;
	while (!finished) {
		MUST(write(pipe_end, "x", 1));
		MUST(write(members[EVENT], &one, sizeof one));
		usleep(1000);
	}
	return NULL;
}

static int udp_socket(long *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof address;
	int fd = MUST(socket(AF_INET, SOCK_DGRAM, 0));
	MUST(bind(fd, (struct sockaddr *)&address, length));
	MUST(getsockname(fd, (struct sockaddr *)&address, &length));
	*port = ntohs(address.sin_port);
	return fd;
}

static void open_members(int stream)
{
	int ends[2], tcp_port;
	long udp_port;
	members[STREAM] = stream;
	MUST(pipe(ends));
	members[PIPE] = ends[0];
	pipe_end = ends[1];
	members[EVENT] = MUST(eventfd(0, 0));
	members[TIMER] = MUST(timerfd_create(CLOCK_MONOTONIC, 0));
	struct itimerspec each_ms = { { 0, 1000000 }, { 0, 1000000 } };
	MUST(timerfd_settime(members[TIMER], 0, &each_ms, NULL));
	members[LISTENER] = listen_local(AF_INET, &tcp_port);
	members[UDP] = udp_socket(&udp_port);
	post(1, tcp_port);
	post(2, udp_port);
}

/* Takes what is there; `stream` only a little, so that it stays ready. */
static void serve(int member)
{
	static char buffer[512];
	if (member == LISTENER)
		MUST(close(MUST(accept(members[LISTENER], NULL, NULL))));
	else if (member == STREAM)
		MUST(recv(members[STREAM], buffer, sizeof buffer, 0));
	else
		MUST(read(members[member], buffer, sizeof buffer));
}

static unsigned ready_by_epoll(enum how how, int set)
{
	struct epoll_event events[MEMBERS];
	unsigned ready = 0;
	/* With room for one event only, each member must still get its turn. */
	int count = MUST(epoll_wait(set, events, how == SMALL ? 1 : MEMBERS, 30000));
	for (int i = 0; i < count; i++)
		ready |= 1u << events[i].data.u32;
	return ready;
}

static unsigned ready_by_select(void)
{
	fd_set in;
	FD_ZERO(&in);
	int highest = 0;
	for (int i = 0; i < MEMBERS; i++) {
		FD_SET(members[i], &in);
		highest = members[i] > highest ? members[i] : highest;
	}
	struct timeval limit = { 30, 0 };
	MUST(select(highest + 1, &in, NULL, NULL, &limit));
	unsigned ready = 0;
	for (int i = 0; i < MEMBERS; i++)
		ready |= FD_ISSET(members[i], &in) ? 1u << i : 0;
	return ready;
}

static unsigned ready_by_poll(void)
{
	struct pollfd entries[MEMBERS];
	for (int i = 0; i < MEMBERS; i++)
		entries[i] = (struct pollfd){ .fd = members[i], .events = POLLIN };
	MUST(poll(entries, MEMBERS, 30000));
	unsigned ready = 0;
	for (int i = 0; i < MEMBERS; i++)
		ready |= entries[i].revents ? 1u << i : 0;
	return ready;
}

static bool all_served(const int *served)
{
	for (int i = 0; i < MEMBERS; i++)
		if (served[i] < WANTED)
			return false;
	return true;
}

static int set_of_members(enum how how)
{
	int set = MUST(epoll_create1(0));
	for (int i = 0; i < MEMBERS; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.u32 = i };
		if (how == EDGE && i != STREAM && i != LISTENER)
			event.events |= EPOLLET;
		MUST(epoll_ctl(set, EPOLL_CTL_ADD, members[i], &event));
	}
	return set;
}

static void wait_for_all(enum how how, int fd)
{
	int served[MEMBERS] = { 0 };
	open_members(fd);
	int set = set_of_members(how);
	pthread_t feeder = start_thread(feed_local, NULL);
	uint64_t limit = now_ms() + 30000;
	while (!all_served(served) && now_ms() < limit) {
		unsigned ready = how >= LEVEL  ? ready_by_epoll(how, set) :
				 how == SELECT ? ready_by_select() :
						 ready_by_poll();
		for (int i = 0; i < MEMBERS; i++) {
			if (!(ready & (1u << i)))
				continue;
			serve(i);
			served[i]++;
		}
	}
	for (int i = 0; i < MEMBERS; i++)
		say("%s served: %s", names[i], served[i] >= WANTED ? "yes" : "STARVED");
	finished = true;
	pthread_join(feeder, NULL);
	post(3, 1);
	MUST(close(fd));
}

static void *flood(void *argument)
{
	static char buffer[65536];
	int fd = *(int *)argument;
	while (send(fd, buffer, sizeof buffer, MSG_NOSIGNAL) > 0)
		;
	return NULL;
}

static void client(int fd)
{
	long tcp_port = await(1), udp_port = await(2);
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(udp_port) };
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int udp = MUST(socket(AF_INET, SOCK_DGRAM, 0));
	pthread_t flooder = start_thread(flood, &fd);
	while (!look(3)) {
		MUST(sendto(udp, "u", 1, 0, (struct sockaddr *)&address, sizeof address));
		MUST(close(connect_local(AF_INET, tcp_port)));
		usleep(1000);
	}
	pthread_join(flooder, NULL);
}

#define WAY(name, how) static void name(int fd) { wait_for_all(how, fd); }
WAY(by_poll, POLL)
WAY(by_select, SELECT)
WAY(by_level, LEVEL)
WAY(by_small, SMALL)
WAY(by_edge, EDGE)

static const struct test_case cases[] = {
	{ "poll", by_poll, client, PAIRED },
	{ "select", by_select, client, PAIRED },
	{ "epoll", by_level, client, PAIRED },
	{ "epoll, one event at a time", by_small, client, PAIRED },
	{ "epoll, edges", by_edge, client, PAIRED },
};
MAIN(cases)
