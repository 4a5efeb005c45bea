/* Urgent data: MSG_OOB, SO_OOBINLINE, SIGURG, POLLPRI, sockatmark. */
#include "common.h"

static void server(int fd)
{
	char buffer[32], byte;
	count_signal(SIGURG, SA_RESTART);
	MUST(fcntl(fd, F_SETOWN, getpid()));
	send_text(fd, "ready");
	meet();
	MUST(wait_for(fd, POLLPRI) ? 0 : -1);
	struct pollfd entry = { .fd = fd, .events = POLLIN | POLLPRI };
	MUST(poll(&entry, 1, 1000));
	say_events("urgent", entry.revents, POLLIN | POLLPRI | POLLHUP | POLLERR);
	say("signals: %d", (int)signals_counted);
	ssize_t got = recv(fd, buffer, sizeof buffer, 0);
	say("up to the mark: %.*s", (int)got, buffer);
	say_result("at the mark", sockatmark(fd));
	say_result("urgent byte", recv(fd, &byte, 1, MSG_OOB));
	say("it is %c", byte);
	say_result("urgent byte again", recv(fd, &byte, 1, MSG_OOB));
	recv_all(fd, buffer, 5);
	say("after the mark: %.5s", buffer);
	say_result("at the mark", sockatmark(fd));
	int on = 1;
	MUST(setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on));
	meet();
	meet();
	expect_text(fd, "in");
	say_result("at the mark", sockatmark(fd));
	expect_text(fd, "Line");
	for (int i = 0; i < 20; i++) {
		expect_text(fd, "on it goes");
		send_text(fd, "on it goes");
	}
}

static void client(int fd)
{
	expect_text(fd, "ready");
	send_text(fd, "before");
	say_result("send", send(fd, "!", 1, MSG_OOB));
	send_text(fd, "after");
	sleep_ms(60);
	meet();
	meet();
	send_text(fd, "in");
	say_result("send", send(fd, "L", 1, MSG_OOB));
	send_text(fd, "ine");
	sleep_ms(60);
	meet();
	for (int i = 0; i < 20; i++) {
		send_text(fd, "on it goes");
		expect_text(fd, "on it goes");
	}
}

static const struct test_case cases[] = { { "urgent", server, client, PAIRED } };
MAIN(cases)
