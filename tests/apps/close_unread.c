/* close with unread data resets the connection. */
#include "common.h"

static void say_error(int fd)
{
	int error = -1;
	socklen_t length = sizeof error;
	MUST(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length));
	say("SO_ERROR: %s", error ? error_name(error) : "none");
}

static void close_after(int fd, int take)
{
	char buffer[16];
	meet();
	MUST(wait_for(fd, POLLIN) ? 0 : -1);
	if (take)
		recv_all(fd, buffer, take);
	MUST(close(fd));
	meet();
}

static void all_unread(int fd) { close_after(fd, 0); }
static void part_unread(int fd) { close_after(fd, 4); }
static void none_unread(int fd) { close_after(fd, 10); }

static void receive_client(int fd)
{
	char byte;
	send_text(fd, "0123456789");
	meet();
	meet();
	MUST(wait_for(fd, POLLIN) ? 0 : -1);
	say_result("recv", recv(fd, &byte, 1, 0));
	say_result("recv again", recv(fd, &byte, 1, 0));
}

static void send_client(int fd)
{
	char byte = 0;
	send_text(fd, "0123456789");
	meet();
	meet();
	MUST(wait_for(fd, POLLHUP) ? 0 : -1);
	say_result("send", send(fd, &byte, 1, MSG_NOSIGNAL));
	say_result("send again", send(fd, &byte, 1, MSG_NOSIGNAL));
	say_error(fd);
}

static void ask_client(int fd)
{
	send_text(fd, "0123456789");
	meet();
	meet();
	MUST(wait_for(fd, POLLHUP) ? 0 : -1);
	say_error(fd);
	say_error(fd);
	char byte;
	say_result("recv", recv(fd, &byte, 1, 0));
}

static void blocked_client(int fd)
{
	char byte;
	send_text(fd, "0123456789");
	meet();
	say_result("blocked recv", recv(fd, &byte, 1, 0));
	meet();
}

static void late_server(int fd)
{
	meet();
	sleep_ms(50);
	MUST(close(fd));
	meet();
}

/* The closing side had sent something too: it is lost or not as TCP has it, so only the end is said. */
static void shutdown_server(int fd)
{
	meet();
	MUST(wait_for(fd, POLLIN) ? 0 : -1);
	MUST(shutdown(fd, SHUT_RDWR));
	meet();
	MUST(close(fd));
}

static void shutdown_client(int fd)
{
	char byte;
	send_text(fd, "0123456789");
	meet();
	meet();
	say_result("recv", recv(fd, &byte, 1, 0));
}

static const struct test_case cases[] = {
	{ "all unread, receive", all_unread, receive_client, PAIRED },
	{ "part unread, receive", part_unread, receive_client, PAIRED },
	{ "none unread, receive", none_unread, receive_client, PAIRED },
	{ "all unread, send", all_unread, send_client, PAIRED },
	{ "all unread, SO_ERROR", part_unread, ask_client, PAIRED },
	{ "all unread, blocked receiver", late_server, blocked_client, PAIRED },
	{ "shutdown with unread data", shutdown_server, shutdown_client, PAIRED },
};
MAIN(cases)
