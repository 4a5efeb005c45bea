/* Thousands of connections of one process in one epoll set, of which some are busy; and connections that come and go.
 *
 *   scale serve PORT                   answers everybody, from one epoll set
 *   scale many PORT ALL BUSY ROUNDS    holds ALL connections, warms each up, then asks on BUSY of them, ROUNDS times each
 *   scale short PORT COUNT THREADS     each thread opens and closes its part of COUNT connections, a few questions on each
 *   scale fill PORT                    opens connections until the system refuses, asks on each of them, closes all
 *
 * Every answer is checked. Where it says `ready` it waits for a line on its standard input. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MESSAGE = 16, EVENTS = 256, WARM_UP = 6, SHORT_QUESTIONS = 16, PATIENCE_MS = 60000, THREADS_MAX = 64 };

static void fail(const char *what) {
    fprintf(stderr, "WRONG %s: %s\n", what, strerror(errno));
    exit(3);
}

static struct sockaddr_in address(const char *port) {
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int connected(const char *port) {
    struct sockaddr_in to = address(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void all_out(int fd, const char *bytes, size_t length) {
    while (length > 0) {
        ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
        if (sent <= 0) fail("send");
        bytes += sent;
        length -= (size_t)sent;
    }
}

static void question(char *message, uint64_t connection, uint64_t number) {
    memcpy(message, &connection, 8);
    memcpy(message + 8, &number, 8);
}

/* Reads the answer, each byte of the question turned over. */
static void answer(int fd, const char *asked) {
    char got[MESSAGE];
    for (size_t have = 0; have < MESSAGE;) {
        ssize_t come = recv(fd, got + have, MESSAGE - have, 0);
        if (come <= 0) fail("recv");
        have += (size_t)come;
    }
    for (int i = 0; i < MESSAGE; i++)
        if (got[i] != (char)~asked[i]) fail("another answer");
}

static void ask(int fd, uint64_t connection, uint64_t number) {
    char message[MESSAGE];
    question(message, connection, number);
    all_out(fd, message, MESSAGE);
    answer(fd, message);
}

/* What has come, whole messages or not, is turned over and sent back. */
static void serve_one(int epoll, int fd) {
    char bytes[4096];
    ssize_t come = recv(fd, bytes, sizeof bytes, 0);
    if (come <= 0) {
        if (epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL) < 0) fail("epoll_ctl");
        close(fd);
        return;
    }
    for (ssize_t i = 0; i < come; i++) bytes[i] = (char)~bytes[i];
    all_out(fd, bytes, (size_t)come);
}

static void watch(int epoll, int fd, uint64_t data) {
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = data};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) fail("epoll_ctl");
}

static _Noreturn void serve(const char *port) {
    int listener = socket(AF_INET, SOCK_STREAM, 0), epoll = epoll_create1(0), on = 1;
    struct sockaddr_in at = address(port);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) < 0 || listen(listener, 4096) < 0) fail("listen");
    watch(epoll, listener, (uint64_t)listener);
    for (;;) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            int fd = (int)events[i].data.u64;
            if (fd != listener) {
                serve_one(epoll, fd);
                continue;
            }
            int new = accept(listener, NULL, NULL);
            if (new < 0) {
                /* Out of descriptors: the client is told by being turned away. */
                if (errno != EMFILE && errno != ECONNABORTED) fail("accept");
                continue;
            }
            setsockopt(new, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            watch(epoll, new, (uint64_t)new);
        }
    }
}

static void wait_for_a_line(void) {
    char line[16];
    puts("ready");
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin)) fail("nobody says go");
}

