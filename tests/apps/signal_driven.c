/* SIGIO and SIGURG: O_ASYNC by fcntl and FIOASYNC, owners by F_SETOWN, F_SETSIG and FIOSETOWN, for data, room, urgent data
 * and the end. */
#include "common.h"

static volatile sig_atomic_t told[2];

static void tell(int number)
{
	told[number == SIGIO]++;
}

static void on(int signal_number)
{
	struct sigaction action = { .sa_handler = tell, .sa_flags = SA_RESTART };
	MUST(sigaction(signal_number, &action, NULL));
}

static bool await_told(int which, int least)
{
	for (int i = 0; i < 3000 && told[which] < least; i++)
		usleep(1000);
	return told[which] >= least;
}

static void drain(int fd, const char *what)
{
	char buffer[64];
	ssize_t got = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
	say("%s: %.*s", what, (int)(got > 0 ? got : 0), buffer);
}

static void by_fcntl_server(int fd)
{
	on(SIGIO);
	MUST(fcntl(fd, F_SETOWN, getpid()));
	say("owner is me: %d", fcntl(fd, F_GETOWN) == getpid());
	MUST(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC));
	say_whether("O_ASYNC", fcntl(fd, F_GETFL) & O_ASYNC);
	for (int i = 0; i < 5; i++) {
		int before = told[1];
		send_text(fd, "send");
		say_whether("told of data", await_told(1, before + 1));
		expect_text(fd, "data");
		sleep_ms(5);
	}
	MUST(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_ASYNC));
	sleep_ms(20);
	int before = told[1];
	send_text(fd, "send");
	expect_text(fd, "data");
	say_whether("told without O_ASYNC", told[1] != before);
	int on = 1;
	MUST(ioctl(fd, FIOASYNC, &on));
	before = told[1];
	meet();
	say_whether("told of the end", await_told(1, before + 1));
	char byte;
	say_result("end", recv(fd, &byte, 1, 0));
}

static void by_fcntl_client(int fd)
{
	for (int i = 0; i < 6; i++) {
		expect_text(fd, "send");
		sleep_ms(10);
		send_text(fd, "data");
	}
	meet();
	MUST(shutdown(fd, SHUT_WR));
}

/* Set while the connection is in full use, with a signal of the program's choice. */
static void chosen_server(int fd)
{
	on(SIGIO);
	on(SIGUSR2);
	int owner = getpid(), on = 1;
	MUST(ioctl(fd, FIOSETOWN, &owner));
	MUST(fcntl(fd, F_SETSIG, SIGUSR2));
	meet();
	sleep_ms(20);
	MUST(ioctl(fd, FIOASYNC, &on));
	drain(fd, "before");
	meet();
	say_whether("told by the chosen signal", await_told(0, 1));
	say_whether("told by SIGIO", told[1] > 0);
	drain(fd, "after");
	send_text(fd, "thanks");
}

static void chosen_client(int fd)
{
	send_text(fd, "unread");
	meet();
	meet();
	send_text(fd, "signal");
	expect_text(fd, "thanks");
}

/* SIGURG needs no O_ASYNC. */
static void urgent_server(int fd)
{
	struct sigaction action = { .sa_handler = tell, .sa_flags = SA_RESTART };
	MUST(sigaction(SIGURG, &action, NULL));
	MUST(fcntl(fd, F_SETOWN, getpid()));
	send_text(fd, "ready");
	say_whether("told of urgent data", await_told(0, 1));
	int mark = -1;
	char buffer[64], byte = 0;
	meet();
	ssize_t got = recv(fd, buffer, sizeof buffer, 0);
	say("before the mark: %.*s", (int)got, buffer);
	MUST(ioctl(fd, SIOCATMARK, &mark));
	say("at the mark: %d", mark);
	say_result("urgent", recv(fd, &byte, 1, MSG_OOB));
	say("it is %c", byte);
	expect_text(fd, "after");
	send_text(fd, "thanks");
}

static void urgent_client(int fd)
{
	expect_text(fd, "ready");
	send_text(fd, "before");
	MUST(send(fd, "!", 1, MSG_OOB));
	send_text(fd, "after");
	sleep_ms(30);
	meet();
	expect_text(fd, "thanks");
}

static const struct test_case cases[] = {
	{ "by fcntl", by_fcntl_server, by_fcntl_client, PAIRED },
	{ "by a chosen signal", chosen_server, chosen_client, PAIRED },
	{ "urgent", urgent_server, urgent_client, PAIRED },
};
MAIN(cases)
