/* A program that imports no socket call: it finds them when it runs.
 *
 *   late module FILE WORDS...           loads the DLL and calls its `program` with the words after the first
 *   late pointers server PORT CONNECTIONS
 *   late pointers client PORT FILE      as `children server` and `children client`, by GetProcAddress: names, and an ordinal
 */
#include <winsock2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static SOCKET(WSAAPI *socket_)(int, int, int);
static int(WSAAPI *bind_)(SOCKET, const struct sockaddr *, int);
static int(WSAAPI *listen_)(SOCKET, int);
static SOCKET(WSAAPI *accept_)(SOCKET, struct sockaddr *, int *);
static int(WSAAPI *connect_)(SOCKET, const struct sockaddr *, int);
static int(WSAAPI *send_)(SOCKET, const char *, int, int);
static int(WSAAPI *recv_)(SOCKET, char *, int, int);
static int(WSAAPI *closesocket_)(SOCKET);
static int(WSAAPI *startup_)(WORD, WSADATA *);

static void fail(const char *what)
{
    printf("%s: %d\n", what, (int)GetLastError());
    exit(1);
}

static void find_all(void)
{
    HMODULE library = LoadLibraryW(L"ws2_32.dll");
    WSADATA data;
    startup_ = (void *)GetProcAddress(library, "WSAStartup");
    socket_ = (void *)GetProcAddress(library, "socket");
    bind_ = (void *)GetProcAddress(library, "bind");
    listen_ = (void *)GetProcAddress(library, "listen");
    accept_ = (void *)GetProcAddress(library, (char *)1);
    connect_ = (void *)GetProcAddress(library, "connect");
    send_ = (void *)GetProcAddress(library, "send");
    recv_ = (void *)GetProcAddress(library, "recv");
    closesocket_ = (void *)GetProcAddress(library, "closesocket");
    if (!closesocket_ || startup_(MAKEWORD(2, 2), &data)) fail("WSAStartup");
}

static void serve(struct sockaddr_in *address)
{
    SOCKET listener = socket_(AF_INET, SOCK_STREAM, 0), s;
    char buf[64];
    int n;
    if (bind_(listener, (struct sockaddr *)address, sizeof *address)) fail("bind");
    if (listen_(listener, 5)) fail("listen");
    s = accept_(listener, NULL, NULL);
    if (s == INVALID_SOCKET) fail("accept");
    while ((n = recv_(s, buf, sizeof buf, 0)) > 0)
        if (send_(s, buf, n, 0) != n) fail("send");
    closesocket_(s);
    puts("served");
}

static void ask(struct sockaddr_in *address, const char *file)
{
    SOCKET s = socket_(AF_INET, SOCK_STREAM, 0);
    char out[8] = "message", in[8];
    int left, got, n;
    if (connect_(s, (struct sockaddr *)address, sizeof *address)) fail("connect");
    for (left = 6000; left > 0 && GetFileAttributesA(file) == INVALID_FILE_ATTRIBUTES; left--) {
        if (send_(s, out, 8, 0) != 8) fail("send");
        for (got = 0; got < 8; got += n)
            if ((n = recv_(s, in + got, 8 - got, 0)) <= 0) fail("recv");
        if (memcmp(in, out, 8)) fail("other bytes came back");
        Sleep(10);
    }
    closesocket_(s);
    puts("ok");
}

int main(int argc, char **argv)
{
    struct sockaddr_in address;
    if (argc < 5) return 2;
    if (!strcmp(argv[1], "module")) {
        int (*program)(int, char **) = (void *)GetProcAddress(LoadLibraryA(argv[2]), "program");
        if (!program) fail(argv[2]);
        return program(argc - 2, argv + 2);
    }
    find_all();
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = 0x0100007f;
    address.sin_port = (unsigned short)(atoi(argv[3]) << 8 | atoi(argv[3]) >> 8);
    if (!strcmp(argv[2], "server")) serve(&address);
    else ask(&address, argv[4]);
    return 0;
}
