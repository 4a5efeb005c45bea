/* SO_ZEROCOPY and its completions, MSG_ZEROCOPY without it, timestamps, and what a program asks of the kernel's road alone:
 * the connection goes on in order. */
#include "common.h"
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#ifndef SO_ZEROCOPY
#define SO_ZEROCOPY 60
#endif
#ifndef MSG_ZEROCOPY
#define MSG_ZEROCOPY 0x4000000
#endif

enum { SENDS = 5, LENGTH = 20000 };

/* Completions may be told one by one or together. */
static void reap(int fd, unsigned count)
{
	unsigned next = 0;
	while (next < count) {
		struct pollfd entry = { .fd = fd };
		MUST(poll(&entry, 1, 5000) == 1 ? 0 : -1);
		char control[128];
		struct msghdr message = { .msg_control = control, .msg_controllen = sizeof control };
		MUST(recvmsg(fd, &message, MSG_ERRQUEUE));
		struct sock_extended_err *said = (void *)CMSG_DATA(CMSG_FIRSTHDR(&message));
		if (said->ee_origin != SO_EE_ORIGIN_ZEROCOPY || said->ee_info != next)
			die("a completion of %u where %u was next", said->ee_info, next);
		next = said->ee_data + 1;
	}
	say("completions: %u", next);
}

static void server(int fd)
{
	static uint8_t block[SENDS * LENGTH];
	int on = 1;
	fill(block, sizeof block, 1, 0);
	send_text(fd, "unread");
	meet();
	MUST(setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof on));
	for (int i = 0; i < SENDS; i++)
		for (size_t done = 0; done < LENGTH;)
			done += MUST(send(fd, block + i * LENGTH + done, LENGTH - done, i & 1 ? 0 : MSG_ZEROCOPY));
	expect_text(fd, "got it");
	reap(fd, SENDS / 2 + 1);
	send_text(fd, "bye");
}

static void client(int fd)
{
	meet();
	expect_text(fd, "unread");
	recv_pattern("with and without copies", fd, SENDS * LENGTH, 999, 1);
	send_text(fd, "got it");
	expect_text(fd, "bye");
}

/* Without SO_ZEROCOPY the flag means nothing. */
static void flag_server(int fd)
{
	for (int i = 0; i < 20; i++) {
		say_result("send", send(fd, "flag", 4, i & 1 ? MSG_ZEROCOPY : 0));
		expect_text(fd, "back");
	}
}

static void flag_client(int fd)
{
	for (int i = 0; i < 20; i++) {
		expect_text(fd, "flag");
		send_text(fd, "back");
	}
}

/* The time of arrival stands beside the data, once the kernel has begun to take it. */
static void stamps_server(int fd)
{
	int flags = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
	char text[16], control[256];
	MUST(setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof flags));
	bool stamped = false;
	for (int i = 0; i < 1000 && !stamped; i++) {
		MUST(send(fd, "send", 4, 0));
		struct iovec part = { text, sizeof text };
		struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
					  .msg_controllen = sizeof control };
		MUST(recvmsg(fd, &message, 0));
		struct cmsghdr *header = CMSG_FIRSTHDR(&message);
		stamped = header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_TIMESTAMPING;
		usleep(1000);
	}
	say_whether("stamped", stamped);
	MUST(shutdown(fd, SHUT_WR));
}

static void stamps_client(int fd)
{
	char text[4];
	while (MUST(recv(fd, text, sizeof text, MSG_WAITALL)) == 4)
		MUST(send(fd, "a stamp", 7, 0));
	say("no more");
}

static const struct test_case cases[] = {
	{ "completions", server, client, PAIRED },
	{ "the flag alone", flag_server, flag_client, PAIRED },
	{ "timestamps", stamps_server, stamps_client, PAIRED },
};
MAIN(cases)
