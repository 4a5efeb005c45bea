/* Checked streams between two processes through every way to send, receive and wait.
 *
 *   stress serve PORT
 *   stress drive PORT CONNECTIONS MILLISECONDS SEED
 *
 * A connection's seed decides how many bytes go each way, how each end does it, and every byte. The client prints "done N" at
 * the end; either end prints "WRONG …" for a wrong byte or answer, or when it dies of a signal, and "STALLED …" is said of a
 * connection without progress for STALL_SECONDS. Whoever says so holds still, to be looked at. */
#include "stress_tools.h"

enum { CHUNK = 200000, PERIOD = 1048573, WORKERS = 64, STALL_SECONDS = 60 };
/* A turn without TCP_NODELAY takes the kernel 40 ms, until it acknowledges what it has received. */
enum { TURNS_BYTES_MAX = 300000 };
enum { THREADS, FORKED, EVENT_LOOP, WAYS };   /* how an end does its two streams */
enum { FREE_STREAMS, QUESTION_AND_ANSWER };   /* how a connection's two streams depend on each other */

static unsigned char pattern[PERIOD + CHUNK];

static struct worker {
    volatile uint64_t seed, sent, received;
    volatile int busy, fd, way;
} *workers;

struct end {
    int fd, epoll;
    int slow, edge, alone;
    uint64_t random;
    uint64_t out, in;             /* bytes to send, to receive */
    uint64_t sent, received;      /* done */
    uint64_t out_from, in_from;   /* where in the pattern the streams begin */
    uint64_t seed;
    struct worker *worker;
};

static uint64_t below(struct end *e, uint64_t limit) { return next(&e->random) % limit; }

static void wrong(struct end *e, const char *what) {
    say("WRONG seed %llu way %d pid %d fd %d: %s; sent %llu of %llu, received %llu of %llu; errno %d\n", (unsigned long long)e->seed, e->worker->way,
        getpid(), e->fd, what, (unsigned long long)e->sent, (unsigned long long)e->out, (unsigned long long)e->received,
        (unsigned long long)e->in, errno);
    sleep(600);
    exit(3);
}

static size_t size_of(struct end *e, uint64_t left) {
    static const uint64_t most[] = {1, 8, 48, 49, 200, 1500, 4096, 20000, 65536, CHUNK};
    size_t size = 1 + below(e, most[below(e, sizeof most / sizeof *most)]);
    return size < left ? size : left;
}

static void nap(struct end *e) {
    unsigned odds = e->slow ? 8 : 60;
    if (below(e, odds) == 0) usleep((useconds_t)below(e, e->slow ? 6000 : 2500));
}

/* Waits for `events` in one of the ways there are. 0: a short time was up. */
static int wait_for(struct end *e, short events) {
    int brief = below(e, 4) == 0 ? (int)below(e, 5) : -1;
    struct timespec time = {0, brief * 1000000L};
    struct timeval value = {0, brief * 1000};
    fd_set set;
    FD_ZERO(&set);
    FD_SET(e->fd, &set);
    fd_set *reads = events & POLLIN ? &set : NULL, *writes = events & POLLOUT ? &set : NULL;
    struct pollfd poll_one = {e->fd, events, 0};
    struct epoll_event event = {events | (below(e, 3) == 0 ? EPOLLONESHOT : 0), {.fd = e->fd}};
    int found, fresh;
    switch (below(e, 6)) {
    case 0: found = poll(&poll_one, 1, brief); break;
    case 1: found = ppoll(&poll_one, 1, brief < 0 ? NULL : &time, NULL); break;
    case 2: found = select(e->fd + 1, reads, writes, NULL, brief < 0 ? NULL : &value); break;
    case 3: found = pselect(e->fd + 1, reads, writes, NULL, brief < 0 ? NULL : &time, NULL); break;
    case 4:
        fresh = epoll_create1(0);
        if (fresh < 0 || epoll_ctl(fresh, EPOLL_CTL_ADD, e->fd, &event)) wrong(e, "a fresh epoll set");
        found = epoll_wait(fresh, &event, 1, brief);
        close(fresh);
        break;
    default:
        if (epoll_ctl(e->epoll, EPOLL_CTL_MOD, e->fd, &event)) wrong(e, "EPOLL_CTL_MOD");
        found = epoll_wait(e->epoll, &event, 1, brief);
    }
    if (found < 0 && errno != EINTR) wrong(e, "a wait failed");
    if (found == 0 && brief < 0) wrong(e, "an endless wait ended");
    return found > 0;
}

