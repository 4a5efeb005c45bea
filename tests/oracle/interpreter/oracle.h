/* The interpreter of the oracle's programs: what its parts share.
 *
 * A program is a list of steps, one a line: `ACTOR[&] VERB WORD...`. An actor is a thread of some process. Steps begin one
 * after another, in the order in which they stand; with `&` the next one begins while this one is still going on, and an
 * actor that is not done yet holds everybody up at its own next step. So what comes out does not depend on the scheduler.
 * docs/oracle.md has the verbs. */
#ifndef ORACLE_H
#define ORACLE_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	STEPS = 600, /* of a program */
	ACTORS = 8, /* A to H */
	SLOTS = 40, /* numbered descriptors of a process */
	PORTS = 16, /* numbered listeners */
	ENDS = 32, /* numbered ends of connections */
	WORDS = 12, /* of a step */
	RESULT_BYTES = 240,
	MEMORY_FD = 900, /* the shared memory, over exec */
	PASSING_FD = 901, /* and 902: a pair of Unix sockets over which descriptors are passed */
};

/* A descriptor by its number in the program. */
struct slot {
	int fd; /* -1: none */
	int end; /* the end of a connection that it is; -1: none */
};

struct actor {
	atomic_bool alive;
	atomic_int process, thread; /* their numbers; equal for one that leads its process */
	atomic_int current; /* the step that it began last */
};

struct end {
	atomic_llong said; /* bytes that the program has sent */
	atomic_llong ring; /* those that the kernel has not seen */
	atomic_llong stuffed; /* bytes of the last `stuff` */
};

/* What all processes of a run see. */
struct shared {
	atomic_uint turn; /* the step that may begin; a futex word */
	atomic_bool broken; /* somebody could not go on */
	int steps;
	int limit_ms;
	bool separate, enabled;
	atomic_int ending; /* a process that is about to end; the supervisor begins the next step then */
	atomic_int ending_step;
	struct actor actors[ACTORS];
	atomic_bool done[STEPS];
	char result[STEPS][RESULT_BYTES];
	atomic_int port[PORTS];
	atomic_int family[PORTS];
	struct end ends[ENDS];
	struct slot saved[ACTORS][SLOTS]; /* over exec */
	char text[65536];
	int line[STEPS]; /* offset of a step in the text */
};

/* The step under way. */
struct step {
	int number;
	int actor;
	bool background;
	int words;
	char *word[WORDS]; /* the verb first */
	char copy[400];
};

extern struct shared *shared;
extern struct slot slots[SLOTS];

/* Words of a step: `s3` a slot, `100b` bytes, `20ms`, `3x` a number of times, `IN|OUT` names. */
long number_at(const struct step *step, int word);
struct slot *slot_at(const struct step *step, int word);
int fd_at(const struct step *step, int word); /* -1 (EBADF) if there is none */

/* The step's result, piece by piece. */
void say(const struct step *step, const char *format, ...) __attribute__((format(printf, 2, 3)));
void say_result(const struct step *step, long result); /* a number, or errno's name */
void say_bytes(const struct step *step, const void *bytes, size_t length);
const char *error_name(int number);

/* Names joined by `|`, as bits. */
struct name {
	const char *name;
	long bit;
};
long bits(const char *word, const struct name *names);
void say_bits(const struct step *step, long value, const struct name *names);

void fill(void *bytes, size_t length, int step);
uint32_t hash(uint32_t before, const void *bytes, size_t length);
uint64_t now_ms(void);
void sleep_ms(long milliseconds);

/* Executes a step; false if no verb is named so. Each part knows some verbs. */
typedef bool (*part)(struct step *step);
bool moves_data(struct step *step);
bool moves_much(struct step *step);
bool waits(struct step *step);
bool asks(struct step *step);
bool lives(struct step *step);
bool forks(struct step *step);

bool parse(struct step *step, int number);
/* The actor's steps from this number on. */
void play(int actor, int from);
/* The same for the actor that leads a process, which ends with the program. */
void lead(int actor, int from) __attribute__((noreturn));
/* The step after this one may begin. */
void begin_next(int number);
void map_memory(void);
/* After a close: the broker may hold a duplicate of the socket for a moment, and until then the peer hears nothing. */
void settle(void);

/* What the kernel has been given to send on this socket, in bytes; asked past the library. */
long long kernel_sent(int fd);
/* Notes that a call has sent so much since `before`. */
void note_sent(const struct slot *slot, long long before, long sent);

extern volatile sig_atomic_t signals_seen[65];
void count_signals(void);
void say_signals(const struct step *step); /* those that have come since the last time */

#endif
