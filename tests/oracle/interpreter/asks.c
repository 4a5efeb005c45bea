/* Steps that set or ask for an option. */
#include "oracle.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <linux/sockios.h>

enum kind { NUMBER, TIME, LINGERING };

static const struct option {
	const char *name;
	int level, number;
	enum kind kind;
} options[] = {
	{ "RCVTIMEO", SOL_SOCKET, SO_RCVTIMEO, TIME }, { "SNDTIMEO", SOL_SOCKET, SO_SNDTIMEO, TIME },
	{ "RCVLOWAT", SOL_SOCKET, SO_RCVLOWAT, NUMBER }, { "LINGER", SOL_SOCKET, SO_LINGER, LINGERING },
	{ "OOBINLINE", SOL_SOCKET, SO_OOBINLINE, NUMBER }, { "KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE, NUMBER },
	{ "ERROR", SOL_SOCKET, SO_ERROR, NUMBER }, { "TYPE", SOL_SOCKET, SO_TYPE, NUMBER },
	{ "ACCEPTCONN", SOL_SOCKET, SO_ACCEPTCONN, NUMBER }, { "DOMAIN", SOL_SOCKET, SO_DOMAIN, NUMBER },
	{ "PROTOCOL", SOL_SOCKET, SO_PROTOCOL, NUMBER }, { "BROADCAST", SOL_SOCKET, SO_BROADCAST, NUMBER },
	{ "PRIORITY", SOL_SOCKET, SO_PRIORITY, NUMBER }, { "REUSEADDR", SOL_SOCKET, SO_REUSEADDR, NUMBER },
	{ "NODELAY", IPPROTO_TCP, TCP_NODELAY, NUMBER }, { "CORK", IPPROTO_TCP, TCP_CORK, NUMBER },
	{ "QUICKACK", IPPROTO_TCP, TCP_QUICKACK, NUMBER }, { "KEEPIDLE", IPPROTO_TCP, TCP_KEEPIDLE, NUMBER },
	{ "USER_TIMEOUT", IPPROTO_TCP, TCP_USER_TIMEOUT, NUMBER }, { "DEFER_ACCEPT", IPPROTO_TCP, TCP_DEFER_ACCEPT, NUMBER },
	{ "NOTSENT_LOWAT", IPPROTO_TCP, TCP_NOTSENT_LOWAT, NUMBER }, { "RCVBUF", SOL_SOCKET, SO_RCVBUF, NUMBER },
	{ "SNDBUF", SOL_SOCKET, SO_SNDBUF, NUMBER }, { "ZEROCOPY", SOL_SOCKET, SO_ZEROCOPY, NUMBER },
	{ "WINDOW_CLAMP", IPPROTO_TCP, TCP_WINDOW_CLAMP, NUMBER }, { "TOS", IPPROTO_IP, IP_TOS, NUMBER },
};

static const struct option *option_at(const struct step *step, int word)
{
	for (size_t i = 0; word < step->words && i < sizeof options / sizeof *options; i++)
		if (strcmp(options[i].name, step->word[word]) == 0)
			return &options[i];
	return NULL;
}

/* set s3 LINGER 0 (-1: off); set s3 RCVTIMEO 30ms; set s3 NODELAY 1 */
static long set(struct step *step)
{
	const struct option *option = option_at(step, 2);
	int value = number_at(step, 3), fd = fd_at(step, 1);
	struct timeval time = { value / 1000, value % 1000 * 1000 };
	struct linger linger = { value >= 0, value < 0 ? 0 : value };
	if (!option)
		return errno = EDOM, -1;
	if (option->kind == TIME)
		return setsockopt(fd, option->level, option->number, &time, sizeof time);
	if (option->kind == LINGERING)
		return setsockopt(fd, option->level, option->number, &linger, sizeof linger);
	return setsockopt(fd, option->level, option->number, &value, sizeof value);
}

static void get(struct step *step)
{
	const struct option *option = option_at(step, 2);
	union {
		int numbers[4];
		struct timeval time;
	} value = { { 0 } };
	socklen_t length = sizeof value;
	int result = option ? getsockopt(fd_at(step, 1), option->level, option->number, &value, &length) : -1;
	say_result(step, result);
	if (result == 0 && option->kind == TIME)
		say(step, " %ldms", (long)value.time.tv_sec * 1000 + (long)value.time.tv_usec / 1000);
	else if (result == 0)
		say(step, " %d %d length %u", value.numbers[0], option->kind == LINGERING ? value.numbers[1] : 0, length);
}

/* TCP_INFO: the state is the kernel's; counts must be possible */
static void info(struct step *step)
{
	struct tcp_info info;
	socklen_t length = sizeof info;
	memset(&info, 0, sizeof info);
	int result = getsockopt(fd_at(step, 1), IPPROTO_TCP, TCP_INFO, &info, &length);
	say_result(step, result);
	/* Whether the peer's kernel has acknowledged a FIN already is a matter of time. */
	int state = info.tcpi_state == TCP_FIN_WAIT2 ? TCP_FIN_WAIT1 : info.tcpi_state;
	if (result == 0)
		say(step, " state %d length %s", state, length == sizeof info ? "full" : "other");
}

static void names(struct step *step)
{
	struct sockaddr_in6 mine, theirs;
	socklen_t length = sizeof mine, their_length = sizeof theirs;
	say_result(step, getsockname(fd_at(step, 1), (struct sockaddr *)&mine, &length));
	say_result(step, getpeername(fd_at(step, 1), (struct sockaddr *)&theirs, &their_length));
	say(step, " %u %u", length, their_length);
}

static long nonblock(int fd, int on, bool by_ioctl)
{
	if (by_ioctl)
		return ioctl(fd, FIONBIO, &on);
	int flags = fcntl(fd, F_GETFL);
	return flags < 0 ? -1 : fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
}

static void ask_number(struct step *step, unsigned long request)
{
	int value = -1;
	say_result(step, ioctl(fd_at(step, 1), request, &value));
	/* How much of it one sees is left open; whether there is any is not. */
	say(step, value > 0 ? " some" : " %d", value);
}

bool asks(struct step *step)
{
	const char *verb = step->word[0];
	int fd = fd_at(step, 1);
	if (strcmp(verb, "set") == 0)
		say_result(step, set(step));
	else if (strcmp(verb, "get") == 0)
		get(step);
	else if (strcmp(verb, "info") == 0)
		info(step);
	else if (strcmp(verb, "names") == 0)
		names(step);
	else if (strcmp(verb, "nonblock") == 0)
		say_result(step, nonblock(fd, number_at(step, 2), step->words > 3));
	else if (strcmp(verb, "fionread") == 0)
		ask_number(step, FIONREAD);
	else if (strcmp(verb, "outq") == 0)
		ask_number(step, SIOCOUTQ);
	else if (strcmp(verb, "atmark") == 0)
		say_result(step, sockatmark(fd));
	else if (strcmp(verb, "getfl") == 0)
		say(step, " %x", fcntl(fd, F_GETFL));
	else if (strcmp(verb, "getfd") == 0)
		say_result(step, fcntl(fd, F_GETFD));
	else if (strcmp(verb, "cloexec") == 0)
		say_result(step, fcntl(fd, F_SETFD, number_at(step, 2) ? FD_CLOEXEC : 0));
	else if (strcmp(verb, "own") == 0)
		say_result(step, fcntl(fd, F_SETOWN, getpid()));
	else if (strcmp(verb, "async") == 0)
		say_result(step, fcntl(fd, F_SETFL, number_at(step, 2) ? fcntl(fd, F_GETFL) | O_ASYNC : fcntl(fd, F_GETFL) & ~O_ASYNC));
	else
		return false;
	return true;
}
