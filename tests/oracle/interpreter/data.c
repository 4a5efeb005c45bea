/* Steps that move data by one call. What was received is told as its length and a hash. */
#include "oracle.h"
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

enum { BYTES = 1 << 20, VECTORS = 8, MESSAGES = 4 };

const struct name message_flags[] = {
	{ "PEEK", MSG_PEEK }, { "WAITALL", MSG_WAITALL }, { "DONTWAIT", MSG_DONTWAIT }, { "NOSIGNAL", MSG_NOSIGNAL },
	{ "TRUNC", MSG_TRUNC }, { "MORE", MSG_MORE }, { "OOB", MSG_OOB }, { "CTRUNC", MSG_CTRUNC }, { "EOR", MSG_EOR },
	{ "CMSG_CLOEXEC", MSG_CMSG_CLOEXEC }, { "WAITFORONE", MSG_WAITFORONE }, { "ERRQUEUE", MSG_ERRQUEUE },
	{ "DONTROUTE", MSG_DONTROUTE }, { "ZEROCOPY", MSG_ZEROCOPY }, { NULL, 0 },
};

static size_t length_at(const struct step *step, int word)
{
	long length = number_at(step, word);
	return length < 0 ? 0 : length > BYTES ? BYTES : length;
}

/* Cuts a buffer into pieces that are not alike; an empty one among them. */
static int cut(struct iovec *vector, char *bytes, size_t length, int pieces)
{
	pieces = pieces < 1 ? 1 : pieces > VECTORS ? VECTORS : pieces;
	for (int i = 0; i < pieces; i++) {
		size_t now = i == pieces - 1 ? length : i == 1 ? 0 : length / 3;
		vector[i] = (struct iovec){ bytes, now };
		bytes += now;
		length -= now;
	}
	return pieces;
}

/* Divides a buffer into as many equal messages as the step asks for. */
static int divide(const struct step *step, struct mmsghdr *messages, struct iovec *vectors, char *bytes, size_t length)
{
	int count = number_at(step, 3);
	count = count < 1 ? 1 : count > MESSAGES ? MESSAGES : count;
	for (int i = 0; i < count; i++) {
		vectors[i] = (struct iovec){ bytes + i * (length / count), length / count };
		messages[i].msg_hdr = (struct msghdr){ .msg_iov = &vectors[i], .msg_iovlen = 1 };
	}
	return count;
}

/* sendmmsg of equal messages */
static long send_many(const struct step *step, int fd, char *bytes, size_t length, int flags)
{
	struct mmsghdr messages[MESSAGES] = { 0 };
	struct iovec vectors[MESSAGES];
	int count = divide(step, messages, vectors, bytes, length);
	int done = sendmmsg(fd, messages, count, flags);
	long total = 0;
	for (int i = 0; i < done; i++)
		total += messages[i].msg_len;
	return done < 0 ? -1 : total;
}

static long send_file(int fd, const char *bytes, size_t length)
{
	int file = memfd_create("sent", MFD_CLOEXEC);
	if (write(file, bytes, length) != (ssize_t)length)
		return -1;
	off_t from = 0;
	ssize_t sent = sendfile(fd, file, &from, length);
	int number = errno;
	close(file);
	errno = number;
	return sent;
}

/* Through a pipe that is made for it; what goes in is at most what a pipe takes. */
static long splice_out(int fd, const char *bytes, size_t length)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) != 0)
		return -1;
	ssize_t sent = write(ends[1], bytes, length);
	if (sent >= 0)
		sent = splice(ends[0], NULL, fd, NULL, sent, 0);
	int number = errno;
	close(ends[0]);
	close(ends[1]);
	errno = number;
	return sent;
}

static long splice_in(int fd, char *bytes, size_t length, int flags)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) != 0)
		return -1;
	ssize_t got = splice(fd, NULL, ends[1], NULL, length, flags);
	int number = errno;
	if (got > 0 && read(ends[0], bytes, got) != got)
		got = -2;
	close(ends[0]);
	close(ends[1]);
	errno = number;
	return got;
}

/* send s3 100b FLAGS [3x pieces, or messages] */
static bool sends(struct step *step, int fd, char *bytes)
{
	const char *verb = step->word[0];
	size_t length = length_at(step, 2);
	struct iovec vector[VECTORS];
	struct msghdr message = { .msg_iov = vector };
	int flags = bits(step->words > 4 ? step->word[4] : "", message_flags);
	struct slot *slot = slot_at(step, 1);
	long long before = kernel_sent(fd);
	long sent;
	fill(bytes, length, step->number);
	message.msg_iovlen = cut(vector, bytes, length, number_at(step, 3));
	if (strcmp(verb, "send") == 0)
		sent = send(fd, bytes, length, flags);
	else if (strcmp(verb, "sendto") == 0)
		sent = sendto(fd, bytes, length, flags, NULL, 0);
	else if (strcmp(verb, "write") == 0)
		sent = write(fd, bytes, length);
	else if (strcmp(verb, "writev") == 0)
		sent = writev(fd, vector, message.msg_iovlen);
	else if (strcmp(verb, "pwritev2") == 0)
		sent = pwritev2(fd, vector, message.msg_iovlen, -1, 0);
	else if (strcmp(verb, "sendmsg") == 0)
		sent = sendmsg(fd, &message, flags);
	else if (strcmp(verb, "sendfile") == 0)
		sent = send_file(fd, bytes, length);
	else if (strcmp(verb, "splice_out") == 0)
		sent = splice_out(fd, bytes, length);
	else if (strcmp(verb, "sendmmsg") == 0)
		sent = send_many(step, fd, bytes, length, flags);
	else
		return false;
	say_result(step, sent);
	note_sent(slot, before, sent);
	return true;
}

