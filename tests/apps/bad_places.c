/* Pointers that no program can have: null, below the lowest mapping, beyond the address space, wrapping. Such a call fails with
 * EFAULT, or moves what stands before the bad place; nothing is lost, and the connection goes on. */
#include "common.h"

#define NOWHERE(number) ((void *)(uintptr_t)(number))

static void *const places[] = { NULL, NOWHERE(0x10), NOWHERE(0x7ffffffff000), NOWHERE(0xffff800000000000), NOWHERE(-16) };

static void server(int fd)
{
	char buffer[64] = "";
	for (int i = 0; i < COUNT(places); i++) {
		say_result("send", send(fd, places[i], 16, MSG_NOSIGNAL));
		say_result("write", write(fd, places[i], 16));
	}
	say_result("send of nothing", send(fd, NULL, 0, 0));
	struct iovec parts[2] = { { "left ", 5 }, { NULL, 16 } };
	say_result("writev, half of it good", writev(fd, parts, 2));
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
	say_result("sendmsg, likewise", sendmsg(fd, &message, 0));
	say_result("writev of the bad half", writev(fd, parts + 1, 1));
	send_text(fd, "left alone");
	meet();
	wait_for(fd, POLLIN);
	sleep_ms(20);
	for (int i = 0; i < COUNT(places); i++) {
		say_result("recv", recv(fd, places[i], 16, 0));
		say_result("read", read(fd, places[i], 16));
	}
	say_result("recv of nothing", recv(fd, NULL, 0, 0));
	expect_text(fd, "still here");
	say_result("MSG_DONTWAIT", recv(fd, NULL, 16, MSG_DONTWAIT));
	meet();
	struct iovec into[2] = { { buffer, 4 }, { NULL, 16 } };
	wait_for(fd, POLLIN);
	sleep_ms(20);
	say_result("readv", readv(fd, into + 1, 1));
	say_result("readv, as far as it is good", readv(fd, into, 2));
	say("\"%s\"", buffer);
	meet();
	say_result("recv at the end", recv(fd, NULL, 16, 0));
}

static void client(int fd)
{
	expect_text(fd, "left alone");
	meet();
	send_text(fd, "still here");
	meet();
	send_text(fd, "some");
	MUST(shutdown(fd, SHUT_WR));
	meet();
}

static const struct test_case cases[] = {
	{ "bad places", server, client, PAIRED },
};
MAIN(cases)