static int split(struct end *e, struct iovec *pieces, unsigned char *data, size_t size) {
    size_t first = below(e, size + 1), second = below(e, size - first + 1);
    pieces[0] = (struct iovec){data, first};
    pieces[1] = (struct iovec){data + first, second};
    pieces[2] = (struct iovec){data + first + second, size - first - second};
    return 3;
}

/* One call that sends; what it returned. */
static ssize_t send_once(struct end *e, size_t size, int flags) {
    unsigned char *data = pattern + (e->out_from + e->sent) % PERIOD;
    struct iovec pieces[3];
    struct msghdr message = {.msg_iov = pieces};
    switch (below(e, flags ? 3 : 5)) {
    case 0: return send(e->fd, data, size, flags | MSG_NOSIGNAL);
    case 1: return sendto(e->fd, data, size, flags, NULL, 0);
    case 2: message.msg_iovlen = split(e, pieces, data, size); return sendmsg(e->fd, &message, flags);
    case 3: return write(e->fd, data, size);
    default: return writev(e->fd, pieces, split(e, pieces, data, size));
    }
}

static ssize_t receive_once(struct end *e, unsigned char *data, size_t size, int flags) {
    struct iovec pieces[3];
    struct msghdr message = {.msg_iov = pieces};
    switch (below(e, flags ? 3 : 5)) {
    case 0: return recv(e->fd, data, size, flags);
    case 1: return recvfrom(e->fd, data, size, flags, NULL, NULL);
    case 2: message.msg_iovlen = split(e, pieces, data, size); return recvmsg(e->fd, &message, flags);
    case 3: return read(e->fd, data, size);
    default: return readv(e->fd, pieces, split(e, pieces, data, size));
    }
}

static void check(struct end *e, const unsigned char *data, size_t size) {
    const unsigned char *expected = pattern + (e->in_from + e->received) % PERIOD;
    if (memcmp(data, expected, size) == 0) return;
    size_t at = 0;
    while (data[at] == expected[at]) at++;
    char what[160];
    snprintf(what, sizeof what, "byte %llu of the stream (%zu of %zu) is %u, not %u; what follows is shifted by %d",
             (unsigned long long)(e->received + at), at, size, data[at], expected[at], shift(data + at, expected + at, size - at));
    wrong(e, what);
}

/* Sends up to `limit` more bytes by one call, waiting before or after as it comes. */
static void send_some(struct end *e, uint64_t limit) {
    size_t size = size_of(e, limit);
    int flags = below(e, 3) == 0 ? MSG_DONTWAIT : 0;
    int sure = flags && below(e, 2) == 0 && wait_for(e, POLLOUT);
    ssize_t n = send_once(e, size, flags);
    if (n < 0 && errno == EINTR) return;
    if (n < 0 && errno == EAGAIN) {
        if (sure) wrong(e, "writable, and then EAGAIN");
        wait_for(e, POLLOUT);
        return;
    }
    if (n <= 0) wrong(e, "send");
    e->sent += (uint64_t)n;
    e->worker->sent = e->sent;
}

