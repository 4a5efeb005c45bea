/* What every behaviour program stands on.
 *
 * A program is a list of cases. A case is one TCP connection with an end in each of two processes, `server` and
 * `client`; a third process, the supervisor, starts them, waits for them and prints what each end said. What is printed
 * must not depend on time, on chunk sizes that TCP leaves open, or on numbers that the kernel chose (ports, pids): the
 * runner compares the transcript of a plain run with the transcript of an accelerated one, byte for byte.
 *
 * Usage of each program: NAME [--exec] [CASE...]
 *   --exec   each end is a program of its own (exec), and not merely a fork of the supervisor
 *   CASE     run only the cases so named
 * Environment:
 *   VMMC_TEST_HOOK=DIR   at the end of the first warm-up of each case the client writes DIR/ready.N (two pids: server,
 *                        client) and keeps exchanging bytes until DIR/go.N exists, so that the runner can look at both.
 *   VMMC_TEST_LIMIT=S    seconds that one case may take (default 60).
 */
#ifndef COMMON_H
#define COMMON_H

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* How a case's connection comes about. */
enum setup {
	PAIRED = 0, /* IPv4, connected and warmed up before the two functions start */
	PAIRED_IPV6, /* the same over ::1 */
	RAW, /* the functions get -1 and do it all themselves */
};

struct test_case {
	const char *name;
	void (*server)(int fd);
	void (*client)(int fd);
	enum setup setup;
};

#define COUNT(array) ((int)(sizeof(array) / sizeof(*(array))))
#define MAIN(cases)                                                            \
	int main(int argc, char **argv)                                        \
	{                                                                      \
		return run_cases(argc, argv, cases, COUNT(cases));             \
	}

/* Runs the cases; returns the exit code of the program: 0 when both ends of each case came to an end in time. */
int run_cases(int argc, char **argv, const struct test_case *cases, int count);

/* One line of this end's transcript. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "what: 12", or "what: EPIPE" for a negative result, with errno as it stands. */
void say_result(const char *what, long result);
/* Says "what: yes" or "what: no". */
void say_whether(const char *what, bool truth);
/* "what: POLLIN POLLHUP"; epoll has the same bits. `mask` limits what is said. */
void say_events(const char *what, unsigned events, unsigned mask);
/* The symbolic name of an error number. */
const char *error_name(int number);
/* Ends this end with a message and errno: for what must not fail. */
void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
#define MUST(call)                                                             \
	({                                                                     \
		long must_result_ = (long)(call);                              \
		if (must_result_ < 0)                                          \
			die("%s:%d: %s", __FILE__, __LINE__, #call);           \
		must_result_;                                                  \
	})

/* Both ends have come here (or the other one is dead). Uses memory alone, no descriptor. */
void meet(void);
/* A few numbers that both ends, and their children, see. */
void post(int place, long value); /* `value` is not 0 */
long await(int place); /* waits until it has been posted */
long look(int place); /* 0: not posted */

/* Sockets on the loopback interface; they die on failure. */
int listen_local(int family, int *port);
int connect_local(int family, int port);
/* Listens, or connects, and warms up. The port travels by `post(PORT_PLACE)`. */
enum { PORT_PLACE = 15 };
int server_connection(int family);
int client_connection(int family);
/* Exchanges bytes until both directions have had every chance to be accelerated. Both ends must call it. */
void warm_server(int fd);
void warm_client(int fd);

/* The byte at offset n of stream `seed`: a pattern in which no shift by less than 16 MiB is its own copy. */
uint8_t pattern(uint64_t seed, uint64_t n);
void fill(void *buffer, size_t length, uint64_t seed, uint64_t offset);
/* Whether the buffer holds the pattern; says the first difference if not. */
bool matches(const void *buffer, size_t length, uint64_t seed, uint64_t offset);

/* Blocking, whole; die on error or end of stream. */
void send_all(int fd, const void *buffer, size_t length);
void recv_all(int fd, void *buffer, size_t length);
/* The same with the pattern, of any length, in pieces of at most `piece`. `recv_pattern` says "what: N bytes right". */
void send_pattern(int fd, uint64_t length, size_t piece, uint64_t seed);
void recv_pattern(const char *what, int fd, uint64_t length, size_t piece, uint64_t seed);
/* Reads to the end of the stream: says "what: N bytes right, then end" or "..., then ECONNRESET". */
void recv_to_end(const char *what, int fd, uint64_t seed);
void send_text(int fd, const char *text);
/* Receives exactly strlen(text) bytes and says what they are. */
void expect_text(int fd, const char *text);

/* Waits without ever failing the test for lateness. */
void sleep_ms(int milliseconds);
uint64_t now_ms(void);
/* Waits (in poll) until the socket shows all of `events`, at most 3 s. */
bool wait_for(int fd, short events);
void set_nonblocking(int fd, bool on);
/* Installs a handler that counts. */
void count_signal(int signal_number, int flags);
extern volatile sig_atomic_t signals_counted;

pthread_t start_thread(void *(*body)(void *), void *argument);
/* Forks a child that runs `body` and exits with 0; `join_child` says how it ended. */
pid_t start_child(void (*body)(int fd), int fd);
void join_child(const char *what, pid_t child);
/* Passes a descriptor to another process, with a byte beside it; receives one, with flags of recvmsg. */
void send_descriptor(int over, int fd);
int recv_descriptor(int over, int flags);
/* A path beside this program's own: helpers that the runner built. */
const char *beside(const char *name);

#endif
