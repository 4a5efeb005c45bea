/* MSG_WAITALL: whole, or cut by end, time-out or signal; read does not wait. */
#include "common.h"

static void pieces_server(int fd)
{
	static uint8_t buffer[300000];
	meet();
	say_result("100 bytes in pieces", recv(fd, buffer, 100, MSG_WAITALL));
	say_whether("right", matches(buffer, 100, 1, 0));
	say_result("300000 bytes in pieces", recv(fd, buffer, 300000, MSG_WAITALL));
	say_whether("right", matches(buffer, 300000, 2, 0));
	meet();
	MUST(wait_for(fd, POLLIN) ? 0 : -1);
	say_result("MSG_DONTWAIT wins", recv(fd, buffer, 100, MSG_WAITALL | MSG_DONTWAIT));
	struct timeval limit = { 0, 60000 };
	MUST(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
	meet();
	uint64_t start = now_ms();
	say_result("cut by the time-out", recv(fd, buffer, 100, MSG_WAITALL));
	say_whether("not early", now_ms() - start >= 59);
	limit = (struct timeval){ 0, 0 };
	MUST(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
	set_nonblocking(fd, true);
	meet();
	MUST(wait_for(fd, POLLIN) ? 0 : -1);
	say_result("a nonblocking socket does not wait", recv(fd, buffer, 100, MSG_WAITALL));
	set_nonblocking(fd, false);
	meet();
	say_result("cut by the end", recv(fd, buffer, 100, MSG_WAITALL));
	say_result("end", recv(fd, buffer, 100, MSG_WAITALL));
}

static void pieces_client(int fd)
{
	uint8_t byte;
	meet();
	for (int i = 0; i < 100; i++) {
		byte = pattern(1, i);
		send_all(fd, &byte, 1);
		if (i % 30 == 0)
			sleep_ms(3);
	}
	send_pattern(fd, 300000, 4000, 2);
	meet();
	send_text(fd, "12345");
	meet();
	send_text(fd, "123");
	meet();
	send_text(fd, "1234567");
	meet();
	send_text(fd, "12");
	sleep_ms(20);
	MUST(shutdown(fd, SHUT_WR));
}

static void signal_server(int fd)
{
	static uint8_t buffer[1000];
	count_signal(SIGALRM, 0);
	struct itimerval once = { { 0, 0 }, { 0, 80000 } };
	meet();
	MUST(wait_for(fd, POLLIN) ? 0 : -1);
	MUST(setitimer(ITIMER_REAL, &once, NULL));
	say_result("cut by a signal", recv(fd, buffer, 1000, MSG_WAITALL));
	say("signals: %d", (int)signals_counted);
	meet();
}

static void signal_client(int fd)
{
	send_text(fd, "12345");
	meet();
	meet();
}

static void parts_server(int fd)
{
	char a[10], b[20], c[70];
	struct iovec parts[3] = { { a, 10 }, { b, 20 }, { c, 70 } };
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 3 };
	meet();
	say_result("recvmsg in pieces", recvmsg(fd, &message, MSG_WAITALL));
	say_whether("right", matches(a, 10, 1, 0) && matches(b, 20, 1, 10) && matches(c, 70, 1, 30));
}

static void parts_client(int fd)
{
	meet();
	for (int i = 0; i < 100; i++) {
		uint8_t byte = pattern(1, i);
		send_all(fd, &byte, 1);
		if (i % 40 == 0)
			sleep_ms(3);
	}
}

static const struct test_case cases[] = {
	{ "pieces", pieces_server, pieces_client, PAIRED },
	{ "signal", signal_server, signal_client, PAIRED },
	{ "scattered", parts_server, parts_client, PAIRED },
};
MAIN(cases)
