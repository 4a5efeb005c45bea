/* The masks of ppoll, pselect and epoll_pwait: a blocked signal gets in only while they wait. */
#include "common.h"

enum call { PPOLL, PSELECT, EPOLL_PWAIT, EPOLL_PWAIT2, CALLS };
static const char *const names[CALLS] = { "ppoll", "pselect", "epoll_pwait", "epoll_pwait2" };

static long perform(enum call call, int fd, const sigset_t *mask, int milliseconds)
{
	struct timespec limit = { milliseconds / 1000, milliseconds % 1000 * 1000000 };
	struct pollfd entry = { .fd = fd, .events = POLLIN };
	struct epoll_event event = { .events = EPOLLIN };
	fd_set in;
	FD_ZERO(&in);
	FD_SET(fd, &in);
	if (call == PPOLL)
		return ppoll(&entry, 1, &limit, mask);
	if (call == PSELECT)
		return pselect(fd + 1, &in, NULL, NULL, &limit, mask);
	int set = MUST(epoll_create1(0));
	MUST(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
	long result = call == EPOLL_PWAIT ? epoll_pwait(set, &event, 1, milliseconds, mask) :
					    epoll_pwait2(set, &event, 1, &limit, mask);
	int number = errno;
	MUST(close(set));
	errno = number;
	return result;
}

static void say_call(const char *what, enum call call, long result)
{
	char line[80];
	snprintf(line, sizeof line, "%s, %s", names[call], what);
	say_result(line, result);
	say("signals: %d", (int)signals_counted);
	signals_counted = 0;
}

static void server(int fd)
{
	char buffer[8];
	sigset_t blocked, open_mask;
	sigemptyset(&open_mask);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	MUST(sigprocmask(SIG_BLOCK, &blocked, NULL));
	count_signal(SIGUSR1, SA_RESTART);
	for (enum call call = PPOLL; call < CALLS; call++) {
		say_call("nothing", call, perform(call, fd, &open_mask, 10));
		raise(SIGUSR1);
		say_call("no mask, signal pending", call, perform(call, fd, NULL, 10));
		say_call("mask opens, signal pending", call, perform(call, fd, &open_mask, 2000));
		raise(SIGUSR1);
		meet();
		MUST(wait_for(fd, POLLIN) ? 0 : -1);
		say_call("data and signal pending, mask closed", call, perform(call, fd, &blocked, 2000));
		recv_all(fd, buffer, 4);
		say_call("mask opens", call, perform(call, fd, &open_mask, 2000));
		raise(SIGUSR1);
		say_call("mask opens for no time", call, perform(call, fd, &open_mask, 0));
		say_call("mask opens for a moment", call, perform(call, fd, &open_mask, 10));
		meet();
		post(call + 1, getpid());
		say_call("signal while asleep", call, perform(call, fd, &open_mask, 30000));
		post(5 + call, 1);
		meet();
		say_call("data while asleep", call, perform(call, fd, &blocked, 30000));
		recv_all(fd, buffer, 4);
	}
}

static void client(int fd)
{
	for (enum call call = PPOLL; call < CALLS; call++) {
		send_text(fd, "data");
		meet();
		meet();
		pid_t pid = await(call + 1);
		sleep_ms(50);
		kill(pid, SIGUSR1);
		await(5 + call);
		meet();
		sleep_ms(50);
		send_text(fd, "data");
	}
}

static const struct test_case cases[] = { { "masks", server, client, PAIRED } };
MAIN(cases)
