/* A child that shares a connection is killed: the parent goes on alone, and its close is the last one. */
#include "common.h"
#include <dirent.h>

enum { RECORD = 1024, USED_AT = 16, A_CONNECTION = 3 };

/* Connections that the library's table (which `vmmc status` reads) still holds; 0 where there is none. */
static int records(void)
{
	int count = 0;
	DIR *directory = opendir("/proc/self/fd");
	struct dirent *entry;
	while (directory && (entry = readdir(directory))) {
		char path[300], target[64] = "";
		snprintf(path, sizeof path, "/proc/self/fd/%s", entry->d_name);
		if (readlink(path, target, sizeof target - 1) < 0 || !strstr(target, "memfd:vmmc-sockets"))
			continue;
		int fd = MUST(open(path, O_RDONLY));
		uint32_t used = 0, kind = 0;
		if (pread(fd, &used, sizeof used, USED_AT) != sizeof used)
			used = 0;
		for (uint32_t record = 1; record <= used; record++)
			count += pread(fd, &kind, sizeof kind, (off_t)record * RECORD) == sizeof kind && kind == A_CONNECTION;
		close(fd);
	}
	if (directory)
		closedir(directory);
	return count;
}

static void receive_for_ever(int fd)
{
	char byte;
	while (recv(fd, &byte, 1, MSG_PEEK) >= 0)
		usleep(100);
}

static void hold(int fd)
{
	(void)fd;
	pause();
}

static void kill_child(int fd, void (*body)(int fd))
{
	pid_t child = start_child(body, fd);
	sleep_ms(50);
	MUST(kill(child, SIGKILL));
	join_child("child", child);
}

/* Some of what has come is read, and a doorbell may lie beside it. */
static void go_on(int fd)
{
	meet();
	expect_text(fd, "read on");
	send_text(fd, "indeed");
	meet();
	expect_text(fd, "last");
	MUST(close(fd));
	say("records: %d", records());
	meet();
}

static void holder_server(int fd)
{
	kill_child(fd, hold);
	go_on(fd);
}

static void receiver_server(int fd)
{
	kill_child(fd, receive_for_ever);
	go_on(fd);
}

/* Killed before the parent closes, but not waited for. */
static void zombie_server(int fd)
{
	pid_t child = start_child(hold, fd);
	sleep_ms(50);
	MUST(kill(child, SIGKILL));
	siginfo_t dead;
	MUST(waitid(P_PID, child, &dead, WEXITED | WNOWAIT));
	go_on(fd);
	join_child("child", child);
}

/* A grandchild is killed while the child, which lives, keeps the connection open. */
static void middle(int fd)
{
	kill_child(fd, hold);
	send_text(fd, "from the child");
	post(1, 1);
	await(2);
	send_text(fd, "after the parent");
	meet();
	MUST(close(fd));
	meet();
}

static void grandchild_server(int fd)
{
	pid_t child = start_child(middle, fd);
	await(1);
	MUST(close(fd));
	post(2, 1);
	join_child("child", child);
}

static void client(int fd)
{
	meet();
	send_text(fd, "read on");
	expect_text(fd, "indeed");
	sleep_ms(20);
	send_text(fd, "last");
	meet();
	meet();
	char byte;
	say_result("end", recv(fd, &byte, 1, 0));
}

static void grandchild_client(int fd)
{
	expect_text(fd, "from the child");
	expect_text(fd, "after the parent");
	send_text(fd, "unread");
	meet();
	char byte;
	meet();
	say_result("end", recv(fd, &byte, 1, 0));
}

static const struct test_case cases[] = {
	{ "holder", holder_server, client, PAIRED },
	{ "receiver", receiver_server, client, PAIRED },
	{ "zombie", zombie_server, client, PAIRED },
	{ "grandchild", grandchild_server, grandchild_client, PAIRED },
};
MAIN(cases)
