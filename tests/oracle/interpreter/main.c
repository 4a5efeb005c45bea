/* The supervisor: reads a program, starts its first two actors, watches over them, and prints what each step came to.
 *
 * Usage: interpreter FILE [LIMIT_MS]
 * A line `option separate` in the program makes each of the first two actors a program of its own (exec), and not merely a
 * fork of the supervisor. Lines that begin with `#` or `option` are no steps. */
#include "oracle.h"
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static int read_program(const char *path)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0 || read(file, shared->text, sizeof shared->text - 1) < 0)
		return -1;
	close(file);
	for (char *line = shared->text; *line;) {
		char *end = strchrnul(line, '\n');
		if (strncmp(line, "option separate", 15) == 0)
			shared->separate = true;
		else if (*line >= 'A' && *line <= 'H' && shared->steps < STEPS)
			shared->line[shared->steps++] = line - shared->text;
		line = *end ? end + 1 : end;
		*end = '\0';
	}
	return 0;
}

static void prepare(void)
{
	int memory = memfd_create("oracle", 0);
	if (memory < 0 || ftruncate(memory, sizeof(struct shared)) != 0 || dup2(memory, MEMORY_FD) < 0)
		exit(4);
	close(memory);
	map_memory();
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) != 0)
		exit(4);
	for (int i = 0; i < 2; i++) {
		dup2(pair[i], PASSING_FD + i);
		close(pair[i]);
	}
	for (int i = 0; i < SLOTS; i++)
		slots[i] = shared->saved[0][i] = shared->saved[1][i] = (struct slot){ -1, -1 };
}

static pid_t start(int actor)
{
	pid_t child = fork();
	if (child != 0)
		return child;
	setpgid(0, 0);
	if (shared->separate) {
		char who[2] = { 'A' + actor, 0 };
		execl("/proc/self/exe", program_invocation_name, "--actor", who, "0", (char *)NULL);
		_exit(5);
	}
	count_signals();
	lead(actor, 0);
}

/* How far the program has come: grows with each step that begins or ends. */
static unsigned progress(void)
{
	unsigned sum = atomic_load(&shared->turn);
	for (int i = 0; i < shared->steps; i++)
		sum += atomic_load(&shared->done[i]);
	return sum;
}

static void conclude_ending(void)
{
	int process = atomic_load(&shared->ending);
	if (process && kill(process, 0) != 0 && errno == ESRCH) {
		int step = atomic_load(&shared->ending_step);
		settle();
		atomic_store(&shared->ending, 0);
		atomic_store(&shared->done[step], true);
		begin_next(step);
	}
}

/* Waits until every process has ended; kills them if nothing happens for too long. */
static bool supervise(const pid_t first[2])
{
	unsigned last = 0;
	uint64_t since = now_ms();
	bool in_time = true;
	for (;;) {
		int status;
		pid_t ended = waitpid(-1, &status, WNOHANG);
		if (ended < 0 && errno == ECHILD)
			return in_time;
		if (ended > 0 && WIFSIGNALED(status) && !atomic_load(&shared->ending) && in_time) {
			printf("# a process was killed by signal %d\n", WTERMSIG(status));
			atomic_store(&shared->broken, true);
		}
		conclude_ending();
		unsigned now = progress();
		if (now != last) {
			last = now;
			since = now_ms();
		}
		if (in_time && (now_ms() - since > (uint64_t)shared->limit_ms || atomic_load(&shared->broken))) {
			in_time = false;
			kill(-first[0], SIGKILL);
			kill(-first[1], SIGKILL);
		}
		if (ended <= 0)
			usleep(300);
	}
}

static void print(bool in_time)
{
	struct step step;
	long long said = 0, ring = 0;
	for (int i = 0; i < shared->steps; i++) {
		bool ended = parse(&step, i) && atomic_load(&shared->done[i]);
		printf("%d: %s =%s%s\n", i, shared->text + shared->line[i], shared->result[i], ended ? "" : " NEVER ENDED");
	}
	for (int i = 0; i < ENDS; i++) {
		said += atomic_load(&shared->ends[i].said);
		ring += atomic_load(&shared->ends[i].ring);
	}
	printf("# sent %lld bytes, %lld of them not by the kernel\n", said, ring);
	printf("%s\n", in_time ? "# ended" : "STUCK");
}

static void be_actor(char **words)
{
	int actor = words[2][0] - 'A', from = atoi(words[3]);
	map_memory();
	memcpy(slots, shared->saved[actor], sizeof slots);
	count_signals();
	if (from > 0) {
		atomic_store(&shared->done[from - 1], true);
		begin_next(from - 1);
	}
	lead(actor, from);
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "--actor") == 0)
		be_actor(argv);
	if (argc < 2)
		return 2;
	prepare();
	if (read_program(argv[1]) != 0)
		return 2;
	const char *preload = getenv("LD_PRELOAD");
	shared->enabled = preload && strstr(preload, "libvmmc");
	shared->limit_ms = argc > 2 ? atoi(argv[2]) : 5000;
	atomic_store(&shared->actors[0].alive, true);
	atomic_store(&shared->actors[1].alive, true);
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	pid_t first[2] = { start(0), start(1) };
	bool in_time = supervise(first);
	print(in_time);
	return in_time ? 0 : 1;
}
