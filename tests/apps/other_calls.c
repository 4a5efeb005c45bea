/* Calls that go past the usual wrappers: syscall(2), aio, checked variants, and what is no connection's business. */
#include "common.h"
#include <aio.h>
#include <sys/syscall.h>

static void direct_server(int fd)
{
	char buffer[8] = "";
	for (int i = 0; i < 20; i++) {
		say_result("read", syscall(SYS_read, fd, buffer, 4));
		say_result("write", syscall(SYS_write, fd, buffer, 4));
		recv_all(fd, buffer, 4);
		say_result("sendto", syscall(SYS_sendto, fd, buffer, 4, 0, NULL, 0));
	}
	say("last: %.4s", buffer);
}

static void direct_client(int fd)
{
	for (int i = 0; i < 20; i++) {
		send_text(fd, "ping");
		expect_text(fd, "ping");
		send_text(fd, "pong");
		expect_text(fd, "pong");
	}
}

static void finish(struct aiocb *request, const char *what)
{
	const struct aiocb *list[1] = { request };
	while (aio_error(request) == EINPROGRESS)
		aio_suspend(list, 1, NULL);
	say("%s: %ld", what, (long)aio_return(request));
}

static void aio_server(int fd)
{
	char buffer[16] = "";
	struct aiocb request = { .aio_fildes = fd, .aio_buf = buffer, .aio_nbytes = 4 };
	MUST(aio_read(&request));
	sleep_ms(20);
	meet();
	finish(&request, "aio_read");
	say("%.4s", buffer);
	memcpy(buffer, "answer", 6);
	struct aiocb answer = { .aio_fildes = fd, .aio_buf = buffer, .aio_nbytes = 6 };
	MUST(aio_write(&answer));
	finish(&answer, "aio_write");
	expect_text(fd, "thanks");
}

static void aio_client(int fd)
{
	meet();
	send_text(fd, "data");
	expect_text(fd, "answer");
	send_text(fd, "thanks");
}

static void refused_server(int fd)
{
	struct stat status;
	say_result("fstat", fstat(fd, &status));
	say_result("lseek", lseek(fd, 0, SEEK_CUR));
	say_result("ftruncate", ftruncate(fd, 0));
	say_result("fsync", fsync(fd));
	say_whether("mmap refused", mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED);
	say_result("isatty", isatty(fd));
	say_result("F_GETFD", fcntl(fd, F_GETFD));
	say_result("TCGETS", ioctl(fd, 0x5401, &status));
	char path[64], link[64] = "";
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	MUST(readlink(path, link, sizeof link - 1));
	say("a link to %.7s", link);
	expect_text(fd, "after all that");
}

static void refused_client(int fd)
{
	send_text(fd, "after all that");
}

static const struct test_case cases[] = {
	{ "syscall", direct_server, direct_client, PAIRED },
	{ "aio", aio_server, aio_client, PAIRED },
	{ "refused", refused_server, refused_client, PAIRED },
};
MAIN(cases)
