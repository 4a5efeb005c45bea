// Every variadic function that the library defines, in each of its forms. Prints nothing and returns 0 if all is well.
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#undef NDEBUG
#include <assert.h>

static void print_to(int fd, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vdprintf(fd, format, arguments);
    va_end(arguments);
}

// More arguments than registers, whole and floating.
static void formats(void) {
    int fds[2];
    char text[200] = "";
    assert(pipe(fds) == 0);
    dprintf(fds[1], "%d %d %d %d %d %d %d %.1f %.1f %.1f %.1f %.1f %.1f %.1f %.1f %.1f %s|", 1, 2, 3, 4, 5, 6, 7, .1, .2, .3, .4, .5, .6, .7, .8, .9, "end");
    print_to(fds[1], "%d %s %.1f", 8, "nine", 1.5);
    assert(read(fds[0], text, sizeof text - 1) > 0);
    assert(strcmp(text, "1 2 3 4 5 6 7 0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9 end|8 nine 1.5") == 0);
    close(fds[0]);
    close(fds[1]);
}

static void flags(void) {
    int fds[2], value = 1;
    assert(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    assert(fcntl(fds[0], F_GETFL) == O_RDWR);
    assert(fcntl(fds[0], F_SETFL, O_RDWR | O_NONBLOCK) == 0 && fcntl(fds[0], F_GETFL) == (O_RDWR | O_NONBLOCK));
    int copy = fcntl(fds[0], F_DUPFD_CLOEXEC, 100);
    assert(copy >= 100 && fcntl(copy, F_GETFD) == FD_CLOEXEC && fcntl(copy, F_SETFD, 0) == 0 && fcntl(copy, F_GETFD) == 0);
    value = 0;
    assert(ioctl(fds[0], FIONBIO, &value) == 0 && fcntl(fds[0], F_GETFL) == O_RDWR);
    assert(ioctl(fds[0], FIOCLEX) == 0 && fcntl(fds[0], F_GETFD) == FD_CLOEXEC);
    assert(send(fds[1], "abc", 3, 0) == 3 && ioctl(fds[0], FIONREAD, &value) == 0 && value == 3);
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    int file = open("/proc/self/exe", O_RDONLY);
    assert(file >= 0 && fcntl(file, F_GETLK, &lock) == 0 && lock.l_type == F_UNLCK);
    assert(fcntl(-1, F_GETFD) == -1 && errno == EBADF);
    close(file);
    close(copy);
    close(fds[0]);
    close(fds[1]);
}

static void files(void) {
    char path[] = "/tmp/vmmc-variadic-XXXXXX";
    struct stat facts;
    int fd = mkstemp(path);
    assert(fd >= 0 && close(fd) == 0 && unlink(path) == 0);
    umask(0);
    fd = open(path, O_CREAT | O_EXCL | O_RDWR, 0604);
    assert(fd >= 0 && fstat(fd, &facts) == 0 && (facts.st_mode & 07777) == 0604);
    assert(openat(AT_FDCWD, path, O_CREAT | O_EXCL, 0600) == -1 && errno == EEXIST);
    int again = open(path, O_RDONLY);
    assert(again >= 0 && close(again) == 0 && close(fd) == 0 && unlink(path) == 0);
    assert(open(path, O_RDONLY) == -1 && errno == ENOENT);
    struct mq_attr attributes = {.mq_maxmsg = 3, .mq_msgsize = 17}, seen;
    mqd_t queue = mq_open("/vmmc-variadic", O_CREAT | O_RDWR, 0600, &attributes);
    if (queue != (mqd_t)-1) {
        assert(mq_getattr(queue, &seen) == 0 && seen.mq_maxmsg == 3 && seen.mq_msgsize == 17);
        mq_close(queue);
        mq_unlink("/vmmc-variadic");
    }
}

static void raw(void) {
    int fds[2];
    char text[8] = "";
    assert(syscall(SYS_getpid) == getpid());
    assert(syscall(SYS_pipe2, fds, O_CLOEXEC) == 0);
    assert(syscall(SYS_write, fds[1], "raw", 3) == 3 && syscall(SYS_read, fds[0], text, sizeof text) == 3 && strcmp(text, "raw") == 0);
    assert(syscall(SYS_read, -1, text, 1) == -1 && errno == EBADF);
    char *place = (char *)syscall(SYS_mmap, NULL, 4096L, (long)(PROT_READ | PROT_WRITE), (long)(MAP_PRIVATE | MAP_ANONYMOUS), -1L, 0L);
    assert(place != MAP_FAILED && (*place = 1));
    assert(syscall(SYS_close, fds[0]) == 0 && syscall(SYS_close, fds[1]) == 0);
    int child = syscall(SYS_fork), status;
    if (child == 0) syscall(SYS_exit_group, 7);
    assert(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 7);
}

// Ten arguments: the last ones are on the stack.
static void executes(int how) {
    int fds[2], status;
    char text[100] = "";
    assert(pipe(fds) == 0);
    pid_t child = fork();
    if (child == 0) {
        char *environment[] = {"A=from-environment", NULL};
        dup2(fds[1], 1);
        if (how == 0) execl("/bin/echo", "echo", "1", "2", "3", "4", "5", "6", "7", "8", "9", NULL);
        if (how == 1) execlp("echo", "echo", "1", "2", "3", "4", "5", "6", "7", "8", "9", NULL);
        if (how == 2) execle("/bin/sh", "sh", "-c", "echo $1 $2 $3 $4 $5 $6 $7 $8 $A", "x", "1", "2", "3", "4", "5", "6", "7", "8", NULL, environment);
        _exit(99);
    }
    close(fds[1]);
    assert(read(fds[0], text, sizeof text - 1) > 0);
    assert(strcmp(text, how == 2 ? "1 2 3 4 5 6 7 8 from-environment\n" : "1 2 3 4 5 6 7 8 9\n") == 0);
    assert(waitpid(child, &status, 0) == child && status == 0);
    close(fds[0]);
}

int main(void) {
    assert(dlerror() == NULL);
    formats();
    flags();
    files();
    raw();
    for (int how = 0; how < 3; how++) executes(how);
    assert(execl("/nonexistent", "x", NULL) == -1 && errno == ENOENT);
    return 0;
}
