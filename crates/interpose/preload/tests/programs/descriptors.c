// Makers, copies, closing, messages with descriptors, streams, waits, cancellation. Returns 0 and prints nothing if all is well.
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#undef NDEBUG
#include <assert.h>

static void connected(int ends[2]) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert(listener >= 0 && bind(listener, (void *)&address, length) == 0 && listen(listener, 1) == 0);
    assert(getsockname(listener, (void *)&address, &length) == 0);
    ends[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert(connect(ends[0], (void *)&address, length) == 0);
    ends[1] = accept4(listener, (void *)&address, &length, SOCK_CLOEXEC);
    assert(ends[1] >= 0 && address.sin_family == AF_INET && close(listener) == 0);
}

static void bytes(void) {
    int ends[2];
    char first[4], second[8];
    connected(ends);
    struct iovec out[] = {{"ab", 2}, {NULL, 0}, {"cde", 3}}, in[] = {{first, 4}, {NULL, 0}, {second, 8}};
    assert(writev(ends[0], out, 3) == 5 && readv(ends[1], in, 3) == 5 && memcmp(first, "abcd", 4) == 0 && second[0] == 'e');
    struct iovec many[40];
    for (int i = 0; i < 40; i++) many[i] = (struct iovec){"x", i % 2};
    assert(writev(ends[0], many, 40) == 20);
    for (int i = 0; i < 20; i++) assert(recv(ends[1], second, 1, MSG_WAITALL) == 1 && *second == 'x');
    struct sockaddr_storage from;
    socklen_t length = sizeof from;
    assert(sendto(ends[0], "q", 1, MSG_NOSIGNAL, NULL, 0) == 1 && recvfrom(ends[1], second, 8, 0, (void *)&from, &length) == 1 && length == 0);
    struct msghdr message = {.msg_iov = in, .msg_iovlen = 3, .msg_name = &from, .msg_namelen = sizeof from};
    struct mmsghdr several[2] = {{.msg_hdr = {.msg_iov = out, .msg_iovlen = 3}}, {.msg_hdr = {.msg_iov = out, .msg_iovlen = 1}}};
    assert(sendmmsg(ends[0], several, 2, 0) == 2 && several[0].msg_len == 5 && several[1].msg_len == 2);
    for (int ready = 0; ready < 7;) assert(ioctl(ends[1], FIONREAD, &ready) == 0);
    assert(recvmsg(ends[1], &message, 0) == 7 && message.msg_namelen == 0 && message.msg_flags == 0 && memcmp(second, "eab", 3) == 0);
    assert(send(ends[0], "gone", 4, 0) == 4 && recv(ends[1], second, 0, 0) == 0 && recv(ends[1], NULL, 4, MSG_TRUNC) == 4);
    assert(recv(ends[1], second, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN && recv(ends[1], second, 0, MSG_DONTWAIT) == -1);
    assert(read(ends[1], NULL, 0) == 0 && preadv2(ends[1], in, 3, -1, RWF_NOWAIT) == -1 && errno == EAGAIN);
    assert(pread(ends[1], second, 1, 0) == -1 && errno == ESPIPE);
    int file = memfd_create("file", 0);
    assert(write(file, "0123456789", 10) == 10);
    off_t offset = 4;
    assert(sendfile(ends[0], file, &offset, 3) == 3 && offset == 7 && read(ends[1], second, 8) == 3 && memcmp(second, "456", 3) == 0);
    assert(shutdown(ends[0], SHUT_WR) == 0 && read(ends[1], second, 8) == 0 && close(file) == 0);
    int kind;
    length = sizeof kind;
    assert(getsockopt(ends[0], SOL_SOCKET, SO_TYPE, &kind, &length) == 0 && kind == SOCK_STREAM && length == sizeof kind);
    assert(close(ends[0]) == 0 && close(ends[1]) == 0);
}

static void messages_with_descriptors(void) {
    int pair[2], ends[2];
    union { struct cmsghdr header; char room[CMSG_SPACE(2 * sizeof(int))]; } control = {0};
    char byte = 'b';
    struct iovec piece = {&byte, 1};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    assert(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    connected(ends);
    control.header = (struct cmsghdr){.cmsg_len = CMSG_LEN(2 * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.header), ends, sizeof ends);
    assert(sendmsg(pair[0], &message, 0) == 1);
    memset(&control, 0, sizeof control);
    assert(recvmsg(pair[1], &message, MSG_CMSG_CLOEXEC) == 1 && control.header.cmsg_type == SCM_RIGHTS);
    int copies[2];
    memcpy(copies, CMSG_DATA(&control.header), sizeof copies);
    assert(write(copies[0], "via", 3) == 3 && read(ends[1], &byte, 1) == 1 && byte == 'v');
    for (int i = 0; i < 2; i++) assert(close(copies[i]) == 0 && close(ends[i]) == 0 && close(pair[i]) == 0);
}

static void copies(void) {
    int ends[2];
    connected(ends);
    int other = dup(ends[0]);
    assert(other >= 0 && dup2(ends[0], 200) == 200 && dup3(ends[0], 201, O_CLOEXEC) == 201 && fcntl(201, F_GETFD) == FD_CLOEXEC);
    assert(dup2(-1, 200) == -1 && errno == EBADF && fcntl(200, F_GETFD) == 0 && dup2(200, 200) == 200);
    assert(dup3(200, 200, 0) == -1 && errno == EINVAL && dup2(ends[1], 200) == 200);
    assert(close_range(200, 201, 0) == 0 && fcntl(200, F_GETFD) == -1);
    assert(dup2(ends[0], 150) == 150);
    closefrom(150);
    assert(fcntl(150, F_GETFD) == -1 && fcntl(other, F_GETFD) == 0 && close(other) == 0);
    assert(close(ends[0]) == 0 && close(ends[1]) == 0 && close(ends[0]) == -1 && errno == EBADF);
}

static void streams(void) {
    int ends[2];
    char line[10];
    connected(ends);
    FILE *writer = fdopen(ends[0], "w"), *reader = fdopen(ends[1], "r");
    assert(fprintf(writer, "line\n") == 5 && fflush(writer) == 0 && fgets(line, sizeof line, reader) && strcmp(line, "line\n") == 0);
    assert(fclose(writer) == 0 && fgetc(reader) == EOF && fclose(reader) == 0 && fcntl(ends[1], F_GETFD) == -1);
    FILE *file = tmpfile(), *again = freopen("/dev/null", "r", file);
    assert(file && again && fgetc(again) == EOF && fclose(again) == 0);
    FILE *memory = fmemopen(line, sizeof line, "r");
    assert(memory && fclose(memory) == 0);
    DIR *directory = opendir("/");
    assert(directory && readdir(directory) && closedir(directory) == 0);
    assert(!fopen("/nonexistent", "r") && errno == ENOENT);
}

static void waits(void) {
    int ends[2], event = eventfd(0, EFD_NONBLOCK), set = epoll_create1(0);
    connected(ends);
    struct pollfd places[] = {{ends[0], POLLIN | POLLOUT, 0}, {event, POLLIN, 0}};
    struct epoll_event wanted = {.events = EPOLLIN, .data.u64 = 0x1234567890abcdef}, seen;
    struct timespec moment = {0, 1000000};
    struct timeval time = {5, 0};
    fd_set reads;
    assert(poll(places, 2, 1000) == 1 && places[0].revents == POLLOUT && poll(NULL, 0, 1) == 0);
    assert(epoll_ctl(set, EPOLL_CTL_ADD, ends[1], &wanted) == 0 && epoll_wait(set, &seen, 1, 0) == 0);
    assert(epoll_pwait2(set, &seen, 1, &moment, NULL) == 0 && epoll_wait(set, &seen, 0, 0) == -1 && errno == EINVAL);
    assert(write(ends[0], "w", 1) == 1 && epoll_wait(set, &seen, 1, -1) == 1 && seen.data.u64 == wanted.data.u64);
    FD_ZERO(&reads);
    FD_SET(ends[1], &reads);
    assert(select(ends[1] + 1, &reads, NULL, NULL, &time) == 1 && FD_ISSET(ends[1], &reads) && time.tv_sec >= 4);
    assert(pselect(ends[1] + 1, &reads, NULL, NULL, &moment, NULL) == 1);
    places[1].fd = ends[1];
    assert(ppoll(places + 1, 1, &moment, NULL) == 1 && places[1].revents == POLLIN && epoll_ctl(set, EPOLL_CTL_DEL, ends[1], NULL) == 0);
    close(set);
    close(event);
    close(ends[0]);
    close(ends[1]);
}

static int cleaned;

static void clean(void *argument) {
    cleaned = *(int *)argument;
}

struct sleeper {
    int fd, how;
};

static void *sleeps(void *argument) {
    struct sleeper *sleeper = argument;
    struct pollfd place = {sleeper->fd, POLLIN, 0};
    static char much[1 << 16];
    int value = 42;
    pthread_cleanup_push(clean, &value);
    if (sleeper->how == 0) (void)!read(sleeper->fd, much, 1);
    if (sleeper->how == 1) poll(&place, 1, -1);
    if (sleeper->how == 2) for (;;) (void)!write(sleeper->fd, much, sizeof much);
    pthread_cleanup_pop(0);
    return NULL;
}

// A cancelled thread unwinds through the library's frames.
static void cancellation(void) {
    int ends[2];
    connected(ends);
    for (int how = 0; how < 3; how++) {
        struct sleeper sleeper = {ends[0], how};
        struct timespec limit;
        pthread_t thread;
        void *result;
        cleaned = 0;
        assert(pthread_create(&thread, NULL, sleeps, &sleeper) == 0);
        usleep(20000);
        clock_gettime(CLOCK_REALTIME, &limit);
        limit.tv_sec += 10;
        assert(pthread_cancel(thread) == 0 && pthread_timedjoin_np(thread, &result, &limit) == 0);
        assert(result == PTHREAD_CANCELED && cleaned == 42);
    }
    close(ends[0]);
    close(ends[1]);
}

static void *churns(void *argument) {
    for (int i = 0; i < 50; i++) bytes();
    return argument;
}

static void threads(void) {
    pthread_t each[4];
    for (int i = 0; i < 4; i++) assert(pthread_create(each + i, NULL, churns, NULL) == 0);
    for (int i = 0; i < 4; i++) assert(pthread_join(each[i], NULL) == 0);
}

int main(void) {
    bytes();
    messages_with_descriptors();
    copies();
    streams();
    waits();
    cancellation();
    threads();
    return 0;
}
