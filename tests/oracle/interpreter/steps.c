/* The order of steps, and one actor's way through them. */
#include "oracle.h"
#include <limits.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>

struct shared *shared;
struct slot slots[SLOTS];
volatile sig_atomic_t signals_seen[65];

static void futex(int operation, unsigned value)
{
	struct timespec limit = { 0, 20000000 };
	syscall(SYS_futex, &shared->turn, operation, value, &limit, NULL, 0);
}

void map_memory(void)
{
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, MEMORY_FD, 0);
	if (shared == MAP_FAILED)
		_exit(4);
}

bool parse(struct step *step, int number)
{
	memset(step, 0, sizeof *step);
	step->number = number;
	snprintf(step->copy, sizeof step->copy, "%s", shared->text + shared->line[number]);
	char *rest = NULL, *word = strtok_r(step->copy, " \t\n", &rest);
	if (!word)
		return false;
	step->actor = word[0] - 'A';
	step->background = word[1] == '&';
	while (step->words < WORDS && (word = strtok_r(NULL, " \t\n", &rest)))
		step->word[step->words++] = word;
	return step->words > 0 && step->actor >= 0 && step->actor < ACTORS;
}

void begin_next(int number)
{
	int next = number + 1;
	struct step step;
	while (next < shared->steps && !(parse(&step, next) && atomic_load(&shared->actors[step.actor].alive))) {
		snprintf(shared->result[next], RESULT_BYTES, " nobody");
		atomic_store(&shared->done[next], true);
		next++;
	}
	atomic_store(&shared->turn, next);
	futex(FUTEX_WAKE, INT_MAX);
}

static void await_turn(int number)
{
	unsigned turn;
	while ((turn = atomic_load(&shared->turn)) < (unsigned)number)
		futex(FUTEX_WAIT, turn);
}

void settle(void)
{
	enum { BROKER_LOOKS_MS = 15 };
	if (shared->enabled)
		sleep_ms(BROKER_LOOKS_MS);
}

static void execute(struct step *step)
{
	static const part parts[] = { moves_data, moves_much, waits, asks, lives, forks };
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (parts[i](step))
			return;
	say(step, " no such verb");
	atomic_store(&shared->broken, true);
}

void play(int actor, int from)
{
	struct step step;
	atomic_store(&shared->actors[actor].process, getpid());
	atomic_store(&shared->actors[actor].thread, (int)syscall(SYS_gettid));
	for (int number = from; number < shared->steps; number++) {
		if (!parse(&step, number) || step.actor != actor)
			continue;
		await_turn(number);
		atomic_store(&shared->actors[actor].current, number);
		if (step.background)
			begin_next(number);
		execute(&step);
		if (strncmp(step.word[0], "close", 5) == 0)
			settle();
		say_signals(&step);
		atomic_store(&shared->done[number], true);
		if (!step.background)
			begin_next(number);
	}
}

void lead(int actor, int from)
{
	play(actor, from);
	await_turn(shared->steps);
	for (int number = 0; number < shared->steps; number++)
		while (!atomic_load(&shared->done[number]))
			sleep_ms(1);
	exit(0);
}

static void count(int number)
{
	signals_seen[number]++;
}

void count_signals(void)
{
	static const int restarting[] = { SIGPIPE, SIGURG, SIGIO, SIGUSR2 };
	struct sigaction action = { .sa_handler = count, .sa_flags = SA_RESTART };
	for (size_t i = 0; i < sizeof restarting / sizeof *restarting; i++)
		sigaction(restarting[i], &action, NULL);
	action.sa_flags = 0;
	sigaction(SIGUSR1, &action, NULL);
	signal(SIGCHLD, SIG_IGN);
}

void say_signals(const struct step *step)
{
	static const struct {
		int number;
		const char *name;
	} told[] = { { SIGPIPE, "SIGPIPE" }, { SIGURG, "SIGURG" }, { SIGIO, "SIGIO" } };
	for (size_t i = 0; i < sizeof told / sizeof *told; i++)
		if (signals_seen[told[i].number]) {
			say(step, " %s", told[i].name);
			signals_seen[told[i].number] = 0;
		}
}
