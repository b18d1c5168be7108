// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Dom0's end of a guest's console: `guest serve TTY SOCKET LOG` keeps the console's pty, writes what the guest prints
 * into LOG and runs commands for its clients; `guest run SOCKET COMMAND` is such a client. It prints the command's
 * output as it comes and exits with the command's status, or with 255 when the guest is gone. A client that is killed
 * takes its command in the guest with it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <time.h>

#include "frame.h"

#define CLIENTS 14
#define GONE 255

struct client {
	int fd; /* -1: free */
	unsigned int job;
	bool started;
};

static struct client clients[CLIENTS];
static unsigned int last_job;
static bool ready;
static int tty, logfd;

static int address(struct sockaddr_un *sun, const char *path)
{
	memset(sun, 0, sizeof(*sun));
	sun->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(sun->sun_path))
		return -1;
	memcpy(sun->sun_path, path, strlen(path));
	return 0;
}

/* Client and server exchange packets: the frame's letter and bytes. */
static void tell(struct client *c, char kind, const void *data, size_t len)
{
	char packet[FRAME_DATA + 1];

	packet[0] = kind;
	memcpy(packet + 1, data, len);
	if (send(c->fd, packet, len + 1, MSG_NOSIGNAL) < 0 || kind == 'e') {
		close(c->fd);
		c->fd = -1;
	}
}

static void client_input(struct client *c)
{
	char packet[FRAME_DATA + 1];
	ssize_t n = recv(c->fd, packet, sizeof(packet), 0);

	if (n > 0) {
		frame_send(tty, c->job, packet[0], packet + 1, (size_t)n - 1);
		c->started = true;
		return;
	}
	if (c->started)
		frame_send(tty, c->job, 'k', NULL, 0);
	close(c->fd);
	c->fd = -1;
}

static void line_take(const char *line, size_t len)
{
	struct frame f;

	if (!frame_parse(line, &f)) {
		if (write(logfd, line, len) < 0 || write(logfd, "\n", 1) < 0)
			perror("guest: log");
		return;
	}
	if (f.kind == 'y')
		ready = true;
	for (int i = 0; i < CLIENTS; i++)
		if (clients[i].fd >= 0 && clients[i].job == f.job &&
		    (f.kind == 'o' || f.kind == 'e'))
			tell(&clients[i], f.kind, f.data, f.len);
}

/* The agent's greeting may have been lost with what the guest printed before. Before it runs the guest echoes. */
static void ask(void)
{
	static struct timespec last;
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	if (t.tv_sec - last.tv_sec < 2)
		return;
	last = t;
	frame_send(tty, 0, 'p', NULL, 0);
}

/* False when the console has gone. */
static bool tty_input(void)
{
	static char line[4096];
	static size_t len;
	char c[1024];
	ssize_t n = read(tty, c, sizeof(c));

	if (n <= 0)
		return n < 0 && (errno == EINTR || errno == EAGAIN);
	for (ssize_t i = 0; i < n; i++) {
		/* A frame may begin behind the guest's unfinished line. */
		bool mark = c[i] == FRAME_MARK && len;

		if (c[i] == '\r')
			continue;
		if (c[i] == '\n' || mark || len == sizeof(line) - 1) {
			line[len] = '\0';
			line_take(line, len);
			len = 0;
		}
		if (c[i] != '\n')
			line[len++] = c[i];
	}
	return true;
}

static int serve(const char *path, const char *socket_path, const char *log_path)
{
	struct pollfd p[CLIENTS + 2];
	struct sockaddr_un sun;
	struct termios raw;
	int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	unsigned char gone = GONE;

	tty = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	logfd = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (tty < 0 || logfd < 0 || address(&sun, socket_path) < 0) {
		perror("guest: console");
		return 1;
	}
	tcgetattr(tty, &raw);
	cfmakeraw(&raw);
	tcsetattr(tty, TCSANOW, &raw);
	unlink(socket_path);
	if (bind(listener, (struct sockaddr *)&sun, sizeof(sun)) < 0 ||
	    listen(listener, CLIENTS) < 0) {
		perror("guest: socket");
		return 1;
	}
	for (int i = 0; i < CLIENTS; i++)
		clients[i].fd = -1;
	for (;;) {
		struct client *free_client = NULL;

		for (int i = 0; i < CLIENTS; i++) {
			p[i + 2] = (struct pollfd){ ready ? clients[i].fd : -1, POLLIN, 0 };
			if (clients[i].fd < 0)
				free_client = &clients[i];
		}
		p[0] = (struct pollfd){ tty, POLLIN, 0 };
		p[1] = (struct pollfd){ free_client ? listener : -1, POLLIN, 0 };
		if (poll(p, CLIENTS + 2, ready ? -1 : 500) < 0)
			continue;
		if (!ready)
			ask();
		if (p[0].revents && !tty_input())
			break;
		if (p[1].revents)
			*free_client = (struct client){ accept4(listener, NULL, NULL, SOCK_CLOEXEC),
							++last_job, false };
		for (int i = 0; i < CLIENTS; i++)
			if (p[i + 2].revents && clients[i].fd == p[i + 2].fd)
				client_input(&clients[i]);
	}
	unlink(socket_path);
	for (int i = 0; i < CLIENTS; i++)
		if (clients[i].fd >= 0)
			tell(&clients[i], 'e', &gone, 1);
	return 0;
}

static int run(const char *socket_path, const char *command)
{
	struct sockaddr_un sun;
	char packet[FRAME_DATA + 1];
	size_t len = strlen(command);
	ssize_t n;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (address(&sun, socket_path) < 0 || connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		return GONE;
	for (size_t piece; len; command += piece, len -= piece) {
		piece = len < FRAME_DATA ? len : FRAME_DATA;
		packet[0] = 'r';
		memcpy(packet + 1, command, piece);
		if (send(fd, packet, piece + 1, MSG_NOSIGNAL) < 0)
			return GONE;
	}
	if (send(fd, "g", 1, MSG_NOSIGNAL) < 0)
		return GONE;
	while ((n = recv(fd, packet, sizeof(packet), 0)) > 0) {
		if (packet[0] == 'e')
			return n > 1 ? (unsigned char)packet[1] : GONE;
		if (frame_write_all(1, packet + 1, (size_t)n - 1) < 0)
			return 1;
	}
	return GONE;
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	if (argc == 5 && !strcmp(argv[1], "serve"))
		return serve(argv[2], argv[3], argv[4]);
	if (argc == 4 && !strcmp(argv[1], "run"))
		return run(argv[2], argv[3]);
	fprintf(stderr, "usage: guest serve TTY SOCKET LOG | guest run SOCKET COMMAND\n");
	return 2;
}