/* Whether something can be received within a moment: a sender may be changing roads just now. */
static int comes_soon(struct end *e) {
    char byte;
    for (int n = 0; n < 100; n++) {
        if (recv(e->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1) return 1;
        usleep(1000);
    }
    return 0;
}

static void receive_some(struct end *e, uint64_t limit) {
    static __thread unsigned char data[CHUNK];
    size_t size = size_of(e, limit);
    if (e->slow && size > 3000) size = 3000;
    int sure = 0, flags = 0;
    if (below(e, 3) == 0) {
        flags = MSG_DONTWAIT;
        sure = below(e, 2) == 0 && wait_for(e, POLLIN);
    } else if (below(e, 8) == 0) {
        flags = MSG_WAITALL;
    }
    if (below(e, 10) == 0) {
        ssize_t seen = receive_once(e, data, size, MSG_PEEK | (flags & MSG_DONTWAIT));
        if (seen < 0 && errno != EAGAIN && errno != EINTR) wrong(e, "peek");
        if (seen == 0) wrong(e, "peek: early end");
        if (seen > 0) check(e, data, (size_t)seen), sure = 1;
        int waiting = 0;
        if (seen > 0 && (ioctl(e->fd, FIONREAD, &waiting) || waiting < 1)) wrong(e, "FIONREAD says nothing waits");
    }
    ssize_t n = receive_once(e, data, size, flags);
    if (n < 0 && errno == EINTR) return;
    if (n < 0 && errno == EAGAIN) {
        if (sure && !comes_soon(e)) wrong(e, "readable, and then EAGAIN");
        wait_for(e, POLLIN);
        return;
    }
    if (n == 0) wrong(e, "early end");
    if (n < 0) wrong(e, "receive");
    check(e, data, (size_t)n);
    e->received += (uint64_t)n;
    e->worker->received = e->received;
}

static void await_child(struct end *e, pid_t child) {
    int status = 0;
    char what[60];
    if (child < 0 || waitpid(child, &status, 0) != child) wrong(e, "fork");
    snprintf(what, sizeof what, "the child %d ended with status %x", child, (unsigned)status);
    if (status) wrong(e, what);
}

/* Things that happen to descriptors in ordinary programs. */
static void mischief(struct end *e) {
    if (below(e, 150)) return;
    switch (below(e, e->alone ? 5 : 3)) {
    case 0: {
        pid_t child = fork();
        if (child == 0) usleep((useconds_t)below(e, 4000)), _exit(0);
        await_child(e, child);
        break;
    }
    case 1: {
        int other = dup(e->fd);
        if (other < 0 || close(other)) wrong(e, "dup");
        break;
    }
    case 2: {
        int on = 1, off = 0;
        setsockopt(e->fd, IPPROTO_TCP, TCP_NODELAY, below(e, 2) ? &on : &off, sizeof on);
        break;
    }
    case 3: fcntl(e->fd, F_SETFL, fcntl(e->fd, F_GETFL) ^ O_NONBLOCK); break;
    default: {
        if (e->sent == e->out) return;
        uint64_t part = size_of(e, e->out - e->sent), goal = e->sent + part;
        pid_t child = fork();
        if (child == 0) {
            while (e->sent < goal && e->in == 0) send_some(e, goal - e->sent);
            _exit(0);
        }
        await_child(e, child);
        if (e->in == 0) e->sent = goal;
    }
    }
}

static void *send_all(void *argument) {
    struct end *e = argument;
    while (e->sent < e->out) send_some(e, e->out - e->sent), nap(e), mischief(e);
    return NULL;
}

static void *receive_all(void *argument) {
    struct end *e = argument;
    while (e->received < e->in) receive_some(e, e->in - e->received), nap(e), mischief(e);
    return NULL;
}

static void make_set(struct end *e) {
    struct epoll_event event = {0, {.fd = e->fd}};
    e->epoll = epoll_create1(0);
    if (e->epoll < 0 || epoll_ctl(e->epoll, EPOLL_CTL_ADD, e->fd, &event)) wrong(e, "an epoll set");
}

/* Half of an end, for one direction: its own choices, and its own epoll set. */
static struct end half(const struct end *e, int sends) {
    struct end part = *e;
    part.random += (uint64_t)sends * 77;
    part.alone = sends;
    if (sends) part.in = 0;
    make_set(&part);
    return part;
}

static void by_threads(struct end *e) {
    struct end out = half(e, 1), in = half(e, 0);
    out.alone = 0;
    pthread_t thread;
    if (pthread_create(&thread, NULL, send_all, &out)) wrong(e, "a thread");
    receive_all(&in);
    pthread_join(thread, NULL);
    close(out.epoll), close(in.epoll);
}

static void by_fork(struct end *e) {
    pid_t child = fork();
    if (child == 0) {
        struct end out = half(e, 1);
        send_all(&out);
        _exit(0);
    }
    struct end in = half(e, 0);
    receive_all(&in);
    await_child(e, child);
    close(in.epoll);
}

/* Does what can be done now without waiting: whether nothing could. */
static int loop_step(struct end *e, uint32_t events, unsigned char *data) {
    int stuck = 1;
    if (e->received < e->in && events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        ssize_t n = receive_once(e, data, size_of(e, e->in - e->received), MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN)) wrong(e, n ? "receive" : "early end");
        if (n > 0) check(e, data, (size_t)n), e->worker->received = e->received += (uint64_t)n, stuck = 0;
    }
    if (e->sent < e->out && events & EPOLLOUT) {
        ssize_t n = send_once(e, size_of(e, e->out - e->sent), MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN) wrong(e, "send");
        if (n > 0) e->worker->sent = e->sent += (uint64_t)n, stuck = 0;
    }
    return stuck;
}

