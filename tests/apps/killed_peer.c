/* kill -9 of the peer: what it has sent, then end or reset; seen by whoever sleeps, polls, or only looks now and then. */
#include "common.h"

/* A stream of `pattern(1)` until killed; the reader never knows how long it is. */
static void client_in_flow(int fd)
{
	static uint8_t buffer[1000];
	post(0, getpid());
	for (uint64_t sent = 0;; sent += sizeof buffer) {
		fill(buffer, sizeof buffer, 1, sent);
		send_all(fd, buffer, sizeof buffer);
	}
}

static void client_at_rest(int fd)
{
	send_text(fd, "last words");
	post(0, getpid());
	for (;;)
		pause();
}

static void kill_client(int after_ms)
{
	pid_t pid = await(0);
	sleep_ms(after_ms);
	kill(pid, SIGKILL);
}

static void flow_server(int fd)
{
	static uint8_t buffer[30000];
	uint64_t total = 0;
	bool right = true;
	ssize_t got;
	pid_t killer = fork();
	if (killer == 0) {
		kill_client(60);
		_exit(0);
	}
	while ((got = recv(fd, buffer, sizeof buffer, 0)) > 0) {
		right = right && matches(buffer, got, 1, total);
		total += got;
	}
	say_result("end", got);
	say_whether("all right", right);
	join_child("killer", killer);
}

static void recv_server(int fd)
{
	kill_client(20);
	expect_text(fd, "last words");
	char byte;
	say_result("end", recv(fd, &byte, 1, 0));
}

static void *kill_in_thread(void *unused)
{
	(void)unused;
	kill_client(50);
	return NULL;
}

static void asleep_server(int fd)
{
	expect_text(fd, "last words");
	pthread_t killer = start_thread(kill_in_thread, NULL);
	char byte;
	say_result("end, while asleep", recv(fd, &byte, 1, 0));
	pthread_join(killer, NULL);
}

static void poll_server(int fd)
{
	expect_text(fd, "last words");
	pthread_t killer = start_thread(kill_in_thread, NULL);
	struct pollfd entry = { .fd = fd, .events = POLLIN | POLLRDHUP };
	say_result("poll", poll(&entry, 1, 30000));
	say_events("woken", entry.revents, POLLIN | POLLRDHUP | POLLHUP | POLLERR);
	pthread_join(killer, NULL);
}

/* A loop that never waits must see the end as well. */
static void busy_server(int fd)
{
	expect_text(fd, "last words");
	pthread_t killer = start_thread(kill_in_thread, NULL);
	set_nonblocking(fd, true);
	char byte;
	ssize_t got;
	uint64_t limit = now_ms() + 40000;
	while ((got = recv(fd, &byte, 1, 0)) < 0 && errno == EAGAIN && now_ms() < limit)
		;
	say_result("end, in a busy loop", got);
	pthread_join(killer, NULL);
}

/* It dies with our bytes unread, and they have been there for a while: that is a reset. */
static void unread_server(int fd)
{
	expect_text(fd, "last words");
	send_text(fd, "never read");
	sleep_ms(300);
	kill_client(0);
	MUST(wait_for(fd, POLLHUP) ? 0 : -1);
	char byte;
	say_result("recv", recv(fd, &byte, 1, 0));
	say_result("send", send(fd, &byte, 1, MSG_NOSIGNAL));
}

static _Atomic long sends;

/* Not before the sender stands still: what nobody has sent is unread at nobody. */
static void *kill_when_blocked(void *unused)
{
	(void)unused;
	for (long before = -1; before != sends;) {
		before = sends;
		sleep_ms(100);
	}
	kill_client(0);
	return NULL;
}

static void sender_server(int fd)
{
	static char buffer[100000];
	pthread_t killer = start_thread(kill_when_blocked, NULL);
	ssize_t sent;
	while ((sent = send(fd, buffer, sizeof buffer, MSG_NOSIGNAL)) > 0)
		sends++;
	say_result("blocked sender", sent);
	pthread_join(killer, NULL);
}

static const struct test_case cases[] = {
	{ "in full flow", flow_server, client_in_flow, PAIRED },
	{ "killed before recv", recv_server, client_at_rest, PAIRED },
	{ "recv asleep", asleep_server, client_at_rest, PAIRED },
	{ "poll asleep", poll_server, client_at_rest, PAIRED },
	{ "busy loop", busy_server, client_at_rest, PAIRED },
	{ "unread data", unread_server, client_at_rest, PAIRED },
	{ "blocked sender", sender_server, client_at_rest, PAIRED },
};
MAIN(cases)
