/* liburing beside ordinary calls on one connection: the library hands its entries to the kernel past the C library. */
#include "common.h"
#include <liburing.h>

enum { ROUNDS = 300 };

static struct io_uring ring;

static bool begin(unsigned flags)
{
	return io_uring_queue_init(16, &ring, flags) == 0;
}

static int completed(void)
{
	struct io_uring_cqe *completion;
	int failed;
	while ((failed = io_uring_wait_cqe(&ring, &completion)) == -EINTR)
		;
	if (failed)
		die("io_uring_wait_cqe: %s", error_name(-failed));
	int result = completion->res;
	io_uring_cqe_seen(&ring, completion);
	return result;
}

/* The ways in which entries are handed over, one after the other. */
static int submitted(int way)
{
	struct io_uring_cqe *completion;
	struct __kernel_timespec time = { .tv_sec = 20 };
	switch (way % 5) {
	case 0:
		io_uring_submit(&ring);
		break;
	case 1:
		io_uring_submit_and_wait(&ring, 1);
		break;
	case 2:
		io_uring_submit_and_wait_timeout(&ring, &completion, 1, &time, NULL);
		break;
	case 3:
		io_uring_submit_and_get_events(&ring);
		break;
	case 4: {
		struct io_uring_sqe *entry = io_uring_get_sqe(&ring);
		io_uring_prep_nop(entry);
		io_uring_submit_and_wait(&ring, 2);
		int first = completed(), second = completed();
		return first ? first : second;
	}
	}
	return completed();
}

static void receive(int fd, char *text, int way)
{
	for (int done = 0; done < 8;) {
		io_uring_prep_recv(io_uring_get_sqe(&ring), fd, text + done, 8 - done, 0);
		int received = submitted(way);
		if (received <= 0)
			die("received %d", received);
		done += received;
	}
}

static void echoes_server(int fd, bool has)
{
	for (int i = 0; i < ROUNDS; i++) {
		char text[8];
		if (has && i % 3)
			receive(fd, text, i);
		else
			recv_all(fd, text, 8);
		if (has && i % 7) {
			io_uring_prep_send(io_uring_get_sqe(&ring), fd, text, 8, 0);
			if (submitted(i / 2) != 8)
				die("send");
		} else {
			send_all(fd, text, 8);
		}
	}
}

static void plain_server(int fd)
{
	echoes_server(fd, begin(0));
}

static void polls_server(int fd)
{
	echoes_server(fd, begin(IORING_SETUP_SQPOLL));
}

static void large_server(int fd)
{
	echoes_server(fd, begin(IORING_SETUP_SQE128));
}

/* The fast road stays for the connections that no ring names. */
static void files_server(int fd)
{
	bool has = begin(0);
	int zero = MUST(open("/dev/zero", O_RDONLY));
	for (int i = 0; i < ROUNDS; i++) {
		char text[8];
		if (has) {
			io_uring_prep_read(io_uring_get_sqe(&ring), zero, text, 8, 0);
			if (submitted(i) != 8 || text[0])
				die("read");
		}
		recv_all(fd, text, 8);
		send_all(fd, text, 8);
	}
}

static void registered_server(int fd)
{
	bool has = begin(0);
	if (has)
		MUST(io_uring_register_files(&ring, &fd, 1));
	for (int i = 0; i < ROUNDS; i++) {
		char text[8] = "";
		for (int done = 0; has && done < 8;) {
			struct io_uring_sqe *entry = io_uring_get_sqe(&ring);
			io_uring_prep_recv(entry, 0, text + done, 8 - done, 0);
			entry->flags |= IOSQE_FIXED_FILE;
			int received = submitted(i);
			if (received <= 0)
				die("received %d", received);
			done += received;
		}
		if (!has)
			recv_all(fd, text, 8);
		send_all(fd, text, 8);
	}
}

static void spliced_server(int fd)
{
	bool has = begin(0);
	int ends[2];
	MUST(pipe(ends));
	for (int i = 0; i < ROUNDS; i++) {
		char text[8];
		for (int done = 0; has && done < 8;) {
			io_uring_prep_splice(io_uring_get_sqe(&ring), fd, -1, ends[1], -1, 8 - done, 0);
			int moved = submitted(i);
			if (moved <= 0)
				die("spliced %d", moved);
			done += moved;
		}
		if (!has)
			recv_all(fd, text, 8);
		else if (read(ends[0], text, 8) != 8)
			die("read");
		send_all(fd, text, 8);
	}
}

/* A descriptor that the ring sends to a child. */
static int channel[2];

static void child_of_passed(int unused)
{
	(void)unused;
	char byte, room[CMSG_SPACE(sizeof(int))];
	struct iovec piece = { &byte, 1 };
	struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room };
	MUST(recvmsg(channel[1], &message, 0));
	int fd;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
	for (int i = 0; i < ROUNDS; i++) {
		char text[8];
		recv_all(fd, text, 8);
		send_all(fd, text, 8);
	}
}

static void passed_server(int fd)
{
	bool has = begin(0);
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, channel));
	pid_t child = start_child(child_of_passed, 0);
	char byte = 0, room[CMSG_SPACE(sizeof(int))] = "";
	struct iovec piece = { &byte, 1 };
	struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(header), &fd, sizeof fd);
	int sent = -EINVAL;
	if (has) {
		io_uring_prep_sendmsg(io_uring_get_sqe(&ring), channel[0], &message, 0);
		sent = submitted(0);
	}
	/* Kernels before 6.x send no descriptors by a ring. */
	if (sent == -EINVAL)
		MUST(sendmsg(channel[0], &message, 0));
	join_child("child", child);
}

static void echoes_client(int fd)
{
	int right = 0;
	char sent[9], received[9] = "";
	for (int i = 0; i < ROUNDS; i++) {
		snprintf(sent, sizeof sent, "%08d", i);
		send_text(fd, sent);
		recv_all(fd, received, 8);
		right += memcmp(sent, received, 8) == 0;
	}
	say("echoes: %d", right);
}

static const struct test_case cases[] = {
	{ "on the fast road before", plain_server, echoes_client, PAIRED },
	{ "the kernel polls", polls_server, echoes_client, PAIRED },
	{ "large entries", large_server, echoes_client, PAIRED },
	{ "files beside a connection", files_server, echoes_client, PAIRED },
	{ "registered files", registered_server, echoes_client, PAIRED },
	{ "spliced", spliced_server, echoes_client, PAIRED },
	{ "passed", passed_server, echoes_client, PAIRED },
};
MAIN(cases)
