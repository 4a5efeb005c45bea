/* An echo client that waits for nothing but window messages (WSAAsyncSelect), and a server of the same kind.
 *
 *   window server PORT                  serves one connection
 *   window client PORT ROUNDS SIZE      prints how many rounds came back, and how the connection ended
 *
 * Messages are received a few bytes at a time, so that FD_READ has to come again while bytes are left. */
#include <winsock.h>
#include "common.h"

enum { TOLD = WM_USER + 1, PIECE = 5 };

static int rounds, size, done, got, is_server, ended;
static char *out, *in;
static SOCKET listener = INVALID_SOCKET, s = INVALID_SOCKET;

static void send_some(const char *at, int left)
{
    while (left > 0) {
        int n = send(s, at, left, 0);
        if (n < 0 && WSAGetLastError() == WSAEWOULDBLOCK) {
            Sleep(1);
            continue;
        }
        if (n <= 0) fail("send");
        at += n;
        left -= n;
    }
}

static void next_round(void)
{
    int at;
    for (at = 0; at < size; at++) out[at] = (char)(done * 31 + at);
    got = 0;
    send_some(out, size);
}

static void readable(void)
{
    char buf[PIECE];
    int n;
    /* WinSock may tell of data once more than there is some. */
    if (!is_server && got == size) return;
    n = recv(s, is_server ? buf : in + got, is_server ? PIECE : (size - got < PIECE ? size - got : PIECE), 0);
    if (n < 0) {
        if (WSAGetLastError() != WSAEWOULDBLOCK) fail("recv");
        return;
    }
    if (is_server) {
        send_some(buf, n);
        return;
    }
    got += n;
    if (got == size) {
        if (memcmp(in, out, size)) fail("other bytes came back");
        if (++done == rounds) shutdown(s, 1);
        else next_round();
    }
}

static LRESULT CALLBACK told(HWND window, UINT message, WPARAM word, LPARAM rest)
{
    if (message != TOLD) return DefWindowProc(window, message, word, rest);
    if (WSAGETSELECTERROR(rest)) fail("a message with an error");
    switch (WSAGETSELECTEVENT(rest)) {
    case FD_ACCEPT:
        s = accept(listener, NULL, NULL);
        if (s == INVALID_SOCKET) fail("accept");
        break;
    case FD_CONNECT:
        next_round();
        break;
    case FD_READ:
        if ((SOCKET)word == s) readable();
        break;
    case FD_CLOSE:
        /* Bytes may be left. */
        for (;;) {
            char buf[PIECE];
            int n = recv(s, buf, PIECE, 0);
            if (n <= 0) break;
            if (is_server) send_some(buf, n);
        }
        ended = 1;
        closesocket(s);
        PostQuitMessage(0);
        break;
    }
    return 0;
}

int main(int argc, char **argv)
{
    WSADATA data;
    struct sockaddr_in address;
    WNDCLASSA class;
    HWND window;
    MSG message;
    if (argc < 3 || WSAStartup(MAKEWORD(1, 1), &data)) return 2;
    is_server = !strcmp(argv[1], "server");
    rounds = argc > 3 ? atoi(argv[3]) : 1;
    size = argc > 4 ? atoi(argv[4]) : 17;
    out = malloc(size), in = malloc(size);
    address = loopback(argv[2]);
    memset(&class, 0, sizeof class);
    class.lpfnWndProc = told;
    class.hInstance = GetModuleHandle(NULL);
    class.lpszClassName = "told";
    RegisterClassA(&class);
    window = CreateWindowA("told", "", 0, 0, 0, 0, 0, NULL, NULL, class.hInstance, NULL);
    if (!window) return 3;
    if (is_server) {
        listener = socket(AF_INET, SOCK_STREAM, 0);
        if (bind(listener, (struct sockaddr *)&address, sizeof address)) fail("bind");
        if (WSAAsyncSelect(listener, window, TOLD, FD_ACCEPT | FD_READ | FD_CLOSE)) fail("WSAAsyncSelect");
        if (listen(listener, 5)) fail("listen");
        puts("ready");
        fflush(stdout);
    } else {
        s = socket(AF_INET, SOCK_STREAM, 0);
        if (WSAAsyncSelect(s, window, TOLD, FD_CONNECT | FD_READ | FD_CLOSE)) fail("WSAAsyncSelect");
        if (!connect(s, (struct sockaddr *)&address, sizeof address)) fail("connect did not wait");
        if (WSAGetLastError() != WSAEWOULDBLOCK) fail("connect");
    }
    while (GetMessage(&message, NULL, 0, 0) > 0) DispatchMessage(&message);
    printf("%d rounds, %s\n", done, ended ? "closed" : "not closed");
    WSACleanup();
    return 0;
}
