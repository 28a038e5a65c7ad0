/*
 * outputs.c: the formats of a report, and the file for a written report.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report/report_internal.h"

struct report_output {
	const char *format;
	void	 (*write)(const struct report *, struct buf *);
};

static const struct report_output outputs[] = {
	{ "text", report_text },
	{ "json", report_json },
	{ "csv", report_csv },
	{ "html", report_html },
};

const struct report_output *
report_output_of(const char *format)
{
	for (size_t i = 0; i < ARRAY_LEN(outputs); i++)
		if (strcmp(format, outputs[i].format) == 0)
			return &outputs[i];
	return NULL;
}

const char *
report_outputs(void)
{
	static char names[80];
	size_t n = ARRAY_LEN(outputs), len = 0;

	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(names + len, sizeof(names) - len,
		    "%s%s", i == 0 ? "" : i + 1 == n ? " or " : ", ",
		    outputs[i].format);
	return names;
}

/* Refuse a path that exists and is not a regular file (a terminal,
 * /dev/null): the rename would replace the device. */
static int
check_place(const char *file, struct err *err)
{
	struct stat st;

	if (stat(file, &st) == -1 || S_ISREG(st.st_mode))
		return 0;
	return err_set(err, ERR_USAGE, 0, "--output %s is a %s, not a file",
	    file, S_ISDIR(st.st_mode) ? "directory" : "device");
}

/* Return the mode of a file that open(2) would make. */
static mode_t
new_mode(void)
{
	mode_t mask = umask(022);

	umask(mask);
	return 0666 & ~mask;
}

static int
write_file(const char *file, struct str s, struct err *err)
{
	AUTOFREE char *name = xasprintf("%s.XXXXXX", file);
	CLEANUP(close_fd) int fd = -1;
	int rc;

	if (check_place(file, err) == -1)
		return -1;
	fd = mkostemp(name, O_CLOEXEC);
	if (fd == -1)
		return err_errno(err, ERR_USAGE, errno, "--output %s", file);
	rc = write_all(fd, s.p, s.len);
	if (rc == 0)
		rc = fchmod(fd, new_mode());
	if (rc == 0)
		rc = fsync(fd);
	if (rc == 0)
		rc = rename(name, file);
	if (rc == -1) {
		err_errno(err, ERR_RESOURCE, errno, "--output %s", file);
		unlink(name);
	}
	return rc;
}

int
report_write(const struct report *r, const struct report_output *o,
    const char *file, struct err *err)
{
	struct buf b CLEANUP(buf_release);

	buf_init(&b, SIZE_MAX >> 1);
	o->write(r, &b);
	if (file != NULL)
		return write_file(file, buf_str(&b), err);
	if (fwrite(b.data, 1, b.len, stdout) != b.len || fflush(stdout) != 0)
		return err_set(err, ERR_RESOURCE, 0,
		    "standard output can't be written");
	return 0;
}
