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

/* All other calls that wait for something to come: none of them takes anything when it is cancelled. */
static char bytes[100];
static struct iovec pieces[2] = { { bytes, 50 }, { bytes + 50, 50 } };
static struct mmsghdr messages[2];

static void *sleep_in(void *number)
{
	struct msghdr message = { .msg_iov = pieces, .msg_iovlen = 2 };
	struct pollfd entry = { .fd = the_socket, .events = POLLIN };
	struct epoll_event event = { .events = EPOLLIN };
	struct timespec long_time = { 1000, 0 };
	fd_set set;
	FD_ZERO(&set);
	FD_SET(the_socket, &set);
	messages[0].msg_hdr = messages[1].msg_hdr = message;
	int epoll = -1;
	switch (*(int *)number) {
	case 0:
		return (void *)read(the_socket, bytes, 100);
	case 1:
		return (void *)readv(the_socket, pieces, 2);
	case 2:
		return (void *)recvfrom(the_socket, bytes, 100, 0, NULL, NULL);
	case 3:
		return (void *)recvmsg(the_socket, &message, 0);
	case 4:
		return (void *)(long)recvmmsg(the_socket, messages, 2, 0, NULL);
	case 5:
		return (void *)recv(the_socket, bytes, 100, MSG_PEEK);
	case 6:
		return (void *)recv(the_socket, bytes, 100, MSG_WAITALL);
	case 7:
		return (void *)(long)ppoll(&entry, 1, &long_time, NULL);
	case 8:
		return (void *)(long)select(the_socket + 1, &set, NULL, NULL, NULL);
	case 9:
		return (void *)(long)pselect(the_socket + 1, &set, NULL, NULL, &long_time, NULL);
	case 10:
		epoll = MUST(epoll_create1(0));
		MUST(epoll_ctl(epoll, EPOLL_CTL_ADD, the_socket, &event));
		return (void *)(long)epoll_pwait(epoll, &event, 1, -1, NULL);
	case 11:
		return (void *)preadv2(the_socket, pieces, 2, -1, 0);
	}
	return NULL;
}

enum { CALLS = 12 };

static void all_server(int fd)
{
	the_socket = fd;
	int cancelled = 0, right = 0;
	for (int number = 0; number < CALLS; number++) {
		/* Once before there was anything to spin for, and once while it is busy. */
		for (int round = 0; round < 2; round++) {
			pthread_t sleeper = start_thread(sleep_in, &number);
			if (round == 0)
				sleep_ms(20);
			MUST(pthread_cancel(sleeper));
			void *result;
			pthread_join(sleeper, &result);
			cancelled += result == PTHREAD_CANCELED;
			meet();
			char text[9] = "";
			recv_all(fd, text, 8);
			right += strcmp(text, "nothing?") == 0;
			send_text(fd, "x");
		}
	}
	say("cancelled: %d, right: %d", cancelled, right);
}

static void all_client(int fd)
{
	for (int i = 0; i < CALLS * 2; i++) {
		meet();
		send_text(fd, "nothing?");
		char byte;
		recv_all(fd, &byte, 1);
	}
}

/* Cancelled while there is no room: what was taken before has been sent, in order, and no byte of it twice. */
static void *fill_by(void *number)
{
	static uint8_t much[1 << 16];
	for (uint64_t at = 0;;) {
		fill(much, sizeof much, 5, at);
		struct iovec piece = { much, sizeof much };
		struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1 };
		switch (*(int *)number) {
		case 0:
			at += MUST(send(the_socket, much, sizeof much, 0));
			break;
		case 1:
			at += MUST(write(the_socket, much, sizeof much));
			break;
		case 2:
			at += MUST(writev(the_socket, &piece, 1));
			break;
		case 3:
			at += MUST(sendmsg(the_socket, &message, 0));
			break;
		}
	}
}

static void full_server(int fd, int number)
{
	the_socket = fd;
	pthread_t sender = start_thread(fill_by, &number);
	sleep_ms(300);
	MUST(pthread_cancel(sender));
	void *result;
	pthread_join(sender, &result);
	say_whether("cancelled", result == PTHREAD_CANCELED);
	MUST(shutdown(fd, SHUT_WR));
	meet();
	expect_text(fd, "read");
}

static void send_server(int fd) { full_server(fd, 0); }
static void write_server(int fd) { full_server(fd, 1); }
static void writev_server(int fd) { full_server(fd, 2); }
static void sendmsg_server(int fd) { full_server(fd, 3); }

static void full_client(int fd)
{
	meet();
	static uint8_t buffer[1 << 16];
	uint64_t at = 0;
	bool right = true;
	for (ssize_t got; (got = MUST(recv(fd, buffer, sizeof buffer, 0))) > 0; at += got)
		right = right && matches(buffer, got, 5, at);
	say_whether("right to the end", right && at > 0);
	send_text(fd, "read");
}

/* A listener's accept. */
static void *sleep_in_accept(void *number)
{
	return (void *)(long)(*(int *)number ? accept4(the_socket, NULL, NULL, SOCK_CLOEXEC) : accept(the_socket, NULL, NULL));
}

static void accept_server(int unused)
{
	(void)unused;
	int port;
	the_socket = listen_local(AF_INET, &port);
	for (int number = 0; number < 2; number++) {
		pthread_t sleeper = start_thread(sleep_in_accept, &number);
		sleep_ms(20);
		MUST(pthread_cancel(sleeper));
		void *result;
		pthread_join(sleeper, &result);
		say_whether("cancelled", result == PTHREAD_CANCELED);
	}
	post(PORT_PLACE, port);
	int fd = MUST(accept(the_socket, NULL, NULL));
	warm_server(fd);
	expect_text(fd, "accepted");
}

static void accept_client(int unused)
{
	(void)unused;
	int fd = connect_local(AF_INET, await(PORT_PLACE));
	warm_client(fd);
	send_text(fd, "accepted");
}

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
	{ "every call that receives or waits", all_server, all_client, PAIRED },
	{ "send", send_server, full_client, PAIRED },
	{ "write", write_server, full_client, PAIRED },
	{ "writev", writev_server, full_client, PAIRED },
	{ "sendmsg", sendmsg_server, full_client, PAIRED },
	{ "accept", accept_server, accept_client, RAW },
};
MAIN(cases)
