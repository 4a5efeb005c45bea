/* Steps that move much, by as many calls as it takes: only what comes out in the end is told, not how TCP cut it. */
#include "oracle.h"
#include <netinet/in.h>
#include <netinet/tcp.h>

enum { PIECE = 1 << 18, EXCHANGES = 40, RING_EXCHANGES = 4, PATIENCE_MS = 3000 };

/* Large on purpose: thread-local variables take their place on the stack of the library's thread, too. */
static _Thread_local uint8_t piece[PIECE];

static void await_ready(int fd, short events)
{
	struct pollfd entry = { .fd = fd, .events = events };
	if (errno == EAGAIN)
		poll(&entry, 1, 1000);
}

static bool goes_on(void)
{
	return errno == EAGAIN || errno == EINTR;
}

static long send_whole(const struct slot *slot, const void *bytes, size_t length)
{
	size_t done = 0;
	while (done < length) {
		long long before = kernel_sent(slot->fd);
		ssize_t now = send(slot->fd, (const char *)bytes + done, length - done, MSG_NOSIGNAL);
		note_sent(slot, before, now);
		if (now >= 0)
			done += now;
		else if (goes_on())
			await_ready(slot->fd, POLLOUT);
		else
			return -1;
	}
	return done;
}

/* Returns less than `length` at the end of the stream, and -1 if nothing at all can be had for an error. */
static long receive_whole(int fd, void *bytes, size_t length)
{
	size_t done = 0;
	while (done < length) {
		ssize_t now = recv(fd, (char *)bytes + done, length - done, 0);
		if (now > 0)
			done += now;
		else if (now < 0 && goes_on())
			await_ready(fd, POLLIN);
		else
			return done > 0 || now == 0 ? (long)done : -1;
	}
	return done;
}

static size_t message_length(const struct step *step, int word)
{
	long length = number_at(step, word);
	return length < 1 ? 1 : length > PIECE ? PIECE : length;
}

/* echo s3 16b: sends messages back, until one begins with a 'z' */
static void echo(struct step *step)
{
	size_t length = message_length(step, 2);
	struct slot *slot = slot_at(step, 1);
	long got;
	do {
		got = receive_whole(slot->fd, piece, length);
		if (got != (long)length || send_whole(slot, piece, length) < 0)
			break;
	} while (piece[0] != 'z');
	say_result(step, got);
}

/* One message each way between two slots; by the echo of another actor if they are the same. */
static bool exchange(struct slot *from, struct slot *to, size_t length, bool echoed)
{
	if (send_whole(from, piece, length) < 0)
		return false;
	if (echoed)
		return receive_whole(from->fd, piece, length) == (long)length;
	return receive_whole(to->fd, piece, length) == (long)length && send_whole(to, piece, length) >= 0 &&
	       receive_whole(from->fd, piece, length) == (long)length;
}

/* Bytes that have not gone by the kernel, both ways if both ends are known here. */
static long long by_ring(const struct slot *slot)
{
	return slot->end < 0 ? 0 : atomic_load(&shared->ends[slot->end].ring);
}

/* Goes on until some messages have gone past the kernel, if the library is there; some times in any case. */
static void warm(struct step *step, struct slot *from, struct slot *to, size_t length, bool echoed)
{
	uint64_t stop = now_ms() + PATIENCE_MS;
	long long before = by_ring(from), before_back = by_ring(to);
	long times = number_at(step, step->words - 2);
	bool good = true;
	for (long i = 0; good; i++) {
		long long wanted = (long long)(RING_EXCHANGES * length);
		bool warmed = by_ring(from) - before >= wanted && (echoed || by_ring(to) - before_back >= wanted);
		if (i >= times && (warmed || times < EXCHANGES || !shared->enabled || now_ms() > stop))
			break;
		memset(piece, 'a' + (int)(i % 20), length);
		good = exchange(from, to, length, echoed);
		if (i >= 5 && times >= EXCHANGES && !warmed)
			usleep(300);
	}
	memset(piece, 'z', length);
	if (good && echoed)
		good = exchange(from, to, length, echoed);
	say(step, good ? " warm" : " broken");
}

/* pour s3 1000000b 4000b: sends so much, in pieces */
static void pour(struct step *step)
{
	long length = number_at(step, 2), done = 0;
	size_t at_once = message_length(step, 3);
	struct slot *slot = slot_at(step, 1);
	fill(piece, PIECE, step->number);
	while (done < length) {
		size_t now = length - done < (long)at_once ? (size_t)(length - done) : at_once;
		if (send_whole(slot, piece + done % (PIECE - at_once + 1), now) < 0)
			break;
		done += now;
	}
	/* How far it came before an error is TCP's affair. */
	say(step, done >= length ? " all" : " %s", error_name(errno));
}

