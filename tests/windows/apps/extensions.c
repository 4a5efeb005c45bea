/* The functions that a program asks a provider for, on both ends.
 *
 *   extensions server PORT              accepts by AcceptEx: once with the first bytes, once without; echoes by WSARecvMsg and
 *                                       send, and by WSARecvEx and TransmitFile's head; ends by DisconnectEx
 *   extensions client PORT ROUNDS       connects by connect and by ConnectEx, and exchanges messages
 */
#include <winsock2.h>
#include <mswsock.h>
#include "common.h"

#ifndef SIO_BASE_HANDLE
#define SIO_BASE_HANDLE 0x48000022
#endif
#define SIZE 1000
/* In front of the address, which AcceptEx wants as room for each of the two. */
#define ROOM (sizeof(struct sockaddr_in) + 16)

static void *extension(SOCKET s, GUID name, const char *what)
{
    void *function = NULL;
    DWORD bytes;
    if (WSAIoctl(s, SIO_GET_EXTENSION_FUNCTION_POINTER, &name, sizeof name, &function, sizeof function, &bytes, NULL, NULL))
        fail(what);
    return function;
}

static DWORD await(SOCKET s, OVERLAPPED *overlapped, const char *what)
{
    DWORD bytes, flags;
    if (!WSAGetOverlappedResult(s, overlapped, &bytes, TRUE, &flags)) fail(what);
    WSACloseEvent(overlapped->hEvent);
    return bytes;
}

static void begin(OVERLAPPED *overlapped)
{
    memset(overlapped, 0, sizeof *overlapped);
    overlapped->hEvent = WSACreateEvent();
}

static void receive_all(SOCKET s, char *at, int left)
{
    while (left > 0) {
        int n = recv(s, at, left, 0);
        if (n <= 0) fail("recv");
        at += n;
        left -= n;
    }
}

/* A connection of its own; `first` bytes are waited for. */
static SOCKET accepted(SOCKET listener, char *buf, int first)
{
    static GUID accept_name = WSAID_ACCEPTEX, addresses_name = WSAID_GETACCEPTEXSOCKADDRS;
    LPFN_ACCEPTEX accept_ex = extension(listener, accept_name, "AcceptEx");
    LPFN_GETACCEPTEXSOCKADDRS addresses = extension(listener, addresses_name, "GetAcceptExSockaddrs");
    SOCKET s = WSASocketA(AF_INET, SOCK_STREAM, 0, NULL, 0, WSA_FLAG_OVERLAPPED);
    struct sockaddr_in *local, *remote, name;
    char place[SIZE + 2 * ROOM];
    OVERLAPPED overlapped;
    int local_len, remote_len, len = sizeof name;
    DWORD got = 0;
    begin(&overlapped);
    if (!accept_ex(listener, s, place, first, ROOM, ROOM, &got, &overlapped) && WSAGetLastError() != ERROR_IO_PENDING) fail("AcceptEx");
    got = await(listener, &overlapped, "AcceptEx");
    addresses(place, first, ROOM, ROOM, (struct sockaddr **)&local, &local_len, (struct sockaddr **)&remote, &remote_len);
    printf("accepted at port %d from %s\n", ntohs(local->sin_port), inet_ntoa(remote->sin_addr));
    if (setsockopt(s, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, (char *)&listener, sizeof listener)) fail("SO_UPDATE_ACCEPT_CONTEXT");
    if (getpeername(s, (struct sockaddr *)&name, &len) || name.sin_port != remote->sin_port) fail("getpeername");
    memcpy(buf, place, got);
    if (first) receive_all(s, buf + got, SIZE - got);
    return s;
}

static void echo_by_messages(SOCKET s, char *buf)
{
    static GUID message_name = WSAID_WSARECVMSG;
    LPFN_WSARECVMSG receive = extension(s, message_name, "WSARecvMsg");
    WSABUF piece = {SIZE, buf};
    WSAMSG message;
    DWORD got;
    memset(&message, 0, sizeof message);
    message.lpBuffers = &piece;
    message.dwBufferCount = 1;
    /* On a stream it is refused, by Windows and by Wine each in its way; what then comes must not be lost. */
    if (receive(s, &message, &got, NULL, NULL)) got = 0;
    receive_all(s, buf + got, SIZE - got);
    if (send(s, buf, SIZE, 0) != SIZE) fail("send");
}

