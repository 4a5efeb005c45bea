/* Sends back what it receives. Without an argument the connection is standard input and output; with one, a descriptor's number,
 * that is a listener, of which it serves three connections one after the other. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int echo(int in, int out)
{
	char buffer[4096];
	ssize_t got;
	while ((got = read(in, buffer, sizeof buffer)) > 0) {
		for (ssize_t done = 0; done < got;) {
			ssize_t sent = write(out, buffer + done, got - done);
			if (sent <= 0)
				return 1;
			done += sent;
		}
	}
	return got == 0 ? 0 : 2;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return echo(0, 1);
	for (int i = 0; i < 3; i++) {
		int fd = accept(atoi(argv[1]), NULL, NULL);
		if (fd < 0 || echo(fd, fd) != 0)
			return 3;
		close(fd);
	}
	return 0;
}
