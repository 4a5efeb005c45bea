/* Many threads on one socket: two senders of whole frames and four receivers, and both directions at once. */
#include "common.h"

enum { SENDERS = 2, RECEIVERS = 4, FRAMES = 2000, FRAME_MAX = 3000 };

struct frame {
	uint32_t length;
	uint32_t sender;
	uint64_t number;
};

static pthread_mutex_t send_lock = PTHREAD_MUTEX_INITIALIZER, recv_lock = PTHREAD_MUTEX_INITIALIZER;
static int the_socket;
static int frames_from[SENDERS], wrong_frames;
static _Atomic uint64_t bytes_received, byte_sum;

static void *send_frames(void *argument)
{
	uint8_t body[FRAME_MAX];
	uint32_t sender = (intptr_t)argument;
	for (int i = 0; i < FRAMES; i++) {
		struct frame frame = { 1 + (i * 37 + sender) % FRAME_MAX, sender, i };
		fill(body, frame.length, sender, i);
		pthread_mutex_lock(&send_lock);
		send_all(the_socket, &frame, sizeof frame);
		send_all(the_socket, body, frame.length);
		pthread_mutex_unlock(&send_lock);
		if (i % 200 == 0)
			usleep(1000);
	}
	return NULL;
}

static void *recv_frames(void *unused)
{
	(void)unused;
	uint8_t body[FRAME_MAX];
	for (;;) {
		struct frame frame;
		pthread_mutex_lock(&recv_lock);
		if (frames_from[0] + frames_from[1] == SENDERS * FRAMES) {
			pthread_mutex_unlock(&recv_lock);
			return NULL;
		}
		recv_all(the_socket, &frame, sizeof frame);
		if (frame.length > FRAME_MAX || frame.sender >= SENDERS)
			die("not a frame: %u %u", frame.length, frame.sender);
		recv_all(the_socket, body, frame.length);
		bool next = (uint64_t)frames_from[frame.sender] == frame.number;
		wrong_frames += !next || !matches(body, frame.length, frame.sender, frame.number);
		frames_from[frame.sender]++;
		pthread_mutex_unlock(&recv_lock);
	}
}

static void run_threads(int fd, bool sending, bool receiving)
{
	the_socket = fd;
	pthread_t threads[SENDERS + RECEIVERS];
	int count = 0;
	for (intptr_t i = 0; sending && i < SENDERS; i++)
		threads[count++] = start_thread(send_frames, (void *)i);
	for (int i = 0; receiving && i < RECEIVERS; i++)
		threads[count++] = start_thread(recv_frames, NULL);
	while (count > 0)
		pthread_join(threads[--count], NULL);
	if (receiving)
		say("frames: %d and %d, wrong: %d", frames_from[0], frames_from[1], wrong_frames);
}

static void receiving(int fd) { run_threads(fd, false, true); }
static void sending(int fd) { run_threads(fd, true, false); }
static void both(int fd) { run_threads(fd, true, true); }

/* Four threads receive whatever comes, without a lock of their own: together they get each byte once. */
static void *recv_anything(void *unused)
{
	(void)unused;
	uint8_t buffer[1000];
	ssize_t got;
	while ((got = recv(the_socket, buffer, sizeof buffer, 0)) > 0) {
		uint64_t sum = 0;
		for (ssize_t i = 0; i < got; i++)
			sum += buffer[i];
		atomic_fetch_add(&byte_sum, sum);
		atomic_fetch_add(&bytes_received, got);
	}
	return NULL;
}

static void unlocked_server(int fd)
{
	the_socket = fd;
	pthread_t threads[RECEIVERS];
	for (int i = 0; i < RECEIVERS; i++)
		threads[i] = start_thread(recv_anything, NULL);
	for (int i = 0; i < RECEIVERS; i++)
		pthread_join(threads[i], NULL);
	say("bytes: %llu sum: %llu", (unsigned long long)bytes_received, (unsigned long long)byte_sum);
}

static void unlocked_client(int fd)
{
	send_pattern(fd, 300, 1, 1);
	sleep_ms(20);
	send_pattern(fd, 2000000, 900, 1);
	sleep_ms(20);
	send_pattern(fd, 2000000, 90000, 1);
	MUST(shutdown(fd, SHUT_WR));
}

/* Two threads send without a lock: small sends stay whole. */
static void *send_marks(void *argument)
{
	char mark[16];
	memset(mark, (intptr_t)argument, sizeof mark);
	for (int i = 0; i < 3000; i++)
		send_all(the_socket, mark, sizeof mark);
	return NULL;
}

static void marks_client(int fd)
{
	the_socket = fd;
	pthread_t a = start_thread(send_marks, (void *)'a'), b = start_thread(send_marks, (void *)'b');
	pthread_join(a, NULL);
	pthread_join(b, NULL);
}

static void marks_server(int fd)
{
	char mark[16], a[16], b[16];
	memset(a, 'a', 16);
	memset(b, 'b', 16);
	int of_a = 0, of_b = 0;
	for (int i = 0; i < 6000; i++) {
		recv_all(fd, mark, 16);
		of_a += memcmp(mark, a, 16) == 0;
		of_b += memcmp(mark, b, 16) == 0;
	}
	say("whole: %d and %d", of_a, of_b);
}

static const struct test_case cases[] = {
	{ "frames", receiving, sending, PAIRED },
	{ "frames both ways", both, both, PAIRED },
	{ "no lock, receivers", unlocked_server, unlocked_client, PAIRED },
	{ "no lock, senders", marks_server, marks_client, PAIRED },
};
MAIN(cases)
