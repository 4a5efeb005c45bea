/* The supervisor and its two ends. See common.h; the small tools are in tools.c. */
#include "common.h"
#include "ends.h"
#include <stdarg.h>

struct shared *shared;
int my_end;
static int case_number;
static bool hook_used;

static const char *const end_names[2] = { "server", "client" };

void say(const char *format, ...)
{
	char line[1024];
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(line, sizeof line - 1, format, arguments);
	va_end(arguments);
	if (length > (int)sizeof line - 2)
		length = sizeof line - 2;
	line[length++] = '\n';
	struct transcript *mine = &shared->transcripts[my_end];
	unsigned at = atomic_fetch_add(&mine->length, length);
	if (at + length < sizeof mine->text)
		memcpy(mine->text + at, line, length);
}

void die(const char *format, ...)
{
	int number = errno;
	char text[512];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	say("FAILED: %s: %s", text, error_name(number));
	_exit(3);
}

void meet(void)
{
	unsigned mine = atomic_fetch_add(&shared->met[my_end], 1) + 1;
	while (atomic_load(&shared->met[!my_end]) < mine && !atomic_load(&shared->ended[!my_end]))
		usleep(100);
}

void post(int place, long value)
{
	atomic_store(&shared->posted[place], value);
}

long look(int place)
{
	return atomic_load(&shared->posted[place]);
}

long await(int place)
{
	long value;
	while ((value = look(place)) == 0)
		usleep(100);
	return value;
}

/* The runner has looked at both ends, or does not want to, or is late. */
static bool runner_is_done(uint64_t deadline)
{
	const char *directory = getenv("VMMC_TEST_HOOK");
	if (!directory || hook_used)
		return true;
	char path[512];
	snprintf(path, sizeof path, "%s/go.%d", directory, case_number);
	if (access(path, F_OK) != 0 && now_ms() < deadline)
		return false;
	hook_used = true;
	return true;
}

static void call_runner(void)
{
	const char *directory = getenv("VMMC_TEST_HOOK");
	if (!directory || hook_used)
		return;
	char path[512], hidden[512];
	snprintf(path, sizeof path, "%s/ready.%d", directory, case_number);
	snprintf(hidden, sizeof hidden, "%s/new.%d", directory, case_number);
	FILE *file = fopen(hidden, "w");
	if (!file)
		die("%s", hidden);
	fprintf(file, "%d %d\n", (int)await(SERVER_PID_PLACE), (int)getpid());
	fclose(file);
	MUST(rename(hidden, path));
}

enum { EXCHANGES = 50, SLOW_EXCHANGES = 20 };

void warm_server(int fd)
{
	char byte;
	post(SERVER_PID_PLACE, getpid());
	do {
		recv_all(fd, &byte, 1);
		send_all(fd, &byte, 1);
	} while (byte != 'z');
}

static void exchange(int fd, char byte)
{
	send_all(fd, &byte, 1);
	recv_all(fd, &byte, 1);
}

void warm_client(int fd)
{
	for (int i = 0; i < EXCHANGES; i++) {
		exchange(fd, 'w');
		if (i < SLOW_EXCHANGES)
			usleep(1000);
	}
	call_runner();
	uint64_t deadline = now_ms() + 30000;
	while (!runner_is_done(deadline)) {
		exchange(fd, 'w');
		usleep(1000);
	}
	exchange(fd, 'z');
}

int server_connection(int family)
{
	int port;
	int listener = listen_local(family, &port);
	post(PORT_PLACE, port);
	int fd = MUST(accept(listener, NULL, NULL));
	MUST(close(listener));
	warm_server(fd);
	return fd;
}

int client_connection(int family)
{
	int fd = connect_local(family, await(PORT_PLACE));
	warm_client(fd);
	return fd;
}

/* What an end does: its connection, its function, and a last meeting so that nobody leaves too early. */
static _Noreturn void be_end(const struct test_case *test, int number, int end)
{
	my_end = end;
	case_number = number;
	int family = test->setup == PAIRED_IPV6 ? AF_INET6 : AF_INET;
	int fd = -1;
	if (test->setup != RAW)
		fd = end == SERVER ? server_connection(family) : client_connection(family);
	(end == SERVER ? test->server : test->client)(fd);
	meet();
	exit(0);
}

