/* What getsockopt reads back is what the program set; addresses and type stay the connection's. */
#include "common.h"

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t length = sizeof value;
	if (getsockopt(fd, level, name, &value, &length) != 0)
		return -errno;
	return value;
}

static void set(int fd, int level, int name, int value)
{
	MUST(setsockopt(fd, level, name, &value, sizeof value));
}

static void say_no_delay(const char *what, int fd)
{
	say("%s: TCP_NODELAY %d TCP_CORK %d TCP_QUICKACK set %d", what, option(fd, IPPROTO_TCP, TCP_NODELAY),
	    option(fd, IPPROTO_TCP, TCP_CORK), option(fd, IPPROTO_TCP, TCP_QUICKACK) >= 0);
}

static void delays_server(int fd)
{
	say_no_delay("at first", fd);
	set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	say_no_delay("no delay", fd);
	set(fd, IPPROTO_TCP, TCP_NODELAY, 0);
	say_no_delay("delay", fd);
	set(fd, IPPROTO_TCP, TCP_CORK, 1);
	say_no_delay("cork", fd);
	send_text(fd, "one ");
	send_text(fd, "two ");
	set(fd, IPPROTO_TCP, TCP_CORK, 0);
	say_no_delay("no cork", fd);
	meet();
	set(fd, IPPROTO_TCP, TCP_CORK, 1);
	send_text(fd, "three");
	meet();
	set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	say_no_delay("both", fd);
	set(fd, IPPROTO_TCP, TCP_CORK, 0);
}

static void delays_client(int fd)
{
	expect_text(fd, "one two ");
	meet();
	expect_text(fd, "three");
	meet();
}

static void say_name(const char *what, int result, struct sockaddr_in *address, int port)
{
	say("%s: %d family %d %s port %s", what, result, address->sin_family, inet_ntoa(address->sin_addr),
	    ntohs(address->sin_port) == port ? "right" : "other");
}

static void facts(int fd, int local_port, int remote_port)
{
	struct sockaddr_in address = { 0 };
	socklen_t length = sizeof address;
	say_name("own name", getsockname(fd, (struct sockaddr *)&address, &length), &address, local_port);
	length = sizeof address;
	say_name("peer's name", getpeername(fd, (struct sockaddr *)&address, &length), &address, remote_port);
	say("type %d domain %d protocol %d listening %d error %d", option(fd, SOL_SOCKET, SO_TYPE),
	    option(fd, SOL_SOCKET, SO_DOMAIN), option(fd, SOL_SOCKET, SO_PROTOCOL),
	    option(fd, SOL_SOCKET, SO_ACCEPTCONN), option(fd, SOL_SOCKET, SO_ERROR));
	set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set(fd, SOL_SOCKET, SO_RCVBUF, 50000);
	set(fd, SOL_SOCKET, SO_SNDBUF, 60000);
	set(fd, SOL_SOCKET, SO_RCVLOWAT, 1);
	say("keep alive %d buffers %d %d low water %d", option(fd, SOL_SOCKET, SO_KEEPALIVE),
	    option(fd, SOL_SOCKET, SO_RCVBUF), option(fd, SOL_SOCKET, SO_SNDBUF), option(fd, SOL_SOCKET, SO_RCVLOWAT));
	struct tcp_info info;
	length = sizeof info;
	say_result("TCP_INFO", getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length));
	say("established: %s", info.tcpi_state == TCP_ESTABLISHED ? "yes" : "no");
	say("odd option: %s", error_name(-option(fd, IPPROTO_TCP, 9999)));
	say("odd level: %s", error_name(-option(fd, 9999, 1)));
	say("a socket still: %s", S_ISSOCK(({ struct stat s; MUST(fstat(fd, &s)); s.st_mode; })) ? "yes" : "no");
}

static int port_of(int fd)
{
	struct sockaddr_in address;
	socklen_t length = sizeof address;
	MUST(getsockname(fd, (struct sockaddr *)&address, &length));
	return ntohs(address.sin_port);
}

static void facts_end(int fd, int own, int other)
{
	post(own, port_of(fd));
	facts(fd, port_of(fd), await(other));
	meet();
	send_text(fd, "after all that");
	expect_text(fd, "after all that");
}

static void facts_server(int fd) { facts_end(fd, 1, 2); }
static void facts_client(int fd) { facts_end(fd, 2, 1); }

static const struct test_case cases[] = {
	{ "delays", delays_server, delays_client, PAIRED },
	{ "facts", facts_server, facts_client, PAIRED },
};
MAIN(cases)
