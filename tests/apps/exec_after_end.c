/* A connection handed to another program when its sender has ended already, or has shut its sending side down, with much of it
 * unread: as a shell does that reads the head of an answer itself and leaves the rest to a program that it starts. */
#include "common.h"

enum { HEAD = 300, REST = 40000, MUCH = 400000 };

/* Byte by byte, as a shell's `read`. */
static void read_head(int fd)
{
	uint8_t head[HEAD];
	for (int i = 0; i < HEAD; i++)
		recv_all(fd, head + i, 1);
	say_whether("head", matches(head, sizeof head, 1, 0));
}

/* What the other program has written into a file, from `from` on. */
static void say_copied(const char *what, int file, uint64_t from)
{
	static uint8_t copied[MUCH];
	ssize_t length = MUST(pread(file, copied, sizeof copied, 0));
	say("%s: %ld bytes, right: %d", what, (long)length, matches(copied, length, 1, from));
}

static int new_file(void)
{
	return MUST(memfd_create("copied", 0));
}

struct handed {
	int file;
	char *const *program;
};
static struct handed handed;

static void become_program(int fd)
{
	MUST(dup2(fd, 0));
	MUST(dup2(handed.file, 1));
	execv(handed.program[0], handed.program);
	_exit(20);
}

static void run(int fd, char *const *program)
{
	handed.program = program;
	join_child(program[0], start_child(become_program, fd));
}

static char *const cat[] = { "/bin/cat", NULL };

/* Parent and program hold it both, one after the other: `read`, `head -c`, `read`, `cat`. */
static void shell(int fd, bool wait_for_end)
{
	meet();
	if (wait_for_end)
		wait_for(fd, POLLRDHUP);
	read_head(fd);
	handed.file = new_file();
	run(fd, (char *const[]){ "/usr/bin/head", "-c", "1000", NULL });
	say_copied("first program", handed.file, HEAD);
	uint8_t line[50];
	recv_all(fd, line, sizeof line);
	say_whether("a line", matches(line, sizeof line, 1, HEAD + 1000));
	handed.file = new_file();
	run(fd, cat);
	say_copied("second program", handed.file, HEAD + 1000 + sizeof line);
	char byte;
	say_result("end", recv(fd, &byte, 1, 0));
}

static void shell_server(int fd) { shell(fd, true); }

/* It becomes the program itself, which sends back what it gets. */
static void replaced_server(int fd)
{
	meet();
	wait_for(fd, POLLRDHUP);
	read_head(fd);
	MUST(dup2(fd, 0));
	MUST(dup2(fd, 1));
	execv(cat[0], cat);
	_exit(20);
}

/* It is handed to a process that was there before. */
static void take_over(int over)
{
	int fd = recv_descriptor(over, 0);
	recv_pattern("heir", fd, HEAD, 100, 0);
	static uint8_t rest[REST];
	recv_all(fd, rest, REST - HEAD);
	say_whether("heir's rest", matches(rest, REST - HEAD, 1, HEAD));
	char byte;
	say_result("end", recv(fd, &byte, 1, 0));
}

static void passed_server(int unused)
{
	(void)unused;
	int over[2];
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, over));
	pid_t heir = start_child(take_over, over[1]);
	MUST(close(over[1]));
	int fd = server_connection(AF_INET);
	meet();
	wait_for(fd, POLLRDHUP);
	send_descriptor(over[0], fd);
	MUST(close(fd));
	join_child("heir", heir);
}

static void closing_client(int fd)
{
	send_pattern(fd, REST, REST, 1);
	MUST(close(fd));
	meet();
}

static void passed_client(int unused)
{
	(void)unused;
	int fd = client_connection(AF_INET);
	send_pattern(fd, HEAD, HEAD, 0);
	uint8_t rest[REST];
	fill(rest, sizeof rest, 1, HEAD);
	send_all(fd, rest, REST - HEAD);
	MUST(close(fd));
	meet();
}

static void exiting_client(int fd)
{
	send_pattern(fd, REST, REST, 1);
	meet();
	exit(0);
}

/* More than a ring that has just begun holds: it has overflowed to the kernel's road. */
static void overflowing_client(int fd)
{
	send_pattern(fd, MUCH, MUCH, 1);
	MUST(close(fd));
	meet();
}

