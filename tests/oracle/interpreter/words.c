/* Words of a step, and the words of its result. */
#include "oracle.h"

long number_at(const struct step *step, int word)
{
	if (word >= step->words)
		return 0;
	const char *text = step->word[word];
	return strtol(text + strcspn(text, "-0123456789"), NULL, 10);
}

struct slot *slot_at(const struct step *step, int word)
{
	static struct slot none = { -1, -1 };
	long number = number_at(step, word);
	if (word >= step->words || number < 0 || number >= SLOTS)
		return &none;
	return &slots[number];
}

int fd_at(const struct step *step, int word)
{
	return slot_at(step, word)->fd;
}

void say(const struct step *step, const char *format, ...)
{
	char *result = shared->result[step->number];
	size_t length = strlen(result);
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(result + length, RESULT_BYTES - length, format, arguments);
	va_end(arguments);
}

void say_result(const struct step *step, long result)
{
	if (result < 0)
		say(step, " %s", error_name(errno));
	else
		say(step, " %ld", result);
}

void say_bytes(const struct step *step, const void *bytes, size_t length)
{
	say(step, " #%08x", hash(0, bytes, length));
}

#define ERROR(name) { name, #name }

const char *error_name(int number)
{
	static const struct {
		int number;
		const char *name;
	} names[] = {
		ERROR(EAGAIN), ERROR(EBADF), ERROR(ECONNABORTED), ERROR(ECONNREFUSED), ERROR(ECONNRESET), ERROR(EDESTADDRREQ),
		ERROR(EEXIST), ERROR(EFAULT), ERROR(EINPROGRESS), ERROR(EINTR), ERROR(EINVAL), ERROR(EISCONN), ERROR(EMFILE),
		ERROR(EMSGSIZE), ERROR(ENOENT), ERROR(ENOMEM), ERROR(ENOPROTOOPT), ERROR(ENOTCONN), ERROR(ENOTSOCK), ERROR(ENOTTY),
		ERROR(EOPNOTSUPP), ERROR(EPERM), ERROR(EPIPE), ERROR(ESPIPE), ERROR(ETIMEDOUT), ERROR(EALREADY), ERROR(EDOM),
	};
	static _Thread_local char other[24];
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (names[i].number == number)
			return names[i].name;
	snprintf(other, sizeof other, "errno-%d", number);
	return other;
}

long bits(const char *word, const struct name *names)
{
	long value = 0;
	while (word && *word) {
		size_t length = strcspn(word, "|");
		for (const struct name *name = names; name->name; name++)
			if (strlen(name->name) == length && strncmp(name->name, word, length) == 0)
				value |= name->bit;
		word += length + (word[length] == '|');
	}
	return value;
}

void say_bits(const struct step *step, long value, const struct name *names)
{
	const char *sign = " ";
	for (const struct name *name = names; name->name; name++)
		if (name->bit && (value & name->bit) == name->bit) {
			say(step, "%s%s", sign, name->name);
			value &= ~name->bit;
			sign = "|";
		}
	if (value)
		say(step, "%s0x%lx", sign, value);
	else if (*sign == ' ')
		say(step, " none");
}

void fill(void *bytes, size_t length, int step)
{
	uint8_t *at = bytes;
	for (size_t i = 0; i < length; i++)
		at[i] = (uint8_t)(((uint32_t)(i + 1) * 2654435761u + (uint32_t)step * 40503u) >> 13);
}

uint32_t hash(uint32_t before, const void *bytes, size_t length)
{
	const uint8_t *at = bytes;
	uint32_t value = before ? before : 2166136261u;
	for (size_t i = 0; i < length; i++)
		value = (value ^ at[i]) * 16777619u;
	return value;
}

uint64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}

void sleep_ms(long milliseconds)
{
	struct timespec left = { milliseconds / 1000, milliseconds % 1000 * 1000000 };
	while (nanosleep(&left, &left) != 0 && errno == EINTR)
		;
}

void note_sent(const struct slot *slot, long long before, long sent)
{
	if (sent <= 0 || slot->end < 0 || slot->end >= ENDS)
		return;
	struct end *end = &shared->ends[slot->end];
	long long seen = kernel_sent(slot->fd) - before;
	atomic_fetch_add(&end->said, sent);
	if (seen < sent)
		atomic_fetch_add(&end->ring, sent - seen);
}
