/* Everything sent before an end arrives: close, exit, _exit, return of a process, after small and large writes. */
#include "common.h"

static void receiver(int fd)
{
	recv_to_end("all", fd, 1);
}

static void slow_receiver(int fd)
{
	sleep_ms(50);
	recv_to_end("all", fd, 1);
}

static void small_writes(int fd)
{
	for (int i = 0; i < 5000; i++) {
		uint8_t byte = pattern(1, i);
		send_all(fd, &byte, 1);
	}
}

static void close_client(int fd)
{
	small_writes(fd);
	MUST(close(fd));
}

static void exit_client(int fd)
{
	small_writes(fd);
	exit(0);
}

static void quick_exit_client(int fd)
{
	small_writes(fd);
	_exit(0);
}

static void large_exit_client(int fd)
{
	send_pattern(fd, 3000000, 300000, 1);
	_exit(0);
}

static void one_write_client(int fd)
{
	send_pattern(fd, 200000, 200000, 1);
	_exit(0);
}

static void *send_from_thread(void *argument)
{
	small_writes(*(int *)argument);
	exit(0);
}

static void thread_client(int fd)
{
	pthread_t thread = start_thread(send_from_thread, &fd);
	pthread_join(thread, NULL);
}

static void replaced_client(int fd)
{
	MUST(fcntl(fd, F_SETFD, FD_CLOEXEC));
	small_writes(fd);
	execl("/bin/true", "true", (char *)NULL);
	_exit(9);
}

static void abort_client(int fd)
{
	small_writes(fd);
	kill(getpid(), SIGKILL);
}

static const struct test_case cases[] = {
	{ "close", receiver, close_client, PAIRED },
	{ "close, slow receiver", slow_receiver, close_client, PAIRED },
	{ "exit", receiver, exit_client, PAIRED },
	{ "_exit", slow_receiver, quick_exit_client, PAIRED },
	{ "_exit after much", receiver, large_exit_client, PAIRED },
	{ "_exit after one write", slow_receiver, one_write_client, PAIRED },
	{ "exit from a thread", receiver, thread_client, PAIRED },
	{ "closed by exec", receiver, replaced_client, PAIRED },
	{ "kill -9 of itself", slow_receiver, abort_client, PAIRED },
};
MAIN(cases)
