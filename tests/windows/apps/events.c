/* WSAEventSelect on both ends: a server and a client that wait for events alone.
 *
 *   events server PORT                  echoes one connection
 *   events client PORT ROUNDS           exchanges messages of growing length
 */
#include <winsock2.h>
#include "common.h"

/* Waits for one of `wanted` on the socket; what happened. */
static long await(SOCKET s, WSAEVENT event, long wanted)
{
    WSANETWORKEVENTS found;
    do {
        if (WSAWaitForMultipleEvents(1, &event, FALSE, 60000, FALSE) != WSA_WAIT_EVENT_0) fail("the wait");
        if (WSAEnumNetworkEvents(s, event, &found)) fail("WSAEnumNetworkEvents");
    } while (!(found.lNetworkEvents & wanted));
    return found.lNetworkEvents;
}

static void send_all(SOCKET s, WSAEVENT event, const char *at, int left)
{
    while (left > 0) {
        int n = send(s, at, left, 0);
        if (n < 0 && WSAGetLastError() == WSAEWOULDBLOCK) {
            await(s, event, FD_WRITE);
            continue;
        }
        if (n <= 0) fail("send");
        at += n;
        left -= n;
    }
}

/* What came, at least a byte, or 0 at the end. */
static int receive(SOCKET s, WSAEVENT event, char *at, int room)
{
    for (;;) {
        int n = recv(s, at, room, 0);
        if (n >= 0) return n;
        if (WSAGetLastError() != WSAEWOULDBLOCK) fail("recv");
        await(s, event, FD_READ | FD_CLOSE);
    }
}

static void serve(struct sockaddr_in *address)
{
    SOCKET listener = socket(AF_INET, SOCK_STREAM, 0), s;
    WSAEVENT event = WSACreateEvent();
    static char buf[65536];
    int n;
    if (bind(listener, (struct sockaddr *)address, sizeof *address)) fail("bind");
    if (listen(listener, 5)) fail("listen");
    if (WSAEventSelect(listener, event, FD_ACCEPT)) fail("WSAEventSelect");
    await(listener, event, FD_ACCEPT);
    s = accept(listener, NULL, NULL);
    if (s == INVALID_SOCKET) fail("accept");
    if (WSAEventSelect(s, event, FD_READ | FD_WRITE | FD_CLOSE)) fail("WSAEventSelect");
    while ((n = receive(s, event, buf, sizeof buf)) > 0) send_all(s, event, buf, n);
    puts("served");
    closesocket(s);
}

static void ask(struct sockaddr_in *address, int rounds)
{
    SOCKET s = socket(AF_INET, SOCK_STREAM, 0);
    WSAEVENT event = WSACreateEvent();
    static char out[65536], in[65536];
    u_long waits = 0;
    int round, at, got, n, size;
    if (WSAEventSelect(s, event, FD_CONNECT | FD_READ | FD_WRITE | FD_CLOSE)) fail("WSAEventSelect");
    if (!connect(s, (struct sockaddr *)address, sizeof *address)) fail("connect did not wait");
    if (WSAGetLastError() != WSAEWOULDBLOCK) fail("connect");
    await(s, event, FD_CONNECT);
    for (round = 0; round < rounds; round++) {
        size = 8 + round * 97 % (int)sizeof out;
        for (at = 0; at < size; at++) out[at] = (char)(at + round);
        send_all(s, event, out, size);
        for (got = 0; got < size; got += n)
            if ((n = receive(s, event, in + got, size - got)) == 0) fail("the end");
        if (memcmp(in, out, size)) fail("other bytes came back");
    }
    /* No events any more, and a socket that waits again. */
    if (WSAEventSelect(s, NULL, 0)) fail("WSAEventSelect");
    if (ioctlsocket(s, FIONBIO, &waits)) fail("FIONBIO");
    if (send(s, out, 8, 0) != 8) fail("send");
    for (got = 0; got < 8; got += n)
        if ((n = recv(s, in + got, 8 - got, 0)) <= 0) fail("recv");
    if (shutdown(s, SD_SEND)) fail("shutdown");
    if (recv(s, in, 8, 0)) fail("the end is not the end");
    closesocket(s);
    puts("ok");
}

int main(int argc, char **argv)
{
    WSADATA data;
    struct sockaddr_in address;
    if (argc < 3 || WSAStartup(MAKEWORD(2, 2), &data)) return 2;
    address = loopback(argv[2]);
    if (!strcmp(argv[1], "server")) serve(&address);
    else ask(&address, atoi(argv[3]));
    WSACleanup();
    return 0;
}
