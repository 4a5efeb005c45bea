/* io_uring, driven by system calls, beside ordinary calls on one connection: no byte is lost or out of order, whichever road the
 * connection was on before the ring named it. */
#include "common.h"
#include <linux/io_uring.h>
#include <sys/syscall.h>

static struct {
	int fd;
	unsigned *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail, *cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
	char *rings;
	size_t length;
	bool polls;
} ring;

static bool begin_with(unsigned flags)
{
	struct io_uring_params params = { .flags = flags, .sq_thread_idle = 1000 };
	ring.fd = syscall(SYS_io_uring_setup, 8, &params);
	if (ring.fd < 0)
		return false;
	size_t length = ring.length = params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe);
	char *rings = ring.rings = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd, IORING_OFF_SQ_RING);
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
	ring.polls = flags & IORING_SETUP_SQPOLL;
	return true;
}

static bool begin(void)
{
	return begin_with(0);
}

static void queue(struct io_uring_sqe entry)
{
	unsigned tail = *ring.sq_tail, at = tail & *ring.sq_mask;
	ring.sqes[at] = entry;
	ring.sq_array[at] = at;
	__atomic_store_n(ring.sq_tail, tail + 1, __ATOMIC_RELEASE);
}

static void submit(int count)
{
	unsigned flags = IORING_ENTER_GETEVENTS | (ring.polls ? IORING_ENTER_SQ_WAKEUP : 0);
	while (syscall(SYS_io_uring_enter, ring.fd, count, 0, flags, NULL, 0) < 0)
		if (errno != EINTR)
			die("io_uring_enter");
}

