/* TCP_INFO: the counts of bytes are those that the program sent and received, whatever carried them. */
#include "common.h"

static struct tcp_info info(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t length = sizeof info;
	MUST(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length));
	return info;
}

/* The kernel's tcp_info is longer than the C library's. */
struct counts {
	struct tcp_info head;
	uint64_t pacing_rate, max_pacing_rate, bytes_acked, bytes_received;
	uint32_t segs_out, segs_in, notsent_bytes, min_rtt, data_segs_in, data_segs_out;
	uint64_t delivery_rate, busy_time, rwnd_limited, sndbuf_limited;
	uint32_t delivered, delivered_ce;
	uint64_t bytes_sent, bytes_retrans;
};

static struct counts counts(int fd)
{
	struct counts counts = { 0 };
	socklen_t length = sizeof counts;
	MUST(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &counts, &length));
	return counts;
}

static void converse(int fd, bool first)
{
	for (int i = 0; i < 50; i++) {
		if (first)
			send_text(fd, "0123456789");
		expect_text(fd, "0123456789");
		if (!first)
			send_text(fd, "0123456789");
	}
}

static uint64_t first_sent(const struct counts *counts)
{
	return counts->bytes_sent - counts->bytes_retrans;
}

/* Waits for the last acknowledgement. */
static struct counts settled(int fd, uint64_t acked)
{
	struct counts now = counts(fd);
	for (int i = 0; i < 500 && now.bytes_acked < acked; i++) {
		usleep(1000);
		now = counts(fd);
	}
	return now;
}

static void end(int fd, bool first)
{
	struct counts before = settled(fd, 0);
	meet();
	sleep_ms(60);
	before = counts(fd);
	meet();
	converse(fd, first);
	struct counts after = settled(fd, before.bytes_acked + 500);
	say("received: %d", (int)(after.bytes_received - before.bytes_received));
	say("acknowledged: %d", (int)(after.bytes_acked - before.bytes_acked));
	say("sent: %d", (int)(first_sent(&after) - first_sent(&before)));
	say("not sent: %d", (int)after.notsent_bytes);
	say("state %d", info(fd).tcpi_state);
	meet();
	uint64_t received = after.bytes_received;
	if (first) {
		send_pattern(fd, 1 << 20, 30000, 1);
		expect_text(fd, "x");
		after = settled(fd, after.bytes_acked + (1 << 20));
		say("much acknowledged: %d", (int)(after.bytes_acked - before.bytes_acked));
	} else {
		recv_pattern("much", fd, 1 << 20, 40000, 1);
		after = counts(fd);
		say("much received: %d", (int)(after.bytes_received - received));
		send_text(fd, "x");
	}
}

static void server(int fd) { end(fd, false); }
static void client(int fd) { end(fd, true); }

static const struct test_case cases[] = { { "counts", server, client, PAIRED } };
MAIN(cases)