static long receive_message(struct step *step, int fd, struct msghdr *message, int flags)
{
	char control[64], address[64];
	message->msg_control = control;
	message->msg_controllen = sizeof control;
	message->msg_name = address;
	message->msg_namelen = sizeof address;
	long got = recvmsg(fd, message, flags);
	if (got >= 0) {
		say_bits(step, message->msg_flags & ~MSG_CMSG_CLOEXEC, message_flags);
		say(step, " name %u control %zu", message->msg_namelen, message->msg_controllen);
	}
	return got;
}

/* recvmmsg into equal places; the bytes are moved together, for how they are cut is TCP's affair. */
static long receive_many(const struct step *step, int fd, char *bytes, size_t length, int flags)
{
	struct mmsghdr messages[MESSAGES] = { 0 };
	struct iovec vectors[MESSAGES];
	int count = divide(step, messages, vectors, bytes, length);
	int done = recvmmsg(fd, messages, count, flags, NULL);
	long total = 0;
	for (int i = 0; i < done; i++) {
		memmove(bytes + total, vectors[i].iov_base, messages[i].msg_len);
		total += messages[i].msg_len;
	}
	return done < 0 ? -1 : total;
}

static long receive(struct step *step, int fd, char *bytes, size_t length, int flags)
{
	const char *verb = step->word[0];
	struct iovec vector[VECTORS];
	struct msghdr message = { .msg_iov = vector };
	socklen_t no_length = 0;
	message.msg_iovlen = cut(vector, bytes, length, number_at(step, 3));
	if (strcmp(verb, "recv") == 0)
		return recv(fd, bytes, length, flags);
	if (strcmp(verb, "recvfrom") == 0)
		return recvfrom(fd, bytes, length, flags, NULL, &no_length);
	if (strcmp(verb, "read") == 0)
		return read(fd, bytes, length);
	if (strcmp(verb, "readv") == 0)
		return readv(fd, vector, message.msg_iovlen);
	if (strcmp(verb, "preadv2") == 0)
		return preadv2(fd, vector, message.msg_iovlen, -1, 0);
	if (strcmp(verb, "recvmsg") == 0)
		return receive_message(step, fd, &message, flags);
	if (strcmp(verb, "recvmmsg") == 0)
		return receive_many(step, fd, bytes, length, flags);
	if (strcmp(verb, "splice_in") == 0)
		return splice_in(fd, bytes, length, flags & MSG_DONTWAIT ? SPLICE_F_NONBLOCK : 0);
	return -2;
}

/* Where a stream is cut is TCP's affair: what else is there is received, too. Says how it ended, if not for want of bytes. */
static long receive_rest(const struct step *step, int fd, char *bytes, size_t length, long got, int flags)
{
	long now = 1;
	while (got < (long)length && now > 0) {
		now = recv(fd, bytes + got, length - got, MSG_DONTWAIT | flags);
		got += now > 0 ? now : 0;
	}
	if (now < 0 && errno != EAGAIN)
		say(step, " then %s", error_name(errno));
	return got;
}

/* recv s3 100b [3x pieces, or messages] FLAGS [quiet] */
static bool receives(struct step *step, int fd, char *bytes)
{
	size_t length = length_at(step, 2);
	int flags = bits(step->words > 4 ? step->word[4] : "", message_flags);
	long got = receive(step, fd, bytes, length, flags);
	if (got == -2)
		return false;
	if (got > 0 && !(flags & (MSG_PEEK | MSG_OOB)))
		got = receive_rest(step, fd, bytes, length, got, flags & MSG_TRUNC);
	if (got > 0 && flags & MSG_PEEK)
		/* How far one sees is left open; that there is something, and what, is not. */
		say(step, " some #%02x", (unsigned char)(flags & MSG_TRUNC ? 0 : bytes[0]));
	else
		say_result(step, got);
	if (got > 0 && !(flags & (MSG_PEEK | MSG_TRUNC)) && step->words < 6)
		say_bytes(step, bytes, got);
	return true;
}

bool moves_data(struct step *step)
{
	static _Thread_local char *bytes;
	if (!bytes)
		bytes = malloc(BYTES);
	int fd = fd_at(step, 1);
	return sends(step, fd, bytes) || receives(step, fd, bytes);
}
