// Every way to become two processes or another program. Prints nothing and returns 0 if all is well.
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#undef NDEBUG
#include <assert.h>

extern char **environ;

static void ended(pid_t child, int code) {
    int status;
    assert(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == code);
}

static int entered(void *argument) {
    return *(int *)argument;
}

static void forks(void) {
    pid_t child = fork();
    if (child == 0) _exit(3);
    ended(child, 3);
    child = vfork();
    if (child == 0) execlp("sh", "sh", "-c", "exit 4", NULL);
    ended(child, 4);
    child = _Fork();
    if (child == 0) _Exit(5);
    ended(child, 5);
    int code = 6;
    static char stack[65536] __attribute__((aligned(16)));
    ended(clone(entered, stack + sizeof stack, SIGCHLD, &code), 6);
    ended(clone(entered, stack + sizeof stack, SIGCHLD | CLONE_VM | CLONE_VFORK, &code), 6);
}

static void spawns(void) {
    pid_t child;
    int fds[2];
    char text[10] = "", *arguments[] = {"sh", "-c", "echo spawned; exit 8", NULL};
    posix_spawn_file_actions_t actions;
    assert(pipe(fds) == 0 && posix_spawn_file_actions_init(&actions) == 0);
    assert(posix_spawn_file_actions_adddup2(&actions, fds[1], 1) == 0 && posix_spawn_file_actions_addclose(&actions, fds[0]) == 0);
    assert(posix_spawnp(&child, "sh", &actions, NULL, arguments, environ) == 0);
    ended(child, 8);
    assert(read(fds[0], text, sizeof text) == 8 && memcmp(text, "spawned\n", 8) == 0);
    assert(posix_spawn(&child, "/nonexistent", NULL, NULL, arguments, environ) == ENOENT);
    assert(WEXITSTATUS(system("exit 9")) == 9);
    FILE *pipe = popen("echo popped", "r");
    assert(pipe && fgets(text, sizeof text, pipe) && strcmp(text, "popped\n") == 0 && pclose(pipe) == 0);
}

static void terminals(void) {
    int master;
    char text[64] = "";
    pid_t child = forkpty(&master, NULL, NULL, NULL);
    if (child == 0) {
        printf("%d%d", isatty(0), isatty(1));
        exit(10);
    }
    assert(child > 0 && read(master, text, sizeof text) == 2 && memcmp(text, "11", 2) == 0);
    ended(child, 10);
}

static void daemons(void) {
    int fds[2];
    pid_t parts[2];
    assert(pipe(fds) == 0);
    pid_t child = fork();
    if (child == 0) {
        assert(daemon(0, 0) == 0);
        char null = 'x';
        parts[0] = getsid(0);
        parts[1] = getpid();
        if (read(0, &null, 1) != 0 || write(1, "x", 1) != 1) _exit(1);
        if (write(fds[1], parts, sizeof parts) != sizeof parts) _exit(1);
        _exit(0);
    }
    ended(child, 0);
    assert(read(fds[0], parts, sizeof parts) == sizeof parts && parts[0] == parts[1] && parts[1] != child);
}

static void ends(void) {
    void (*ways[])(int) = {exit, _exit, _Exit, quick_exit};
    for (int way = 0; way < 4; way++) {
        pid_t child = fork();
        if (child == 0) ways[way](20 + way);
        ended(child, 20 + way);
    }
}

int main(void) {
    forks();
    spawns();
    terminals();
    daemons();
    ends();
    return 0;
}
