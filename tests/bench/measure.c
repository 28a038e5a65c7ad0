/*
 * measure.c: run a program and write what it cost:
 *
 *	measure FILE PROGRAM [ARGUMENT...]
 *
 * FILE gets one line: seconds of wall time, of user and of system time (with
 * all its children that it waited for), peak resident KiB, exit status. In C,
 * as a child's peak begins with the size of the one that forked it.
 */
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/clock.h"

extern char **environ;

static double
seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

int
main(int argc, char **argv)
{
	struct rusage ru;
	uint64_t ns;
	int status;
	pid_t pid;
	FILE *out;

	if (argc < 3) {
		fprintf(stderr, "usage: measure FILE PROGRAM [ARGUMENT...]\n");
		return 2;
	}
	out = fopen(argv[1], "we");
	if (out == NULL) {
		perror(argv[1]);
		return 2;
	}
	ns = clock_mono_ns();
	if (posix_spawnp(&pid, argv[2], NULL, NULL, argv + 2, environ) != 0 ||
	    wait4(pid, &status, 0, &ru) == -1) {
		perror(argv[2]);
		fclose(out);
		return 2;
	}
	ns = clock_mono_ns() - ns;
	status = WIFEXITED(status) ? WEXITSTATUS(status) : 255;
	fprintf(out, "%.3f %.3f %.3f %ld %d\n", (double)ns / 1e9,
	    seconds(ru.ru_utime), seconds(ru.ru_stime), ru.ru_maxrss, status);
	fclose(out);
	return status;
}
