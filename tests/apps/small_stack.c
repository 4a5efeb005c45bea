/* Threads with 16 KiB of stack: they receive what they slept for, and end a stream that nobody has read yet. */
#include "common.h"

/* With 64 KiB for the threads' own variables of `tools.c` and a guard page. */
#define STACK ((64 + 4 + 16) * 1024)
#define UNREAD 3000

static void on_small_stack(void *(*body)(void *), int fd)
{
	pthread_t thread;
	pthread_attr_t attributes;
	errno = pthread_attr_init(&attributes);
	MUST(-errno);
	errno = pthread_attr_setstacksize(&attributes, STACK);
	MUST(-errno);
	errno = pthread_create(&thread, &attributes, body, (void *)(intptr_t)fd);
	MUST(-errno);
	errno = pthread_join(thread, NULL);
	MUST(-errno);
}

static void *receive(void *fd)
{
	char byte = 0;
	for (char i = 0; i < 10; i++)
		if (recv((intptr_t)fd, &byte, 1, 0) != 1 || byte != i)
			die("byte %d", i);
	return NULL;
}

static void *end(void *fd)
{
	uint8_t buffer[UNREAD];
	fill(buffer, sizeof buffer, 5, 0);
	send_all((intptr_t)fd, buffer, sizeof buffer);
	MUST(shutdown((intptr_t)fd, SHUT_WR));
	return NULL;
}

static void server(int fd)
{
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

static const struct test_case cases[] = {
	{ "small_stack", server, client, PAIRED },
};
MAIN(cases)
