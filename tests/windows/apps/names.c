/* Calls of WinSock 1.1 that carry nothing: names, options, blocking hooks, cancelled calls. Says what each of them answers.
 *
 *   names server PORT                   echoes one connection
 *   names client PORT ROUNDS
 */
#include <winsock.h>
#include "common.h"

static void say(const char *what, int result)
{
    if (result < 0) printf("%s: error %d\n", what, WSAGetLastError());
    else printf("%s: %d\n", what, result);
}

static void say_name(const char *what, int result, struct sockaddr_in *name, int len, int port)
{
    if (result) say(what, result);
    else printf("%s: %s, %s, %d bytes\n", what, inet_ntoa(name->sin_addr), name->sin_port == port ? "that port" : "a port", len);
}

static void names(SOCKET s, int port)
{
    struct sockaddr_in name;
    int len = sizeof name;
    memset(&name, 0, sizeof name);
    say_name("getsockname", getsockname(s, (struct sockaddr *)&name, &len), &name, len, port);
    len = sizeof name;
    say_name("getpeername", getpeername(s, (struct sockaddr *)&name, &len), &name, len, port);
    len = 4;
    say("getpeername with no room", getpeername(s, (struct sockaddr *)&name, &len));
    say("bind of a connection", bind(s, (struct sockaddr *)&name, sizeof name));
    say("listen on a connection", listen(s, 1));
}

static void options(SOCKET s)
{
    static const struct { const char *name; int level, option; } all[] = {
        {"SO_TYPE", SOL_SOCKET, SO_TYPE}, {"SO_ERROR", SOL_SOCKET, SO_ERROR}, {"SO_KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE},
        {"SO_DONTLINGER", SOL_SOCKET, SO_DONTLINGER}, {"SO_OOBINLINE", SOL_SOCKET, SO_OOBINLINE},
        {"SO_ACCEPTCONN", SOL_SOCKET, SO_ACCEPTCONN}, {"SO_RCVTIMEO", SOL_SOCKET, SO_RCVTIMEO},
        {"SO_SNDTIMEO", SOL_SOCKET, SO_SNDTIMEO}, {"TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY},
        {"no option", SOL_SOCKET, 0x7777}, {"no level", 0x7777, 1},
    };
    unsigned at;
    for (at = 0; at < sizeof all / sizeof *all; at++) {
        int value = 0, len = sizeof value;
        int result = getsockopt(s, all[at].level, all[at].option, (char *)&value, &len);
        if (result) say(all[at].name, result);
        else printf("%s: %d in %d\n", all[at].name, len == 1 ? (char)value : value, len);
    }
}

static BOOL CALLBACK hook(void)
{
    return FALSE;
}

static void hooks(void)
{
    say("WSAIsBlocking", WSAIsBlocking());
    printf("WSASetBlockingHook: %s\n", WSASetBlockingHook((FARPROC)hook) ? "there was one" : "there was none");
    say("WSAUnhookBlockingHook", WSAUnhookBlockingHook());
    say("WSACancelBlockingCall", WSACancelBlockingCall());
}

static void exchange(SOCKET s, int rounds)
{
    char out[8] = "message", in[8];
    int got, n;
    for (; rounds > 0; rounds--) {
        if (send(s, out, 8, 0) != 8) fail("send");
        for (got = 0; got < 8; got += n)
            if ((n = recv(s, in + got, 8 - got, 0)) <= 0) fail("recv");
    }
}

static void serve(struct sockaddr_in *address)
{
    SOCKET listener = socket(AF_INET, SOCK_STREAM, 0), s;
    struct sockaddr_in name;
    int len = sizeof name, n;
    char buf[8];
    say("bind", bind(listener, (struct sockaddr *)address, sizeof *address));
    say_name("getsockname", getsockname(listener, (struct sockaddr *)&name, &len), &name, len, address->sin_port);
    say("bind again", bind(listener, (struct sockaddr *)address, sizeof *address));
    say("getpeername", getpeername(listener, (struct sockaddr *)&name, &len));
    say("listen", listen(listener, 1));
    s = accept(listener, NULL, NULL);
    if (s == INVALID_SOCKET) fail("accept");
    names(s, address->sin_port);
    while ((n = recv(s, buf, 8, 0)) > 0) send(s, buf, n, 0);
    printf("%s\n", n ? "an error" : "the end");
    closesocket(s);
    closesocket(listener);
}

static void ask(struct sockaddr_in *address, int rounds)
{
    SOCKET s = socket(AF_INET, SOCK_STREAM, 0);
    char byte;
    hooks();
    say("recv before connect", recv(s, &byte, 1, 0));
    say("getpeername before connect", getpeername(s, NULL, NULL));
    if (connect(s, (struct sockaddr *)address, sizeof *address)) fail("connect");
    exchange(s, rounds);
    names(s, address->sin_port);
    options(s);
    hooks();
    say("connect again", connect(s, (struct sockaddr *)address, sizeof *address));
    say("recv to nowhere", recv(s, NULL, 1, 0));
    exchange(s, rounds);
    closesocket(s);
    say("recv of what is closed", recv(s, &byte, 1, 0));
    say("closesocket of what is closed", closesocket(s));
}

int main(int argc, char **argv)
{
    WSADATA data;
    struct sockaddr_in address;
    if (argc < 3 || WSAStartup(MAKEWORD(1, 1), &data)) return 2;
    address = loopback(argv[2]);
    if (!strcmp(argv[1], "server")) serve(&address);
    else ask(&address, atoi(argv[3]));
    say("WSACleanup", WSACleanup());
    say("WSACleanup again", WSACleanup());
    return 0;
}
