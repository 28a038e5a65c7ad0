/* A file as a whole: settings, a secret, certificates. */
#include <errno.h>
#include <sys/stat.h>

#include "conf/table.h"

static void
close_file(FILE **f)
{
	if (*f != NULL)
		fclose(*f);
}

int
conf_read_file(const char *path, struct buf *out, bool *ret_open_to_all,
    struct err *err)
{
	CLEANUP(close_file) FILE *f = fopen(path, "re");
	char chunk[4096];
	struct stat st;
	size_t n;

	if (f == NULL || fstat(fileno(f), &st) == -1)
		return err_errno(err, ERR_CONFIG, errno, "%s", path);
	if (ret_open_to_all != NULL)
		*ret_open_to_all = S_ISREG(st.st_mode) &&
		    (st.st_mode & (S_IROTH | S_IWOTH)) != 0;
	buf_init(out, CONF_FILE_MAX);
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		if (buf_add(out, chunk, n) == -1)
			return err_set(err, ERR_CONFIG, 0, "%s: longer than "
			    "%d bytes; is it the right file?", path,
			    CONF_FILE_MAX);
	if (ferror(f) != 0)
		return err_errno(err, ERR_CONFIG, errno, "%s", path);
	return 0;
}
