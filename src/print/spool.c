#include "print/spool.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include "base/clock.h"

struct spool {
	int	 fd;
	FILE	*stream;
	uint64_t patience_ms;
	uint64_t waited_ms;
	int	 file;		/* what is spooled; -1: nothing is */
	bool	 no_file;	/* and nothing can be */
};

/* The file has no name: the file is gone with its descriptor, however the
 * process ends. */
static int
temporary_file(void)
{
	const char *base = getenv("TMPDIR");
	AUTOFREE char *name = xasprintf("%s/datamover-XXXXXX",
	    base != NULL && base[0] == '/' ? base : "/tmp");
	int fd = mkostemp(name, O_CLOEXEC);

	if (fd != -1)
		unlink(name);
	return fd;
}

/* True if the reader takes something before our patience is at its end. */
static bool
may_write(struct spool *s)
{
	struct pollfd fd = { .fd = s->fd, .events = POLLOUT };
	uint64_t began = clock_mono_ms();
	int rc;

	if (s->no_file)
		return true;
	if (s->waited_ms >= s->patience_ms)
		return false;
	rc = poll(&fd, 1, (int)MIN(s->patience_ms - s->waited_ms,
	    (uint64_t)INT_MAX));
	s->waited_ms += clock_mono_ms() - began;
	return rc != 0;
}

/* Begins to spool. */
static void
lose_patience(struct spool *s)
{
	s->file = temporary_file();
	s->no_file = s->file == -1;
	if (s->no_file)
		return;
	fprintf(stderr, "datamover: nobody takes the answer: the rest waits "
	    "in a temporary file, and the catalog is let go\n");
}

static ssize_t
take(void *cookie, const char *p, size_t n)
{
	struct spool *s = cookie;
	size_t left = n;

	while (left > 0 && s->file == -1) {
		/* PIPE_BUF bytes: a pipe that is ready takes the whole
		 * piece. */
		size_t piece = MIN(left, (size_t)PIPE_BUF);

		if (!may_write(s)) {
			lose_patience(s);
			continue;
		}
		if (write_all(s->fd, p, piece) == -1)
			return 0;
		p += piece;
		left -= piece;
	}
	if (left > 0 && write_all(s->file, p, left) == -1)
		return 0;
	return (ssize_t)n;
}

struct spool *
spool_new(int fd, uint64_t patience_ms)
{
	const cookie_io_functions_t io = { .write = take };
	struct spool *s = xcalloc(1, sizeof(*s));

	s->fd = fd;
	s->file = -1;
	s->patience_ms = patience_ms;
	s->stream = fopencookie(s, "w", io);
	if (s->stream == NULL)
		abort();	/* no memory */
	/* On a terminal each line is to be seen as it comes. */
	if (isatty(fd) == 1)
		setvbuf(s->stream, NULL, _IOLBF, 0);
	return s;
}

FILE *
spool_stream(struct spool *s)
{
	return s->stream;
}

static bool
write_spooled(const struct spool *s)
{
	char data[65536];
	ssize_t n = 0;

	if (lseek(s->file, 0, SEEK_SET) == -1)
		return false;
	for (;;) {
		n = read(s->file, data, sizeof(data));
		if (n <= 0)
			return n == 0;
		if (write_all(s->fd, data, (size_t)n) == -1)
			return false;
	}
}

int
spool_end(struct spool **sp)
{
	struct spool *s = STEAL(*sp);
	bool sound = ferror(s->stream) == 0;

	if (fclose(s->stream) != 0)
		sound = false;
	if (s->file != -1 && sound)
		sound = write_spooled(s);
	close_fd(&s->file);
	free(s);
	return sound ? 0 : -1;
}
