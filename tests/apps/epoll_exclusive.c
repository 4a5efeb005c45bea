/* EPOLLEXCLUSIVE: what it allows, and that a wake-up reaches at least one of two sets. */
#include "common.h"

static int sets[2];
static _Atomic int woken;
static _Atomic bool finished;

static void *wait_on_set(void *argument)
{
	int set = sets[(intptr_t)argument];
	struct epoll_event event;
	while (!finished) {
		if (epoll_wait(set, &event, 1, 20) > 0 && !atomic_exchange(&woken, 1))
			post(0, 1);
	}
	return NULL;
}

static void server(int fd)
{
	char buffer[8];
	struct epoll_event event = { .events = EPOLLIN | EPOLLEXCLUSIVE };
	for (int i = 0; i < 2; i++) {
		sets[i] = MUST(epoll_create1(0));
		say_result("add", epoll_ctl(sets[i], EPOLL_CTL_ADD, fd, &event));
	}
	say_result("modify", epoll_ctl(sets[0], EPOLL_CTL_MOD, fd, &event));
	event.events = EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT;
	int pipes[2];
	MUST(pipe(pipes));
	say_result("one-shot too", epoll_ctl(sets[0], EPOLL_CTL_ADD, pipes[0], &event));
	event.events = EPOLLIN | EPOLLEXCLUSIVE | EPOLLRDHUP;
	say_result("RDHUP too", epoll_ctl(sets[0], EPOLL_CTL_ADD, pipes[0], &event));
	event.events = EPOLLIN | EPOLLOUT | EPOLLEXCLUSIVE | EPOLLET;
	say_result("edge too", epoll_ctl(sets[0], EPOLL_CTL_ADD, pipes[0], &event));
	MUST(epoll_ctl(sets[0], EPOLL_CTL_DEL, pipes[0], NULL));
	pthread_t threads[2];
	for (intptr_t i = 0; i < 2; i++)
		threads[i] = start_thread(wait_on_set, (void *)i);
	for (int round = 0; round < 20; round++) {
		meet();
		uint64_t limit = now_ms() + 20000;
		while (!woken && now_ms() < limit)
			usleep(100);
		if (!woken)
			say("nobody woke in round %d", round);
		recv_all(fd, buffer, 1);
		sleep_ms(1);
		woken = 0;
		meet();
	}
	finished = true;
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	say("20 rounds");
	say_result("delete", epoll_ctl(sets[1], EPOLL_CTL_DEL, fd, NULL));
}

static void client(int fd)
{
	for (int round = 0; round < 20; round++) {
		meet();
		sleep_ms(round % 3);
		send_all(fd, "x", 1);
		meet();
	}
}

static const struct test_case cases[] = { { "exclusive", server, client, PAIRED } };
MAIN(cases)
