/* MSG_DONTWAIT on a blocking socket, MSG_TRUNC (on TCP: throw away), receives of length 0, odd flags. */
#include "common.h"

enum { MUCH = 9000 };

static void server(int fd)
{
	char buffer[32] = "................";
	say_result("nothing there", recv(fd, buffer, 4, MSG_DONTWAIT));
	say_result("length 0, nothing there, no wait", recv(fd, buffer, 0, MSG_DONTWAIT));
	meet();
	MUST(wait_for(fd, POLLIN) ? 0 : -1);
	say_result("length 0", recv(fd, buffer, 0, 0));
	say_result("read of 0", read(fd, buffer, 0));
	say_result("thrown away", recv(fd, buffer, 4, MSG_TRUNC));
	say("the buffer is untouched: %.4s", buffer);
	say_result("thrown away, no buffer", recv(fd, NULL, 2, MSG_TRUNC));
	say_result("recvfrom", recvfrom(fd, buffer, 2, 0, NULL, NULL));
	say("bytes: %.2s", buffer);
	struct sockaddr_storage from;
	socklen_t length = sizeof from;
	say_result("recvfrom with an address", recvfrom(fd, buffer, 2, 0, (struct sockaddr *)&from, &length));
	say("address of length %d", (int)length);
	say_result("read", read(fd, buffer, sizeof buffer));
	say_result("drained", recv(fd, buffer, 4, MSG_DONTWAIT));
	say_result("MSG_OOB without urgent data", recv(fd, buffer, 4, MSG_OOB | MSG_DONTWAIT));
	say_result("MSG_ERRQUEUE, empty", recv(fd, buffer, 4, MSG_ERRQUEUE | MSG_DONTWAIT));
	meet();
	MUST(wait_for(fd, POLLIN) ? 0 : -1);
	say_result("MSG_CMSG_CLOEXEC means nothing here", recv(fd, buffer, 4, MSG_CMSG_CLOEXEC));
	meet();
	int count = 0;
	while (count < MUCH)
		MUST(ioctl(fd, FIONREAD, &count));
	say_result("looked at, no buffer", recv(fd, NULL, MUCH - 10, MSG_PEEK | MSG_TRUNC));
	say_result("much thrown away, no buffer", recv(fd, NULL, MUCH - 10, MSG_TRUNC));
	say_result("the rest thrown away", recv(fd, buffer, sizeof buffer, MSG_TRUNC));
}

static void client(int fd)
{
	meet();
	send_text(fd, "0123456789abcdefghij");
	say_result("send of 0", send(fd, "x", 0, 0));
	say_result("write of 0", write(fd, "x", 0));
	struct sockaddr_in nowhere = { .sin_family = AF_INET, .sin_port = htons(1) };
	meet();
	say_result("sendto with an address",
		   sendto(fd, "abcd", 4, MSG_NOSIGNAL, (struct sockaddr *)&nowhere, sizeof nowhere));
	say_result("MSG_MORE", send(fd, "ef", 2, MSG_MORE));
	say_result("MSG_EOR", send(fd, "gh", 2, MSG_EOR));
	say_result("MSG_CONFIRM", send(fd, "ij", 2, MSG_CONFIRM | MSG_DONTROUTE));
	meet();
	send_pattern(fd, MUCH, MUCH, 1);
}

/* Data held by MSG_MORE must come out by itself, sooner or later. */
static void more_server(int fd)
{
	expect_text(fd, "held, then sent");
}

static void more_client(int fd)
{
	say_result("held", send(fd, "held,", 5, MSG_MORE));
	say_result("then sent", send(fd, " then sent", 10, 0));
	meet();
}

static void more_meeting_server(int fd)
{
	more_server(fd);
	meet();
	expect_text(fd, "alone");
}

static void more_alone_client(int fd)
{
	more_client(fd);
	say_result("held alone", send(fd, "alone", 5, MSG_MORE));
}

static const struct test_case cases[] = {
	{ "flags", server, client, PAIRED },
	{ "MSG_MORE", more_meeting_server, more_alone_client, PAIRED },
};
MAIN(cases)
