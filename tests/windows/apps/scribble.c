/* A peer that writes whatever it likes into the memory that it shares with others.
 *
 *   scribble server PORT                serves any number of clients at once, echoing, until one tells it to end
 *   scribble client PORT SECONDS        exchanges messages for so long, each byte checked; prints "ok"
 *   scribble hostile PORT SEED          exchanges messages until its connection has shared memory, then writes there at random
 *                                       while it goes on; whatever becomes of itself, prints "scribbled"
 *   scribble quit PORT                  tells the server to end
 */
#include <winsock2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Not what is written at random. */
#define QUIT "that is all for today"

static struct sockaddr_in address;
static volatile LONG quit;
static SOCKET listener;

static void fail(const char *what)
{
    printf("%s: %d\n", what, WSAGetLastError());
    fflush(stdout);
    ExitProcess(1);
}

static DWORD WINAPI echo(void *given)
{
    SOCKET s = (SOCKET)given;
    char buf[4096];
    int n;
    while ((n = recv(s, buf, sizeof buf, 0)) > 0) {
        if (send(s, buf, n, 0) != n) break;
        if (n == sizeof QUIT - 1 && !memcmp(buf, QUIT, n)) {
            quit = 1;
            closesocket(listener);
        }
    }
    closesocket(s);
    return 0;
}

static void serve(void)
{
    listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof address)) fail("bind");
    if (listen(listener, 50)) fail("listen");
    for (;;) {
        SOCKET s = accept(listener, NULL, NULL);
        if (s == INVALID_SOCKET) break;
        CloseHandle(CreateThread(NULL, 0, echo, (void *)s, 0, NULL));
    }
    if (!quit) fail("accept");
    puts("served");
}

static SOCKET join(void)
{
    SOCKET s = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(s, (struct sockaddr *)&address, sizeof address)) fail("connect");
    return s;
}

/* 0: the connection is over, or other bytes came back. */
static int exchange(SOCKET s, const char *out, int size)
{
    char in[4096];
    int got, n;
    if (send(s, out, size, 0) != size) return 0;
    for (got = 0; got < size; got += n)
        if ((n = recv(s, in + got, size - got, 0)) <= 0) return 0;
    return !memcmp(in, out, size);
}

static unsigned long long state;

static unsigned long long next(void)
{
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return state >> 17 ^ state << 30;
}

/* What is shared with the peer: sections of this size, of which the program itself has none. */
static int find(volatile char *places[], SIZE_T sizes[], int most)
{
    MEMORY_BASIC_INFORMATION info;
    char *at = 0;
    int count = 0;
    while (count < most && VirtualQuery(at, &info, sizeof info)) {
        if (info.Type == MEM_MAPPED && info.State == MEM_COMMIT && info.Protect == PAGE_READWRITE
            && info.RegionSize > 1 << 20 && info.RegionSize < 8 << 20) {
            places[count] = info.BaseAddress;
            sizes[count++] = info.RegionSize;
        }
        at = (char *)info.BaseAddress + info.RegionSize;
    }
    return count;
}

static DWORD WINAPI scribble(void *unused)
{
    volatile char *places[8];
    SIZE_T sizes[8];
    int count = find(places, sizes, 8), round;
    for (round = 0; round < 400; round++) {
        int which = next() % count;
        unsigned long long value = next() >> next() % 64;
        /* The words at the start, or anything. */
        SIZE_T at = next() % 4 ? next() % 32 * 8 : next() % (sizes[which] / 8) * 8;
        volatile unsigned long long *word = (void *)(places[which] + at);
        *word = next() % 2 ? value : *word + value % 64;
        if (next() % 4 == 0) Sleep(1);
    }
    puts("scribbled");
    fflush(stdout);
    TerminateProcess(GetCurrentProcess(), 0);
    return 0;
}

static void attack(int seed)
{
    SOCKET s = join();
    volatile char *places[8];
    SIZE_T sizes[8];
    char out[64] = "message";
    state = seed * 0x9e3779b97f4a7c15ull;
    while (!find(places, sizes, 8))
        if (!exchange(s, out, 8)) fail("exchange");
    CloseHandle(CreateThread(NULL, 0, scribble, NULL, 0, NULL));
    while (exchange(s, out, 1 + next() % sizeof out)) { }
    Sleep(INFINITE);
}

static void ask(int seconds)
{
    SOCKET s = join();
    DWORD began = GetTickCount();
    char out[512];
    unsigned at;
    state = 1;
    while (GetTickCount() - began < seconds * 1000u) {
        for (at = 0; at < sizeof out; at++) out[at] = (char)next();
        if (!exchange(s, out, 1 + next() % sizeof out)) fail("exchange");
    }
    closesocket(s);
    puts("ok");
}

int main(int argc, char **argv)
{
    WSADATA data;
    if (argc < 3 || WSAStartup(MAKEWORD(2, 2), &data)) return 2;
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((unsigned short)atoi(argv[2]));
    if (!strcmp(argv[1], "server")) serve();
    else if (!strcmp(argv[1], "hostile")) attack(atoi(argv[3]));
    else if (!strcmp(argv[1], "client")) ask(atoi(argv[3]));
    else if (!exchange(join(), QUIT, sizeof QUIT - 1)) fail("quit");
    return 0;
}