static void many_client(int fd)
{
	for (int i = 0; i < 400; i++) {
		uint8_t piece[100];
		fill(piece, sizeof piece, 1, i * sizeof piece);
		send_all(fd, piece, sizeof piece);
	}
	MUST(close(fd));
	meet();
}

static void shutting_client(int fd)
{
	send_pattern(fd, REST, REST, 1);
	MUST(shutdown(fd, SHUT_WR));
	meet();
	uint8_t back[REST];
	recv_all(fd, back, REST - HEAD);
	say_whether("back", matches(back, REST - HEAD, 1, HEAD));
	char byte;
	say_result("end", recv(fd, &byte, 1, 0));
}

/* The sender has itself handed its end to another program. */
static void become_sleeper(int fd)
{
	(void)fd;
	execl("/bin/sleep", "sleep", "0.3", (char *)NULL);
	_exit(20);
}

static void handing_client(int fd)
{
	send_pattern(fd, REST, REST, 1);
	pid_t child = start_child(become_sleeper, fd);
	MUST(close(fd));
	meet();
	join_child("sleeper", child);
}

static void handed_server(int fd) { shell(fd, false); }

/* The reader has been slow from the beginning: much lies on the kernel's road when the stream leaves it. */
static void slow_server(int unused)
{
	(void)unused;
	int port, listener = listen_local(AF_INET, &port);
	post(PORT_PLACE, port);
	int fd = MUST(accept(listener, NULL, NULL));
	MUST(close(listener));
	uint8_t head[HEAD];
	for (int i = 0; i < HEAD; i++) {
		recv_all(fd, head + i, 1);
		usleep(500);
	}
	say_whether("head", matches(head, sizeof head, 1, 0));
	meet();
	handed.file = new_file();
	run(fd, cat);
	say_copied("program", handed.file, HEAD);
}

static void ahead_client(int unused)
{
	(void)unused;
	int fd = connect_local(AF_INET, await(PORT_PLACE));
	uint8_t all[REST];
	fill(all, sizeof all, 1, 0);
	for (int i = 0; i < REST; i += 500) {
		send_all(fd, all + i, 500);
		usleep(1000);
	}
	MUST(close(fd));
	meet();
}

/* The sender goes, and a child of its own goes on holding the connection, on which it has never sent. */
enum { DONE = 2 };

static void hold(int fd)
{
	await(DONE);
	send_text(fd, "held");
}

static void leaving_client(int fd)
{
	send_pattern(fd, REST, REST, 1);
	start_child(hold, fd);
	meet();
	exit(0);
}

static void letting_go_client(int fd)
{
	send_pattern(fd, REST, REST, 1);
	pid_t child = start_child(hold, fd);
	MUST(close(fd));
	meet();
	join_child("holder", child);
}

/* It becomes another program, which does not get the connection. */
static void becoming_client(int fd)
{
	send_pattern(fd, REST, REST, 1);
	start_child(hold, fd);
	MUST(fcntl(fd, F_SETFD, FD_CLOEXEC));
	meet();
	execl("/bin/true", "true", (char *)NULL);
	_exit(20);
}

static void held_server(int fd)
{
	meet();
	sleep_ms(50);
	read_head(fd);
	handed.file = new_file();
	run(fd, (char *const[]){ "/usr/bin/head", "-c", "39700", NULL });
	say_copied("program", handed.file, HEAD);
	post(DONE, 1);
	expect_text(fd, "held");
	char byte;
	say_result("end", recv(fd, &byte, 1, 0));
}

static const struct test_case cases[] = {
	{ "closed", shell_server, closing_client, PAIRED },
	{ "exited", shell_server, exiting_client, PAIRED },
	{ "overflowed", shell_server, overflowing_client, PAIRED },
	{ "many messages", shell_server, many_client, PAIRED },
	{ "shut down", replaced_server, shutting_client, PAIRED },
	{ "a slow reader", slow_server, ahead_client, RAW },
	{ "passed", passed_server, passed_client, RAW },
	{ "sender's parent exited", held_server, leaving_client, PAIRED },
	{ "sender's parent closed", held_server, letting_go_client, PAIRED },
	{ "sender's parent became a program", held_server, becoming_client, PAIRED },
	{ "sender handed over", handed_server, handing_client, PAIRED },
};
MAIN(cases)
