/* Takes some calls from WSOCK32 and others, on the same sockets, from WS2_32: by import, and by GetProcAddress.
 * To be linked with -lwsock32 before -lws2_32: what both have then comes from WSOCK32.
 *
 *   both_dlls server PORT
 *   both_dlls client PORT ROUNDS
 *
 * Messages have two parts, that are gathered and scattered (WSASend, WSARecv); the server waits in WSAPoll or for an event. */
#define _WIN32_WINNT 0x0601
#include <winsock2.h>
#include "common.h"

typedef int(WSAAPI *Receive)(SOCKET, char *, int, int);
typedef int(WSAAPI *Gather)(SOCKET, LPWSABUF, DWORD, LPDWORD, DWORD, LPWSAOVERLAPPED, LPWSAOVERLAPPED_COMPLETION_ROUTINE);

static void send_two(SOCKET s, char *first, int first_len, char *second, int second_len)
{
    WSABUF parts[3] = {{first_len, first}, {0, NULL}, {second_len, second}};
    Gather found = (Gather)(void *)GetProcAddress(GetModuleHandleA("ws2_32.dll"), "WSASend");
    DWORD sent = 0;
    static int turn;
    int result = turn++ % 2 ? WSASend(s, parts, 3, &sent, 0, NULL, NULL) : found(s, parts, 3, &sent, 0, NULL, NULL);
    if (result || sent != (DWORD)(first_len + second_len)) fail("WSASend");
}

/* How many bytes came: 8, or 0 at the end. */
static int recv_two(SOCKET s, char *first, char *second)
{
    WSABUF parts[2] = {{3, first}, {5, second}};
    DWORD got = 0, flags = MSG_WAITALL;
    if (WSARecv(s, parts, 2, &got, &flags, NULL, NULL)) fail("WSARecv");
    return (int)got;
}

static void serve(struct sockaddr_in *address)
{
    SOCKET listener = WSASocketA(AF_INET, SOCK_STREAM, IPPROTO_TCP, NULL, 0, WSA_FLAG_OVERLAPPED), s;
    char first[3], second[5];
    int messages = 0;
    if (bind(listener, (struct sockaddr *)address, sizeof *address)) fail("bind");
    if (listen(listener, 5)) fail("listen");
    puts("ready");
    fflush(stdout);
    s = WSAAccept(listener, NULL, NULL, NULL, 0);
    if (s == INVALID_SOCKET) fail("WSAAccept");
    for (;; messages++) {
        WSAPOLLFD poll = {s, POLLRDNORM, 0};
        if (WSAPoll(&poll, 1, 20000) != 1 || !poll.revents) fail("WSAPoll");
        if (recv_two(s, first, second) != 8) break;
        send_two(s, first, 3, second, 5);
    }
    closesocket(s);
    printf("%d messages\n", messages);
}

static void ask(struct sockaddr_in *address, int rounds)
{
    SOCKET s = socket(AF_INET, SOCK_STREAM, 0);
    Receive receive = (Receive)(void *)GetProcAddress(LoadLibraryA("ws2_32.dll"), "recv");
    WSAEVENT event = WSACreateEvent();
    char first[3] = {'a', 'b', 'c'}, second[5] = {'d', 'e', 'f', 'g', 'h'}, in[8];
    int round, got;
    if (WSAConnect(s, (struct sockaddr *)address, sizeof *address, NULL, NULL, NULL, NULL)) fail("WSAConnect");
    for (round = 0; round < rounds; round++) {
        second[4] = (char)round;
        send_two(s, first, 3, second, 5);
        if (recv(s, in, 2, 0) != 2 || receive(s, in + 2, 6, MSG_WAITALL) != 6) fail("receive");
        if (memcmp(in, first, 3) || memcmp(in + 3, second, 5)) fail("other bytes");
    }
    /* From here on the event tells; it is read in two pieces, and told of twice. */
    if (WSAEventSelect(s, event, FD_READ | FD_CLOSE)) fail("WSAEventSelect");
    for (round = 0; round < rounds; round++) {
        second[4] = (char)round;
        send_two(s, first, 3, second, 5);
        for (got = 0; got < 8;) {
            WSANETWORKEVENTS events;
            int n;
            if (WSAWaitForMultipleEvents(1, &event, FALSE, 20000, FALSE) != WSA_WAIT_EVENT_0) fail("the event");
            if (WSAEnumNetworkEvents(s, event, &events)) fail("WSAEnumNetworkEvents");
            if (!(events.lNetworkEvents & FD_READ)) continue;
            n = recv(s, in + got, 8 - got < 5 ? 8 - got : 5, 0);
            if (n < 0 && WSAGetLastError() != WSAEWOULDBLOCK) fail("recv");
            if (n > 0) got += n;
        }
        if (memcmp(in, first, 3) || memcmp(in + 3, second, 5)) fail("other bytes");
    }
    WSASendDisconnect(s, NULL);
    closesocket(s);
    printf("%d rounds\n", rounds);
}

int main(int argc, char **argv)
{
    WSADATA data;
    struct sockaddr_in address;
    if (argc < 3 || WSAStartup(MAKEWORD(2, 2), &data)) return 2;
    address = loopback(argv[2]);
    if (!strcmp(argv[1], "server")) serve(&address);
    else ask(&address, argc > 3 ? atoi(argv[3]) : 100);
    WSACleanup();
    return 0;
}
