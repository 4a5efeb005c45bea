/* What a program written for Unix takes from its headers, on top of WinSock 1.1. Each header here includes this one. */
#ifndef VMMC_COMPAT_SOCKETS_H
#define VMMC_COMPAT_SOCKETS_H

#include <io.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <winsock.h>

#define read(socket, to, length) recv((socket), (to), (length), 0)
#define write(socket, from, length) send((socket), (from), (length), 0)
#define close(socket) closesocket(socket)
#define bzero(to, length) memset((to), 0, (length))
#define bcopy(from, to, length) memmove((to), (from), (length))

typedef int socklen_t;

/* WinSock wants to be started, which no Unix program does. */
__attribute__((constructor)) static void start_winsock(void)
{
    static int started;
    WSADATA data;
    if (!started++)
        WSAStartup(MAKEWORD(1, 1), &data);
}

#endif
