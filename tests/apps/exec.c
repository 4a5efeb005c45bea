/* A connection handed to another program by exec, with data in flight both ways: fork and exec, vfork, posix_spawn,
 * system; a program that is accelerated too, one without the library, and a static one. */
#include "common.h"
#include <spawn.h>

extern char **environ;

static char **without_preload(void)
{
	static char *kept[512];
	int count = 0;
	for (char **entry = environ; *entry && count < 511; entry++)
		if (strncmp(*entry, "LD_PRELOAD=", 11) != 0)
			kept[count++] = *entry;
	kept[count] = NULL;
	return kept;
}

static char *const cat[] = { "cat", NULL };

/* Unread data is on its way to us, and ours to the client, when the other program takes over. */
static void before_exec(int fd)
{
	send_pattern(fd, 20000, 20000, 2);
	meet();
	uint8_t buffer[1000];
	recv_all(fd, buffer, sizeof buffer);
	say_whether("first bytes right", matches(buffer, sizeof buffer, 1, 0));
}

static void take_over(int fd)
{
	MUST(dup2(fd, 0));
	MUST(dup2(fd, 1));
	if (fd > 1)
		MUST(close(fd));
}

static void become_cat(int fd)
{
	take_over(fd);
	execv("/bin/cat", cat);
	_exit(20);
}

static void become_plain_cat(int fd)
{
	take_over(fd);
	execve("/bin/cat", cat, without_preload());
	_exit(20);
}

static void become_static(int fd)
{
	take_over(fd);
	execl(beside("copy"), "copy", (char *)NULL);
	_exit(20);
}

static void become_shell(int fd)
{
	take_over(fd);
	_exit(WEXITSTATUS(system("cat")));
}

static void run_forked(int fd, void (*body)(int))
{
	before_exec(fd);
	pid_t child = start_child(body, fd);
	MUST(close(fd));
	join_child("program", child);
}

static void forked_server(int fd) { run_forked(fd, become_cat); }
static void plain_server(int fd) { run_forked(fd, become_plain_cat); }
static void static_server(int fd) { run_forked(fd, become_static); }
static void shell_server(int fd) { run_forked(fd, become_shell); }

static void replaced_server(int fd)
{
	before_exec(fd);
	become_plain_cat(fd);
}

static void vfork_server(int fd)
{
	before_exec(fd);
	char **environment = without_preload();
	pid_t child = vfork();
	if (child == 0) {
		dup2(fd, 0);
		dup2(fd, 1);
		execve("/bin/cat", cat, environment);
		_exit(20);
	}
	MUST(child);
	MUST(close(fd));
	join_child("program", child);
}

static void spawn_server(int fd)
{
	before_exec(fd);
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fd, 0);
	posix_spawn_file_actions_adddup2(&actions, fd, 1);
	posix_spawn_file_actions_addclose(&actions, fd);
	pid_t child;
	errno = posix_spawn(&child, "/bin/cat", &actions, NULL, cat, without_preload());
	if (errno)
		die("posix_spawn");
	MUST(close(fd));
	join_child("program", child);
}

/* The program has the connection; its parent goes on with it when it has ended. */
static void become_reader(int fd)
{
	take_over(fd);
	execl("/usr/bin/head", "head", "-c", "4000", (char *)NULL);
	_exit(20);
}

static void lent_server(int fd)
{
	meet();
	pid_t child = start_child(become_reader, fd);
	join_child("program", child);
	expect_text(fd, "for the parent again");
	send_text(fd, "heard");
}

static void lent_client(int fd)
{
	uint8_t buffer[4000];
	meet();
	send_pattern(fd, 4000, 4000, 1);
	recv_all(fd, buffer, 4000);
	say_whether("copied", matches(buffer, 4000, 1, 0));
	sleep_ms(30);
	send_text(fd, "for the parent again");
	expect_text(fd, "heard");
}

/* An exec of something else, with close-on-exec on the connection: it must go on undisturbed. */
static void become_true(int fd)
{
	(void)fd;
	execl("/bin/true", "true", (char *)NULL);
	_exit(20);
}

static void cloexec_server(int fd)
{
	MUST(fcntl(fd, F_SETFD, FD_CLOEXEC));
	for (int i = 0; i < 5; i++) {
		expect_text(fd, "ping");
		join_child("program", start_child(become_true, fd));
		send_text(fd, "pong");
	}
	execl("/nonexistent", "nothing", (char *)NULL);
	say("a failed exec: %s", error_name(errno));
	expect_text(fd, "ping");
}

static void cloexec_client(int fd)
{
	for (int i = 0; i < 5; i++) {
		send_text(fd, "ping");
		expect_text(fd, "pong");
	}
	send_text(fd, "ping");
}

static void client(int fd)
{
	send_pattern(fd, 5000, 5000, 1);
	meet();
	uint8_t more[30000], back[34000];
	fill(more, sizeof more, 1, 5000);
	send_all(fd, more, 10000);
	sleep_ms(20);
	send_all(fd, more + 10000, 20000);
	recv_pattern("sent before", fd, 20000, 3000, 2);
	recv_all(fd, back, sizeof back);
	say_whether("copied", matches(back, sizeof back, 1, 1000));
	send_text(fd, "a last word");
	expect_text(fd, "a last word");
	MUST(shutdown(fd, SHUT_WR));
	char byte;
	say_result("end", recv(fd, &byte, 1, 0));
}

static const struct test_case cases[] = {
	{ "fork and exec", forked_server, client, PAIRED },
	{ "without the library", plain_server, client, PAIRED },
	{ "static", static_server, client, PAIRED },
	{ "through a shell", shell_server, client, PAIRED },
	{ "in place", replaced_server, client, PAIRED },
	{ "vfork", vfork_server, client, PAIRED },
	{ "posix_spawn", spawn_server, client, PAIRED },
	{ "lent", lent_server, lent_client, PAIRED },
	{ "close on exec", cloexec_server, cloexec_client, PAIRED },
};
MAIN(cases)