static int many(const char *port, int all, int busy, int rounds) {
    int *fds = calloc((size_t)all, sizeof *fds), epoll = epoll_create1(0);
    uint64_t *asked = calloc((size_t)all, sizeof *asked), events_seen = 0;
    for (int i = 0; i < all; i++) {
        if ((fds[i] = connected(port)) < 0) fail("connect");
        for (uint64_t n = 0; n < WARM_UP; n++) ask(fds[i], (uint64_t)i, n);
        watch(epoll, fds[i], (uint64_t)i);
    }
    /* By now whoever looks for the other ends of the first has found them. */
    for (int i = 0; i < all; i++)
        for (uint64_t n = 0; n < WARM_UP; n++) ask(fds[i], (uint64_t)i, n);
    wait_for_a_line();
    /* The busy ones are spread over all; each asks again as soon as it is answered. */
    char message[MESSAGE];
    for (int b = 0; b < busy; b++) {
        int i = b * (all / busy);
        question(message, (uint64_t)i, asked[i]);
        all_out(fds[i], message, MESSAGE);
    }
    for (uint64_t due = (uint64_t)busy * (uint64_t)rounds; events_seen < due;) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(epoll, events, EVENTS, PATIENCE_MS);
        if (count <= 0) fail("no event came");
        for (int e = 0; e < count; e++) {
            uint64_t i = events[e].data.u64;
            if (i % (uint64_t)(all / busy) != 0) fail("an event of an idle connection");
            question(message, i, asked[i]++);
            answer(fds[i], message);
            events_seen++;
            if (asked[i] < (uint64_t)rounds) {
                question(message, i, asked[i]);
                all_out(fds[i], message, MESSAGE);
            }
        }
    }
    /* Nobody has lost its connection, and nothing more comes on any. */
    struct epoll_event event;
    if (epoll_wait(epoll, &event, 1, 50) != 0) fail("an event too many");
    for (int i = 0; i < all; i++) ask(fds[i], (uint64_t)i, UINT64_MAX);
    printf("%d connections, %llu events\n", all, (unsigned long long)events_seen);
    wait_for_a_line();
    for (int i = 0; i < all; i++) close(fds[i]);
    wait_for_a_line();
    return 0;
}

/* What one of several threads does: every so many-th of the connections from `first` on. */
struct share {
    pthread_t thread;
    const char *port;
    long first, end, step;
};

static void *come_and_go(void *argument) {
    const struct share *share = argument;
    for (long i = share->first; i < share->end; i += share->step) {
        int fd = connected(share->port);
        if (fd < 0) fail("connect");
        for (uint64_t n = 0; n < SHORT_QUESTIONS; n++) {
            /* Some live long enough to be paired. */
            if (i % 4 == 0 && n == SHORT_QUESTIONS / 2) usleep(2000);
            ask(fd, (uint64_t)i, n);
        }
        /* A reset, so that a million of them do not use up the ports. */
        struct linger at_once = {.l_onoff = 1, .l_linger = 0};
        if (i % 8 != 0) setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        close(fd);
    }
    return NULL;
}

static void all_come_and_go(const char *port, long first, long end, int threads) {
    struct share shares[THREADS_MAX];
    for (int t = 0; t < threads; t++) {
        shares[t] = (struct share){.port = port, .first = first + t, .end = end, .step = threads};
        if (pthread_create(&shares[t].thread, NULL, come_and_go, &shares[t])) fail("pthread_create");
    }
    for (int t = 0; t < threads; t++) pthread_join(shares[t].thread, NULL);
}

static int shorts(const char *port, long count, int threads) {
    if (threads < 1 || threads > THREADS_MAX) fail("too many threads");
    wait_for_a_line();
    /* The first tenth is for whatever is made once; then the caller looks, and again after the last. */
    all_come_and_go(port, 0, count / 10, threads);
    wait_for_a_line();
    all_come_and_go(port, count / 10, count, threads);
    wait_for_a_line();
    return 0;
}

static int fill(const char *port) {
    int fds[4096], count = 0;
    for (; count < 4096; count++) {
        if ((fds[count] = connected(port)) >= 0) continue;
        if (errno != EMFILE) fail("connect");
        break;
    }
    for (int round = 0; round < 30; round++)
        for (int i = 0; i < count; i++) ask(fds[i], (uint64_t)i, (uint64_t)round);
    printf("%d connections before EMFILE\n", count);
    for (int i = 0; i < count; i++) close(fds[i]);
    int again = connected(port);
    if (again < 0) fail("connect");
    ask(again, 1, 1);
    return 0;
}

int main(int argc, char **argv) {
    struct rlimit limit;
    if (argc == 3 && !strcmp(argv[1], "fill")) return fill(argv[2]);
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) fail("getrlimit");
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0) fail("setrlimit");
    if (argc == 3 && !strcmp(argv[1], "serve")) serve(argv[2]);
    if (argc == 6 && !strcmp(argv[1], "many")) return many(argv[2], atoi(argv[3]), atoi(argv[4]), atoi(argv[5]));
    if (argc == 5 && !strcmp(argv[1], "short")) return shorts(argv[2], atol(argv[3]), atoi(argv[4]));
    fprintf(stderr, "scale serve PORT | many PORT ALL BUSY ROUNDS | short PORT COUNT THREADS | fill PORT\n");
    return 2;
}
