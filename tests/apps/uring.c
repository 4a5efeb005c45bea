/* io_uring beside ordinary calls on one connection: its operations pass the library by, and no byte is lost or out of order. */
#include "common.h"
#include <linux/io_uring.h>
#include <sys/syscall.h>

static struct {
	int fd;
	unsigned *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail, *cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
} ring;

static bool begin(void)
{
	struct io_uring_params params = { 0 };
	ring.fd = syscall(SYS_io_uring_setup, 8, &params);
	if (ring.fd < 0)
		return false;
	size_t length = params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe);
	char *rings = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd, IORING_OFF_SQ_RING);
	ring.sqes = mmap(NULL, params.sq_entries * sizeof *ring.sqes, PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd,
			 IORING_OFF_SQES);
	if (rings == MAP_FAILED || ring.sqes == MAP_FAILED)
		die("the rings");
	ring.sq_tail = (unsigned *)(rings + params.sq_off.tail);
	ring.sq_mask = (unsigned *)(rings + params.sq_off.ring_mask);
	ring.sq_array = (unsigned *)(rings + params.sq_off.array);
	ring.cq_head = (unsigned *)(rings + params.cq_off.head);
	ring.cq_tail = (unsigned *)(rings + params.cq_off.tail);
	ring.cq_mask = (unsigned *)(rings + params.cq_off.ring_mask);
	ring.cqes = (struct io_uring_cqe *)(rings + params.cq_off.cqes);
	return true;
}

/* One operation from beginning to end. */
static int perform(int operation, int fd, void *buffer, unsigned length)
{
	unsigned tail = *ring.sq_tail, at = tail & *ring.sq_mask;
	ring.sqes[at] = (struct io_uring_sqe){ .opcode = operation, .fd = fd, .addr = (uintptr_t)buffer, .len = length };
	ring.sq_array[at] = at;
	__atomic_store_n(ring.sq_tail, tail + 1, __ATOMIC_RELEASE);
	while (syscall(SYS_io_uring_enter, ring.fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		if (errno != EINTR)
			die("io_uring_enter");
	unsigned head = *ring.cq_head;
	while (__atomic_load_n(ring.cq_tail, __ATOMIC_ACQUIRE) == head)
		usleep(100);
	int result = ring.cqes[head & *ring.cq_mask].res;
	__atomic_store_n(ring.cq_head, head + 1, __ATOMIC_RELEASE);
	return result;
}

static void whole(int operation, int fd, void *buffer, unsigned length)
{
	for (unsigned done = 0; done < length;) {
		int moved = perform(operation, fd, (char *)buffer + done, length - done);
		if (moved <= 0) {
			errno = -moved;
			die("operation %d", operation);
		}
		done += moved;
	}
}

enum { ROUNDS = 300 };

/* All by io_uring: never seen, so never accelerated. */
static void alone_server(int unused)
{
	(void)unused;
	int port, listener = listen_local(AF_INET, &port);
	bool has = begin();
	post(1, has + 1);
	post(PORT_PLACE, port);
	int fd = has ? perform(IORING_OP_ACCEPT, listener, NULL, 0) : MUST(accept(listener, NULL, NULL));
	char text[32];
	for (int i = 0; i < ROUNDS && has; i++) {
		whole(IORING_OP_RECV, fd, text, 8);
		whole(IORING_OP_SEND, fd, text, 8);
	}
	say_whether("io_uring", has);
	MUST(close(fd));
}

static void alone_client(int unused)
{
	(void)unused;
	int fd = connect_local(AF_INET, await(PORT_PLACE)), right = 0;
	char sent[9], received[9] = "";
	for (int i = 0; i < ROUNDS && await(1) == 2; i++) {
		snprintf(sent, sizeof sent, "%08d", i);
		send_text(fd, sent);
		recv_all(fd, received, 8);
		right += memcmp(sent, received, 8) == 0;
	}
	say("echoes: %d", right);
}

/* Ordinary sends, receives by io_uring: the other way round than what has been seen. */
static void mixed_server(int unused)
{
	(void)unused;
	int port, listener = listen_local(AF_INET, &port);
	bool has = begin();
	post(1, has + 1);
	post(PORT_PLACE, port);
	int fd = MUST(accept(listener, NULL, NULL));
	char text[32];
	for (int i = 0; i < ROUNDS && has; i++) {
		if (i % 3 == 0)
			recv_all(fd, text, 8);
		else
			whole(IORING_OP_RECV, fd, text, 8);
		if (i % 5 == 0)
			whole(IORING_OP_SEND, fd, text, 8);
		else
			send_all(fd, text, 8);
	}
	say_whether("io_uring", has);
	MUST(close(fd));
}

/* One connection by io_uring, and another one by ordinary calls that is accelerated. */
static void beside_server(int fd)
{
	int port, listener = listen_local(AF_INET, &port);
	bool has = begin();
	post(1, has + 1);
	post(2, port);
	int second = MUST(accept(listener, NULL, NULL));
	char text[32];
	for (int i = 0; i < ROUNDS; i++) {
		recv_all(fd, text, 8);
		send_all(fd, text, 8);
		if (has) {
			whole(IORING_OP_RECV, second, text, 8);
			whole(IORING_OP_SEND, second, text, 8);
		}
	}
	say_whether("io_uring", has);
}

static void beside_client(int fd)
{
	int second = connect_local(AF_INET, await(2)), right = 0;
	char sent[9], received[9] = "";
	for (int i = 0; i < ROUNDS; i++) {
		snprintf(sent, sizeof sent, "%08d", i);
		send_text(fd, sent);
		recv_all(fd, received, 8);
		right += memcmp(sent, received, 8) == 0;
		if (await(1) == 2) {
			send_text(second, sent);
			recv_all(second, received, 8);
			right += memcmp(sent, received, 8) == 0;
		}
	}
	say("echoes: %d", right);
}

static const struct test_case cases[] = {
	{ "beside", beside_server, beside_client, PAIRED },
	{ "alone", alone_server, alone_client, RAW },
	{ "mixed from the start", mixed_server, alone_client, RAW },
};
MAIN(cases)
