/* How a connection ends when its program does.
 *
 *   endings server PORT                 echoes; then prints how many bytes came, and how the stream ended
 *   endings client PORT ROUNDS HOW      exchanges messages, sends 1000 bytes more, and
 *                                         return: returns from main with the socket open
 *                                         exit: calls exit
 *                                         process: calls ExitProcess
 *                                         cleanup: calls WSACleanup with the socket open
 *                                         handle: closes it by CloseHandle
 *                                         linger: closes it with SO_LINGER and no time, which is a reset
 */
#include <winsock.h>
#include "common.h"

static void serve(struct sockaddr_in *address)
{
    SOCKET listener = socket(AF_INET, SOCK_STREAM, 0), s;
    char buf[8];
    int n, bytes = 0, echoed = 1;
    if (bind(listener, (struct sockaddr *)address, sizeof *address)) fail("bind");
    if (listen(listener, 5)) fail("listen");
    puts("ready");
    fflush(stdout);
    s = accept(listener, NULL, NULL);
    if (s == INVALID_SOCKET) fail("accept");
    while ((n = recv(s, buf, 8, 0)) > 0) {
        bytes += n;
        if (buf[0] == 'x') echoed = 0;
        if (echoed && send(s, buf, n, 0) != n) fail("send");
        /* What is on its way arrives, and the end behind it. */
        if (!echoed && bytes % 1000 == 0) Sleep(200);
    }
    if (n == 0) printf("%d bytes, end of stream\n", bytes);
    else printf("%s, error %d\n", bytes ? "some bytes" : "no bytes", WSAGetLastError());
    closesocket(s);
}

int main(int argc, char **argv)
{
    WSADATA data;
    struct sockaddr_in address;
    SOCKET s;
    char message[8] = "message", in[8], rest[1000];
    int rounds, got, n;
    struct linger reset = {1, 0};
    const char *how = argc > 4 ? argv[4] : "return";
    if (argc < 3 || WSAStartup(MAKEWORD(1, 1), &data)) return 2;
    address = loopback(argv[2]);
    if (!strcmp(argv[1], "server")) {
        serve(&address);
        return 0;
    }
    s = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(s, (struct sockaddr *)&address, sizeof address)) fail("connect");
    for (rounds = atoi(argv[3]); rounds > 0; rounds--) {
        if (send(s, message, 8, 0) != 8) fail("send");
        for (got = 0; got < 8; got += n)
            if ((n = recv(s, in + got, 8 - got, 0)) <= 0) fail("recv");
    }
    memset(rest, 'x', sizeof rest);
    if (send(s, rest, sizeof rest, 0) != sizeof rest) fail("send");
    puts(how);
    fflush(stdout);
    if (!strcmp(how, "exit")) exit(0);
    if (!strcmp(how, "process")) ExitProcess(0);
    if (!strcmp(how, "cleanup")) return WSACleanup();
    if (!strcmp(how, "handle")) return !CloseHandle((HANDLE)s);
    if (!strcmp(how, "linger")) {
        /* A reset would overtake the bytes. */
        Sleep(500);
        if (setsockopt(s, SOL_SOCKET, SO_LINGER, (char *)&reset, sizeof reset)) fail("SO_LINGER");
        return closesocket(s);
    }
    return 0;
}