static int completed(void)
{
	unsigned head = *ring.cq_head;
	while (__atomic_load_n(ring.cq_tail, __ATOMIC_ACQUIRE) == head)
		while (syscall(SYS_io_uring_enter, ring.fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
			if (errno != EINTR)
				die("io_uring_enter");
	int result = ring.cqes[head & *ring.cq_mask].res;
	__atomic_store_n(ring.cq_head, head + 1, __ATOMIC_RELEASE);
	return result;
}

/* One operation from beginning to end. */
static int perform_entry(struct io_uring_sqe entry)
{
	queue(entry);
	submit(1);
	return completed();
}

static int perform(int operation, int fd, void *buffer, unsigned length)
{
	return perform_entry(
		(struct io_uring_sqe){ .opcode = operation, .fd = fd, .addr = (uintptr_t)buffer, .len = length });
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

/* What the client of a case does that is told `ROUNDS` echoes of eight bytes. */
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

/* Eight bytes there and back: now and then both by ordinary calls. */
static void echo(int fd, int i, bool has, void (*receive)(int, void *), void (*send)(int, void *))
{
	char text[8];
	if (has && i % 5)
		receive(fd, text);
	else
		recv_all(fd, text, 8);
	if (has && i % 7)
		send(fd, text);
	else
		send_all(fd, text, 8);
}

static void by_recv(int fd, void *text)
{
	whole(IORING_OP_RECV, fd, text, 8);
}

static void by_send(int fd, void *text)
{
	whole(IORING_OP_SEND, fd, text, 8);
}

static void by_readv(int fd, void *text)
{
	for (int done = 0; done < 8;) {
		struct iovec piece = { (char *)text + done, 8 - done };
		done += MUST(perform(IORING_OP_READV, fd, &piece, 1));
	}
}

static void by_message(int fd, void *text)
{
	struct iovec piece = { text, 8 };
	struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1 };
	if (perform(IORING_OP_SENDMSG, fd, &message, 1) != 8)
		die("sendmsg");
}

/* On the VMMC road until the ring names it. */
static void fast_server(int fd)
{
	bool has = begin();
	for (int i = 0; i < ROUNDS; i++)
		echo(fd, i, has, by_recv, by_send);
}

static void vectors_server(int fd)
{
	bool has = begin();
	for (int i = 0; i < ROUNDS; i++)
		echo(fd, i, has, by_readv, by_message);
}

static void polls_server(int fd)
{
	bool has = begin_with(IORING_SETUP_SQPOLL);
	for (int i = 0; i < ROUNDS; i++)
		echo(fd, i, has, by_recv, by_send);
}

static void fixed_recv(int place, void *text)
{
	for (int done = 0; done < 8;)
		done += MUST(perform_entry((struct io_uring_sqe){ .opcode = IORING_OP_RECV,
								  .flags = IOSQE_FIXED_FILE,
								  .fd = place,
								  .addr = (uintptr_t)text + done,
								  .len = 8 - done }));
}

/* Entries name it by its place among the registered files. */
static void registered_server(int fd)
{
	bool has = begin();
	if (has)
		MUST(syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_FILES, &fd, 1));
	for (int i = 0; i < ROUNDS; i++) {
		char text[8];
		if (has)
			fixed_recv(0, text);
		else
			recv_all(fd, text, 8);
		send_all(fd, text, 8);
	}
}

enum { MUCH = 300000 };

/* What was on its way over memory when the ring named the connection. */
static void unread_server(int fd)
{
	bool has = begin();
	await(2);
	static char bytes[MUCH];
	if (has)
		whole(IORING_OP_RECV, fd, bytes, MUCH);
	else
		recv_all(fd, bytes, MUCH);
	say_whether("right", matches(bytes, MUCH, 7, 0));
	send_text(fd, "end");
}

static void unread_client(int fd)
{
	static char bytes[MUCH];
	fill(bytes, MUCH, 7, 0);
	send_all(fd, bytes, 1000);
	post(2, 1);
	send_all(fd, bytes + 1000, MUCH - 1000);
	expect_text(fd, "end");
}

/* The ring says that there is something, and an ordinary call takes it. */
static void poll_server(int fd)
{
	bool has = begin();
	for (int i = 0; i < ROUNDS; i++) {
		char text[8];
		if (has && perform_entry((struct io_uring_sqe){ .opcode = IORING_OP_POLL_ADD,
								.fd = fd,
								.poll_events = POLLIN }) != POLLIN)
			die("poll");
		recv_all(fd, text, 8);
		send_all(fd, text, 8);
	}
}

/* A set's members come and go by the ring, as newer libuvs do it. */
static int change(int set, int operation, int fd, struct epoll_event *event)
{
	return perform_entry((struct io_uring_sqe){
		.opcode = IORING_OP_EPOLL_CTL, .fd = set, .off = fd, .len = operation, .addr = (uintptr_t)event });
}

static void set_server(int fd)
{
	bool has = begin();
	int set = MUST(epoll_create1(EPOLL_CLOEXEC));
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = 77 }, seen;
	int added = has ? change(set, EPOLL_CTL_ADD, fd, &event) : -EINVAL;
	if (added < 0)
		MUST(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
	else
		errno = -change(set, EPOLL_CTL_ADD, fd, &event);
	say("added again: %s", added < 0 ? "EEXIST" : error_name(errno));
	for (int i = 0; i < ROUNDS; i++) {
		char text[8];
		if (MUST(epoll_wait(set, &seen, 1, -1)) != 1 || seen.data.u64 != 77)
			die("epoll_wait");
		recv_all(fd, text, 8);
		send_all(fd, text, 8);
	}
	int removed = added < 0 ? 0 : change(set, EPOLL_CTL_DEL, fd, NULL);
	say_result("removed", removed);
	say_result("and again", epoll_ctl(set, EPOLL_CTL_DEL, fd, NULL));
}

/* Closed by the ring, and its number another file's then. */
static void close_server(int fd)
{
	bool has = begin();
	char text[8];
	recv_all(fd, text, 8);
	send_all(fd, text, 8);
	say_result("close", has ? perform(IORING_OP_CLOSE, fd, NULL, 0) : close(fd));
	int again = MUST(open("/dev/zero", O_RDONLY));
	say_whether("its number", again == fd);
	say_result("zeroes", read(again, text, 8));
	post(3, 1);
}

static void close_client(int fd)
{
	send_text(fd, "01234567");
	expect_text(fd, "01234567");
	await(3);
	recv_to_end("closed", fd, 1);
}

/* One operation waits for the other. */
static void linked_server(int fd)
{
	bool has = begin();
	for (int i = 0; i < ROUNDS; i++) {
		char text[8];
		if (!has) {
			recv_all(fd, text, 8);
			send_all(fd, text, 8);
			continue;
		}
		struct io_uring_sqe entry = {
			.opcode = IORING_OP_RECV, .flags = IOSQE_IO_LINK, .fd = fd, .addr = (uintptr_t)text, .len = 8, .msg_flags = MSG_WAITALL
		};
		queue(entry);
		entry.opcode = IORING_OP_SEND;
		entry.flags = entry.msg_flags = 0;
		queue(entry);
		submit(2);
		if (completed() != 8 || completed() != 8)
			die("linked");
	}
}

/* Another ring, its descriptor a copy of one that has been closed. */
static void copied_server(int fd)
{
	bool has = begin();
	if (has) {
		int copy = MUST(fcntl(ring.fd, F_DUPFD_CLOEXEC, 100));
		MUST(close(ring.fd));
		ring.fd = copy;
	}
	for (int i = 0; i < ROUNDS; i++)
		echo(fd, i, has, by_recv, by_send);
}

/* A ring that is closed lets go of what it waited for: the port of a listener that it accepts on. */
static void forgotten_server(int fd)
{
	int port, listener = listen_local(AF_INET, &port);
	if (begin()) {
		queue((struct io_uring_sqe){ .opcode = IORING_OP_ACCEPT, .fd = listener });
		submit(1);
		MUST(munmap(ring.rings, ring.length));
		MUST(munmap(ring.sqes, 8 * sizeof *ring.sqes));
		MUST(close(ring.fd));
	}
	MUST(close(listener));
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int outcome = 0;
	for (int tries = 0; tries < 300 && outcome != ECONNREFUSED; tries++) {
		int other = MUST(socket(AF_INET, SOCK_STREAM, 0));
		outcome = connect(other, (struct sockaddr *)&address, sizeof address) ? errno : 0;
		MUST(close(other));
		sleep_ms(10);
	}
	say("port of the closed: %s", error_name(outcome));
	echoes_client(fd);
}

static void forgotten_client(int fd)
{
	char text[8];
	for (int i = 0; i < ROUNDS; i++) {
		recv_all(fd, text, 8);
		send_all(fd, text, 8);
	}
}

static const struct test_case cases[] = {
	{ "beside", beside_server, beside_client, PAIRED },
	{ "alone", alone_server, alone_client, RAW },
	{ "mixed from the start", mixed_server, alone_client, RAW },
	{ "on the fast road before", fast_server, echoes_client, PAIRED },
	{ "vectors and messages", vectors_server, echoes_client, PAIRED },
	{ "the kernel polls", polls_server, echoes_client, PAIRED },
	{ "registered files", registered_server, echoes_client, PAIRED },
	{ "unread bytes", unread_server, unread_client, PAIRED },
	{ "poll", poll_server, echoes_client, PAIRED },
	{ "epoll_ctl", set_server, echoes_client, PAIRED },
	{ "close", close_server, close_client, PAIRED },
	{ "linked", linked_server, echoes_client, PAIRED },
	{ "a copied ring", copied_server, echoes_client, PAIRED },
	{ "a closed ring", forgotten_server, forgotten_client, PAIRED },
};
MAIN(cases)
