/* Steps of processes and threads. */
#include "oracle.h"
#include <pthread.h>
#include <sys/syscall.h>

struct start {
	int actor, from;
};

static void *be_thread(void *argument)
{
	struct start start = *(struct start *)argument;
	free(argument);
	play(start.actor, start.from);
	return NULL;
}

/* The actor that a word names, if it may be made now. */
static int new_actor(struct step *step)
{
	int actor = step->words > 1 ? step->word[1][0] - 'A' : -1;
	if (actor < 2 || actor >= ACTORS || atomic_load(&shared->actors[actor].alive))
		return -1;
	atomic_store(&shared->actors[actor].current, -1);
	atomic_store(&shared->actors[actor].thread, 0);
	atomic_store(&shared->actors[actor].alive, true);
	return actor;
}

static void await_start(int actor)
{
	while (atomic_load(&shared->actors[actor].thread) == 0)
		usleep(50);
}

/* fork C */
static void do_fork(struct step *step)
{
	int actor = new_actor(step);
	pid_t child = actor < 0 ? -1 : fork();
	if (child == 0)
		lead(actor, step->number + 1);
	if (child > 0)
		await_start(actor);
	say(step, child > 0 ? " forked" : " not forked");
}

/* thread D */
static void do_thread(struct step *step)
{
	int actor = new_actor(step);
	struct start *start = malloc(sizeof *start);
	*start = (struct start){ actor, step->number + 1 };
	pthread_t thread;
	bool started = actor >= 0 && pthread_create(&thread, NULL, be_thread, start) == 0;
	if (started) {
		pthread_detach(thread);
		await_start(actor);
	}
	say(step, started ? " started" : " not started");
}

/* Every actor of the process ends, but for the one that is given (-1: none). */
static void bury(int process, int except)
{
	for (int i = 0; i < ACTORS; i++)
		if (i != except && atomic_load(&shared->actors[i].process) == process)
			atomic_store(&shared->actors[i].alive, false);
}

/* exec: becomes a fresh program that goes on with the next step; descriptors that are close-on-exec are gone. */
static void do_exec(struct step *step)
{
	char who[2] = { 'A' + step->actor, 0 }, from[16];
	snprintf(from, sizeof from, "%d", step->number + 1);
	for (int i = 0; i < SLOTS; i++) {
		bool stays = slots[i].fd >= 0 && !(fcntl(slots[i].fd, F_GETFD) & FD_CLOEXEC);
		shared->saved[step->actor][i] = stays ? slots[i] : (struct slot){ -1, -1 };
	}
	bury(getpid(), step->actor);
	execl("/proc/self/exe", program_invocation_name, "--actor", who, from, (char *)NULL);
	say_result(step, -1);
}

/* end exit|_exit|kill: the process is no more; the supervisor sees to the next step. */
static void do_end(struct step *step)
{
	const char *how = step->words > 1 ? step->word[1] : "exit";
	bury(getpid(), -1);
	atomic_store(&shared->ending_step, step->number);
	atomic_store(&shared->ending, getpid());
	if (strcmp(how, "kill") == 0)
		kill(getpid(), SIGKILL);
	if (strcmp(how, "_exit") == 0)
		_exit(0);
	exit(0);
}

/* interrupt A USR1: signals the actor until its present step has ended; USR2, whose handler lets calls go on, three times. */
static void interrupt(struct step *step)
{
	int actor = step->words > 1 ? (step->word[1][0] - 'A') & (ACTORS - 1) : 0;
	bool restarting = step->words > 2 && strcmp(step->word[2], "USR2") == 0;
	struct actor *victim = &shared->actors[actor];
	for (int i = 0; atomic_load(&victim->alive) && i < (restarting ? 3 : 1000); i++) {
		int current = atomic_load(&victim->current);
		if (current < 0 || atomic_load(&shared->done[current]))
			break;
		sleep_ms(5);
		syscall(SYS_tgkill, atomic_load(&victim->process), atomic_load(&victim->thread), restarting ? SIGUSR2 : SIGUSR1);
	}
}

bool forks(struct step *step)
{
	const char *verb = step->word[0];
	if (strcmp(verb, "fork") == 0)
		do_fork(step);
	else if (strcmp(verb, "thread") == 0)
		do_thread(step);
	else if (strcmp(verb, "exec") == 0)
		do_exec(step);
	else if (strcmp(verb, "end") == 0)
		do_end(step);
	else if (strcmp(verb, "interrupt") == 0)
		interrupt(step);
	else if (strcmp(verb, "sleep") == 0)
		sleep_ms(number_at(step, 1));
	else
		return strcmp(verb, "join") == 0;
	return true;
}