/* One thread, one epoll set, both streams; edge-triggered or not. */
static void by_event_loop(struct end *e) {
    unsigned char *data = malloc(CHUNK);
    make_set(e);
    struct epoll_event event = {EPOLLIN | EPOLLOUT | (e->edge ? EPOLLET : 0), {.fd = e->fd}};
    if (epoll_ctl(e->epoll, EPOLL_CTL_MOD, e->fd, &event)) wrong(e, "EPOLL_CTL_MOD");
    while (e->sent < e->out || e->received < e->in) {
        if (!e->edge) {
            event.events = (e->received < e->in ? EPOLLIN : 0) | (e->sent < e->out ? EPOLLOUT : 0);
            if (epoll_ctl(e->epoll, EPOLL_CTL_MOD, e->fd, &event)) wrong(e, "EPOLL_CTL_MOD");
        }
        if (epoll_wait(e->epoll, &event, 1, -1) < 1 && errno != EINTR) wrong(e, "epoll_wait");
        if (e->edge) while (!loop_step(e, EPOLLIN | EPOLLOUT, data)) nap(e);
        else loop_step(e, event.events, data), nap(e);
    }
    close(e->epoll);
    free(data);
}

/* Turns: the lengths come from the seed, so that both ends know them. */
static void by_turns(struct end *e, int first) {
    struct end turns = {.random = e->seed + 5};
    make_set(e);
    e->alone = 1;
    uint64_t in = e->in, out = e->out;
    for (int mine = first; e->sent < out || e->received < in; mine = !mine) {
        uint64_t goal = size_of(&turns, 30000);
        for (uint64_t to = e->sent + goal < out ? e->sent + goal : out; mine && e->sent < to;) send_some(e, to - e->sent);
        for (uint64_t to = e->received + goal < in ? e->received + goal : in; !mine && e->received < to;)
            receive_some(e, to - e->received);
        nap(e), mischief(e);
    }
    close(e->epoll);
}

static uint64_t amount(uint64_t *random) {
    static const uint64_t most[] = {1000, 100000, 3000000, 12000000};
    return 1 + next(random) % most[next(random) % 4];
}

/* Everything about a connection that has its seed. `client`: 1 or 0. */
static void play(int fd, uint64_t seed, int client, struct worker *worker) {
    uint64_t shared = seed;
    uint64_t amounts[2] = {amount(&shared), amount(&shared)}, froms[2] = {next(&shared) % PERIOD, next(&shared) % PERIOD};
    int kind = next(&shared) % 3 == 0 ? QUESTION_AND_ANSWER : FREE_STREAMS;
    struct end e = {.fd = fd, .random = seed * 2 + (uint64_t)client, .worker = worker, .seed = seed};
    e.out = amounts[client], e.in = amounts[!client], e.out_from = froms[client], e.in_from = froms[!client];
    e.slow = below(&e, 6) == 0 && amounts[0] + amounts[1] < 4000000, e.edge = below(&e, 2) == 0;
    if (kind == QUESTION_AND_ANSWER) e.out = e.in = amounts[0] < TURNS_BYTES_MAX ? amounts[0] : TURNS_BYTES_MAX;
    int way = (int)below(&e, WAYS);
    int on = below(&e, 8) > 0;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    worker->fd = fd, worker->way = kind == QUESTION_AND_ANSWER ? WAYS : way;
    if (kind == QUESTION_AND_ANSWER) by_turns(&e, client);
    else if (way == THREADS) by_threads(&e);
    else if (way == FORKED) by_fork(&e);
    else by_event_loop(&e);
    if (below(&e, 3)) shutdown(fd, SHUT_WR);
    unsigned char more;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    if (client && below(&e, 2)) return;
    shutdown(fd, SHUT_WR);
    ssize_t n = recv(fd, &more, 1, 0);
    if (n > 0) wrong(&e, "more than was sent");
    if (n < 0) wrong(&e, "the end");
}

