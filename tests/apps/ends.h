/* The memory that the supervisor and both ends of a case share; for common.c and tools.c alone. */
#ifndef ENDS_H
#define ENDS_H

enum { SERVER = 0, CLIENT = 1 };
enum { SERVER_PID_PLACE = 14, PLACES = 16 };

struct transcript {
	_Atomic unsigned length;
	char text[64 * 1024];
};

struct shared {
	struct transcript transcripts[2];
	_Atomic unsigned met[2];
	_Atomic bool ended[2];
	_Atomic long posted[PLACES];
};

extern struct shared *shared;
extern int my_end;

#endif
