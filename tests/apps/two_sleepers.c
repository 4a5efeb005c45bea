/* Two threads wait for one socket: one sleeps, the other comes and goes, and takes messages from under its eyes. Whoever is
 * there gets the next message, and at once: the library's safety net, which looks every few milliseconds, is not needed. */
#include "common.h"
#include <dirent.h>

/* On a machine so busy that a woken thread does not run for milliseconds the net may come upon it first, now and then. */
enum { MESSAGES = 400, RESCUES_AT = 28, RESCUES_MOST = 8 };
enum call { RECV, POLL, SELECT, SET, OTHER_SET };

static int the_socket;
static _Atomic bool over;

/* What the library says in the table that `vmmc status` reads; 0 where there is none. */
static uint32_t rescues(void)
{
	uint32_t count = 0;
	DIR *directory = opendir("/proc/self/fd");
	struct dirent *entry;
	while (directory && (entry = readdir(directory))) {
		char path[300], target[64] = "";
		snprintf(path, sizeof path, "/proc/self/fd/%s", entry->d_name);
		if (readlink(path, target, sizeof target - 1) < 0 || !strstr(target, "memfd:vmmc-sockets"))
			continue;
		int fd = MUST(open(path, O_RDONLY));
		uint32_t here = 0;
		if (pread(fd, &here, sizeof here, RESCUES_AT) == sizeof here)
			count += here;
		close(fd);
	}
	if (directory)
		closedir(directory);
	return count;
}

/* One message, if there is one; answered. */
static bool take(void)
{
	char message = 0;
	ssize_t got = recv(the_socket, &message, 1, MSG_DONTWAIT);
	if (got == 0)
		over = true;
	if (got == 1)
		send_all(the_socket, &message, 1);
	return got == 1;
}

static void sleep_in(enum call call, int set)
{
	char byte;
	struct pollfd entry = { .fd = the_socket, .events = POLLIN };
	struct epoll_event event;
	fd_set in;
	FD_ZERO(&in);
	FD_SET(the_socket, &in);
	switch (call) {
	case RECV: recv(the_socket, &byte, 1, MSG_PEEK); break;
	case POLL: poll(&entry, 1, -1); break;
	case SELECT: select(the_socket + 1, &in, NULL, NULL, NULL); break;
	default: epoll_wait(set, &event, 1, -1);
	}
}

static int make_set(void)
{
	int set = MUST(epoll_create1(0));
	struct epoll_event event = { .events = EPOLLIN };
	MUST(epoll_ctl(set, EPOLL_CTL_ADD, the_socket, &event));
	return set;
}

static void *sleeper(void *argument)
{
	enum call call = *(enum call *)argument;
	int set = call >= SET ? make_set() : -1;
	while (!over) {
		sleep_in(call, set);
		take();
	}
	return NULL;
}

static void serve(int fd, enum call call)
{
	the_socket = fd;
	pthread_t thread = start_thread(sleeper, &call);
	int set = call == OTHER_SET ? make_set() : -1;
	struct epoll_event event;
	while (!over) {
		/* Takes one, looks after more, and stays away for a while. */
		if (set >= 0)
			(void)epoll_wait(set, &event, 1, 0);
		if (!take())
			continue;
		for (int look = 0; look < 20 && !over; look++)
			(void)(set < 0 ? take() : epoll_wait(set, &event, 1, 0));
		sleep_ms(5);
	}
	pthread_join(thread, NULL);
	uint32_t seen = rescues();
	say("rescues: %u", seen > RESCUES_MOST ? seen : 0);
	MUST(shutdown(fd, SHUT_WR));
}

static void recv_server(int fd) { serve(fd, RECV); }
static void poll_server(int fd) { serve(fd, POLL); }
static void select_server(int fd) { serve(fd, SELECT); }
static void set_server(int fd) { serve(fd, SET); }
static void other_set_server(int fd) { serve(fd, OTHER_SET); }

static void client(int fd)
{
	char answer;
	for (int message = 1; message < MESSAGES; message++) {
		send_all(fd, "m", 1);
		recv_all(fd, &answer, 1);
		usleep(200);
	}
	MUST(shutdown(fd, SHUT_WR));
	say_result("then", recv(fd, &answer, 1, 0));
}

static const struct test_case cases[] = {
	{ "recv", recv_server, client, PAIRED },
	{ "poll", poll_server, client, PAIRED },
	{ "select", select_server, client, PAIRED },
	{ "epoll", set_server, client, PAIRED },
	{ "two sets", other_set_server, client, PAIRED },
};
MAIN(cases)