static void echo_by_file(SOCKET s, char *buf)
{
    TRANSMIT_FILE_BUFFERS around = {buf, SIZE / 2, buf + SIZE / 2, SIZE - SIZE / 2};
    static GUID transmit_name = WSAID_TRANSMITFILE;
    LPFN_TRANSMITFILE transmit = extension(s, transmit_name, "TransmitFile");
    int got, n, flags;
    for (got = 0; got < SIZE; got += n) {
        flags = 0;
        if ((n = WSARecvEx(s, buf + got, SIZE - got, &flags)) <= 0) fail("WSARecvEx");
    }
    if (!transmit(s, NULL, 0, 0, NULL, &around, 0)) fail("TransmitFile");
}

static void serve(struct sockaddr_in *address)
{
    static GUID disconnect_name = WSAID_DISCONNECTEX;
    SOCKET listener = socket(AF_INET, SOCK_STREAM, 0), s;
    LPFN_DISCONNECTEX disconnect;
    static char buf[2 * SIZE];
    int turn, at, rounds;
    if (bind(listener, (struct sockaddr *)address, sizeof *address)) fail("bind");
    if (listen(listener, 5)) fail("listen");
    for (turn = 0; turn < 2; turn++) {
        s = accepted(listener, buf, turn ? 0 : SIZE);
        if (turn) receive_all(s, buf, SIZE);
        if (send(s, buf, SIZE, 0) != SIZE) fail("send");
        rounds = buf[0];
        for (at = 0; at < rounds; at++) {
            receive_all(s, buf, SIZE);
            if (send(s, buf, SIZE, 0) != SIZE) fail("send");
        }
        echo_by_messages(s, buf);
        echo_by_file(s, buf);
        disconnect = extension(s, disconnect_name, "DisconnectEx");
        if (!disconnect(s, NULL, 0, 0)) fail("DisconnectEx");
        closesocket(s);
    }
    puts("served");
}

static SOCKET connected(struct sockaddr_in *address)
{
    static GUID connect_name = WSAID_CONNECTEX;
    SOCKET s = WSASocketA(AF_INET, SOCK_STREAM, 0, NULL, 0, WSA_FLAG_OVERLAPPED);
    LPFN_CONNECTEX connect_ex = extension(s, connect_name, "ConnectEx");
    struct sockaddr_in any, name;
    int len = sizeof name;
    OVERLAPPED overlapped;
    memset(&any, 0, sizeof any);
    any.sin_family = AF_INET;
    if (bind(s, (struct sockaddr *)&any, sizeof any)) fail("bind");
    begin(&overlapped);
    if (!connect_ex(s, (struct sockaddr *)address, sizeof *address, NULL, 0, NULL, &overlapped) &&
        WSAGetLastError() != ERROR_IO_PENDING) fail("ConnectEx");
    await(s, &overlapped, "ConnectEx");
    if (setsockopt(s, SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, NULL, 0)) fail("SO_UPDATE_CONNECT_CONTEXT");
    if (getpeername(s, (struct sockaddr *)&name, &len)) fail("getpeername");
    printf("connected to port %d\n", ntohs(name.sin_port));
    return s;
}

/* The handle beneath, which event loops wait on. */
static void beneath(SOCKET s)
{
    SOCKET base = 0;
    DWORD bytes;
    if (WSAIoctl(s, SIO_BASE_HANDLE, NULL, 0, &base, sizeof base, &bytes, NULL, NULL)) fail("SIO_BASE_HANDLE");
    puts(base == s ? "its own" : "another's");
}

static void ask(struct sockaddr_in *address, int rounds)
{
    static char out[SIZE], in[SIZE];
    int turn, at, round, got;
    SOCKET s;
    for (turn = 0; turn < 2; turn++) {
        if (turn) s = connected(address);
        else {
            s = socket(AF_INET, SOCK_STREAM, 0);
            if (connect(s, (struct sockaddr *)address, sizeof *address)) fail("connect");
        }
        for (round = 0; round < rounds + 3; round++) {
            for (at = 0; at < SIZE; at++) out[at] = (char)(at * 3 + round);
            out[0] = (char)rounds;
            if (send(s, out, SIZE, 0) != SIZE) fail("send");
            receive_all(s, in, SIZE);
            if (memcmp(in, out, SIZE)) fail("other bytes came back");
            if (round == rounds) beneath(s);
        }
        if (turn) {
            if (WSARecvDisconnect(s, NULL)) fail("WSARecvDisconnect");
            got = recv(s, in, SIZE, 0);
            printf("then: %d, error %d\n", got, got < 0 ? WSAGetLastError() : 0);
        } else if (recv(s, in, SIZE, 0)) fail("the end");
        closesocket(s);
    }
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