static void *serve_one(void *argument) {
    int fd = (int)(intptr_t)argument;
    struct worker worker = {0};
    uint64_t seed;
    ssize_t n = recv(fd, &seed, sizeof seed, MSG_WAITALL);
    if (n == sizeof seed) play(fd, seed, 0, &worker);
    else if (n != 0) say("WRONG first receive %zd, errno %d\n", n, errno);
    close(fd);
    return NULL;
}

static int serve(int port) {
    struct sockaddr_in address = {AF_INET, htons((uint16_t)port), {htonl(INADDR_LOOPBACK)}, {0}};
    int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 64)) return perror("listen"), 1;
    for (unsigned count = 0;; count++) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0) continue;
        pthread_t thread;
        if (count % 3 == 0) {
            if (fork() == 0) serve_one((void *)(intptr_t)fd), _exit(0);
            close(fd);
        } else if (pthread_create(&thread, NULL, serve_one, (void *)(intptr_t)fd) == 0) {
            pthread_detach(thread);
        }
    }
}

static int port_to, lanes;
static uint64_t seed_of_all, until;
static uint64_t connections_made;

static void *lane(void *argument) {
    struct worker *worker = argument;
    struct sockaddr_in address = {AF_INET, htons((uint16_t)port_to), {htonl(INADDR_LOOPBACK)}, {0}};
    for (uint64_t round = 0; milliseconds() < until; round++) {
        uint64_t seed = seed_of_all * 1000003 + (uint64_t)(worker - workers) * 10007 + round;
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(fd, (struct sockaddr *)&address, sizeof address)) return say("WRONG connect %d\n", errno), NULL;
        if (send(fd, &seed, sizeof seed, 0) != sizeof seed) return say("WRONG first send %d\n", errno), NULL;
        worker->seed = seed, worker->sent = worker->received = 0, worker->busy = 1;
        play(fd, seed, 1, worker);
        worker->busy = 0;
        close(fd);
        __atomic_add_fetch(&connections_made, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

/* Holds the program still for an observer when a connection has made no progress. */
static void *watch(void *argument) {
    static struct worker before[WORKERS];
    static unsigned quiet[WORKERS];
    for (;; sleep(1)) {
        for (int n = 0; n < lanes; n++) {
            struct worker *w = workers + n, *b = before + n;
            int same = w->busy && w->seed == b->seed && w->sent == b->sent && w->received == b->received;
            quiet[n] = same ? quiet[n] + 1 : 0;
            memcpy(b, w, sizeof *b);
            if (quiet[n] < STALL_SECONDS) continue;
            say("STALLED seed %llu fd %d way %d sent %llu received %llu\n", (unsigned long long)w->seed, w->fd, w->way,
                (unsigned long long)w->sent, (unsigned long long)w->received);
            sleep(600);
        }
    }
    return argument;
}

static int drive(void) {
    pthread_t watcher, threads[WORKERS];
    workers = mmap(NULL, WORKERS * sizeof *workers, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_create(&watcher, NULL, watch, NULL);
    for (int n = 0; n < lanes; n++) pthread_create(threads + n, NULL, lane, workers + n);
    for (int n = 0; n < lanes; n++) pthread_join(threads[n], NULL);
    say("done %llu\n", (unsigned long long)connections_made);
    return 0;
}

int main(int count, char **words) {
    uint64_t random = 1;
    for (int n = 0; n < PERIOD; n++) pattern[n] = (unsigned char)next(&random);
    memcpy(pattern + PERIOD, pattern, CHUNK);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGSEGV, dies), signal(SIGBUS, dies), signal(SIGILL, dies), signal(SIGABRT, dies);
    if (count == 3) return serve(atoi(words[2]));
    if (count != 6) return 2;
    port_to = atoi(words[2]), lanes = atoi(words[3]), seed_of_all = strtoull(words[5], NULL, 10);
    until = milliseconds() + strtoull(words[4], NULL, 10);
    return lanes > 0 && lanes <= WORKERS ? drive() : 2;
}
