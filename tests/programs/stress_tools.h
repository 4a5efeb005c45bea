/* What stress.c stands on: numbers, words, the time. */
#ifndef STRESS_TOOLS_H
#define STRESS_TOOLS_H

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t next(uint64_t *random) {
    uint64_t x = *random += 0x9e3779b97f4a7c15;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

static void say(const char *format, ...) {
    char line[400];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (write(1, line, (size_t)length) != length) _exit(9);
}

/* Dying of a signal would look like a reset to the peer, and like nothing to anybody else. */
static void dies(int number) {
    say("WRONG pid %d dies of signal %d\n", getpid(), number);
    sleep(600);
    _exit(3);
}

/* By how many bytes the data stand later than expected (negative: earlier); 0: these are other data. */
static int shift(const unsigned char *data, const unsigned char *expected, size_t size) {
    for (size_t by = 1; by <= 64 && by + 8 <= size; by++) {
        size_t shown = size - by < 32 ? size - by : 32;
        if (memcmp(data + by, expected, shown) == 0) return (int)by;
        if (memcmp(data, expected + by, shown) == 0) return -(int)by;
    }
    return 0;
}

static uint64_t milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

#endif
