/* Steps that ask what is ready. The timeout comes first; one that expires too early is told. */
#include "oracle.h"
#include <sys/epoll.h>
#include <sys/select.h>

static const struct name poll_events[] = {
	{ "IN", POLLIN }, { "OUT", POLLOUT }, { "PRI", POLLPRI }, { "ERR", POLLERR }, { "HUP", POLLHUP }, { "RDHUP", POLLRDHUP },
	{ "NVAL", POLLNVAL }, { "RDNORM", POLLRDNORM }, { "WRNORM", POLLWRNORM }, { "RDBAND", POLLRDBAND }, { NULL, 0 },
};

static const struct name epoll_events[] = {
	{ "IN", EPOLLIN }, { "OUT", EPOLLOUT }, { "PRI", EPOLLPRI }, { "ERR", EPOLLERR }, { "HUP", EPOLLHUP },
	{ "RDHUP", EPOLLRDHUP }, { "RDNORM", EPOLLRDNORM }, { "WRNORM", EPOLLWRNORM }, { "ET", (long)(unsigned)EPOLLET },
	{ "ONESHOT", EPOLLONESHOT }, { "EXCLUSIVE", EPOLLEXCLUSIVE }, { NULL, 0 },
};

static void say_waited(const struct step *step, long result, uint64_t began, long limit)
{
	say_result(step, result);
	if (result == 0 && limit > 0 && now_ms() - began + 1 < (uint64_t)limit)
		say(step, " EARLY");
}

/* poll 0ms s3 IN|OUT s4 IN */
static void do_poll(struct step *step, bool with_mask)
{
	struct pollfd entries[WORDS];
	int count = 0;
	long limit = number_at(step, 1);
	for (int word = 2; word + 1 < step->words; word += 2)
		entries[count++] = (struct pollfd){ fd_at(step, word), bits(step->word[word + 1], poll_events), 0 };
	struct timespec time = { limit / 1000, limit % 1000 * 1000000 };
	uint64_t began = now_ms();
	int ready = with_mask ? ppoll(entries, count, limit < 0 ? NULL : &time, NULL) : poll(entries, count, limit);
	say_waited(step, ready, began, limit);
	for (int i = 0; i < count && ready > 0; i++)
		say_bits(step, entries[i].revents, poll_events);
}

/* select 0ms s3 R|W|E s4 R */
static void do_select(struct step *step, bool with_mask)
{
	static const struct name sets[] = { { "R", 1 }, { "W", 2 }, { "E", 4 }, { NULL, 0 } };
	fd_set set[3];
	int highest = -1;
	long limit = number_at(step, 1);
	for (int i = 0; i < 3; i++)
		FD_ZERO(&set[i]);
	for (int word = 2; word + 1 < step->words; word += 2) {
		int fd = fd_at(step, word);
		for (int i = 0; i < 3 && fd >= 0; i++)
			if (bits(step->word[word + 1], sets) & 1 << i)
				FD_SET(fd, &set[i]);
		highest = fd > highest ? fd : highest;
	}
	struct timeval time = { limit / 1000, limit % 1000 * 1000 };
	struct timespec fine = { limit / 1000, limit % 1000 * 1000000 };
	uint64_t began = now_ms();
	int ready = with_mask ? pselect(highest + 1, &set[0], &set[1], &set[2], limit < 0 ? NULL : &fine, NULL) :
				select(highest + 1, &set[0], &set[1], &set[2], limit < 0 ? NULL : &time);
	say_waited(step, ready, began, limit);
	for (int word = 2; word + 1 < step->words && ready > 0; word += 2) {
		int fd = fd_at(step, word);
		long seen = 0;
		for (int i = 0; i < 3 && fd >= 0; i++)
			seen |= FD_ISSET(fd, &set[i]) ? 1 << i : 0;
		say_bits(step, seen, sets);
	}
}

static int compare(const void *a, const void *b)
{
	const struct epoll_event *one = a, *other = b;
	return one->data.u32 < other->data.u32 ? -1 : one->data.u32 > other->data.u32;
}

/* epoll_wait s5 4x 0ms; which of several comes first is left open */
static void do_epoll_wait(struct step *step, bool with_mask)
{
	struct epoll_event events[8];
	long most = number_at(step, 2), limit = number_at(step, 3);
	most = most > 8 ? 8 : most;
	uint64_t began = now_ms();
	int fd = fd_at(step, 1);
	int ready = with_mask ? epoll_pwait(fd, events, most, limit, NULL) : epoll_wait(fd, events, most, limit);
	say_waited(step, ready, began, limit);
	if (ready > 0)
		qsort(events, ready, sizeof *events, compare);
	for (int i = 0; i < ready; i++) {
		say(step, " s%u", events[i].data.u32);
		say_bits(step, events[i].events, epoll_events);
	}
}

static void control(struct step *step, int operation)
{
	struct epoll_event event = { .data.u32 = number_at(step, 2) };
	event.events = (uint32_t)bits(step->words > 3 ? step->word[3] : "", epoll_events);
	say_result(step, epoll_ctl(fd_at(step, 1), operation, fd_at(step, 2), &event));
}

bool waits(struct step *step)
{
	const char *verb = step->word[0];
	if (strcmp(verb, "poll") == 0 || strcmp(verb, "ppoll") == 0)
		do_poll(step, verb[1] == 'p');
	else if (strcmp(verb, "select") == 0 || strcmp(verb, "pselect") == 0)
		do_select(step, verb[0] == 'p');
	else if (strcmp(verb, "epoll_wait") == 0 || strcmp(verb, "epoll_pwait") == 0)
		do_epoll_wait(step, verb[6] == 'p');
	else if (strcmp(verb, "epoll_add") == 0)
		control(step, EPOLL_CTL_ADD);
	else if (strcmp(verb, "epoll_mod") == 0)
		control(step, EPOLL_CTL_MOD);
	else if (strcmp(verb, "epoll_del") == 0)
		control(step, EPOLL_CTL_DEL);
	else if (strcmp(verb, "epoll_create") == 0)
		*slot_at(step, 1) = (struct slot){ epoll_create1(0), -1 };
	else
		return false;
	return true;
}
