/* An echo client that goes on with the calls of files on a socket in the middle of a connection: WriteFile, ReadFile, and a
 * copy of the handle (which is a file only: Wine's WinSock does not know it). The server is `echo server`, which knows nothing of it.
 *
 *   as_file PORT ROUNDS old|new         with the calls of 16-bit Windows, or WriteFile and ReadFile */
#include <winsock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail(const char *what)
{
    printf("%s: %d\n", what, (int)GetLastError());
    exit(1);
}

static void exchange(SOCKET s, int round, int as_file)
{
    char out[8] = "as file", in[8];
    DWORD count = 0;
    int got, n;
    out[7] = (char)round;
    if (as_file == 2) {
        if (_hwrite((HFILE)s, out, 8) != 8) fail("_hwrite");
    } else if (as_file) {
        if (!WriteFile((HANDLE)s, out, 8, &count, NULL) || count != 8) fail("WriteFile");
    } else if (send(s, out, 8, 0) != 8) fail("send");
    for (got = 0; got < 8;) {
        if (as_file == 2) {
            if ((n = (int)_lread((HFILE)s, in + got, 8 - got)) <= 0) fail("_lread");
            got += n;
        } else if (as_file) {
            if (!ReadFile((HANDLE)s, in + got, 8 - got, &count, NULL) || count == 0) fail("ReadFile");
            got += count;
        } else {
            if ((n = recv(s, in + got, 8 - got, 0)) <= 0) fail("recv");
            got += n;
        }
    }
    if (memcmp(in, out, 8)) fail("other bytes came back");
}

int main(int argc, char **argv)
{
    WSADATA data;
    struct sockaddr_in address;
    HANDLE copy;
    SOCKET s;
    int round, rounds, how;
    if (argc < 4 || WSAStartup(MAKEWORD(1, 1), &data)) return 2;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((unsigned short)atoi(argv[1]));
    rounds = atoi(argv[2]);
    how = strcmp(argv[3], "old") ? 1 : 2;
    s = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(s, (struct sockaddr *)&address, sizeof address)) fail("connect");
    for (round = 0; round < rounds; round++) exchange(s, round, 0);
    for (round = 0; round < rounds; round++) exchange(s, round, round % 2 * how);
    if (!DuplicateHandle(GetCurrentProcess(), (HANDLE)s, GetCurrentProcess(), &copy, 0, FALSE, DUPLICATE_SAME_ACCESS))
        fail("DuplicateHandle");
    for (round = 0; round < rounds; round++) exchange(round % 2 ? (SOCKET)copy : s, round, round % 2 * how);
    if (how == 2) _lclose((HFILE)(SOCKET)copy);
    else CloseHandle(copy);
    shutdown(s, 1);
    closesocket(s);
    puts("ok");
    WSACleanup();
    return 0;
}
