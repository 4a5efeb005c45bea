/* IPv6, and IPv4 through an IPv6 listener (mapped addresses). */
#include "common.h"

static void say_family(const char *what, int fd)
{
	struct sockaddr_in6 address;
	socklen_t length = sizeof address;
	char text[INET6_ADDRSTRLEN];
	MUST(getpeername(fd, (struct sockaddr *)&address, &length));
	if (address.sin6_family == AF_INET6)
		inet_ntop(AF_INET6, &address.sin6_addr, text, sizeof text);
	else
		inet_ntop(AF_INET, &((struct sockaddr_in *)&address)->sin_addr, text, sizeof text);
	say("%s: %s", what, text);
}

static void talk_server(int fd)
{
	say_family("peer", fd);
	recv_pattern("stream", fd, 500000, 9000, 1);
	send_pattern(fd, 500000, 9000, 2);
}

static void talk_client(int fd)
{
	say_family("peer", fd);
	send_pattern(fd, 500000, 9000, 1);
	recv_pattern("stream", fd, 500000, 9000, 2);
}

static void mapped_server(int unused)
{
	(void)unused;
	struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT };
	socklen_t length = sizeof address;
	int listener = MUST(socket(AF_INET6, SOCK_STREAM, 0)), off = 0;
	MUST(setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off));
	MUST(bind(listener, (struct sockaddr *)&address, length));
	MUST(listen(listener, 5));
	MUST(getsockname(listener, (struct sockaddr *)&address, &length));
	post(PORT_PLACE, ntohs(address.sin6_port));
	int fd = MUST(accept(listener, NULL, NULL));
	warm_server(fd);
	talk_server(fd);
}

static void mapped_client(int unused)
{
	(void)unused;
	talk_client(client_connection(AF_INET));
}

static void both_mapped_client(int unused)
{
	(void)unused;
	struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_port = htons(await(PORT_PLACE)) };
	inet_pton(AF_INET6, "::ffff:127.0.0.1", &address.sin6_addr);
	int fd = MUST(socket(AF_INET6, SOCK_STREAM, 0));
	MUST(connect(fd, (struct sockaddr *)&address, sizeof address));
	warm_client(fd);
	talk_client(fd);
}

static const struct test_case cases[] = {
	{ "IPv6", talk_server, talk_client, PAIRED_IPV6 },
	{ "IPv4 to an IPv6 listener", mapped_server, mapped_client, RAW },
	{ "mapped on both sides", mapped_server, both_mapped_client, RAW },
};
MAIN(cases)
