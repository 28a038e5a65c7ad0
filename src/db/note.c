/*
 * The note in the place from which a catalog was moved.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db/db_internal.h"
#include "db/guard.h"
#include "db/keep.h"

/* What stands in the old place: this line, and one with the new place. */
static const char note[] =
    "The catalog of datamover that was here has been moved:\n";
#define NOTE_MAX	(sizeof(note) + 4096)

char *
note_read(const char *path)
{
	char text[NOTE_MAX + 1];
	struct stat st;
	CLEANUP(close_fd) int fd = -1;
	ssize_t n;

	/* Never open a database here: closing it drops SQLite's locks. */
	if (stat(path, &st) == -1 || !S_ISREG(st.st_mode) ||
	    st.st_size > (off_t)NOTE_MAX)
		return NULL;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd == -1 ? -1 : read(fd, text, NOTE_MAX);
	if (n < (ssize_t)sizeof(note) ||
	    memcmp(text, note, sizeof(note) - 1) != 0)
		return NULL;
	text[n] = '\0';
	text[strcspn(text + sizeof(note) - 1, "\n") + sizeof(note) - 1] = '\0';
	return xstrdup(text + sizeof(note) - 1);
}

int
catalog_moved(const char *path, struct err *err)
{
	AUTOFREE char *to = note_read(path);

	if (to == NULL)
		return 0;
	return err_set(err, ERR_CONFIG, 0, "catalog %s was moved to %s: set "
	    "path in [catalog] to that", path, to);
}

int
note_write(const char *name, const char *to, struct err *err)
{
	CLEANUP(close_fd) int fd = -1;
	AUTOFREE char *text = xasprintf("%s%s\n", note, to);
	ssize_t n = (ssize_t)strlen(text);

	if (unlink(name) == 0 || errno == ENOENT)
		fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd == -1 || write(fd, text, (size_t)n) != n || fsync(fd) == -1)
		return guard_fault(err, errno, name);
	return 0;
}
