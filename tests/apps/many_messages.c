/* recvmmsg and sendmmsg: counts, lengths, MSG_WAITFORONE, nothing there. */
#include "common.h"

enum { MESSAGES = 4 };

static struct mmsghdr *messages_of(char buffers[MESSAGES][8], size_t length)
{
	static struct iovec parts[MESSAGES];
	static struct mmsghdr messages[MESSAGES];
	memset(messages, 0, sizeof messages);
	for (int i = 0; i < MESSAGES; i++) {
		parts[i] = (struct iovec){ buffers[i], length };
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	return messages;
}

static void say_messages(const char *what, int count, struct mmsghdr *messages, char buffers[MESSAGES][8])
{
	say_result(what, count);
	for (int i = 0; i < count; i++)
		say("%u \"%.*s\"", messages[i].msg_len, (int)messages[i].msg_len, buffers[i]);
}

static void server(int fd)
{
	char buffers[MESSAGES][8];
	struct mmsghdr *messages = messages_of(buffers, 5);
	say_result("nothing there", recvmmsg(fd, messages, MESSAGES, MSG_DONTWAIT, NULL));
	meet();
	MUST(wait_for(fd, POLLIN) ? 0 : -1);
	say_messages("two of four", recvmmsg(fd, messages, 2, 0, NULL), messages, buffers);
	say_messages("what is there", recvmmsg(fd, messages, MESSAGES, MSG_DONTWAIT, NULL), messages, buffers);
	meet();
	MUST(wait_for(fd, POLLIN) ? 0 : -1);
	say_messages("wait for one", recvmmsg(fd, messages, MESSAGES, MSG_WAITFORONE, NULL), messages, buffers);
	meet();
	int count = recvmmsg(fd, messages, MESSAGES, MSG_WAITALL, NULL);
	say_messages("wait for all", count, messages, buffers);
	meet();
	say_messages("sent as messages", recvmmsg(fd, messages, 3, MSG_WAITALL, NULL), messages, buffers);
	meet();
	say_messages("until the end", recvmmsg(fd, messages, MESSAGES, MSG_WAITALL, NULL), messages, buffers);
}

static void client(int fd)
{
	char buffers[MESSAGES][8] = { "AAAAA", "BBBBB", "CCCCC", "DDDDD" };
	meet();
	send_text(fd, "0123456789abcdefg");
	meet();
	send_text(fd, "hijklmn");
	meet();
	for (int i = 0; i < 20; i++) {
		send_all(fd, "01234567890123456789" + i, 1);
		if (i % 7 == 0)
			sleep_ms(5);
	}
	meet();
	struct mmsghdr *messages = messages_of(buffers, 5);
	int count = sendmmsg(fd, messages, 3, 0);
	say_messages("sendmmsg", count, messages, buffers);
	say_result("sendmmsg of none", sendmmsg(fd, messages, 0, 0));
	meet();
	send_text(fd, "last7b.");
	MUST(shutdown(fd, SHUT_WR));
	say_result("sendmmsg after the end", sendmmsg(fd, messages, 3, MSG_NOSIGNAL));
}

static const struct test_case cases[] = { { "many messages", server, client, PAIRED } };
MAIN(cases)
