/* TCP_INQ: a receive says beside its data how much is left, and that there is an end. */
#include "common.h"

/* recvmsg of at most `length` bytes with so much room for control data. */
static void receive(const char *what, int fd, size_t length, int flags, size_t room)
{
	static char buffer[100000];
	char control[256];
	struct iovec part = { buffer, length };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = room ? control : NULL,
				  .msg_controllen = room };
	long result = MUST(recvmsg(fd, &message, flags));
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	int left = -1;
	bool told = header && header->cmsg_level == IPPROTO_TCP && header->cmsg_type == TCP_CM_INQ;
	if (told && header->cmsg_len >= CMSG_LEN(sizeof left))
		memcpy(&left, CMSG_DATA(header), sizeof left);
	say("%s: %ld, left %d, control data %zu of %zu%s", what, result, left, told ? (size_t)header->cmsg_len : 0,
	    (size_t)message.msg_controllen, message.msg_flags & MSG_CTRUNC ? ", cut" : "");
}

static void ask(int fd, int on)
{
	MUST(setsockopt(fd, IPPROTO_TCP, TCP_INQ, &on, sizeof on));
}

/* The peer sends `length` bytes, and they have come. */
static void await_bytes(int fd, size_t length)
{
	int count = 0;
	meet();
	while (count < (int)length)
		MUST(ioctl(fd, FIONREAD, &count));
}

static void server(int fd)
{
	int two = 2, on = -1;
	socklen_t size = sizeof on;
	say_result("two", setsockopt(fd, IPPROTO_TCP, TCP_INQ, &two, sizeof two));
	receive("not asked for", fd, 0, 0, 100);
	ask(fd, 1);
	MUST(getsockopt(fd, IPPROTO_TCP, TCP_INQ, &on, &size));
	say("asked for: %d", on);
	for (int i = 0; i < 3; i++) {
		await_bytes(fd, 10);
		receive("a peek", fd, 4, MSG_PEEK, 100);
		receive("a part", fd, 4, 0, 100);
		receive("nothing", fd, 0, 0, 100);
		receive("room enough", fd, 1, 0, CMSG_LEN(sizeof(int)));
		receive("room for a part", fd, 1, 0, CMSG_LEN(2));
		receive("room for too little", fd, 1, 0, 7);
		receive("no room", fd, 1, 0, 0);
		receive("the rest", fd, 100, 0, 100);
		send_text(fd, "on");
	}
	await_bytes(fd, 90000);
	receive("of much", fd, 20000, MSG_WAITALL, 100);
	ask(fd, 0);
	receive("asked for no more", fd, 20000, MSG_WAITALL, 100);
	ask(fd, 1);
	receive("all of it", fd, 50000, MSG_WAITALL, 100);
	send_text(fd, "on");
	await_bytes(fd, 10);
	MUST(wait_for(fd, POLLRDHUP) ? 0 : -1);
	receive("before the end", fd, 4, 0, 100);
	receive("the end is left", fd, 100, 0, 100);
	receive("the end", fd, 100, 0, 100);
	receive("the end again", fd, 100, 0, 100);
}

static void client(int fd)
{
	for (int i = 0; i < 3; i++) {
		send_text(fd, "0123456789");
		meet();
		expect_text(fd, "on");
	}
	send_pattern(fd, 90000, 9000, 1);
	meet();
	expect_text(fd, "on");
	send_text(fd, "9876543210");
	MUST(shutdown(fd, SHUT_WR));
	meet();
}

/* What a listener was asked for is asked of what it accepts. */
static void listening_server(int fd)
{
	int port, listener = listen_local(AF_INET, &port);
	ask(listener, 1);
	post(PORT_PLACE, port);
	fd = MUST(accept(listener, NULL, NULL));
	warm_server(fd);
	await_bytes(fd, 10);
	receive("accepted", fd, 3, 0, 100);
}

static void listening_client(int fd)
{
	fd = client_connection(AF_INET);
	send_text(fd, "0123456789");
	meet();
}

static const struct test_case cases[] = {
	{ "bytes left", server, client, PAIRED },
	{ "a listener's", listening_server, listening_client, RAW },
};
MAIN(cases)
