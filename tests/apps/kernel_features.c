/* What only the kernel's road has, asked for on a connection in use: it then works as on any connection, or fails as on any. */
#include "common.h"
#include <linux/filter.h>
#include <linux/tls.h>

#ifndef TCP_ULP
#define TCP_ULP 31
#endif
#ifndef SOL_TLS
#define SOL_TLS 282
#endif

enum { ROUNDS = 50 };

static void echo_server(int fd)
{
	char text[8];
	for (int i = 0; i < ROUNDS; i++) {
		recv_all(fd, text, 8);
		send_all(fd, text, 8);
	}
}

static void echo_client(int fd)
{
	int right = 0;
	char sent[9], received[8];
	for (int i = 0; i < ROUNDS; i++) {
		snprintf(sent, sizeof sent, "%08d", i);
		send_text(fd, sent);
		recv_all(fd, received, 8);
		right += memcmp(sent, received, 8) == 0;
	}
	say("echoes: %d", right);
}

/* The same keys at both ends, one for each direction. */
static bool encrypt(int fd, bool is_server)
{
	int made = setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof "tls");
	say_result("TCP_ULP", made);
	struct tls12_crypto_info_aes_gcm_128 keys = {
		.info = { .version = TLS_1_2_VERSION, .cipher_type = TLS_CIPHER_AES_GCM_128 }
	};
	for (int way = TLS_TX; way <= TLS_RX; way++) {
		memset(keys.key, (way == TLS_TX) == is_server ? 1 : 2, sizeof keys.key);
		say_result(way == TLS_TX ? "TLS_TX" : "TLS_RX", setsockopt(fd, SOL_TLS, way, &keys, sizeof keys));
	}
	return made == 0;
}

static void tls_server(int fd)
{
	send_pattern(fd, 3000, 3000, 4);
	meet();
	encrypt(fd, true);
	meet();
	echo_server(fd);
	recv_pattern("much", fd, 100000, 9000, 5);
	send_text(fd, "all");
}

static void tls_client(int fd)
{
	recv_pattern("before", fd, 3000, 999, 4);
	meet();
	encrypt(fd, false);
	meet();
	echo_client(fd);
	send_pattern(fd, 100000, 7000, 5);
	expect_text(fd, "all");
}

/* An option, and the connection in use before and after. */
static void with_option(int fd, const char *name, int level, int option, const void *value, socklen_t length)
{
	echo_server(fd);
	say_result(name, setsockopt(fd, level, option, value, length));
	echo_server(fd);
}

static void twice_client(int fd)
{
	echo_client(fd);
	echo_client(fd);
}

static void pacing_server(int fd)
{
	unsigned rate = 100000000;
	with_option(fd, "SO_MAX_PACING_RATE", SOL_SOCKET, SO_MAX_PACING_RATE, &rate, sizeof rate);
}

static void filter_server(int fd)
{
	struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, 0x40000);
	struct sock_fprog filter = { 1, &all };
	with_option(fd, "SO_ATTACH_FILTER", SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter);
}

static void repair_server(int fd)
{
	int off = 0;
	with_option(fd, "TCP_REPAIR", IPPROTO_TCP, TCP_REPAIR, &off, sizeof off);
}

static void unknown_server(int fd)
{
	int one = 1;
	with_option(fd, "an option that nobody knows", IPPROTO_TCP, 250, &one, sizeof one);
}

/* Each peek begins where the last one ended, where the kernel can do that for TCP. */
static void peek_server(int fd)
{
	int zero = 0;
	echo_server(fd);
	int has = setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &zero, sizeof zero);
	say_result("SO_PEEK_OFF", has);
	meet();
	meet();
	char text[9] = "";
	for (int i = 0; i < 2; i++) {
		MUST(recv(fd, text, 4, MSG_PEEK | MSG_WAITALL));
		say("peek: %.4s", text);
	}
	recv_all(fd, text, 8);
	say("text: %s", text);
	send_text(fd, "end");
}

static void peek_client(int fd)
{
	echo_client(fd);
	meet();
	send_text(fd, "01234567");
	meet();
	expect_text(fd, "end");
}

static const struct test_case cases[] = {
	{ "tls", tls_server, tls_client, PAIRED },
	{ "pacing", pacing_server, twice_client, PAIRED },
	{ "a filter", filter_server, twice_client, PAIRED },
	{ "repair", repair_server, twice_client, PAIRED },
	{ "unknown", unknown_server, twice_client, PAIRED },
	{ "peek offset", peek_server, peek_client, PAIRED },
};
MAIN(cases)
