/* EPIPE with and without SIGPIPE, by every way to send. */
#include "common.h"

static void say_signals(const char *what, long result)
{
	char line[64];
	snprintf(line, sizeof line, "%s", what);
	say_result(line, result);
	say("signals: %d", (int)signals_counted);
	signals_counted = 0;
}

static void every_way(int fd)
{
	char bytes[4] = "abc";
	struct iovec parts[2] = { { bytes, 2 }, { bytes, 2 } };
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
	say_signals("write", write(fd, bytes, 4));
	say_signals("writev", writev(fd, parts, 2));
	say_signals("send", send(fd, bytes, 4, 0));
	say_signals("send, MSG_NOSIGNAL", send(fd, bytes, 4, MSG_NOSIGNAL));
	say_signals("send, MSG_DONTWAIT", send(fd, bytes, 4, MSG_DONTWAIT));
	say_signals("sendto", sendto(fd, bytes, 4, 0, NULL, 0));
	say_signals("sendmsg", sendmsg(fd, &message, 0));
	say_signals("sendmsg, MSG_NOSIGNAL", sendmsg(fd, &message, MSG_NOSIGNAL));
	struct mmsghdr messages[1] = { { .msg_hdr = message } };
	say_signals("sendmmsg", sendmmsg(fd, messages, 1, 0));
	say_signals("write of nothing", write(fd, bytes, 0));
}

static void own_end_server(int fd)
{
	count_signal(SIGPIPE, SA_RESTART);
	MUST(shutdown(fd, SHUT_WR));
	every_way(fd);
	signal(SIGPIPE, SIG_IGN);
	say_result("ignored", write(fd, "x", 1));
}

static void reset_server(int fd)
{
	count_signal(SIGPIPE, SA_RESTART);
	meet();
	MUST(wait_for(fd, POLLHUP) ? 0 : -1);
	char byte;
	say_result("recv", recv(fd, &byte, 1, 0));
	every_way(fd);
}

static void stay(int fd)
{
	(void)fd;
}

static void reset_client(int fd)
{
	struct linger now = { 1, 0 };
	MUST(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now));
	MUST(close(fd));
	meet();
}

static void write_once(int fd)
{
	(void)!write(fd, "x", 1);
	say("still alive");
}

static void killed_server(int fd)
{
	MUST(shutdown(fd, SHUT_WR));
	join_child("a child without a handler", start_child(write_once, fd));
	signal(SIGPIPE, SIG_IGN);
	join_child("a child that ignores it", start_child(write_once, fd));
}

static const struct test_case cases[] = {
	{ "after own end", own_end_server, stay, PAIRED },
	{ "after reset", reset_server, reset_client, PAIRED },
	{ "killed", killed_server, stay, PAIRED },
};
MAIN(cases)