static int shared_fd(void)
{
	int fd = memfd_create("behaviour", 0);
	if (fd < 0 || ftruncate(fd, sizeof(struct shared)) != 0)
		exit(4);
	return fd;
}

static void map_shared(int fd)
{
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (shared == MAP_FAILED)
		exit(4);
}

static pid_t start_end(const struct test_case *cases, int number, int end, bool separate, int memory)
{
	pid_t child = fork();
	if (child != 0)
		return child;
	setpgid(0, 0);
	if (!separate)
		be_end(&cases[number], number, end);
	char role[32];
	snprintf(role, sizeof role, "%d %d %d", number, end, memory);
	execl("/proc/self/exe", program_invocation_name, "--end", role, (char *)NULL);
	_exit(5);
}

static void print_end(int end, int status)
{
	struct transcript *said = &shared->transcripts[end];
	unsigned length = atomic_load(&said->length);
	if (length > sizeof said->text)
		length = sizeof said->text;
	char *text = said->text, *stop = text + length;
	while (text < stop) {
		char *line_end = memchr(text, '\n', stop - text);
		if (!line_end)
			break;
		printf("%s: %.*s\n", end_names[end], (int)(line_end - text), text);
		text = line_end + 1;
	}
	if (WIFSIGNALED(status))
		printf("%s: killed by signal %d\n", end_names[end], WTERMSIG(status));
	else
		printf("%s: exit %d\n", end_names[end], WEXITSTATUS(status));
}

/* Waits for both ends; those that are late are killed, with all that they started. */
static bool supervise(pid_t ends[2], int status[2], int limit_ms)
{
	uint64_t deadline = now_ms() + limit_ms;
	bool running[2] = { true, true }, in_time = true;
	while (running[0] || running[1]) {
		for (int end = 0; end < 2; end++) {
			if (running[end] && waitpid(ends[end], &status[end], WNOHANG) == ends[end]) {
				running[end] = false;
				atomic_store(&shared->ended[end], true);
			}
			if (running[end] && now_ms() > deadline) {
				in_time = false;
				kill(ends[end], SIGKILL);
			}
		}
		usleep(500);
	}
	for (int end = 0; end < 2; end++)
		kill(-ends[end], SIGKILL);
	return in_time;
}

static bool run_case(const struct test_case *cases, int number, bool separate)
{
	const char *limit = getenv("VMMC_TEST_LIMIT");
	int memory = shared_fd();
	map_shared(memory);
	pid_t ends[2];
	int status[2];
	for (int end = 0; end < 2; end++)
		ends[end] = start_end(cases, number, end, separate, memory);
	bool in_time = supervise(ends, status, (limit ? atoi(limit) : 60) * 1000);
	printf("== %s\n", cases[number].name);
	for (int end = 0; end < 2; end++)
		print_end(end, status[end]);
	if (!in_time)
		printf("TOO LATE\n");
	fflush(stdout);
	munmap(shared, sizeof *shared);
	close(memory);
	return in_time;
}

static bool wanted(int argc, char **argv, const char *name)
{
	bool any = false;
	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], "--", 2) == 0)
			continue;
		any = true;
		if (strcmp(argv[i], name) == 0)
			return true;
	}
	return !any;
}

int run_cases(int argc, char **argv, const struct test_case *cases, int count)
{
	if (argc == 3 && strcmp(argv[1], "--end") == 0) {
		int number, end, memory;
		if (sscanf(argv[2], "%d %d %d", &number, &end, &memory) != 3 || number >= count)
			return 2;
		map_shared(memory);
		close(memory);
		be_end(&cases[number], number, end);
	}
	bool separate = argc > 1 && strcmp(argv[1], "--exec") == 0;
	bool good = true;
	for (int i = 0; i < count; i++)
		if (wanted(argc, argv, cases[i].name))
			good &= run_case(cases, i, separate);
	return good ? 0 : 1;
}
