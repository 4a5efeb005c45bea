/* An echo server and its client, with the calls of WinSock 1.1 alone.
 *
 *   echo server PORT CONNECTIONS        prints "ready", serves so many connections one after the other
 *   echo client PORT ROUNDS SIZE        sends and awaits ROUNDS messages of SIZE bytes, prints "ok"
 *
 * Every byte is checked. */
#include <winsock.h>
#include "common.h"

static void send_all(SOCKET s, const char *at, int left)
{
    while (left > 0) {
        int n = send(s, at, left, 0);
        if (n <= 0) fail("send");
        at += n;
        left -= n;
    }
}

static void recv_all(SOCKET s, char *at, int left)
{
    while (left > 0) {
        int n = recv(s, at, left, 0);
        if (n <= 0) fail("recv");
        at += n;
        left -= n;
    }
}

static void serve(struct sockaddr_in *address, int connections)
{
    SOCKET listener = socket(AF_INET, SOCK_STREAM, 0);
    static char buf[65536];
    int one = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, (char *)&one, sizeof one);
    if (bind(listener, (struct sockaddr *)address, sizeof *address)) fail("bind");
    if (listen(listener, 5)) fail("listen");
    puts("ready");
    fflush(stdout);
    while (connections-- > 0) {
        int n;
        SOCKET s = accept(listener, NULL, NULL);
        if (s == INVALID_SOCKET) fail("accept");
        while ((n = recv(s, buf, sizeof buf, 0)) > 0) send_all(s, buf, n);
        if (n < 0) fail("recv");
        if (closesocket(s)) fail("closesocket");
    }
    closesocket(listener);
    puts("served");
}

static void ask(struct sockaddr_in *address, int rounds, int size)
{
    SOCKET s = socket(AF_INET, SOCK_STREAM, 0);
    char *out = malloc(size), *in = malloc(size);
    unsigned seed = 1;
    int round, at;
    if (connect(s, (struct sockaddr *)address, sizeof *address)) fail("connect");
    for (round = 0; round < rounds; round++) {
        for (at = 0; at < size; at++) out[at] = (char)((seed = seed * 1664525 + 1013904223) >> 24);
        send_all(s, out, size);
        recv_all(s, in, size);
        if (memcmp(out, in, size)) {
            printf("round %d: other bytes came back\n", round);
            exit(1);
        }
    }
    if (shutdown(s, 1)) fail("shutdown");
    if (recv(s, in, size, 0) != 0) fail("end");
    closesocket(s);
    puts("ok");
}

int main(int argc, char **argv)
{
    WSADATA data;
    struct sockaddr_in address;
    if (argc < 4) return 2;
    if (WSAStartup(MAKEWORD(1, 1), &data)) return 3;
    address = loopback(argv[2]);
    if (!strcmp(argv[1], "server")) serve(&address, atoi(argv[3]));
    else ask(&address, atoi(argv[3]), argc > 4 ? atoi(argv[4]) : 8);
    WSACleanup();
    return 0;
}
