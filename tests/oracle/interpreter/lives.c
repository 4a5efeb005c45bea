/* Steps in the life of a descriptor: made, connected, doubled, passed on, shut down and closed. */
#include "oracle.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/uio.h>

static void keep(const struct step *step, int word, int fd, int end)
{
	/* The number is not told: the library's own thread may hold the lowest one for a moment. */
	say_result(step, fd < 0 ? -1 : 0);
	long number = number_at(step, word);
	if (word < step->words && number >= 0 && number < SLOTS && fd >= 0)
		slots[number] = (struct slot){ fd, end };
}

/* A small segment would wait for an acknowledgement otherwise, and so depend on time. */
static int without_delay(int fd)
{
	int on = 1;
	int number = errno;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	errno = number;
	return fd;
}

static struct sockaddr_in6 loopback(int family, int port, socklen_t *length)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_loopback };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = { htonl(INADDR_LOOPBACK) } };
	*length = sizeof six;
	if (family == AF_INET) {
		memcpy(&six, &four, sizeof four);
		*length = sizeof four;
	}
	return six;
}

/* listen s0 p0 v4 */
static void do_listen(struct step *step)
{
	int family = step->words > 3 && step->word[3][1] == '6' ? AF_INET6 : AF_INET;
	long port = number_at(step, 2);
	socklen_t length;
	struct sockaddr_in6 address = loopback(family, 0, &length);
	int fd = socket(family, SOCK_STREAM, 0);
	if (port < 0 || port >= PORTS || fd < 0 || bind(fd, (struct sockaddr *)&address, length) != 0 || listen(fd, 16) != 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &length) != 0) {
		say(step, " broken");
		return;
	}
	atomic_store(&shared->port[port], ntohs(address.sin6_port));
	atomic_store(&shared->family[port], family);
	keep(step, 1, fd, -1);
}

/* connect s4 p0 e3 [nonblock] */
static void do_connect(struct step *step)
{
	long port = number_at(step, 2);
	port = port < 0 || port >= PORTS ? 0 : port;
	int family = atomic_load(&shared->family[port]);
	socklen_t length;
	struct sockaddr_in6 address = loopback(family, atomic_load(&shared->port[port]), &length);
	bool nonblocking = step->words > 4;
	int fd = socket(family ? family : AF_INET, SOCK_STREAM | (nonblocking ? SOCK_NONBLOCK : 0), 0);
	say_result(step, connect(without_delay(fd), (struct sockaddr *)&address, length));
	keep(step, 1, fd, number_at(step, 3));
}

/* dup2 s3 s5: where s5 stands, or at a number of its own if there is none */
static void replace(struct step *step, bool third)
{
	struct slot *from = slot_at(step, 1), *to = slot_at(step, 2);
	int place = to->fd >= 0 ? to->fd : 100 + (int)number_at(step, 2);
	int fd = third ? dup3(from->fd, place, O_CLOEXEC) : dup2(from->fd, place);
	keep(step, 2, fd, from->end);
}

/* pass s3: puts a descriptor on its way; take s5: takes the first that is on its way */
static void pass(struct step *step)
{
	struct slot *slot = slot_at(step, 1);
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec vector = { slot, sizeof *slot };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &slot->fd, sizeof(int));
	say_result(step, sendmsg(PASSING_FD, &message, MSG_DONTWAIT));
}

static void take(struct step *step)
{
	struct slot slot;
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec vector = { &slot, sizeof slot };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
	int fd = -1;
	ssize_t got = recvmsg(PASSING_FD + 1, &message, MSG_DONTWAIT);
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	if (got == sizeof slot && header && header->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(header), sizeof fd);
	keep(step, 1, fd, slot.end);
}

static void do_close(struct step *step, bool by_range)
{
	struct slot *slot = slot_at(step, 1);
	say_result(step, by_range ? close_range(slot->fd, slot->fd, 0) : close(slot->fd));
	*slot = (struct slot){ -1, -1 };
}

static void do_shutdown(struct step *step)
{
	const char *how = step->words > 2 ? step->word[2] : "";
	say_result(step, shutdown(fd_at(step, 1), strcmp(how, "RD") == 0 ? SHUT_RD : strcmp(how, "WR") == 0 ? SHUT_WR : SHUT_RDWR));
}

bool lives(struct step *step)
{
	const char *verb = step->word[0];
	struct slot *slot = slot_at(step, 1);
	if (strcmp(verb, "listen") == 0)
		do_listen(step);
	else if (strcmp(verb, "connect") == 0)
		do_connect(step);
	else if (strcmp(verb, "accept") == 0)
		keep(step, 1, without_delay(accept4(fd_at(step, 2), NULL, NULL, step->words > 4 ? SOCK_NONBLOCK : 0)),
		     number_at(step, 3));
	else if (strcmp(verb, "dup") == 0)
		keep(step, 2, dup(slot->fd), slot->end);
	else if (strcmp(verb, "dupfd") == 0)
		keep(step, 2, fcntl(slot->fd, F_DUPFD, (int)number_at(step, 3)), slot->end);
	else if (strcmp(verb, "dup2") == 0 || strcmp(verb, "dup3") == 0)
		replace(step, verb[3] == '3');
	else if (strcmp(verb, "pass") == 0)
		pass(step);
	else if (strcmp(verb, "take") == 0)
		take(step);
	else if (strcmp(verb, "shutdown") == 0)
		do_shutdown(step);
	else if (strcmp(verb, "close") == 0 || strcmp(verb, "close_range") == 0)
		do_close(step, verb[5] == '_');
	else
		return false;
	return true;
}
