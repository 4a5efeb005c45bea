/* Threads with 16 KiB of stack, of which half is used: they receive what they slept for, end a stream that nobody has read yet, send a
 * file, throw bytes away, and hand a connection with unread bytes to the kernel. */
#include "common.h"
#include <sys/sendfile.h>

/* With 64 KiB for the threads' own variables of `tools.c` and a guard page. */
#define STACK ((64 + 4 + 16) * 1024)
#define USED (8 * 1024)
#define UNREAD 3000

/* What the thread is there for, below what the program uses itself. */
static __thread void (*volatile work)(int fd);

static __attribute__((noinline)) void below(int fd)
{
	volatile char used[USED];
	for (int i = 0; i < USED; i += 64)
		used[i] = 1;
	work(fd);
	if (used[0] != 1)
		die("the stack");
}

struct task {
	void (*work)(int fd);
	int fd;
};

static void *begin(void *task)
{
	work = ((struct task *)task)->work;
	below(((struct task *)task)->fd);
	return NULL;
}

static uint8_t unread[UNREAD];

static void on_small_stack(void (*body)(int fd), int fd)
{
	struct task task = { body, fd };
	pthread_t thread;
	pthread_attr_t attributes;
	errno = pthread_attr_init(&attributes);
	MUST(-errno);
	errno = pthread_attr_setstacksize(&attributes, STACK);
	MUST(-errno);
	errno = pthread_create(&thread, &attributes, begin, &task);
	MUST(-errno);
	errno = pthread_join(thread, NULL);
	MUST(-errno);
}

static void receive(int fd)
{
	char byte = 0;
	for (char i = 0; i < 10; i++)
		if (recv(fd, &byte, 1, 0) != 1 || byte != i)
			die("byte %d", i);
}

static void end(int fd)
{
	MUST(send(fd, unread, sizeof unread, 0));
	MUST(shutdown(fd, SHUT_WR));
}

static void server(int fd)
{
	fill(unread, sizeof unread, 5, 0);
	on_small_stack(receive, fd);
	say("received");
	on_small_stack(end, fd);
	meet();
}

static void client(int fd)
{
	for (char i = 0; i < 10; i++) {
		sleep_ms(10);
		MUST(send(fd, &i, 1, 0));
	}
	meet();
	recv_to_end("what was left unread", fd, 5);
}

static int file;

static void send_file(int fd)
{
	MUST(sendfile(fd, file, NULL, UNREAD));
}

static void throw_away(int fd)
{
	while (recv(fd, NULL, 8, MSG_TRUNC | MSG_DONTWAIT) > 0)
		;
}

/* Only the kernel has time stamps. */
static void hand_over(int fd)
{
	int on = 1;
	MUST(setsockopt(fd, SOL_SOCKET, SO_TIMESTAMP, &on, sizeof on));
}

static void file_server(int fd)
{
	file = MUST(memfd_create("file", 0));
	fill(unread, sizeof unread, 5, 0);
	MUST(write(file, unread, sizeof unread));
	MUST(lseek(file, 0, SEEK_SET));
	on_small_stack(send_file, fd);
	say("sent");
	meet();
	MUST(wait_for(fd, POLLIN) ? 0 : -1);
	on_small_stack(throw_away, fd);
	say("thrown away");
	meet();
	MUST(wait_for(fd, POLLIN) ? 0 : -1);
	on_small_stack(hand_over, fd);
	recv_pattern("handed over", fd, UNREAD, UNREAD, 6);
}

static void file_client(int fd)
{
	recv_pattern("file", fd, UNREAD, UNREAD, 5);
	MUST(send(fd, unread, sizeof unread, 0));
	meet();
	meet();
	send_pattern(fd, UNREAD, UNREAD, 6);
}

static const struct test_case cases[] = {
	{ "small_stack", server, client, PAIRED },
	{ "a file, bytes thrown away, a move", file_server, file_client, PAIRED },
};
MAIN(cases)
