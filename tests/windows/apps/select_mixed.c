/* One select over a connection to another process, a connection within this one, a listener and a datagram socket.
 *
 *   select_mixed server PORT            serves one connection: echoes every message of 8 bytes, at most a second after it
 *   select_mixed client PORT ROUNDS     prints what select reported, in an order that does not depend on time
 */
#include <winsock.h>
#include "common.h"

static void await(SOCKET s, int seconds)
{
    fd_set set;
    struct timeval limit = {seconds, 0};
    FD_ZERO(&set);
    FD_SET(s, &set);
    if (select(0, &set, NULL, NULL, &limit) != 1 || !FD_ISSET(s, &set)) fail("select for one");
}

static SOCKET listening(struct sockaddr_in *address)
{
    SOCKET listener = socket(AF_INET, SOCK_STREAM, 0);
    int len = sizeof *address;
    if (bind(listener, (struct sockaddr *)address, sizeof *address)) fail("bind");
    if (listen(listener, 5)) fail("listen");
    if (getsockname(listener, (struct sockaddr *)address, &len)) fail("getsockname");
    return listener;
}

static SOCKET connected(struct sockaddr_in *address)
{
    SOCKET s = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(s, (struct sockaddr *)address, sizeof *address)) fail("connect");
    return s;
}

static void serve(struct sockaddr_in *address)
{
    SOCKET listener = listening(address), s;
    char buf[8];
    int n;
    puts("ready");
    fflush(stdout);
    s = accept(listener, NULL, NULL);
    if (s == INVALID_SOCKET) fail("accept");
    for (;;) {
        await(s, 30);
        n = recv(s, buf, 8, 0);
        if (n <= 0) break;
        if (send(s, buf, n, 0) != n) fail("send");
    }
    closesocket(s);
    closesocket(listener);
    puts(n == 0 ? "end of stream" : "error");
}

static void ask(struct sockaddr_in *address, int rounds)
{
    struct sockaddr_in inner, datagrams;
    SOCKET peer = connected(address), listener, near_end, far_end, datagram;
    int round, len = sizeof datagrams, native = 0, answers = 0;
    struct timeval limit;
    fd_set read, write, except;
    char buf[8];

    memset(&inner, 0, sizeof inner);
    inner.sin_family = AF_INET;
    inner.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    datagrams = inner;
    listener = listening(&inner);
    near_end = connected(&inner);
    await(listener, 5);
    far_end = accept(listener, NULL, NULL);
    datagram = socket(AF_INET, SOCK_DGRAM, 0);
    if (bind(datagram, (struct sockaddr *)&datagrams, sizeof datagrams)) fail("bind of the datagram socket");
    getsockname(datagram, (struct sockaddr *)&datagrams, &len);

    for (round = 0; round < rounds; round++) {
        int expected = 1 + (round % 16 == 3) + (round % 16 == 7), found = 0;
        memcpy(buf, "message!", 8);
        buf[7] = (char)round;
        if (send(peer, buf, 8, 0) != 8) fail("send");
        if (round % 16 == 3) send(near_end, "n", 1, 0);
        if (round % 16 == 7) sendto(datagram, "d", 1, 0, (struct sockaddr *)&datagrams, sizeof datagrams);
        while (found < expected) {
            int result;
            limit.tv_sec = 20, limit.tv_usec = 0;
            FD_ZERO(&read);
            FD_ZERO(&write);
            FD_ZERO(&except);
            FD_SET(listener, &read);
            FD_SET(far_end, &read);
            FD_SET(peer, &read);
            FD_SET(datagram, &read);
            FD_SET(peer, &except);
            result = select(0, &read, &write, &except, &limit);
            if (result < 1) fail("select");
            if ((int)read.fd_count != result || except.fd_count) fail("counts");
            if (FD_ISSET(listener, &read)) fail("the listener");
            if (FD_ISSET(peer, &read)) {
                char back[8];
                if (recv(peer, back, 8, 0) != 8 || memcmp(back, buf, 8)) fail("the answer");
                answers++, found++;
            }
            if (FD_ISSET(far_end, &read)) {
                if (recv(far_end, buf, 1, 0) != 1) fail("the inner connection");
                buf[0] = 'm';
                native++, found++;
            }
            if (FD_ISSET(datagram, &read)) {
                char one;
                if (recvfrom(datagram, &one, 1, 0, NULL, NULL) != 1) fail("the datagram");
                native++, found++;
            }
        }
    }
    /* Nothing is left: the time runs out. Everything can be written to. */
    limit.tv_sec = 0, limit.tv_usec = 30000;
    FD_ZERO(&read);
    FD_SET(peer, &read);
    if (select(0, &read, NULL, NULL, &limit) != 0 || read.fd_count) fail("select with nothing to report");
    FD_SET(peer, &read);
    FD_ZERO(&write);
    FD_SET(peer, &write);
    FD_SET(near_end, &write);
    if (select(0, &read, &write, NULL, NULL) != 2 || read.fd_count) fail("select for writing");
    printf("%d answers, %d others\n", answers, native);
    closesocket(peer);
    closesocket(near_end);
    await(far_end, 5);
    if (recv(far_end, buf, 1, 0) != 0) fail("the inner end");
}

int main(int argc, char **argv)
{
    WSADATA data;
    struct sockaddr_in address;
    if (argc < 3 || WSAStartup(MAKEWORD(1, 1), &data)) return 2;
    address = loopback(argv[2]);
    if (!strcmp(argv[1], "server")) serve(&address);
    else ask(&address, argc > 3 ? atoi(argv[3]) : 100);
    WSACleanup();
    return 0;
}
