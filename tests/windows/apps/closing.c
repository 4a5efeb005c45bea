/* The end of a connection comes after its bytes, also for those who are told of both.
 *
 *   closing server PORT                 echoes one client's messages of 8 bytes; after one that begins with x it sends
 *                                       20000 bytes more and closes
 *   closing client PORT ROUNDS HOW      exchanges messages, then receives slowly, as it is told by
 *                                         window: messages (WSAAsyncSelect)
 *                                         event: an event (WSAEventSelect)
 *                                       and prints how many bytes there were, and how many it found when told of the end
 */
#include <winsock2.h>
#include "common.h"

enum { TOLD = WM_USER + 1, MORE = 20000, PIECE = 500 };

static SOCKET s = INVALID_SOCKET;
static int bytes, late, ended;

static void serve(struct sockaddr_in *address)
{
    SOCKET listener = socket(AF_INET, SOCK_STREAM, 0);
    char buf[8];
    static char more[MORE];
    int n;
    if (bind(listener, (struct sockaddr *)address, sizeof *address)) fail("bind");
    if (listen(listener, 5)) fail("listen");
    s = accept(listener, NULL, NULL);
    if (s == INVALID_SOCKET) fail("accept");
    while ((n = recv(s, buf, 8, 0)) > 0) {
        if (send(s, buf, n, 0) != n) fail("send");
        if (buf[0] == 'x') break;
    }
    if (n <= 0) fail("recv");
    if (send(s, more, MORE, 0) != MORE) fail("send");
    closesocket(s);
    /* The end must not come from the program's own. */
    Sleep(1500);
}

static int take(void)
{
    char buf[PIECE];
    int n = recv(s, buf, PIECE, 0);
    if (n > 0) bytes += n;
    if (n < 0 && WSAGetLastError() != WSAEWOULDBLOCK) fail("recv");
    Sleep(5);
    return n > 0;
}

static void told(int events)
{
    if (events & FD_READ) take();
    if (events & FD_CLOSE) {
        int before = bytes;
        while (take()) { }
        late = bytes - before;
        ended = 1;
    }
}

static LRESULT CALLBACK procedure(HWND window, UINT message, WPARAM word, LPARAM rest)
{
    if (message != TOLD) return DefWindowProc(window, message, word, rest);
    if (WSAGETSELECTERROR(rest)) fail("a message with an error");
    told(WSAGETSELECTEVENT(rest));
    return 0;
}

static void by_window(void)
{
    WNDCLASSA class;
    MSG message;
    HWND window;
    memset(&class, 0, sizeof class);
    class.lpfnWndProc = procedure;
    class.hInstance = GetModuleHandle(NULL);
    class.lpszClassName = "told";
    RegisterClassA(&class);
    window = CreateWindowA("told", "", 0, 0, 0, 0, 0, NULL, NULL, class.hInstance, NULL);
    if (!window) fail("window");
    if (WSAAsyncSelect(s, window, TOLD, FD_READ | FD_CLOSE)) fail("WSAAsyncSelect");
    if (send(s, "xxxxxxxx", 8, 0) != 8) fail("send");
    while (!ended && GetMessage(&message, NULL, 0, 0) > 0) DispatchMessage(&message);
}

static void by_event(void)
{
    WSANETWORKEVENTS found;
    HANDLE event = CreateEvent(NULL, FALSE, FALSE, NULL);
    if (WSAEventSelect(s, event, FD_READ | FD_CLOSE)) fail("WSAEventSelect");
    if (send(s, "xxxxxxxx", 8, 0) != 8) fail("send");
    while (!ended) {
        WaitForSingleObject(event, INFINITE);
        if (WSAEnumNetworkEvents(s, event, &found)) fail("WSAEnumNetworkEvents");
        told(found.lNetworkEvents);
    }
}

int main(int argc, char **argv)
{
    WSADATA data;
    struct sockaddr_in address;
    char message[8] = "message", in[8];
    int rounds, got, n;
    if (argc < 3 || WSAStartup(MAKEWORD(2, 2), &data)) return 2;
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
        Sleep(rounds < 3 ? 300 : 0);
    }
    if (!strcmp(argv[4], "event")) by_event();
    else by_window();
    printf("%d bytes, %d of them at the end\n", bytes, late);
    return 0;
}
