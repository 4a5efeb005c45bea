/* 100 connections in one poll, one select, one epoll set: each message is seen, from whichever it comes. */
#include "common.h"

enum { CONNECTIONS = 100, ROUNDS = 400 };
enum how { POLL, SELECT, EPOLL, EPOLL_FEW };

static int sockets[CONNECTIONS];
static int set;

static void accept_all(void)
{
	int port, listener = listen_local(AF_INET, &port);
	post(PORT_PLACE, port);
	set = MUST(epoll_create1(0));
	for (int i = 0; i < CONNECTIONS; i++) {
		sockets[i] = MUST(accept(listener, NULL, NULL));
		/* Every tenth is warmed up well; the others become accelerated on their way, or never. */
		if (i % 10 == 0)
			warm_server(sockets[i]);
		struct epoll_event event = { .events = EPOLLIN, .data.u32 = i };
		MUST(epoll_ctl(set, EPOLL_CTL_ADD, sockets[i], &event));
	}
}

static int find_by_poll(bool *ready)
{
	struct pollfd entries[CONNECTIONS];
	for (int i = 0; i < CONNECTIONS; i++)
		entries[i] = (struct pollfd){ .fd = sockets[i], .events = POLLIN };
	int count = MUST(poll(entries, CONNECTIONS, 30000));
	for (int i = 0; i < CONNECTIONS; i++)
		ready[i] = entries[i].revents != 0;
	return count;
}

static int find_by_select(bool *ready)
{
	fd_set in;
	FD_ZERO(&in);
	int highest = 0;
	for (int i = 0; i < CONNECTIONS; i++) {
		FD_SET(sockets[i], &in);
		highest = sockets[i] > highest ? sockets[i] : highest;
	}
	struct timeval limit = { 30, 0 };
	int count = MUST(select(highest + 1, &in, NULL, NULL, &limit));
	for (int i = 0; i < CONNECTIONS; i++)
		ready[i] = FD_ISSET(sockets[i], &in);
	return count;
}

static int find_by_epoll(bool *ready, int room)
{
	struct epoll_event events[CONNECTIONS];
	int count = MUST(epoll_wait(set, events, room, 30000));
	for (int i = 0; i < count; i++)
		ready[events[i].data.u32] = true;
	return count;
}

static void serve(enum how how)
{
	accept_all();
	int served = 0, false_alarms = 0;
	meet();
	while (served < ROUNDS * 4) {
		bool ready[CONNECTIONS] = { false };
		int count = how == POLL	  ? find_by_poll(ready) :
			    how == SELECT ? find_by_select(ready) :
					    find_by_epoll(ready, how == EPOLL ? CONNECTIONS : 3);
		if (count == 0)
			die("nothing ready after %d", served);
		for (int i = 0; i < CONNECTIONS; i++) {
			uint32_t message;
			if (!ready[i])
				continue;
			if (recv(sockets[i], &message, sizeof message, MSG_DONTWAIT) != sizeof message) {
				false_alarms++;
				continue;
			}
			send_all(sockets[i], &message, sizeof message);
			served++;
		}
	}
	say("served: %d, false alarms: %d", served, false_alarms);
}

static void poll_server(int unused) { (void)unused; serve(POLL); }
static void select_server(int unused) { (void)unused; serve(SELECT); }
static void epoll_server(int unused) { (void)unused; serve(EPOLL); }
static void few_server(int unused) { (void)unused; serve(EPOLL_FEW); }

static void client(int unused)
{
	(void)unused;
	for (int i = 0; i < CONNECTIONS; i++) {
		sockets[i] = connect_local(AF_INET, await(PORT_PLACE));
		if (i % 10 == 0)
			warm_client(sockets[i]);
	}
	meet();
	int right = 0;
	for (int round = 0; round < ROUNDS; round++) {
		uint32_t answer;
		int chosen[4];
		for (uint32_t i = 0; i < 4; i++) {
			chosen[i] = (round * 7 + i * 25) % CONNECTIONS;
			send_all(sockets[chosen[i]], &(uint32_t){ round * 4 + i }, sizeof answer);
		}
		for (uint32_t i = 0; i < 4; i++) {
			recv_all(sockets[chosen[i]], &answer, sizeof answer);
			right += answer == round * 4 + i;
		}
		if (round % 40 == 0)
			sleep_ms(3);
	}
	say("answers: %d", right);
}

static const struct test_case cases[] = {
	{ "poll", poll_server, client, RAW },
	{ "select", select_server, client, RAW },
	{ "epoll", epoll_server, client, RAW },
	{ "epoll, three at a time", few_server, client, RAW },
};
MAIN(cases)
