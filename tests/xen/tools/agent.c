// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The guest's first process in the testbed: runs the commands that Dom0 sends over the PV console (frame.h), several
 * at a time, and reaps. A line that is not a frame, such as Enter typed at `xl console`, gets a shell there.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>

#include "frame.h"

#define JOBS 16
#define TEXT 131072

struct job {
	unsigned int id; /* 0: free */
	pid_t pid; /* 0: not started */
	int out;
	size_t len;
	char text[TEXT];
};

static struct job jobs[JOBS];
static int tty;
static pid_t shell;
static struct termios sane, raw;

static struct job *job_find(unsigned int id)
{
	for (int i = 0; i < JOBS; i++)
		if (jobs[i].id == id)
			return &jobs[i];
	return NULL;
}

static void job_end(struct job *j, int code)
{
	unsigned char c = (unsigned char)code;

	frame_send(tty, j->id, 'e', &c, 1);
	if (j->out >= 0)
		close(j->out);
	j->id = 0;
}

static void child_begin(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
}

static void job_start(struct job *j)
{
	int out[2];

	if (pipe2(out, O_CLOEXEC) < 0) {
		job_end(j, 126);
		return;
	}
	j->text[j->len] = '\0';
	j->pid = fork();
	if (!j->pid) {
		child_begin();
		dup2(open("/dev/null", O_RDONLY), 0);
		dup2(out[1], 1);
		dup2(out[1], 2);
		execl("/bin/bash", "bash", "-c", j->text, NULL);
		_exit(127);
	}
	close(out[1]);
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	j->out = out[0];
}

/* False when the pipe is empty or at its end. */
static bool job_output(struct job *j)
{
	char buf[FRAME_DATA];
	ssize_t n = read(j->out, buf, sizeof(buf));

	if (n > 0)
		frame_send(tty, j->id, 'o', buf, (size_t)n);
	if (n == 0) {
		close(j->out);
		j->out = -1;
	}
	return n > 0;
}

static void job_exited(struct job *j, int status)
{
	while (j->out >= 0 && job_output(j))
		;
	job_end(j, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

static void reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == shell) {
			shell = 0;
			tcsetattr(tty, TCSAFLUSH, &raw);
		}
		for (int i = 0; i < JOBS; i++)
			if (jobs[i].id && jobs[i].pid == pid)
				job_exited(&jobs[i], status);
	}
}

static void shell_start(void)
{
	shell = fork();
	if (shell)
		return;
	child_begin();
	ioctl(tty, TIOCSCTTY, 1);
	tcsetattr(tty, TCSANOW, &sane);
	for (int fd = 0; fd < 3; fd++)
		dup2(tty, fd);
	execl("/bin/bash", "bash", "-i", NULL);
	_exit(127);
}

static void frame_take(const struct frame *f)
{
	struct job *j = f->job ? job_find(f->job) : NULL;

	if (f->kind == 'p')
		frame_send(tty, 0, 'y', NULL, 0);
	if (f->kind == 'r' && f->job && !j) {
		j = job_find(0);
		if (!j)
			return;
		j->id = f->job;
		j->pid = 0;
		j->out = -1;
		j->len = 0;
	}
	if (!j)
		return;
	if (f->kind == 'r' && !j->pid && j->len + f->len < TEXT) {
		memcpy(j->text + j->len, f->data, f->len);
		j->len += f->len;
	}
	if (f->kind == 'g' && !j->pid)
		job_start(j);
	if (f->kind == 'k' && j->pid)
		kill(-j->pid, SIGKILL);
}

static void tty_input(void)
{
	static char line[FRAME_LINE];
	static size_t len;
	char c[256];
	struct frame f;
	ssize_t n = read(tty, c, sizeof(c));

	for (ssize_t i = 0; i < n; i++) {
		if (c[i] != '\n' && c[i] != '\r') {
			if (len < sizeof(line) - 1)
				line[len++] = c[i];
			continue;
		}
		line[len] = '\0';
		len = 0;
		if (frame_parse(line, &f))
			frame_take(&f);
		else if (line[0] != FRAME_MARK)
			shell_start();
	}
}

int main(int argc, char **argv)
{
	struct pollfd p[JOBS + 2];
	struct signalfd_siginfo si;
	sigset_t chld;

	tty = open(argc > 1 ? argv[1] : "/dev/hvc0", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (tty < 0)
		return 1;
	tcgetattr(tty, &sane);
	raw = sane;
	cfmakeraw(&raw);
	tcsetattr(tty, TCSAFLUSH, &raw);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	p[0] = (struct pollfd){ signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK), POLLIN, 0 };
	frame_send(tty, 0, 'y', NULL, 0);
	for (;;) {
		p[1] = (struct pollfd){ shell ? -1 : tty, POLLIN, 0 };
		for (int i = 0; i < JOBS; i++)
			p[i + 2] = (struct pollfd){ jobs[i].id && jobs[i].pid ? jobs[i].out : -1,
						    POLLIN, 0 };
		if (poll(p, JOBS + 2, -1) < 0)
			continue;
		if (p[0].revents && read(p[0].fd, &si, sizeof(si)) > 0)
			reap();
		if (p[1].revents)
			tty_input();
		for (int i = 0; i < JOBS; i++)
			if (p[i + 2].revents && jobs[i].id && jobs[i].out >= 0)
				job_output(&jobs[i]);
	}
}
