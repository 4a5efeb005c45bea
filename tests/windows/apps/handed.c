/* A client that hands its connection on in the middle of it. The server is `echo server`.
 *
 *   handed PORT ROUNDS HOW
 *     socket:    WSADuplicateSocket, to a child that opens it by WSASocket; then its own goes on
 *     self:      the same within this process; both are used in turn
 *     handle:    DuplicateHandle into a child, which uses it as a file
 *     inherited: SetHandleInformation decides whether a child gets it
 *   handed child ROUNDS                  is told what to open on its standard input
 */
#include <winsock2.h>
#include "common.h"

static void exchange(SOCKET s, int rounds)
{
    char out[200], in[200];
    int got, n;
    memset(out, rounds, sizeof out);
    for (; rounds > 0; rounds--) {
        if (send(s, out, sizeof out, 0) != sizeof out) fail("send");
        for (got = 0; got < (int)sizeof in; got += n)
            if ((n = recv(s, in + got, sizeof in - got, 0)) <= 0) fail("recv");
        if (memcmp(in, out, sizeof out)) fail("other bytes came back");
    }
}

/* The same for a handle that came from elsewhere: Wine's WinSock does not know such a one, but it is a file. */
static void exchange_by_file(HANDLE s, int rounds)
{
    char out[200], in[200];
    DWORD got, n;
    memset(out, rounds, sizeof out);
    for (; rounds > 0; rounds--) {
        if (!WriteFile(s, out, sizeof out, &n, NULL) || n != sizeof out) fail("WriteFile");
        for (got = 0; got < sizeof in; got += n)
            if (!ReadFile(s, in + got, sizeof in - got, &n, NULL) || !n) fail("ReadFile");
        if (memcmp(in, out, sizeof out)) fail("other bytes came back");
    }
}

/* A child whose standard input is the returned pipe's end. */
static PROCESS_INFORMATION begin(char *self, int rounds, const char *what, HANDLE *pipe)
{
    SECURITY_ATTRIBUTES inherited = {sizeof inherited, NULL, TRUE};
    PROCESS_INFORMATION made;
    STARTUPINFOA info;
    char line[600];
    HANDLE theirs;
    if (!CreatePipe(&theirs, pipe, &inherited, 0)) fail("CreatePipe");
    SetHandleInformation(*pipe, HANDLE_FLAG_INHERIT, 0);
    memset(&info, 0, sizeof info);
    info.cb = sizeof info;
    info.dwFlags = STARTF_USESTDHANDLES;
    info.hStdInput = theirs;
    info.hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE);
    info.hStdError = GetStdHandle(STD_ERROR_HANDLE);
    sprintf(line, "\"%s\" child %d %s", self, rounds, what);
    fflush(stdout);
    if (!CreateProcessA(NULL, line, NULL, NULL, TRUE, 0, NULL, NULL, &info, &made)) fail("CreateProcess");
    CloseHandle(theirs);
    return made;
}

static void end(PROCESS_INFORMATION *made)
{
    DWORD status;
    WaitForSingleObject(made->hProcess, INFINITE);
    if (!GetExitCodeProcess(made->hProcess, &status) || status) fail("the child");
    CloseHandle(made->hProcess);
    CloseHandle(made->hThread);
}

static SOCKET opened(WSAPROTOCOL_INFOA *info)
{
    SOCKET s = WSASocketA(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, info, 0, WSA_FLAG_OVERLAPPED);
    if (s == INVALID_SOCKET) fail("WSASocket");
    return s;
}

static void to_child(SOCKET s, char *self, int rounds)
{
    WSAPROTOCOL_INFOA info;
    DWORD written;
    HANDLE pipe;
    PROCESS_INFORMATION made;
    /* The child is to get the one that is handed to it, and no other. */
    SetHandleInformation((HANDLE)s, HANDLE_FLAG_INHERIT, 0);
    made = begin(self, rounds, "socket", &pipe);
    exchange(s, rounds);
    if (WSADuplicateSocketA(s, made.dwProcessId, &info)) fail("WSADuplicateSocket");
    if (!WriteFile(pipe, &info, sizeof info, &written, NULL)) fail("WriteFile");
    end(&made);
}

