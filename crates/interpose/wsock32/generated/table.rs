// The exports of wsock32.dll. Written by stubgen; change what it reads instead.

use core::ffi::CStr;

#[allow(unused_imports, reason = "not every wrapper has all of them")]
use Fate::{Forward, Intercept, System};

/// One export of the original.
#[derive(Clone, Copy, Debug)]
#[allow(dead_code, reason = "a table says everything; who reads it takes what he needs")]
pub(crate) struct Export {
    /// The number by which it can be imported.
    pub(crate) ordinal: u16,
    /// The name by which it can be imported, if it has one.
    pub(crate) name: Option<&'static CStr>,
    /// What becomes of it.
    pub(crate) fate: Fate,
    /// Bytes of arguments that it takes off the stack of a 32-bit program, as far as that is known.
    pub(crate) stack_bytes: Option<u16>,
    /// What the system's headers say about it.
    pub(crate) prototype: Option<&'static str>,
}

/// What becomes of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code, reason = "not every wrapper has all of them")]
pub(crate) enum Fate {
    /// A function of this wrapper answers.
    Intercept,
    /// The loader finds it elsewhere: `module.name`.
    Forward(&'static str),
    /// A stub finds it in the system's own DLL of this name, at the first call.
    System,
}

/// The file name of the original.
#[allow(dead_code, reason = "stubs ask for it, and not every wrapper has stubs")]
pub(crate) const LIBRARY: &CStr = c"wsock32.dll";

/// Every export, by ordinal.
#[rustfmt::skip]
#[allow(dead_code, reason = "stubs ask for it, and not every wrapper has stubs")]
pub(crate) const EXPORTS: &[Export] = &[
    Export { ordinal: 1, name: Some(c"accept"), fate: Intercept, stack_bytes: Some(12), prototype: Some("SOCKET accept (SOCKET, struct sockaddr *, int *)") },
    Export { ordinal: 2, name: Some(c"bind"), fate: Forward("ws2_32.bind"), stack_bytes: Some(12), prototype: Some("int bind (SOCKET, const struct sockaddr *, int)") },
    Export { ordinal: 3, name: Some(c"closesocket"), fate: Intercept, stack_bytes: Some(4), prototype: Some("int closesocket (SOCKET)") },
    Export { ordinal: 4, name: Some(c"connect"), fate: Intercept, stack_bytes: Some(12), prototype: Some("int connect (SOCKET, const struct sockaddr *, int)") },
    Export { ordinal: 5, name: Some(c"getpeername"), fate: Forward("ws2_32.getpeername"), stack_bytes: Some(12), prototype: Some("int getpeername (SOCKET, struct sockaddr *, int *)") },
    Export { ordinal: 6, name: Some(c"getsockname"), fate: Forward("ws2_32.getsockname"), stack_bytes: Some(12), prototype: Some("int getsockname (SOCKET, struct sockaddr *, int *)") },
    Export { ordinal: 7, name: Some(c"getsockopt"), fate: Intercept, stack_bytes: Some(20), prototype: Some("int getsockopt (SOCKET, int, int, char *, int *)") },
    Export { ordinal: 8, name: Some(c"htonl"), fate: Forward("ws2_32.htonl"), stack_bytes: Some(4), prototype: Some("u_long htonl (u_long)") },
    Export { ordinal: 9, name: Some(c"htons"), fate: Forward("ws2_32.htons"), stack_bytes: Some(4), prototype: Some("u_short htons (u_short)") },
    Export { ordinal: 10, name: Some(c"inet_addr"), fate: Forward("ws2_32.inet_addr"), stack_bytes: Some(4), prototype: Some("long unsigned int inet_addr (const char *)") },
    Export { ordinal: 11, name: Some(c"inet_ntoa"), fate: Forward("ws2_32.inet_ntoa"), stack_bytes: Some(4), prototype: Some("char *inet_ntoa (struct in_addr)") },
    Export { ordinal: 12, name: Some(c"ioctlsocket"), fate: Intercept, stack_bytes: Some(12), prototype: Some("int ioctlsocket (SOCKET, long int, u_long *)") },
    Export { ordinal: 13, name: Some(c"listen"), fate: Intercept, stack_bytes: Some(8), prototype: Some("int listen (SOCKET, int)") },
    Export { ordinal: 14, name: Some(c"ntohl"), fate: Forward("ws2_32.ntohl"), stack_bytes: Some(4), prototype: Some("u_long ntohl (u_long)") },
    Export { ordinal: 15, name: Some(c"ntohs"), fate: Forward("ws2_32.ntohs"), stack_bytes: Some(4), prototype: Some("u_short ntohs (u_short)") },
    Export { ordinal: 16, name: Some(c"recv"), fate: Intercept, stack_bytes: Some(16), prototype: Some("int recv (SOCKET, char *, int, int)") },
    Export { ordinal: 17, name: Some(c"recvfrom"), fate: Intercept, stack_bytes: Some(24), prototype: Some("int recvfrom (SOCKET, char *, int, int, struct sockaddr *, int *)") },
    Export { ordinal: 18, name: Some(c"select"), fate: Intercept, stack_bytes: Some(20), prototype: Some("int select (int, fd_set *, fd_set *, fd_set *, const PTIMEVAL )") },
    Export { ordinal: 19, name: Some(c"send"), fate: Intercept, stack_bytes: Some(16), prototype: Some("int send (SOCKET, const char *, int, int)") },
    Export { ordinal: 20, name: Some(c"sendto"), fate: Intercept, stack_bytes: Some(24), prototype: Some("int sendto (SOCKET, const char *, int, int, const struct sockaddr *, int)") },
    Export { ordinal: 21, name: Some(c"setsockopt"), fate: Intercept, stack_bytes: Some(20), prototype: Some("int setsockopt (SOCKET, int, int, const char *, int)") },
    Export { ordinal: 22, name: Some(c"shutdown"), fate: Intercept, stack_bytes: Some(8), prototype: Some("int shutdown (SOCKET, int)") },
    Export { ordinal: 23, name: Some(c"socket"), fate: Intercept, stack_bytes: Some(12), prototype: Some("SOCKET socket (int, int, int)") },
    Export { ordinal: 24, name: Some(c"MigrateWinsockConfiguration"), fate: System, stack_bytes: None, prototype: None },
    Export { ordinal: 51, name: Some(c"gethostbyaddr"), fate: Forward("ws2_32.gethostbyaddr"), stack_bytes: Some(12), prototype: Some("struct hostent *gethostbyaddr (const char *, int, int)") },
    Export { ordinal: 52, name: Some(c"gethostbyname"), fate: Forward("ws2_32.gethostbyname"), stack_bytes: Some(4), prototype: Some("struct hostent *gethostbyname (const char *)") },
    Export { ordinal: 53, name: Some(c"getprotobyname"), fate: Forward("ws2_32.getprotobyname"), stack_bytes: Some(4), prototype: Some("struct protoent *getprotobyname (const char *)") },
    Export { ordinal: 54, name: Some(c"getprotobynumber"), fate: Forward("ws2_32.getprotobynumber"), stack_bytes: Some(4), prototype: Some("struct protoent *getprotobynumber (int)") },
    Export { ordinal: 55, name: Some(c"getservbyname"), fate: Forward("ws2_32.getservbyname"), stack_bytes: Some(8), prototype: Some("struct servent *getservbyname (const char *, const char *)") },
    Export { ordinal: 56, name: Some(c"getservbyport"), fate: Forward("ws2_32.getservbyport"), stack_bytes: Some(8), prototype: Some("struct servent *getservbyport (int, const char *)") },
    Export { ordinal: 57, name: Some(c"gethostname"), fate: Forward("ws2_32.gethostname"), stack_bytes: Some(8), prototype: Some("int gethostname (char *, int)") },
    Export { ordinal: 101, name: Some(c"WSAAsyncSelect"), fate: Intercept, stack_bytes: Some(16), prototype: Some("int WSAAsyncSelect (SOCKET, HWND, u_int, long int)") },
    Export { ordinal: 102, name: Some(c"WSAAsyncGetHostByAddr"), fate: Forward("ws2_32.WSAAsyncGetHostByAddr"), stack_bytes: Some(28), prototype: Some("HANDLE WSAAsyncGetHostByAddr (HWND, u_int, const char *, int, int, char *, int)") },
    Export { ordinal: 103, name: Some(c"WSAAsyncGetHostByName"), fate: Forward("ws2_32.WSAAsyncGetHostByName"), stack_bytes: Some(20), prototype: Some("HANDLE WSAAsyncGetHostByName (HWND, u_int, const char *, char *, int)") },
    Export { ordinal: 104, name: Some(c"WSAAsyncGetProtoByNumber"), fate: Forward("ws2_32.WSAAsyncGetProtoByNumber"), stack_bytes: Some(20), prototype: Some("HANDLE WSAAsyncGetProtoByNumber (HWND, u_int, int, char *, int)") },
    Export { ordinal: 105, name: Some(c"WSAAsyncGetProtoByName"), fate: Forward("ws2_32.WSAAsyncGetProtoByName"), stack_bytes: Some(20), prototype: Some("HANDLE WSAAsyncGetProtoByName (HWND, u_int, const char *, char *, int)") },
    Export { ordinal: 106, name: Some(c"WSAAsyncGetServByPort"), fate: Forward("ws2_32.WSAAsyncGetServByPort"), stack_bytes: Some(24), prototype: Some("HANDLE WSAAsyncGetServByPort (HWND, u_int, int, const char *, char *, int)") },
    Export { ordinal: 107, name: Some(c"WSAAsyncGetServByName"), fate: Forward("ws2_32.WSAAsyncGetServByName"), stack_bytes: Some(24), prototype: Some("HANDLE WSAAsyncGetServByName (HWND, u_int, const char *, const char *, char *, int)") },
    Export { ordinal: 108, name: Some(c"WSACancelAsyncRequest"), fate: Forward("ws2_32.WSACancelAsyncRequest"), stack_bytes: Some(4), prototype: Some("int WSACancelAsyncRequest (HANDLE)") },
    Export { ordinal: 109, name: Some(c"WSASetBlockingHook"), fate: Forward("ws2_32.WSASetBlockingHook"), stack_bytes: Some(4), prototype: Some("FARPROC WSASetBlockingHook (FARPROC)") },
    Export { ordinal: 110, name: Some(c"WSAUnhookBlockingHook"), fate: Forward("ws2_32.WSAUnhookBlockingHook"), stack_bytes: Some(0), prototype: Some("int WSAUnhookBlockingHook (void)") },
    Export { ordinal: 111, name: Some(c"WSAGetLastError"), fate: Forward("ws2_32.WSAGetLastError"), stack_bytes: Some(0), prototype: Some("int WSAGetLastError (void)") },
    Export { ordinal: 112, name: Some(c"WSASetLastError"), fate: Forward("ws2_32.WSASetLastError"), stack_bytes: Some(4), prototype: Some("void WSASetLastError (int)") },
    Export { ordinal: 113, name: Some(c"WSACancelBlockingCall"), fate: Forward("ws2_32.WSACancelBlockingCall"), stack_bytes: Some(0), prototype: Some("int WSACancelBlockingCall (void)") },
    Export { ordinal: 114, name: Some(c"WSAIsBlocking"), fate: Forward("ws2_32.WSAIsBlocking"), stack_bytes: Some(0), prototype: Some("WINBOOL WSAIsBlocking (void)") },
    Export { ordinal: 115, name: Some(c"WSAStartup"), fate: Intercept, stack_bytes: Some(8), prototype: Some("int WSAStartup (WORD, LPWSADATA)") },
    Export { ordinal: 116, name: Some(c"WSACleanup"), fate: Intercept, stack_bytes: Some(0), prototype: Some("int WSACleanup (void)") },
    Export { ordinal: 151, name: Some(c"__WSAFDIsSet"), fate: Forward("ws2_32.__WSAFDIsSet"), stack_bytes: Some(8), prototype: Some("int __WSAFDIsSet (SOCKET, fd_set *)") },
    Export { ordinal: 500, name: Some(c"WEP"), fate: System, stack_bytes: None, prototype: None },
    Export { ordinal: 1000, name: Some(c"WSApSetPostRoutine"), fate: System, stack_bytes: None, prototype: None },
    Export { ordinal: 1100, name: Some(c"inet_network"), fate: System, stack_bytes: None, prototype: None },
    Export { ordinal: 1101, name: Some(c"getnetbyname"), fate: System, stack_bytes: None, prototype: None },
    Export { ordinal: 1102, name: Some(c"rcmd"), fate: System, stack_bytes: None, prototype: None },
    Export { ordinal: 1103, name: Some(c"rexec"), fate: System, stack_bytes: None, prototype: None },
    Export { ordinal: 1104, name: Some(c"rresvport"), fate: System, stack_bytes: None, prototype: None },
    Export { ordinal: 1105, name: Some(c"sethostname"), fate: System, stack_bytes: None, prototype: None },
    Export { ordinal: 1106, name: Some(c"dn_expand"), fate: System, stack_bytes: None, prototype: None },
    Export { ordinal: 1107, name: Some(c"WSARecvEx"), fate: Intercept, stack_bytes: Some(16), prototype: Some("int WSARecvEx (SOCKET, char *, int, int *)") },
    Export { ordinal: 1108, name: Some(c"s_perror"), fate: System, stack_bytes: None, prototype: None },
    Export { ordinal: 1109, name: Some(c"GetAddressByNameA"), fate: System, stack_bytes: Some(40), prototype: Some("INT GetAddressByNameA (DWORD, LPGUID, LPSTR, LPINT, DWORD, LPSERVICE_ASYNC_INFO, LPVOID, LPDWORD, LPSTR, LPDWORD)") },
    Export { ordinal: 1110, name: Some(c"GetAddressByNameW"), fate: System, stack_bytes: Some(40), prototype: Some("INT GetAddressByNameW (DWORD, LPGUID, LPWSTR, LPINT, DWORD, LPSERVICE_ASYNC_INFO, LPVOID, LPDWORD, LPWSTR, LPDWORD)") },
    Export { ordinal: 1111, name: Some(c"EnumProtocolsA"), fate: System, stack_bytes: Some(12), prototype: Some("INT EnumProtocolsA (LPINT, LPVOID, LPDWORD)") },
    Export { ordinal: 1112, name: Some(c"EnumProtocolsW"), fate: System, stack_bytes: Some(12), prototype: Some("INT EnumProtocolsW (LPINT, LPVOID, LPDWORD)") },
    Export { ordinal: 1113, name: Some(c"GetTypeByNameA"), fate: System, stack_bytes: Some(8), prototype: Some("INT GetTypeByNameA (LPSTR, LPGUID)") },
    Export { ordinal: 1114, name: Some(c"GetTypeByNameW"), fate: System, stack_bytes: Some(8), prototype: Some("INT GetTypeByNameW (LPWSTR, LPGUID)") },
    Export { ordinal: 1115, name: Some(c"GetNameByTypeA"), fate: System, stack_bytes: Some(12), prototype: Some("INT GetNameByTypeA (LPGUID, LPSTR, DWORD)") },
    Export { ordinal: 1116, name: Some(c"GetNameByTypeW"), fate: System, stack_bytes: Some(12), prototype: Some("INT GetNameByTypeW (LPGUID, LPWSTR, DWORD)") },
    Export { ordinal: 1117, name: Some(c"SetServiceA"), fate: System, stack_bytes: Some(24), prototype: Some("INT SetServiceA (DWORD, DWORD, DWORD, LPSERVICE_INFOA, LPSERVICE_ASYNC_INFO, LPDWORD)") },
    Export { ordinal: 1118, name: Some(c"SetServiceW"), fate: System, stack_bytes: Some(24), prototype: Some("INT SetServiceW (DWORD, DWORD, DWORD, LPSERVICE_INFOW, LPSERVICE_ASYNC_INFO, LPDWORD)") },
    Export { ordinal: 1119, name: Some(c"GetServiceA"), fate: System, stack_bytes: Some(28), prototype: Some("INT GetServiceA (DWORD, LPGUID, LPSTR, DWORD, LPVOID, LPDWORD, LPSERVICE_ASYNC_INFO)") },
    Export { ordinal: 1120, name: Some(c"GetServiceW"), fate: System, stack_bytes: Some(28), prototype: Some("INT GetServiceW (DWORD, LPGUID, LPWSTR, DWORD, LPVOID, LPDWORD, LPSERVICE_ASYNC_INFO)") },
    Export { ordinal: 1130, name: Some(c"NPLoadNameSpaces"), fate: System, stack_bytes: None, prototype: None },
    Export { ordinal: 1140, name: Some(c"TransmitFile"), fate: Intercept, stack_bytes: Some(28), prototype: Some("WINBOOL TransmitFile (SOCKET, HANDLE, DWORD, DWORD, LPOVERLAPPED, LPTRANSMIT_FILE_BUFFERS, DWORD)") },
    Export { ordinal: 1141, name: Some(c"AcceptEx"), fate: Forward("mswsock.AcceptEx"), stack_bytes: Some(32), prototype: Some("WINBOOL AcceptEx (SOCKET, SOCKET, PVOID, DWORD, DWORD, DWORD, LPDWORD, LPOVERLAPPED)") },
    Export { ordinal: 1142, name: Some(c"GetAcceptExSockaddrs"), fate: Forward("mswsock.GetAcceptExSockaddrs"), stack_bytes: Some(32), prototype: Some("void GetAcceptExSockaddrs (PVOID, DWORD, DWORD, DWORD, struct sockaddr **, LPINT, struct sockaddr **, LPINT)") },
];
