/* Small tools for behaviour programs: words for results, patterns, whole transfers, waiting. See common.h. */
#include "common.h"

const char *error_name(int number)
{
	const char *name = strerrorname_np(number);
	return name ? name : "unknown error";
}

void say_result(const char *what, long result)
{
	if (result < 0)
		say("%s: %s", what, error_name(errno));
	else
		say("%s: %ld", what, result);
}

void say_whether(const char *what, bool truth)
{
	say("%s: %s", what, truth ? "yes" : "no");
}

void say_events(const char *what, unsigned events, unsigned mask)
{
	static const struct {
		unsigned bit;
		const char *name;
	} names[] = {
		{ POLLIN, "IN" }, { POLLPRI, "PRI" }, { POLLOUT, "OUT" }, { POLLERR, "ERR" },
		{ POLLHUP, "HUP" }, { POLLNVAL, "NVAL" }, { POLLRDHUP, "RDHUP" },
		{ POLLRDNORM, "RDNORM" }, { POLLWRNORM, "WRNORM" },
	};
	char line[128] = "";
	for (int i = 0; i < COUNT(names); i++) {
		if (events & mask & names[i].bit) {
			strcat(line, " ");
			strcat(line, names[i].name);
		}
	}
	say("%s:%s", what, *line ? line : " none");
}

static void loopback(int family, int port, struct sockaddr_storage *address, socklen_t *length)
{
	memset(address, 0, sizeof *address);
	if (family == AF_INET6) {
		struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;
		v6->sin6_family = AF_INET6;
		v6->sin6_addr = in6addr_loopback;
		v6->sin6_port = htons(port);
		*length = sizeof *v6;
	} else {
		struct sockaddr_in *v4 = (struct sockaddr_in *)address;
		v4->sin_family = AF_INET;
		v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		v4->sin_port = htons(port);
		*length = sizeof *v4;
	}
}

int listen_local(int family, int *port)
{
	struct sockaddr_storage address;
	socklen_t length;
	loopback(family, 0, &address, &length);
	int fd = MUST(socket(family, SOCK_STREAM, 0));
	MUST(bind(fd, (struct sockaddr *)&address, length));
	MUST(listen(fd, 128));
	MUST(getsockname(fd, (struct sockaddr *)&address, &length));
	/* The port stands at the same place in both families. */
	*port = ntohs(((struct sockaddr_in *)&address)->sin_port);
	return fd;
}

int connect_local(int family, int port)
{
	struct sockaddr_storage address;
	socklen_t length;
	loopback(family, port, &address, &length);
	int fd = MUST(socket(family, SOCK_STREAM, 0));
	MUST(connect(fd, (struct sockaddr *)&address, length));
	return fd;
}

uint8_t pattern(uint64_t seed, uint64_t n)
{
	uint64_t x = (n + seed * 0x9e3779b97f4a7c15u) * 0xff51afd7ed558ccdu;
	x ^= x >> 29;
	return (x * 0xc4ceb9fe1a85ec53u) >> 56;
}

void fill(void *buffer, size_t length, uint64_t seed, uint64_t offset)
{
	uint8_t *bytes = buffer;
	for (size_t i = 0; i < length; i++)
		bytes[i] = pattern(seed, offset + i);
}

bool matches(const void *buffer, size_t length, uint64_t seed, uint64_t offset)
{
	const uint8_t *bytes = buffer;
	for (size_t i = 0; i < length; i++) {
		if (bytes[i] != pattern(seed, offset + i)) {
			say("WRONG BYTE at %llu of stream %llu: %u", (unsigned long long)(offset + i),
			    (unsigned long long)seed, bytes[i]);
			return false;
		}
	}
	return true;
}

void send_all(int fd, const void *buffer, size_t length)
{
	const char *bytes = buffer;
	while (length > 0) {
		ssize_t sent = send(fd, bytes, length, 0);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			die("send of %zu bytes: %zd", length, sent);
		bytes += sent;
		length -= sent;
	}
}

void recv_all(int fd, void *buffer, size_t length)
{
	char *bytes = buffer;
	while (length > 0) {
		ssize_t got = recv(fd, bytes, length, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got == 0)
			errno = 0;
		if (got <= 0)
			die("recv of %zu bytes: %zd", length, got);
		bytes += got;
		length -= got;
	}
}

