/* What Wine's own headers and libraries have and mingw's lack. */
#define SO_BSP_STATE 0x1009
#define SIO_IDEAL_SEND_BACKLOG_QUERY 0x4004747b
#define WSA_CMSG_ALIGN(length) (((length) + sizeof(SIZE_T) - 1) & ~(sizeof(SIZE_T) - 1))

const char *debugstr_an(const char *text, int length);
