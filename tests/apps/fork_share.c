/* Parent and child on one connection: by turns, in different directions, one after the other. */
#include "common.h"

static void child_sends(int fd)
{
	send_pattern(fd, 300000, 5000, 1);
}

static void child_receives(int fd)
{
	recv_pattern("child", fd, 300000, 5000, 2);
}

static void split_server(int fd)
{
	pid_t child = start_child(child_sends, fd);
	recv_pattern("parent", fd, 300000, 7000, 2);
	join_child("child", child);
}

static void split_other_server(int fd)
{
	pid_t child = start_child(child_receives, fd);
	send_pattern(fd, 300000, 7000, 1);
	join_child("child", child);
}

static void *receive_in_thread(void *argument)
{
	recv_pattern("client", *(int *)argument, 300000, 9000, 1);
	return NULL;
}

static void split_client(int fd)
{
	pthread_t receiver = start_thread(receive_in_thread, &fd);
	send_pattern(fd, 300000, 3000, 2);
	pthread_join(receiver, NULL);
}

/* Both write whole frames; a token in a pipe says whose turn it is. */
static int token[2];

static void frames_with_token(int fd, char who)
{
	char frame[500], turn;
	memset(frame, who, sizeof frame);
	for (int i = 0; i < 200; i++) {
		MUST(read(token[0], &turn, 1));
		send_all(fd, frame, sizeof frame);
		MUST(write(token[1], &turn, 1));
	}
}

static void frames_of_child(int fd)
{
	frames_with_token(fd, 'c');
}

static void frames_server(int fd)
{
	MUST(pipe(token));
	MUST(write(token[1], "t", 1));
	pid_t child = start_child(frames_of_child, fd);
	frames_with_token(fd, 'p');
	join_child("child", child);
}

static void frames_client(int fd)
{
	int of_child = 0, of_parent = 0, torn = 0;
	char frame[500], whole[500];
	for (int i = 0; i < 400; i++) {
		recv_all(fd, frame, sizeof frame);
		memset(whole, frame[0], sizeof whole);
		of_child += frame[0] == 'c';
		of_parent += frame[0] == 'p';
		torn += memcmp(frame, whole, sizeof whole) != 0;
	}
	say("frames of the child %d, of the parent %d, torn %d", of_child, of_parent, torn);
}

/* The child echoes some, ends; the parent goes on where it stopped. */
static void echo_some(int fd)
{
	char buffer[100];
	for (int i = 0; i < 100; i++) {
		recv_all(fd, buffer, 1 + i);
		send_all(fd, buffer, 1 + i);
	}
}

static void turns_server(int fd)
{
	for (int turn = 0; turn < 4; turn++) {
		if (turn & 1)
			echo_some(fd);
		else
			join_child("child", start_child(echo_some, fd));
	}
}

static void turns_client(int fd)
{
	uint8_t sent[100], received[100];
	int right = 0;
	for (int i = 0; i < 400; i++) {
		int length = 1 + i % 100;
		fill(sent, length, 7, i);
		send_all(fd, sent, length);
		recv_all(fd, received, length);
		right += memcmp(sent, received, length) == 0;
	}
	say("echoes: %d", right);
}

/* The connection ends only when the last of them has closed it. */
static void close_late(int fd)
{
	sleep_ms(50);
	send_text(fd, "from the child, after the parent has closed");
	MUST(close(fd));
}

static void last_server(int fd)
{
	pid_t child = start_child(close_late, fd);
	MUST(close(fd));
	join_child("child", child);
}

static void last_client(int fd)
{
	expect_text(fd, "from the child, after the parent has closed");
	char byte;
	say_result("end", recv(fd, &byte, 1, 0));
}

/* The child sleeps in recv at the moment when the parent forks again and sends. */
static void echo_one(int fd)
{
	char buffer[4];
	recv_all(fd, buffer, 4);
	send_all(fd, buffer, 4);
}

static void nested_child(int fd)
{
	join_child("grandchild", start_child(echo_one, fd));
	echo_one(fd);
}

static void nested_server(int fd)
{
	join_child("child", start_child(nested_child, fd));
	echo_one(fd);
}

static void nested_client(int fd)
{
	for (int i = 0; i < 3; i++) {
		sleep_ms(20);
		send_text(fd, "ping");
		expect_text(fd, "ping");
	}
}

/* shutdown by the child is for all. */
static void shut_down(int fd)
{
	MUST(shutdown(fd, SHUT_WR));
}

static void shut_server(int fd)
{
	join_child("child", start_child(shut_down, fd));
	say_result("send of the parent", send(fd, "x", 1, MSG_NOSIGNAL));
	expect_text(fd, "still heard");
}

static void shut_client(int fd)
{
	char byte;
	say_result("end", recv(fd, &byte, 1, 0));
	send_text(fd, "still heard");
}

static const struct test_case cases[] = {
	{ "child sends, parent receives", split_server, split_client, PAIRED },
	{ "child receives, parent sends", split_other_server, split_client, PAIRED },
	{ "frames with a token", frames_server, frames_client, PAIRED },
	{ "by turns", turns_server, turns_client, PAIRED },
	{ "last close", last_server, last_client, PAIRED },
	{ "grandchild", nested_server, nested_client, PAIRED },
	{ "shutdown", shut_server, shut_client, PAIRED },
};
MAIN(cases)