void send_pattern(int fd, uint64_t length, size_t piece, uint64_t seed)
{
	uint8_t *buffer = malloc(piece);
	for (uint64_t sent = 0; sent < length;) {
		size_t now = length - sent < piece ? length - sent : piece;
		fill(buffer, now, seed, sent);
		send_all(fd, buffer, now);
		sent += now;
	}
	free(buffer);
}

void recv_pattern(const char *what, int fd, uint64_t length, size_t piece, uint64_t seed)
{
	uint8_t *buffer = malloc(piece);
	bool right = true;
	for (uint64_t got = 0; got < length;) {
		size_t now = length - got < piece ? length - got : piece;
		recv_all(fd, buffer, now);
		right = right && matches(buffer, now, seed, got);
		got += now;
	}
	free(buffer);
	say("%s: %llu bytes %s", what, (unsigned long long)length, right ? "right" : "WRONG");
}

void recv_to_end(const char *what, int fd, uint64_t seed)
{
	static _Thread_local uint8_t buffer[65536];
	uint64_t total = 0;
	bool right = true;
	ssize_t got;
	while ((got = recv(fd, buffer, sizeof buffer, 0)) > 0) {
		right = right && matches(buffer, got, seed, total);
		total += got;
	}
	say("%s: %llu bytes %s, then %s", what, (unsigned long long)total, right ? "right" : "WRONG",
	    got == 0 ? "end" : error_name(errno));
}

void send_text(int fd, const char *text)
{
	send_all(fd, text, strlen(text));
}

void expect_text(int fd, const char *text)
{
	char buffer[1024] = "";
	recv_all(fd, buffer, strlen(text));
	say("received \"%s\"%s", buffer, strcmp(buffer, text) ? " UNEXPECTED" : "");
}

void sleep_ms(int milliseconds)
{
	struct timespec left = { milliseconds / 1000, milliseconds % 1000 * 1000000L };
	while (nanosleep(&left, &left) != 0 && errno == EINTR)
		;
}

uint64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}

bool wait_for(int fd, short events)
{
	uint64_t deadline = now_ms() + 30000;
	struct pollfd entry = { .fd = fd, .events = events };
	while (now_ms() < deadline) {
		if (poll(&entry, 1, 100) > 0 && (entry.revents & events) == events)
			return true;
		if (entry.revents)
			usleep(500);
	}
	return false;
}

void set_nonblocking(int fd, bool on)
{
	int flags = MUST(fcntl(fd, F_GETFL));
	MUST(fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK));
}

volatile sig_atomic_t signals_counted;

static void count(int signal_number)
{
	(void)signal_number;
	signals_counted++;
}

void count_signal(int signal_number, int flags)
{
	struct sigaction action = { .sa_handler = count, .sa_flags = flags };
	MUST(sigaction(signal_number, &action, NULL));
}

pthread_t start_thread(void *(*body)(void *), void *argument)
{
	pthread_t thread;
	errno = pthread_create(&thread, NULL, body, argument);
	if (errno)
		die("pthread_create");
	return thread;
}

pid_t start_child(void (*body)(int fd), int fd)
{
	pid_t child = MUST(fork());
	if (child == 0) {
		body(fd);
		_exit(0);
	}
	return child;
}

void join_child(const char *what, pid_t child)
{
	int status;
	MUST(waitpid(child, &status, 0));
	if (WIFSIGNALED(status))
		say("%s: killed by signal %d", what, WTERMSIG(status));
	else
		say("%s: exit %d", what, WEXITSTATUS(status));
}

void send_descriptor(int over, int fd)
{
	char byte = 'd', control[CMSG_SPACE(sizeof fd)] = "";
	struct iovec part = { &byte, 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = sizeof control };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	*header = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof fd) };
	memcpy(CMSG_DATA(header), &fd, sizeof fd);
	MUST(sendmsg(over, &message, 0));
}

int recv_descriptor(int over, int flags)
{
	char byte, control[CMSG_SPACE(sizeof(int))];
	struct iovec part = { &byte, 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = sizeof control };
	if (MUST(recvmsg(over, &message, flags)) != 1)
		die("no message");
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_type != SCM_RIGHTS)
		die("no descriptor");
	int fd;
	memcpy(&fd, CMSG_DATA(header), sizeof fd);
	return fd;
}

const char *beside(const char *name)
{
	static char path[1024];
	ssize_t length = MUST(readlink("/proc/self/exe", path, sizeof path - 64));
	while (length > 0 && path[length - 1] != '/')
		length--;
	strcpy(path + length, name);
	return path;
}
