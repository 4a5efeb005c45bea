/* A program that does its work by children.
 *
 *   children start HOW COMMAND...       starts the command, waits for it and ends as it ends. HOW is one of
 *                                         a, w: CreateProcessA, CreateProcessW
 *                                         suspended: the same, suspended; lets it run itself
 *                                         user: CreateProcessAsUserA, as this user
 *                                         spawn: the C runtime's
 *   children server PORT CONNECTIONS    echoes, one connection after the other
 *   children client PORT FILE           exchanges messages until the file is there (or a minute has passed), prints "ok"
 *   children parent PORT ROUNDS         exchanges messages, starts an heir of its connection, and goes on when that has ended
 *   children heir HANDLE ROUNDS         exchanges messages
 */
#include <winsock.h>
#include <process.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

static void fail(const char *what)
{
    printf("%s: %d\n", what, (int)GetLastError());
    exit(1);
}

static int start(const char *how, char **command)
{
    char line[2048] = "";
    WCHAR wide[2048];
    STARTUPINFOA info;
    PROCESS_INFORMATION made;
    DWORD status;
    HANDLE token;
    int ok;
    char **word;
    if (!strcmp(how, "spawn")) return (int)_spawnvp(_P_WAIT, command[0], (const char *const *)command);
    for (word = command; *word; word++) {
        strcat(line, *word);
        strcat(line, " ");
    }
    memset(&info, 0, sizeof info);
    info.cb = sizeof info;
    if (!strcmp(how, "w")) {
        MultiByteToWideChar(CP_ACP, 0, line, -1, wide, 2048);
        ok = CreateProcessW(NULL, wide, NULL, NULL, FALSE, 0, NULL, NULL, (STARTUPINFOW *)&info, &made);
    } else if (!strcmp(how, "user")) {
        if (!OpenProcessToken(GetCurrentProcess(), TOKEN_ALL_ACCESS, &token)) fail("OpenProcessToken");
        ok = CreateProcessAsUserA(token, NULL, line, NULL, NULL, FALSE, 0, NULL, NULL, &info, &made);
    } else {
        ok = CreateProcessA(NULL, line, NULL, NULL, !strcmp(how, "inherit"),
                            strcmp(how, "suspended") ? 0 : CREATE_SUSPENDED, NULL, NULL, &info, &made);
    }
    if (!ok) fail("CreateProcess");
    if (!strcmp(how, "suspended")) {
        if (WaitForSingleObject(made.hProcess, 300) != WAIT_TIMEOUT) fail("it ran");
        if (ResumeThread(made.hThread) != 1) fail("ResumeThread");
    }
    WaitForSingleObject(made.hProcess, INFINITE);
    if (!GetExitCodeProcess(made.hProcess, &status)) fail("GetExitCodeProcess");
    return (int)status;
}

static void serve(struct sockaddr_in *address, int connections)
{
    SOCKET listener = socket(AF_INET, SOCK_STREAM, 0);
    char buf[64];
    if (bind(listener, (struct sockaddr *)address, sizeof *address)) fail("bind");
    if (listen(listener, 5)) fail("listen");
    while (connections-- > 0) {
        int n;
        SOCKET s = accept(listener, NULL, NULL);
        if (s == INVALID_SOCKET) fail("accept");
        while ((n = recv(s, buf, sizeof buf, 0)) > 0)
            if (send(s, buf, n, 0) != n) fail("send");
        if (n < 0) fail("recv");
        closesocket(s);
    }
    puts("served");
}

static void exchange(SOCKET s)
{
    char out[8] = "message", in[8];
    int got, n;
    if (send(s, out, 8, 0) != 8) fail("send");
    for (got = 0; got < 8; got += n)
        if ((n = recv(s, in + got, 8 - got, 0)) <= 0) fail("recv");
    if (memcmp(in, out, 8)) fail("other bytes came back");
}

/* The same for a handle that came from elsewhere: Wine's WinSock does not know such a one, but it is a file. */
static void exchange_by_file(HANDLE s)
{
    char out[8] = "message", in[8];
    DWORD got, n;
    if (!WriteFile(s, out, 8, &n, NULL) || n != 8) fail("WriteFile");
    for (got = 0; got < 8; got += n)
        if (!ReadFile(s, in + got, 8 - got, &n, NULL) || !n) fail("ReadFile");
    if (memcmp(in, out, 8)) fail("other bytes came back");
}

static void ask(struct sockaddr_in *address, const char *file)
{
    SOCKET s = socket(AF_INET, SOCK_STREAM, 0);
    int left;
    if (connect(s, (struct sockaddr *)address, sizeof *address)) fail("connect");
    for (left = 6000; left > 0 && GetFileAttributesA(file) == INVALID_FILE_ATTRIBUTES; left--) {
        exchange(s);
        Sleep(10);
    }
    closesocket(s);
    puts("ok");
}

static void share(struct sockaddr_in *address, char *self, const char *rounds)
{
    SOCKET s = socket(AF_INET, SOCK_STREAM, 0);
    char number[16];
    char *command[] = {self, "heir", number, (char *)rounds, NULL};
    int left;
    if (connect(s, (struct sockaddr *)address, sizeof *address)) fail("connect");
    for (left = atoi(rounds); left > 0; left--) exchange(s);
    sprintf(number, "%u", (unsigned)s);
    fflush(stdout);
    if (start("inherit", command)) fail("the heir");
    for (left = atoi(rounds); left > 0; left--) exchange(s);
    closesocket(s);
    puts("ok");
}

int main(int argc, char **argv)
{
    WSADATA data;
    struct sockaddr_in address;
    if (argc < 4) return 2;
    if (!strcmp(argv[1], "start")) return start(argv[2], argv + 3);
    if (WSAStartup(MAKEWORD(1, 1), &data)) return 3;
    if (!strcmp(argv[1], "heir")) {
        int left = atoi(argv[3]);
        while (left-- > 0) exchange_by_file((HANDLE)(SOCKET)atoi(argv[2]));
        puts("the heir is content");
        return 0;
    }
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((unsigned short)atoi(argv[2]));
    if (!strcmp(argv[1], "server")) serve(&address, atoi(argv[3]));
    else if (!strcmp(argv[1], "parent")) share(&address, argv[0], argv[3]);
    else ask(&address, argv[3]);
    WSACleanup();
    return 0;
}
