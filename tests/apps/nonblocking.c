/* O_NONBLOCK set and cleared in mid-stream, by fcntl and FIONBIO, shared by duplicates; accept4's and socket's flags. */
#include "common.h"

static void say_flag(const char *what, int fd)
{
	say("%s: %s", what, MUST(fcntl(fd, F_GETFL)) & O_NONBLOCK ? "nonblocking" : "blocking");
}

static void by_ioctl(int fd, int on)
{
	MUST(ioctl(fd, FIONBIO, &on));
}

static void toggled_server(int fd)
{
	char buffer[16];
	int twin = MUST(dup(fd));
	say_flag("at first", fd);
	set_nonblocking(fd, true);
	say_flag("set", fd);
	say_flag("its duplicate", twin);
	say_result("recv", recv(fd, buffer, 4, 0));
	say_result("read of the duplicate", read(twin, buffer, 4));
	by_ioctl(twin, 0);
	say_flag("cleared by ioctl", fd);
	meet();
	say_result("blocking recv", recv(fd, buffer, 4, 0));
	by_ioctl(fd, 1);
	say_flag("set by ioctl", twin);
	say_result("recv", recv(fd, buffer, 4, 0));
	meet();
	MUST(wait_for(fd, POLLIN) ? 0 : -1);
	say_result("recv with data", recv(fd, buffer, 4, 0));
	set_nonblocking(fd, false);
	meet();
	say_result("blocking read", read(fd, buffer, 4));
	set_nonblocking(fd, true);
	set_nonblocking(fd, false);
	set_nonblocking(fd, true);
	say_result("recv", recv(fd, buffer, 4, 0));
	say_result("other flags", fcntl(fd, F_SETFL, O_RDWR | O_APPEND) < 0 ? -1 : 0);
	say_flag("cleared by them", fd);
}

static void toggled_client(int fd)
{
	meet();
	sleep_ms(40);
	send_text(fd, "data");
	meet();
	send_text(fd, "data");
	meet();
	sleep_ms(40);
	send_text(fd, "data");
}

/* Toggles while a stream flows: blocking and nonblocking receives by turns. */
static void flowing_server(int fd)
{
	static uint8_t buffer[5000];
	uint64_t got = 0;
	bool right = true;
	for (int round = 0; got < 2000000; round++) {
		set_nonblocking(fd, round & 1);
		ssize_t now = recv(fd, buffer, 1 + round % sizeof buffer, 0);
		if (now < 0 && errno == EAGAIN && (round & 1))
			continue;
		if (MUST(now) == 0)
			die("end");
		right = right && matches(buffer, now, 1, got);
		got += now;
	}
	say_whether("right", right);
}

static void flowing_client(int fd)
{
	static uint8_t buffer[70000];
	uint64_t sent = 0;
	for (int round = 0; sent < 2000000; round++) {
		by_ioctl(fd, round & 1);
		size_t length = 1 + round * 977 % sizeof buffer;
		length = length < 2000000 - sent ? length : 2000000 - sent;
		fill(buffer, length, 1, sent);
		ssize_t now = send(fd, buffer, length, 0);
		if (now < 0 && errno == EAGAIN && (round & 1))
			continue;
		sent += MUST(now);
	}
	say("all sent");
}

static void accepted_server(int unused)
{
	(void)unused;
	int port, listener = listen_local(AF_INET, &port);
	set_nonblocking(listener, true);
	say_result("accept, nobody there", accept(listener, NULL, NULL));
	post(PORT_PLACE, port);
	MUST(wait_for(listener, POLLIN) ? 0 : -1);
	int fd = MUST(accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
	say_flag("accept4", fd);
	say("close on exec: %d", (int)MUST(fcntl(fd, F_GETFD)));
	set_nonblocking(fd, false);
	warm_server(fd);
	MUST(wait_for(listener, POLLIN) ? 0 : -1);
	int other = MUST(accept(listener, NULL, NULL));
	say_flag("accept inherits nothing", other);
	say_result("odd flags", accept4(listener, NULL, NULL, 1));
}

static void accepted_client(int unused)
{
	(void)unused;
	warm_client(connect_local(AF_INET, await(PORT_PLACE)));
	int fd = connect_local(AF_INET, await(PORT_PLACE));
	say_flag("connected", fd);
}

static const struct test_case cases[] = {
	{ "toggled", toggled_server, toggled_client, PAIRED },
	{ "while data flows", flowing_server, flowing_client, PAIRED },
	{ "accepted", accepted_server, accepted_client, RAW },
};
MAIN(cases)
