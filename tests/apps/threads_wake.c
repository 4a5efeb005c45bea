/* One thread sleeps on a socket while another uses it: sends, shuts down, closes. */
#include "common.h"

static int the_socket;

static void *sleep_in_recv(void *unused)
{
	(void)unused;
	char buffer[16];
	say_result("sleeper in recv", recv(the_socket, buffer, sizeof buffer, 0));
	return NULL;
}

static void *sleep_in_poll(void *unused)
{
	(void)unused;
	struct pollfd entry = { .fd = the_socket, .events = POLLIN | POLLRDHUP };
	say_result("sleeper in poll", poll(&entry, 1, 30000));
	say_events("sleeper", entry.revents, POLLIN | POLLHUP | POLLRDHUP | POLLERR | POLLNVAL);
	return NULL;
}

static void sends_server(int fd)
{
	the_socket = fd;
	for (int round = 0; round < 10; round++) {
		pthread_t sleeper = start_thread(round & 1 ? sleep_in_poll : sleep_in_recv, NULL);
		sleep_ms(round * 4);
		send_text(fd, "wake");
		pthread_join(sleeper, NULL);
		if (round & 1)
			expect_text(fd, "woken");
	}
}

static void sends_client(int fd)
{
	for (int round = 0; round < 10; round++) {
		expect_text(fd, "wake");
		send_text(fd, "woken");
	}
}

static void shut(int fd, void *(*sleeper_body)(void *), int how)
{
	the_socket = fd;
	pthread_t sleeper = start_thread(sleeper_body, NULL);
	sleep_ms(50);
	MUST(shutdown(fd, how));
	pthread_join(sleeper, NULL);
}

static void shut_recv_server(int fd) { shut(fd, sleep_in_recv, SHUT_RD); }
static void shut_both_server(int fd) { shut(fd, sleep_in_recv, SHUT_RDWR); }
static void shut_poll_server(int fd) { shut(fd, sleep_in_poll, SHUT_RD); }

static void stay(int fd)
{
	(void)fd;
	meet();
}

static void shut_and_stay(int fd)
{
	shut_recv_server(fd);
	meet();
}

static void shut_both_and_stay(int fd)
{
	shut_both_server(fd);
	meet();
}

static void shut_poll_and_stay(int fd)
{
	shut_poll_server(fd);
	meet();
}

/* Linux: close does not wake a sleeper, and what arrives then still reaches it. */
static void closed_server(int fd, void *(*sleeper_body)(void *))
{
	the_socket = fd;
	pthread_t sleeper = start_thread(sleeper_body, NULL);
	sleep_ms(50);
	MUST(close(fd));
	meet();
	pthread_join(sleeper, NULL);
}

static void closed_recv_server(int fd) { closed_server(fd, sleep_in_recv); }
static void closed_poll_server(int fd) { closed_server(fd, sleep_in_poll); }

static void closed_client(int fd)
{
	meet();
	sleep_ms(30);
	say_result("send", send(fd, "data", 4, MSG_NOSIGNAL));
}

static void *send_much(void *unused)
{
	(void)unused;
	static char buffer[1 << 20];
	ssize_t sent;
	while ((sent = send(the_socket, buffer, sizeof buffer, MSG_NOSIGNAL)) == (ssize_t)sizeof buffer)
		;
	/* Part of it went in, or none; then the next send says why. */
	say_result("sleeper in send, at last", sent > 0 ? send(the_socket, buffer, 1, MSG_NOSIGNAL) : sent);
	return NULL;
}

static void shut_send_server(int fd)
{
	the_socket = fd;
	pthread_t sleeper = start_thread(send_much, NULL);
	sleep_ms(100);
	MUST(shutdown(fd, SHUT_WR));
	pthread_join(sleeper, NULL);
	meet();
}

/* Two sleepers: each message wakes one of them, and none is lost. */
static _Atomic int messages;

static void *take_messages(void *unused)
{
	(void)unused;
	char buffer[4];
	while (recv(the_socket, buffer, 4, MSG_WAITALL) == 4)
		atomic_fetch_add(&messages, 1);
	return NULL;
}

static void two_server(int fd)
{
	the_socket = fd;
	pthread_t a = start_thread(take_messages, NULL), b = start_thread(take_messages, NULL);
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	say("messages: %d", messages);
}

static void two_client(int fd)
{
	for (int i = 0; i < 100; i++) {
		send_all(fd, "four", 4);
		if (i % 5 == 0)
			sleep_ms(i % 4);
	}
	MUST(shutdown(fd, SHUT_WR));
}

static const struct test_case cases[] = {
	{ "other direction", sends_server, sends_client, PAIRED },
	{ "shutdown wakes recv", shut_and_stay, stay, PAIRED },
	{ "shutdown of both wakes recv", shut_both_and_stay, stay, PAIRED },
	{ "shutdown wakes poll", shut_poll_and_stay, stay, PAIRED },
	{ "shutdown wakes send", shut_send_server, stay, PAIRED },
	{ "close and recv", closed_recv_server, closed_client, PAIRED },
	{ "close and poll", closed_poll_server, closed_client, PAIRED },
	{ "two sleepers", two_server, two_client, PAIRED },
};
MAIN(cases)
