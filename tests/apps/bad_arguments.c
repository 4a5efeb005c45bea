/* Arguments beside the data that stand in a page that is not there: the kernel looks at them, and says EFAULT. Some calls
 * have done their work by then, others have not begun; the connection goes on. */
#include "common.h"
#include <sys/syscall.h>

#define SIGNALS 8 /* the kernel's set of signals, in bytes */

static void *gone(void)
{
	void *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return page == MAP_FAILED ? NULL : page;
}

static void waits(int fd, void *bad)
{
	struct pollfd entry = { .fd = fd, .events = POLLOUT };
	struct timespec none = { 0 };
	say_result("ppoll, mask", syscall(SYS_ppoll, &entry, 1, &none, bad, SIGNALS));
	say_result("ppoll, time", syscall(SYS_ppoll, &entry, 1, bad, NULL, SIGNALS));

	fd_set set;
	FD_ZERO(&set);
	FD_SET(fd, &set);
	struct timeval now = { 0 };
	say_result("select, to read", syscall(SYS_select, fd + 1, bad, NULL, NULL, &now));
	say_result("select, to write", syscall(SYS_select, fd + 1, &set, bad, NULL, &now));
	FD_SET(fd, &set);
	say_result("select, time", syscall(SYS_select, fd + 1, &set, NULL, NULL, bad));

	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT };
	int epoll = MUST(epoll_create1(0));
	say_result("epoll_ctl", syscall(SYS_epoll_ctl, epoll, EPOLL_CTL_ADD, fd, bad));
	MUST(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
	say_result("epoll_pwait", syscall(SYS_epoll_pwait, epoll, &event, 1, 0, bad, SIGNALS));
	MUST(close(epoll));
}

static void server(int fd)
{
	void *bad = gone();
	char buffer[64] = "";
	waits(fd, bad);
	struct iovec piece = { buffer, 4 };
	struct mmsghdr message = { .msg_hdr = { .msg_iov = &piece, .msg_iovlen = 1 } };
	say_result("recvmmsg, time", syscall(SYS_recvmmsg, fd, &message, 1, MSG_DONTWAIT, bad));
	say_result("connect", syscall(SYS_connect, fd, bad, sizeof(struct sockaddr_in)));
	meet();
	wait_for(fd, POLLIN);
	socklen_t negative = -1;
	struct sockaddr_in from;
	say_result("recvfrom, less than no room", recvfrom(fd, buffer, 4, 0, (void *)&from, &negative));
	expect_text(fd, "left");

	int pair[2];
	MUST(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
	struct msghdr passing = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = bad, .msg_controllen = 64 };
	say_result("sendmsg, what comes along", syscall(SYS_sendmsg, pair[0], &passing, 0));
	say_result("sendmsg of nothing known", syscall(SYS_sendmsg, pair[0], bad, 0));
	send_text(fd, "goes on");
}

static void client(int fd)
{
	meet();
	send_text(fd, "goneleft");
	expect_text(fd, "goes on");
}

static const struct test_case cases[] = {
	{ "arguments in no page", server, client, PAIRED },
};
MAIN(cases)
