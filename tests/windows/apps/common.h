/* What the programs share. Included behind the header of the sockets that a program uses: winsock.h or winsock2.h. */
#ifndef COMMON_H
#define COMMON_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Says what failed and how, and ends the program. */
static inline void fail(const char *what)
{
    printf("%s: %d\n", what, WSAGetLastError());
    exit(1);
}

/* That port on this host. */
static inline struct sockaddr_in loopback(const char *port)
{
    struct sockaddr_in address;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((unsigned short)atoi(port));
    return address;
}

#endif
