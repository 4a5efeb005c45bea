/* Programs that get other privileges by being executed (set-user-ID, file capabilities), into which no library is preloaded, with a
 * connection that they inherit; and a server that gives its own privileges up, one worker a user. */
#include "common.h"
#include <grp.h>
#include <linux/capability.h>
#include <sys/xattr.h>

enum { NOBODY = 65534, MUCH = 200000 };

static char program[64];

static void copy_file(const char *from, const char *to)
{
	char buffer[65536];
	int in = MUST(open(from, O_RDONLY)), out = MUST(open(to, O_WRONLY | O_CREAT | O_EXCL, 0755));
	for (ssize_t got; (got = MUST(read(in, buffer, sizeof buffer))) > 0;)
		if (write(out, buffer, got) != got)
			die("a copy of %s", from);
	MUST(close(in));
	MUST(close(out));
}

static void set_user_id(void)
{
	if (geteuid() == 0)
		MUST(chmod(program, 04755));
}

static void capable(void)
{
	struct vfs_cap_data data = { .magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE };
	data.data[0].permitted = 1 << CAP_NET_BIND_SERVICE;
	if (geteuid() == 0)
		MUST(setxattr(program, "security.capability", &data, XATTR_CAPS_SZ_2, 0));
}

static void be_nobody(void)
{
	if (geteuid() != 0)
		return;
	MUST(setgroups(0, NULL));
	MUST(setresgid(NOBODY, NOBODY, NOBODY));
	MUST(setresuid(NOBODY, NOBODY, NOBODY));
}

/* The connection is standard input and output of a program that sends back what it gets. */
static void become_privileged(int fd)
{
	be_nobody();
	MUST(dup2(fd, 0));
	MUST(dup2(fd, 1));
	MUST(close(fd));
	execl(program, program, (char *)NULL);
	_exit(20);
}

static void serve(int fd, void (*privilege)(void))
{
	snprintf(program, sizeof program, "/tmp/privilegedXXXXXX");
	if (!mkdtemp(program))
		die("mkdtemp");
	char directory[sizeof program];
	strcpy(directory, program);
	MUST(chmod(directory, 0755));
	strcat(program, "/echo");
	copy_file(beside("handler"), program);
	privilege();
	send_pattern(fd, 3000, 3000, 2);
	meet();
	uint8_t buffer[1000];
	recv_all(fd, buffer, sizeof buffer);
	say_whether("first bytes right", matches(buffer, sizeof buffer, 1, 0));
	pid_t child = start_child(become_privileged, fd);
	MUST(close(fd));
	join_child("program", child);
	MUST(unlink(program));
	MUST(rmdir(directory));
}

static void user_server(int fd)
{
	serve(fd, set_user_id);
}

static void capable_server(int fd)
{
	serve(fd, capable);
}

/* 1000 bytes are for the server, and the rest comes back from the other program, which may begin when all has been sent and the end
 * of the stream stands behind it. */
static void *send_rest(void *fd)
{
	static uint8_t bytes[MUCH];
	fill(bytes, sizeof bytes, 1, 1000);
	send_all(*(int *)fd, bytes, sizeof bytes);
	MUST(shutdown(*(int *)fd, SHUT_WR));
	return NULL;
}

static void client(int fd)
{
	send_pattern(fd, 1000, 1000, 1);
	meet();
	pthread_t sender = start_thread(send_rest, &fd);
	recv_pattern("from before", fd, 3000, 500, 2);
	static uint8_t back[MUCH];
	recv_all(fd, back, sizeof back);
	say_whether("back", matches(back, sizeof back, 1, 1000));
	pthread_join(sender, NULL);
	char byte;
	say_result("end", recv(fd, &byte, 1, 0));
}

/* As nginx: root listens, and workers of another user, for whom a broker of root's does nothing, accept. */
static void work(int listener)
{
	if (geteuid() == 0)
		MUST(chroot("/tmp"));
	be_nobody();
	say_whether("may be root again", setuid(0) == 0 && geteuid() == 0 && getuid() != geteuid());
	int fd = MUST(accept(listener, NULL, NULL));
	for (int i = 0; i < 300; i++) {
		char text[8];
		recv_all(fd, text, 8);
		send_all(fd, text, 8);
	}
	recv_pattern("worker", fd, MUCH, 9000, 3);
	send_text(fd, "served");
	MUST(close(fd));
}

static void workers_server(int unused)
{
	(void)unused;
	int port, listener = listen_local(AF_INET, &port);
	for (int i = 0; i < 2; i++) {
		pid_t worker = start_child(work, listener);
		post(PORT_PLACE, port);
		post(2 + i, 1);
		join_child("worker", worker);
	}
}

static void workers_client(int unused)
{
	(void)unused;
	for (int i = 0; i < 2; i++) {
		await(2 + i);
		int fd = connect_local(AF_INET, await(PORT_PLACE));
		for (int n = 0; n < 300; n++) {
			char text[8];
			send_all(fd, "question", 8);
			recv_all(fd, text, 8);
		}
		send_pattern(fd, MUCH, 20000, 3);
		expect_text(fd, "served");
		MUST(close(fd));
	}
}

static const struct test_case cases[] = {
	{ "set-user-ID", user_server, client, PAIRED },
	{ "file capabilities", capable_server, client, PAIRED },
	{ "workers of another user", workers_server, workers_client, RAW },
};
MAIN(cases)
