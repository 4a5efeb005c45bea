/* Two connections whose calls do not wait, polled in turn; and what the calls say when there is nothing to do.
 *
 *   nonblocking server PORT
 *   nonblocking client PORT ROUNDS
 */
#include <winsock.h>
#include "common.h"

static void set_nonblocking(SOCKET s)
{
    u_long on = 1;
    if (ioctlsocket(s, FIONBIO, &on)) fail("FIONBIO");
}

/* One message of 8 bytes, in as many calls as it takes. 0: the stream has ended. */
static int poll_message(SOCKET s, char *buf)
{
    int got = 0;
    while (got < 8) {
        int n = recv(s, buf + got, 8 - got, 0);
        if (n == 0) return 0;
        if (n < 0 && WSAGetLastError() != WSAEWOULDBLOCK) fail("recv");
        if (n < 0) Sleep(0);
        else got += n;
    }
    return 1;
}

static void serve(struct sockaddr_in *address)
{
    SOCKET listener = socket(AF_INET, SOCK_STREAM, 0), s;
    char buf[8];
    if (bind(listener, (struct sockaddr *)address, sizeof *address)) fail("bind");
    if (listen(listener, 5)) fail("listen");
    set_nonblocking(listener);
    puts("ready");
    fflush(stdout);
    while ((s = accept(listener, NULL, NULL)) == INVALID_SOCKET) {
        if (WSAGetLastError() != WSAEWOULDBLOCK) fail("accept");
        Sleep(1);
    }
    /* It has its listener's mode. */
    while (poll_message(s, buf)) {
        if (send(s, buf, 8, 0) != 8) fail("send");
    }
    closesocket(s);
    puts("served");
}

static void ask(struct sockaddr_in *address, int rounds)
{
    SOCKET s = socket(AF_INET, SOCK_STREAM, 0);
    char out[8] = "message", in[8];
    u_long waiting = 99;
    int round;
    if (connect(s, (struct sockaddr *)address, sizeof *address)) fail("connect");
    set_nonblocking(s);
    for (round = 0; round < rounds; round++) {
        out[7] = (char)round;
        if (send(s, out, 8, 0) != 8) fail("send");
        if (!poll_message(s, in) || memcmp(in, out, 8)) fail("the answer");
        WSASetLastError(0);
        if (recv(s, in, 8, 0) != -1 || WSAGetLastError() != WSAEWOULDBLOCK) fail("recv of nothing");
        if (recv(s, in, 8, MSG_PEEK) != -1 || WSAGetLastError() != WSAEWOULDBLOCK) fail("peek at nothing");
        if (ioctlsocket(s, FIONREAD, &waiting) || waiting != 0) fail("FIONREAD of nothing");
    }
    /* Bytes can be counted, looked at, and then taken. */
    if (send(s, out, 8, 0) != 8) fail("send");
    while (ioctlsocket(s, FIONREAD, &waiting) == 0 && waiting < 8) Sleep(0);
    if (waiting != 8) fail("FIONREAD");
    if (recv(s, in, 8, MSG_PEEK) != 8 || memcmp(in, out, 8)) fail("peek");
    if (recv(s, in, 3, 0) != 3 || recv(s, in + 3, 8, 0) != 5 || memcmp(in, out, 8)) fail("in two pieces");
    shutdown(s, 1);
    while (recv(s, in, 8, 0) != 0) {
        if (WSAGetLastError() != WSAEWOULDBLOCK) fail("the end");
        Sleep(0);
    }
    closesocket(s);
    if (recv(s, in, 8, 0) != -1 || WSAGetLastError() != WSAENOTSOCK) fail("a closed socket");
    puts("ok");
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
