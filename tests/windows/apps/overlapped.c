/* An echo client whose calls end later, in the middle of a connection whose calls did not. The server is `echo server`.
 *
 *   overlapped PORT ROUNDS HOW
 *     event:   WSASend and WSARecv with an event, and WSAGetOverlappedResult
 *     routine: with a completion routine, in an alertable sleep
 *     port:    with a completion port
 *     mixed:   overlapped receives are begun before send, and end by what is sent then
 */
#include <winsock2.h>
#include "common.h"

#define SIZE 3000

static char out[SIZE], in[SIZE];
static HANDLE port;
static int routines;
static DWORD routine_bytes;

static void fill(int round)
{
    int at;
    for (at = 0; at < SIZE; at++) out[at] = (char)(at * 7 + round);
    memset(in, 0, SIZE);
}

static void check(int round)
{
    if (memcmp(in, out, SIZE)) {
        printf("round %d: other bytes came back\n", round);
        exit(1);
    }
}

static void plainly(SOCKET s, int round)
{
    int got, n;
    fill(round);
    if (send(s, out, SIZE, 0) != SIZE) fail("send");
    for (got = 0; got < SIZE; got += n)
        if ((n = recv(s, in + got, SIZE - got, 0)) <= 0) fail("recv");
    check(round);
}

static void CALLBACK done(DWORD error, DWORD bytes, WSAOVERLAPPED *overlapped, DWORD flags)
{
    if (error) fail("completion");
    routine_bytes = bytes;
    routines++;
}

static DWORD await(SOCKET s, WSAOVERLAPPED *overlapped, const char *how)
{
    DWORD bytes = 0, flags = 0;
    ULONG_PTR key = 0;
    OVERLAPPED *ended = NULL;
    if (!strcmp(how, "routine")) {
        while (!routines) SleepEx(INFINITE, TRUE);
        routines--;
        return routine_bytes;
    }
    if (!strcmp(how, "port")) {
        if (!GetQueuedCompletionStatus(port, &bytes, &key, &ended, INFINITE)) fail("GetQueuedCompletionStatus");
        if (key != 77 || ended != (OVERLAPPED *)overlapped) fail("another's completion");
        return bytes;
    }
    if (!WSAGetOverlappedResult(s, overlapped, &bytes, TRUE, &flags)) fail("WSAGetOverlappedResult");
    return bytes;
}

static void begin(WSAOVERLAPPED *overlapped, const char *how)
{
    memset(overlapped, 0, sizeof *overlapped);
    if (!strcmp(how, "event") || !strcmp(how, "mixed")) overlapped->hEvent = WSACreateEvent();
}

static void end(WSAOVERLAPPED *overlapped)
{
    if (overlapped->hEvent) WSACloseEvent(overlapped->hEvent);
}

static void later(SOCKET s, int round, const char *how)
{
    LPWSAOVERLAPPED_COMPLETION_ROUTINE routine = strcmp(how, "routine") ? NULL : done;
    WSAOVERLAPPED overlapped;
    WSABUF pieces[2];
    DWORD flags = 0, n;
    int got;
    fill(round);
    pieces[0].buf = out;
    pieces[0].len = SIZE / 2;
    pieces[1].buf = out + SIZE / 2;
    pieces[1].len = SIZE - SIZE / 2;
    begin(&overlapped, how);
    if (WSASend(s, pieces, 2, NULL, 0, &overlapped, routine) && WSAGetLastError() != WSA_IO_PENDING) fail("WSASend");
    if (await(s, &overlapped, how) != SIZE) fail("sent less");
    end(&overlapped);
    for (got = 0; got < SIZE; got += n) {
        pieces[0].buf = in + got;
        pieces[0].len = SIZE - got;
        flags = 0;
        begin(&overlapped, how);
        if (WSARecv(s, pieces, 1, NULL, &flags, &overlapped, routine) && WSAGetLastError() != WSA_IO_PENDING) fail("WSARecv");
        if (!(n = await(s, &overlapped, how))) fail("the end");
        end(&overlapped);
    }
    check(round);
}

static void before_sending(SOCKET s, int round)
{
    WSAOVERLAPPED overlapped;
    WSABUF piece = {SIZE, in};
    DWORD flags = 0;
    int got, n;
    fill(round);
    begin(&overlapped, "event");
    if (!WSARecv(s, &piece, 1, NULL, &flags, &overlapped, NULL)) fail("received what was not sent");
    if (WSAGetLastError() != WSA_IO_PENDING) fail("WSARecv");
    if (send(s, out, SIZE, 0) != SIZE) fail("send");
    got = (int)await(s, &overlapped, "event");
    end(&overlapped);
    for (; got < SIZE; got += n)
        if ((n = recv(s, in + got, SIZE - got, 0)) <= 0) fail("recv");
    check(round);
}

int main(int argc, char **argv)
{
    WSADATA data;
    struct sockaddr_in address;
    SOCKET s;
    int round, rounds;
    const char *how;
    if (argc < 4 || WSAStartup(MAKEWORD(2, 2), &data)) return 2;
    address = loopback(argv[1]);
    rounds = atoi(argv[2]);
    how = argv[3];
    s = WSASocketA(AF_INET, SOCK_STREAM, 0, NULL, 0, WSA_FLAG_OVERLAPPED);
    if (connect(s, (struct sockaddr *)&address, sizeof address)) fail("connect");
    for (round = 0; round < rounds; round++) plainly(s, round);
    if (!strcmp(how, "port") && !(port = CreateIoCompletionPort((HANDLE)s, NULL, 77, 0))) fail("CreateIoCompletionPort");
    for (round = 0; round < rounds; round++) {
        if (!strcmp(how, "mixed")) before_sending(s, round);
        else later(s, round, how);
    }
    if (shutdown(s, SD_SEND)) fail("shutdown");
    if (recv(s, in, 1, 0)) fail("the end is not the end");
    closesocket(s);
    puts("ok");
    WSACleanup();
    return 0;
}
