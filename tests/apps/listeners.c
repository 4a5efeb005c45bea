/* Listening sockets: shutdown and close wake accept, two share a port, deferred accepts, data with the first packet, and
 * accepted connections that inherit their listener's options. */
#include "common.h"

static void *accept_one(void *argument)
{
	int fd = accept(*(int *)argument, NULL, NULL);
	say_result("waiting accept", fd < 0 ? -1 : 0);
	return NULL;
}

static void woken_server(int unused)
{
	(void)unused;
	int port, listener = listen_local(AF_INET, &port);
	pthread_t thread = start_thread(accept_one, &listener);
	sleep_ms(50);
	MUST(shutdown(listener, SHUT_RDWR));
	pthread_join(thread, NULL);
	say_result("accept after shutdown", accept(listener, NULL, NULL));
	struct pollfd entry = { .fd = listener, .events = POLLIN };
	say_result("poll", poll(&entry, 1, 100));
	say_events("events", entry.revents, ~0u);
	say_result("listen again", listen(listener, 5));
	struct sockaddr_in address;
	socklen_t length = sizeof address;
	MUST(getsockname(listener, (struct sockaddr *)&address, &length));
	post(PORT_PLACE, ntohs(address.sin_port));
	int fd = MUST(accept(listener, NULL, NULL));
	warm_server(fd);
	expect_text(fd, "after all");
}

static void woken_client(int unused)
{
	(void)unused;
	int fd = connect_local(AF_INET, await(PORT_PLACE));
	warm_client(fd);
	send_text(fd, "after all");
}

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t length = sizeof value;
	MUST(getsockopt(fd, level, name, &value, &length));
	return value;
}

static void set(int fd, int level, int name, int value)
{
	MUST(setsockopt(fd, level, name, &value, sizeof value));
}

static int listen_again(int port, int *own_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = MUST(socket(AF_INET, SOCK_STREAM, 0));
	set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	MUST(bind(fd, (struct sockaddr *)&address, sizeof address));
	MUST(listen(fd, 64));
	socklen_t length = sizeof address;
	MUST(getsockname(fd, (struct sockaddr *)&address, &length));
	*own_port = ntohs(address.sin_port);
	return fd;
}

enum { SHARED = 24 };

/* Whichever of the two the kernel chooses: each connection works. */
static void shared_server(int unused)
{
	(void)unused;
	int port, listeners[2];
	listeners[0] = listen_again(0, &port);
	listeners[1] = listen_again(port, &port);
	post(PORT_PLACE, port);
	for (int i = 0; i < SHARED; i++) {
		struct pollfd entries[2] = { { listeners[0], POLLIN, 0 }, { listeners[1], POLLIN, 0 } };
		MUST(poll(entries, 2, -1));
		int fd = MUST(accept(listeners[entries[0].revents ? 0 : 1], NULL, NULL));
		warm_server(fd);
		expect_text(fd, "shared");
		MUST(close(fd));
	}
}

static void shared_client(int unused)
{
	(void)unused;
	for (int i = 0; i < SHARED; i++) {
		int fd = connect_local(AF_INET, await(PORT_PLACE));
		warm_client(fd);
		send_text(fd, "shared");
		char byte;
		say_result("end", recv(fd, &byte, 1, 0));
		MUST(close(fd));
	}
}

static void options_server(int unused)
{
	(void)unused;
	int port, listener = listen_local(AF_INET, &port);
	set(listener, IPPROTO_TCP, TCP_NODELAY, 1);
	set(listener, SOL_SOCKET, SO_KEEPALIVE, 1);
	set(listener, IPPROTO_TCP, TCP_KEEPIDLE, 77);
	set(listener, IPPROTO_TCP, TCP_USER_TIMEOUT, 12345);
	set(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, 5);
	struct timeval limit = { 1, 0 };
	MUST(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
	say_result("accept with a limit", accept(listener, NULL, NULL));
	post(PORT_PLACE, port);
	int fd;
	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) < 0 && errno == EAGAIN)
		;
	char byte;
	say_result("its first byte is there", recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK));
	warm_server(fd);
	say("no delay %d keep alive %d idle %d user timeout %d", option(fd, IPPROTO_TCP, TCP_NODELAY),
	    option(fd, SOL_SOCKET, SO_KEEPALIVE), option(fd, IPPROTO_TCP, TCP_KEEPIDLE),
	    option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT));
	say_result("the limit is inherited", recv(fd, &byte, 1, 0));
	meet();
	expect_text(fd, "in time");
	say_whether("close on exec", fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void options_client(int unused)
{
	(void)unused;
	int fd = connect_local(AF_INET, await(PORT_PLACE));
	sleep_ms(20);
	warm_client(fd);
	meet();
	send_text(fd, "in time");
}

static void early_server(int unused)
{
	(void)unused;
	int port, listener = listen_local(AF_INET, &port);
	set(listener, IPPROTO_TCP, TCP_FASTOPEN, 16);
	post(PORT_PLACE, port);
	for (int i = 0; i < 4; i++) {
		int fd = MUST(accept(listener, NULL, NULL));
		expect_text(fd, "early");
		warm_server(fd);
		recv_pattern("then", fd, 30000, 999, 1);
		send_text(fd, "all");
		MUST(close(fd));
	}
}

/* The first is of one kind, the next one of the other. */
static void early(int first)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(await(PORT_PLACE)) };
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (int i = first; i < first + 4; i++) {
		int fd = MUST(socket(AF_INET, SOCK_STREAM, 0));
		if (i % 2 == 0) {
			set(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
			MUST(connect(fd, (struct sockaddr *)&address, sizeof address));
			send_text(fd, "early");
		} else {
			say_result("sendto", sendto(fd, "early", 5, MSG_FASTOPEN, (struct sockaddr *)&address, sizeof address));
		}
		warm_client(fd);
		send_pattern(fd, 30000, 3000, 1);
		expect_text(fd, "all");
		char byte;
		say_result("end", recv(fd, &byte, 1, 0));
		MUST(close(fd));
	}
}

static void early_client(int unused)
{
	(void)unused;
	early(0);
}

static void earlier_client(int unused)
{
	(void)unused;
	early(1);
}

static const struct test_case cases[] = {
	{ "shutdown", woken_server, woken_client, RAW },
	{ "two of one port", shared_server, shared_client, RAW },
	{ "options", options_server, options_client, RAW },
	{ "early data", early_server, early_client, RAW },
	{ "early data by sendto", early_server, earlier_client, RAW },
};
MAIN(cases)
