/* One set shared by four threads; six connections, each with its own echoing client thread. */
#include "common.h"

enum { CONNECTIONS = 6, THREADS = 4, ROUNDS = 150, SIZE = 200 };

static int set;
static unsigned mode;
static pthread_mutex_t locks[CONNECTIONS];
static int sockets[CONNECTIONS];
static _Atomic int open_connections = CONNECTIONS;

static void change(int operation, int number, unsigned events)
{
	struct epoll_event event = { .events = events, .data.u32 = number };
	MUST(epoll_ctl(set, operation, sockets[number], &event));
}

/* Echoes all that is there; false at the end of the stream. */
static bool echo(int fd)
{
	char buffer[SIZE];
	ssize_t got;
	while ((got = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT)) > 0)
		send_all(fd, buffer, got);
	if (got < 0 && errno != EAGAIN)
		die("recv");
	return got != 0;
}

static void *work(void *unused)
{
	(void)unused;
	struct epoll_event events[3];
	while (atomic_load(&open_connections) > 0) {
		int count = MUST(epoll_wait(set, events, 3, 50));
		for (int i = 0; i < count; i++) {
			unsigned number = events[i].data.u32;
			pthread_mutex_lock(&locks[number]);
			if (sockets[number] >= 0 && !echo(sockets[number])) {
				MUST(close(sockets[number]));
				sockets[number] = -1;
				atomic_fetch_sub(&open_connections, 1);
			} else if (sockets[number] >= 0 && (mode & EPOLLONESHOT)) {
				change(EPOLL_CTL_MOD, number, mode);
			}
			pthread_mutex_unlock(&locks[number]);
		}
	}
	return NULL;
}

static void serve(unsigned events)
{
	int port, listener = listen_local(AF_INET, &port);
	post(PORT_PLACE, port);
	mode = events;
	set = MUST(epoll_create1(0));
	pthread_t threads[THREADS];
	for (int i = 0; i < CONNECTIONS; i++) {
		pthread_mutex_init(&locks[i], NULL);
		sockets[i] = MUST(accept(listener, NULL, NULL));
		warm_server(sockets[i]);
	}
	for (int i = 0; i < THREADS; i++)
		threads[i] = start_thread(work, NULL);
	/* Added while the threads wait. */
	for (int i = 0; i < CONNECTIONS; i++)
		change(EPOLL_CTL_ADD, i, events);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	say("all connections ended");
}

static void level_server(int unused) { (void)unused; serve(EPOLLIN); }
static void edge_server(int unused) { (void)unused; serve(EPOLLIN | EPOLLET); }
static void one_shot_server(int unused) { (void)unused; serve(EPOLLIN | EPOLLONESHOT); }
static void both_server(int unused) { (void)unused; serve(EPOLLIN | EPOLLET | EPOLLONESHOT); }

static void *ask(void *argument)
{
	int fd = *(int *)argument;
	uint8_t sent[SIZE], received[SIZE];
	intptr_t right = 0;
	for (int round = 0; round < ROUNDS; round++) {
		fill(sent, SIZE, fd, round);
		send_all(fd, sent, SIZE);
		recv_all(fd, received, SIZE);
		right += memcmp(sent, received, SIZE) == 0;
		if (round % 16 == 0)
			usleep(500);
	}
	MUST(close(fd));
	return (void *)right;
}

static void client(int unused)
{
	(void)unused;
	int fds[CONNECTIONS];
	pthread_t threads[CONNECTIONS];
	for (int i = 0; i < CONNECTIONS; i++) {
		fds[i] = connect_local(AF_INET, await(PORT_PLACE));
		warm_client(fds[i]);
	}
	for (int i = 0; i < CONNECTIONS; i++)
		threads[i] = start_thread(ask, &fds[i]);
	for (int i = 0; i < CONNECTIONS; i++) {
		void *right;
		pthread_join(threads[i], &right);
		say("connection %d: %d echoes right", i, (int)(intptr_t)right);
	}
}

static const struct test_case cases[] = {
	{ "level", level_server, client, RAW },
	{ "edge", edge_server, client, RAW },
	{ "one-shot", one_shot_server, client, RAW },
	{ "edge and one-shot", both_server, client, RAW },
};
MAIN(cases)