static void to_itself(SOCKET s, int rounds)
{
    WSAPROTOCOL_INFOA info;
    SOCKET copy;
    if (WSADuplicateSocketA(s, GetCurrentProcessId(), &info)) fail("WSADuplicateSocket");
    copy = opened(&info);
    for (; rounds > 0; rounds--) exchange(rounds % 2 ? copy : s, 1);
    closesocket(copy);
}

static void as_handle(SOCKET s, char *self, int rounds)
{
    HANDLE pipe, theirs;
    DWORD written;
    PROCESS_INFORMATION made;
    SetHandleInformation((HANDLE)s, HANDLE_FLAG_INHERIT, 0);
    made = begin(self, rounds, "handle", &pipe);
    if (!DuplicateHandle(GetCurrentProcess(), (HANDLE)s, made.hProcess, &theirs, 0, FALSE, DUPLICATE_SAME_ACCESS))
        fail("DuplicateHandle");
    if (!WriteFile(pipe, &theirs, sizeof theirs, &written, NULL)) fail("WriteFile");
    end(&made);
}

static void inherited(SOCKET s, char *self, int rounds)
{
    HANDLE pipe, theirs = (HANDLE)s;
    DWORD written, flags;
    PROCESS_INFORMATION made;
    SetHandleInformation(theirs, HANDLE_FLAG_INHERIT, 0);
    made = begin(self, 0, "nothing", &pipe);
    CloseHandle(pipe);
    end(&made);
    exchange(s, rounds);
    SetHandleInformation(theirs, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
    if (!GetHandleInformation(theirs, &flags)) fail("GetHandleInformation");
    printf("inherited: %d\n", (int)(flags & HANDLE_FLAG_INHERIT));
    made = begin(self, rounds, "handle", &pipe);
    if (!WriteFile(pipe, &theirs, sizeof theirs, &written, NULL)) fail("WriteFile");
    end(&made);
}

static int child(int rounds, const char *what)
{
    HANDLE from = GetStdHandle(STD_INPUT_HANDLE), handle;
    WSAPROTOCOL_INFOA info;
    DWORD got;
    if (!strcmp(what, "socket")) {
        SOCKET s;
        if (!ReadFile(from, &info, sizeof info, &got, NULL) || got != sizeof info) fail("ReadFile");
        s = opened(&info);
        exchange(s, rounds);
        closesocket(s);
    } else if (!strcmp(what, "handle")) {
        if (!ReadFile(from, &handle, sizeof handle, &got, NULL) || got != sizeof handle) fail("ReadFile");
        exchange_by_file(handle, rounds);
        CloseHandle(handle);
    }
    printf("a child: %s\n", what);
    return 0;
}

int main(int argc, char **argv)
{
    WSADATA data;
    struct sockaddr_in address;
    char byte;
    SOCKET s;
    int rounds;
    if (argc < 4 || WSAStartup(MAKEWORD(2, 2), &data)) return 2;
    rounds = atoi(argv[2]);
    if (!strcmp(argv[1], "child")) return child(rounds, argv[3]);
    address = loopback(argv[1]);
    s = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(s, (struct sockaddr *)&address, sizeof address)) fail("connect");
    exchange(s, rounds);
    if (!strcmp(argv[3], "socket")) to_child(s, argv[0], rounds);
    else if (!strcmp(argv[3], "self")) to_itself(s, rounds);
    else if (!strcmp(argv[3], "handle")) as_handle(s, argv[0], rounds);
    else inherited(s, argv[0], rounds);
    exchange(s, rounds);
    if (shutdown(s, SD_SEND)) fail("shutdown");
    if (recv(s, &byte, 1, 0)) fail("the end is not the end");
    closesocket(s);
    puts("ok");
    WSACleanup();
    return 0;
}
