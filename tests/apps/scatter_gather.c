/* readv, writev, sendmsg, recvmsg, preadv2: many parts, empty parts, too many parts, what recvmsg fills in. */
#include "common.h"

enum { PARTS = 200, TOTAL = 60000 };

/* Parts of 0, 1, 2, ... bytes of one buffer, the last one with what is left. */
static int cut(struct iovec *parts, uint8_t *buffer, int total)
{
	int at = 0, count = 0;
	while (at < total && count < PARTS) {
		int length = count == PARTS - 1 ? total - at : count * 3;
		length = length < total - at ? length : total - at;
		parts[count++] = (struct iovec){ buffer + at, length };
		at += length;
	}
	return count;
}

/* Moves the start of the parts by `done` bytes. */
static void advance(struct iovec **parts, int *count, size_t done)
{
	while (*count > 0 && done >= (*parts)->iov_len) {
		done -= (*parts)->iov_len;
		(*parts)++;
		(*count)--;
	}
	if (*count > 0) {
		(*parts)->iov_base = (char *)(*parts)->iov_base + done;
		(*parts)->iov_len -= done;
	}
}

static void send_parts(int fd, bool by_message, uint64_t seed)
{
	static uint8_t buffer[TOTAL];
	struct iovec parts[PARTS], *rest = parts;
	fill(buffer, TOTAL, seed, 0);
	int count = cut(parts, buffer, TOTAL), left = TOTAL;
	while (left > 0) {
		struct msghdr message = { .msg_iov = rest, .msg_iovlen = count };
		int sent = MUST(by_message ? sendmsg(fd, &message, 0) : writev(fd, rest, count));
		advance(&rest, &count, sent);
		left -= sent;
	}
}

static void recv_parts(int fd, bool by_message, uint64_t seed)
{
	static uint8_t buffer[TOTAL];
	struct iovec parts[PARTS], *rest = parts;
	int count = cut(parts, buffer, TOTAL), left = TOTAL;
	while (left > 0) {
		struct msghdr message = { .msg_iov = rest, .msg_iovlen = count };
		int got = MUST(by_message ? recvmsg(fd, &message, 0) : readv(fd, rest, count));
		if (got == 0)
			die("end");
		advance(&rest, &count, got);
		left -= got;
	}
	say_whether("parts are right", matches(buffer, TOTAL, seed, 0));
}

static void large_server(int fd)
{
	for (int way = 0; way < 4; way++)
		recv_parts(fd, way & 1, way);
}

static void large_client(int fd)
{
	for (int way = 0; way < 4; way++)
		send_parts(fd, way & 2, way);
}

static void small_server(int fd)
{
	char a[4] = "", b[8] = "", control[64];
	struct iovec parts[4] = { { a, 3 }, { NULL, 0 }, { b, 7 }, { NULL, 0 } };
	meet();
	MUST(wait_for(fd, POLLIN) ? 0 : -1);
	say_result("readv", readv(fd, parts, 4));
	say("\"%s\" \"%s\"", a, b);
	struct sockaddr_storage name;
	struct msghdr message = { .msg_name = &name, .msg_namelen = sizeof name, .msg_iov = parts, .msg_iovlen = 4,
				  .msg_control = control, .msg_controllen = sizeof control, .msg_flags = -1 };
	say_result("recvmsg", recvmsg(fd, &message, 0));
	say("\"%s\" \"%s\" name %d control %d flags %x", a, b, (int)message.msg_namelen, (int)message.msg_controllen,
	    message.msg_flags);
	message.msg_flags = -1;
	say_result("recvmsg of nothing", recvmsg(fd, &message, MSG_DONTWAIT));
	static volatile int too_many = 1025;
	static struct iovec many[1025];
	message.msg_iov = many;
	message.msg_iovlen = too_many;
	say_result("recvmsg, too many parts", recvmsg(fd, &message, MSG_DONTWAIT));
	say_result("readv, too many parts", readv(fd, many, too_many));
	say_result("readv, no part", readv(fd, many, 0));
	meet();
	MUST(wait_for(fd, POLLIN) ? 0 : -1);
	say_result("preadv2 at -1", preadv2(fd, parts, 4, -1, 0));
	say("\"%s\" \"%s\"", a, b);
	say_result("preadv", preadv(fd, parts, 4, 0));
	say_result("pread", pread(fd, a, 3, 0));
}

static void small_client(int fd)
{
	char text[] = "0123456789abcdefghij";
	struct iovec parts[5] = { { text, 1 }, { NULL, 0 }, { text + 1, 9 }, { NULL, 0 }, { text + 10, 10 } };
	say_result("writev", writev(fd, parts, 5));
	struct iovec many[1] = { { text, 1 } };
	static volatile int too_many = 1025;
	struct msghdr message = { .msg_iov = many, .msg_iovlen = too_many };
	say_result("sendmsg, too many parts", sendmsg(fd, &message, MSG_NOSIGNAL));
	say_result("writev, too many parts", writev(fd, many, too_many));
	say_result("writev, no part", writev(fd, many, 0));
	meet();
	meet();
	say_result("pwritev2 at -1", pwritev2(fd, parts, 3, -1, 0));
	say_result("pwritev", pwritev(fd, parts, 3, 0));
	say_result("pwrite", pwrite(fd, text, 3, 0));
	say_result("lseek", lseek(fd, 0, SEEK_SET));
}

static const struct test_case cases[] = {
	{ "large", large_server, large_client, PAIRED },
	{ "small", small_server, small_client, PAIRED },
};
MAIN(cases)
