/* A client that is killed while it receives.
 *
 *   pending server PORT HOW             echoes messages of one client and says when it has ended; HOW it waits for them:
 *                                         recv: in a receive
 *                                         select: in select
 *   pending client PORT FILE            exchanges messages until the file is there, says so, and receives for ever
 */
#include <winsock.h>
#include "common.h"

static void serve(struct sockaddr_in *address, int selects)
{
    SOCKET listener = socket(AF_INET, SOCK_STREAM, 0), s;
    char buf[8];
    int n;
    if (bind(listener, (struct sockaddr *)address, sizeof *address)) fail("bind");
    if (listen(listener, 5)) fail("listen");
    s = accept(listener, NULL, NULL);
    if (s == INVALID_SOCKET) fail("accept");
    do {
        fd_set set;
        FD_ZERO(&set);
        FD_SET(s, &set);
        if (selects && select(0, &set, NULL, NULL, NULL) != 1) fail("select");
        n = recv(s, buf, sizeof buf, 0);
        if (n > 0 && send(s, buf, n, 0) != n) fail("send");
    } while (n > 0);
    /* A system may say that it ended, or that it was reset. */
    if (n < 0 && WSAGetLastError() != WSAECONNRESET) fail("recv");
    puts("the client has gone");
    if (recv(s, buf, sizeof buf, 0) > 0) fail("recv after the end");
    closesocket(s);
}

static void ask(struct sockaddr_in *address, const char *file)
{
    SOCKET s = socket(AF_INET, SOCK_STREAM, 0);
    char message[8] = "message", in[8];
    int got, n;
    if (connect(s, (struct sockaddr *)address, sizeof *address)) fail("connect");
    while (GetFileAttributesA(file) == INVALID_FILE_ATTRIBUTES) {
        if (send(s, message, 8, 0) != 8) fail("send");
        for (got = 0; got < 8; got += n)
            if ((n = recv(s, in + got, 8 - got, 0)) <= 0) fail("recv");
    }
    puts("receiving");
    fflush(stdout);
    recv(s, in, 8, 0);
    fail("nothing was to come");
}

int main(int argc, char **argv)
{
    WSADATA data;
    struct sockaddr_in address;
    if (argc < 4 || WSAStartup(MAKEWORD(1, 1), &data)) return 2;
    address = loopback(argv[2]);
    if (!strcmp(argv[1], "server")) serve(&address, !strcmp(argv[3], "select"));
    else ask(&address, argv[3]);
    return 0;
}
