/* A live connection passed to another process by SCM_RIGHTS, with data in flight both ways. */
#include "common.h"

/* The heir was forked before there was any connection. */
static void inherit(int over)
{
	int fd = recv_descriptor(over, MSG_CMSG_CLOEXEC);
	recv_pattern("heir", fd, 4000, 1000, 1);
	send_pattern(fd, 100000, 7000, 2);
	recv_pattern("heir", fd, 100000, 7000, 3);
	MUST(shutdown(fd, SHUT_WR));
	MUST(close(fd));
}

static void passed(bool keep)
{
	int over[2];
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, over));
	pid_t heir = start_child(inherit, over[1]);
	MUST(close(over[1]));
	int fd = server_connection(AF_INET);
	send_pattern(fd, 3000, 3000, 4);
	meet();
	recv_pattern("first owner", fd, 1000, 1000, 0);
	send_descriptor(over[0], fd);
	if (!keep)
		MUST(close(fd));
	join_child("heir", heir);
	if (keep) {
		expect_text(fd, "the end is the first owner's");
		MUST(close(fd));
	} else {
		meet();
	}
}

static void passed_server(int unused)
{
	(void)unused;
	passed(false);
}

static void kept_server(int unused)
{
	(void)unused;
	passed(true);
}

static void talk(int fd)
{
	send_pattern(fd, 1000, 1000, 0);
	send_pattern(fd, 3000, 3000, 1);
	meet();
	sleep_ms(20);
	uint8_t last[1000];
	fill(last, sizeof last, 1, 3000);
	send_all(fd, last, sizeof last);
	recv_pattern("from the first owner", fd, 3000, 1000, 4);
	recv_pattern("from the heir", fd, 100000, 9000, 2);
	send_pattern(fd, 100000, 7000, 3);
}

static void passed_client(int unused)
{
	(void)unused;
	int fd = client_connection(AF_INET);
	talk(fd);
	char byte;
	say_result("end", recv(fd, &byte, 1, 0));
	meet();
}

static void kept_client(int unused)
{
	(void)unused;
	int fd = client_connection(AF_INET);
	talk(fd);
	char byte;
	say_result("end", recv(fd, &byte, 1, 0));
	send_text(fd, "the end is the first owner's");
}

/* In flight while nobody holds it: sent, closed, and received later; also when nobody ever takes it. */
static void adrift_server(int fd)
{
	int over[2];
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, over));
	send_descriptor(over[0], fd);
	MUST(close(fd));
	meet();
	sleep_ms(30);
	fd = recv_descriptor(over[1], MSG_CMSG_CLOEXEC);
	expect_text(fd, "sent to nobody");
	send_text(fd, "taken up");
	expect_text(fd, "good");
	send_descriptor(over[0], fd);
	MUST(close(fd));
	MUST(close(over[0]));
	MUST(close(over[1]));
}

static void adrift_client(int fd)
{
	meet();
	send_text(fd, "sent to nobody");
	expect_text(fd, "taken up");
	send_text(fd, "good");
	char byte;
	say_result("end", recv(fd, &byte, 1, 0));
}

static const struct test_case cases[] = {
	{ "passed", passed_server, passed_client, RAW },
	{ "passed and kept", kept_server, kept_client, RAW },
	{ "adrift", adrift_server, adrift_client, PAIRED },
};
MAIN(cases)
