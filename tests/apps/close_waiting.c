/* A descriptor is closed, replaced or shut down by one thread while another one waits on it. */
#include "common.h"
#include <sys/syscall.h>

static _Atomic long waiter;

/* Until the other thread sleeps in the kernel. */
static void let_wait(void)
{
	char path[64], line[256], state = 0;
	while (atomic_load(&waiter) == 0)
		usleep(1000);
	snprintf(path, sizeof path, "/proc/self/task/%ld/stat", atomic_load(&waiter));
	for (int asleep = 0; asleep < 20; asleep = state == 'S' ? asleep + 1 : 0) {
		FILE *file = fopen(path, "r");
		if (!file || !fgets(line, sizeof line, file))
			die("%s", path);
		fclose(file);
		state = strrchr(line, ')')[2];
		usleep(1000);
	}
}

static void *receive(void *argument)
{
	char buffer[16];
	atomic_store(&waiter, syscall(SYS_gettid));
	ssize_t got = recv(*(int *)argument, buffer, sizeof buffer, 0);
	say("waiting recv: %s", got < 0 ? error_name(errno) : got == 0 ? "end" : "data");
	return NULL;
}

static void *await_event(void *argument)
{
	struct pollfd entry = { .fd = *(int *)argument, .events = POLLIN };
	atomic_store(&waiter, syscall(SYS_gettid));
	int count = poll(&entry, 1, 5000);
	say("waiting poll: %d", count);
	say_events("events", entry.revents, POLLIN | POLLHUP | POLLERR | POLLNVAL);
	return NULL;
}

/* A waiting receive holds the socket: the peer's data still ends it, and the connection ends then. */
static void closed_server(int fd)
{
	pthread_t thread = start_thread(receive, &fd);
	let_wait();
	MUST(close(fd));
	char byte;
	say_result("closed", recv(fd, &byte, 1, 0));
	meet();
	pthread_join(thread, NULL);
}

static void closed_client(int fd)
{
	meet();
	send_text(fd, "late");
	char byte;
	struct pollfd entry = { .fd = fd, .events = POLLIN };
	say_result("ended", poll(&entry, 1, 5000));
	say_result("then", recv(fd, &byte, 1, 0));
}

static void shut_server(int fd)
{
	pthread_t thread = start_thread(receive, &fd);
	let_wait();
	MUST(shutdown(fd, SHUT_RDWR));
	pthread_join(thread, NULL);
	char byte;
	say_result("recv", recv(fd, &byte, 1, 0));
	say_result("send", send(fd, "x", 1, MSG_NOSIGNAL));
	say_result("shutdown again", shutdown(fd, SHUT_RD));
}

static void shut_client(int fd)
{
	char byte;
	say_result("end", recv(fd, &byte, 1, 0));
}

static void shut_poll_server(int fd)
{
	pthread_t thread = start_thread(await_event, &fd);
	let_wait();
	MUST(shutdown(fd, SHUT_RD));
	pthread_join(thread, NULL);
	char byte;
	say_result("recv", recv(fd, &byte, 1, 0));
	send_text(fd, "still sends");
}

static void shut_poll_client(int fd)
{
	expect_text(fd, "still sends");
}

/* dup2 over it: the waiting call keeps to what it began with. */
static void replaced_server(int fd)
{
	int ends[2];
	MUST(pipe(ends));
	pthread_t thread = start_thread(receive, &fd);
	let_wait();
	MUST(dup2(ends[0], fd));
	MUST(write(ends[1], "pipe", 4));
	meet();
	pthread_join(thread, NULL);
	char buffer[8];
	say_result("the number is the pipe's", read(fd, buffer, sizeof buffer));
}

static const struct test_case cases[] = {
	{ "closed", closed_server, closed_client, PAIRED },
	{ "replaced", replaced_server, closed_client, PAIRED },
	{ "shut down", shut_server, shut_client, PAIRED },
	{ "shut down under poll", shut_poll_server, shut_poll_client, PAIRED },
};
MAIN(cases)