/* drink s3 1000000b 5000b: receives so much, or to the end */
static void drink(struct step *step)
{
	long length = number_at(step, 2), done = 0;
	size_t at_once = message_length(step, 3);
	uint32_t sum = 0;
	long now = 1;
	while (done < length && now > 0) {
		now = receive_whole(fd_at(step, 1), piece, length - done < (long)at_once ? (size_t)(length - done) : at_once);
		if (now > 0) {
			sum = hash(sum, piece, now);
			done += now;
		}
	}
	int number = errno;
	say(step, " %ld #%08x", done, sum);
	if (done < length)
		say(step, " then %s", now < 0 ? error_name(number) : "the end");
}

/* more s3 100b 3x; cork s3 100b 3x: messages that belong together. When a part leaves alone is TCP's affair, so nobody looks
 * between them. */
static void hold_back(struct step *step, bool corked)
{
	struct slot *slot = slot_at(step, 1);
	long times = number_at(step, 3), done = 0;
	size_t length = message_length(step, 2);
	int on = 1, off = 0;
	fill(piece, length, step->number);
	if (corked)
		setsockopt(slot->fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on);
	for (long i = 0; i < times && done >= 0; i++) {
		long long before = kernel_sent(slot->fd);
		int flags = !corked && i < times - 1 ? MSG_MORE : 0;
		ssize_t now = send(slot->fd, piece, length, flags | MSG_DONTWAIT | MSG_NOSIGNAL);
		note_sent(slot, before, now);
		done = now < 0 ? -1 : done + now;
	}
	say_result(step, done);
	if (corked)
		setsockopt(slot->fd, IPPROTO_TCP, TCP_CORK, &off, sizeof off);
}

/* stuff s3: sends until nothing more goes in and stays so; how much that is is not told */
static void stuff(struct step *step)
{
	struct slot *slot = slot_at(step, 1);
	long long total = 0;
	bool full = false;
	for (int i = 0; i < PIECE; i++)
		piece[i] = i % 251;
	while (!full) {
		long long before = kernel_sent(slot->fd);
		ssize_t now = send(slot->fd, piece + total % 251, PIECE / 2, MSG_DONTWAIT | MSG_NOSIGNAL);
		note_sent(slot, before, now);
		struct pollfd entry = { .fd = slot->fd, .events = POLLOUT };
		if (now > 0)
			total += now;
		else
			full = errno != EAGAIN || poll(&entry, 1, 60) == 0;
	}
	if (slot->end >= 0)
		atomic_store(&shared->ends[slot->end].stuffed, total);
	say(step, " %s", errno == EAGAIN ? "full" : error_name(errno));
}

/* drain s4 e3: receives what that end has stuffed */
static void drain(struct step *step)
{
	long end = number_at(step, 2), now = 1;
	long long total = end >= 0 && end < ENDS ? atomic_load(&shared->ends[end].stuffed) : 0, done = 0;
	bool right = true;
	while (done < total && now > 0) {
		now = receive_whole(fd_at(step, 1), piece, total - done < 30000 ? (size_t)(total - done) : 30000);
		for (long i = 0; i < now; i++)
			right = right && piece[i] == (done + i) % 251;
		done += now > 0 ? now : 0;
	}
	say(step, " %s %s", done == total ? "all" : "not all", right ? "right" : "wrong");
}

bool moves_much(struct step *step)
{
	const char *verb = step->word[0];
	if (strcmp(verb, "echo") == 0)
		echo(step);
	else if (strcmp(verb, "ping") == 0)
		warm(step, slot_at(step, 1), slot_at(step, 1), message_length(step, 3), true);
	else if (strcmp(verb, "bounce") == 0)
		warm(step, slot_at(step, 1), slot_at(step, 2), message_length(step, 4), false);
	else if (strcmp(verb, "pour") == 0)
		pour(step);
	else if (strcmp(verb, "drink") == 0)
		drink(step);
	else if (strcmp(verb, "more") == 0 || strcmp(verb, "cork") == 0)
		hold_back(step, verb[0] == 'c');
	else if (strcmp(verb, "stuff") == 0)
		stuff(step);
	else if (strcmp(verb, "drain") == 0)
		drain(step);
	else
		return false;
	return true;
}
