/* A connection as standard input and output, and behind FILE pointers: fgets, fprintf, fread, dprintf, mixed with send. */
#include "common.h"

static void standard_server(int fd)
{
	int keep = MUST(dup(1));
	MUST(dup2(fd, 0));
	MUST(dup2(fd, 1));
	MUST(close(fd));
	char line[64];
	while (fgets(line, sizeof line, stdin) && strcmp(line, "bye\n") != 0) {
		printf("you said %s", line);
		fflush(stdout);
	}
	char byte = '!';
	MUST(write(1, &byte, 1));
	MUST(dup2(keep, 1));
	MUST(close(0));
}

static void standard_client(int fd)
{
	send_text(fd, "hello\n");
	expect_text(fd, "you said hello\n");
	sleep_ms(20);
	send_text(fd, "again\nand again\n");
	expect_text(fd, "you said again\nyou said and again\n");
	send_text(fd, "bye\n");
	expect_text(fd, "!");
	char byte;
	say_result("end", recv(fd, &byte, 1, 0));
}

static void files_server(int fd)
{
	FILE *in = fdopen(fd, "r"), *out = fdopen(dup(fd), "w");
	char line[64];
	int number = 0;
	for (int i = 0; i < 100; i++) {
		if (!fgets(line, sizeof line, in) || sscanf(line, "number %d", &number) != 1)
			die("line %d", i);
		fprintf(out, "twice %d\n", 2 * number);
		if (i % 10 == 9)
			fflush(out);
	}
	uint8_t block[5000];
	say_result("fread", fread(block, 1, sizeof block, in));
	say_whether("right", matches(block, sizeof block, 1, 0));
	fwrite(block, 1, sizeof block, out);
	say_result("fclose", fclose(out));
	say_whether("fgetc at the end", fgetc(in) == EOF);
	say_whether("feof", feof(in));
	say_result("fclose", fclose(in));
}

static void files_client(int fd)
{
	for (int i = 0; i < 100; i++) {
		dprintf(fd, "number %d\n", i);
		if (i % 10 == 9)
			sleep_ms(2);
	}
	char line[64];
	int right = 0, number;
	FILE *in = fdopen(fd, "r+");
	for (int i = 0; i < 100; i++)
		right += fgets(line, sizeof line, in) && sscanf(line, "twice %d", &number) == 1 && number == 2 * i;
	say("answers: %d", right);
	uint8_t block[5000];
	fill(block, sizeof block, 1, 0);
	send_all(fd, block, sizeof block);
	memset(block, 0, sizeof block);
	say_result("fread", fread(block, 1, sizeof block, in));
	say_whether("right", matches(block, sizeof block, 1, 0));
	MUST(shutdown(fd, SHUT_WR));
	say_whether("fgetc at the end", fgetc(in) == EOF);
}

/* By turns through a FILE without a buffer and by send and recv. */
static void mixed_server(int fd)
{
	FILE *file = fdopen(fd, "r+");
	setvbuf(file, NULL, _IONBF, 0);
	for (int i = 0; i < 20; i++) {
		int character = fgetc(file);
		send_all(fd, &(char){ character + 1 }, 1);
		char byte;
		recv_all(fd, &byte, 1);
		fputc(byte + 1, file);
	}
}

static void mixed_client(int fd)
{
	char text[41] = "";
	for (int i = 0; i < 40; i++) {
		char byte = 'a' + i % 20;
		send_all(fd, &byte, 1);
		recv_all(fd, text + i, 1);
	}
	say("answers: %s", text);
}

static const struct test_case cases[] = {
	{ "standard input and output", standard_server, standard_client, PAIRED },
	{ "files", files_server, files_client, PAIRED },
	{ "mixed", mixed_server, mixed_client, PAIRED },
};
MAIN(cases)
