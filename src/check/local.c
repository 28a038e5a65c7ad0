/*
 * local.c: the files that a run writes on this machine: the catalog, the log.
 */
#include <errno.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/units.h"
#include "db/probe.h"
#include "check/check_internal.h"
#include "target/plan.h"

/* Below the first a run ends soon, below the second it may: a catalog takes
 * about half a KiB for each file. */
#define SPACE_FAIL	(64 * MIB)
#define SPACE_WARN	GIB
#define LOG_FAIL	(16 * MIB)

static void
check_space(struct check *c, const char *area, const char *dir,
    uint64_t fail, uint64_t warn)
{
	char left[16], want[16];
	struct statvfs fs;
	uint64_t bytes;

	if (statvfs(dir, &fs) == -1) {
		check_say(c, CHECK_FAIL, area, dir, NULL, "free space: %s",
		    strerror(errno));
		return;
	}
	bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	units_format(bytes, left);
	units_format(warn, want);
	if (bytes < fail)
		check_say(c, CHECK_FAIL, area, dir, "make room, or choose "
		    "another place", "only %s are free", left);
	else if (fs.f_files > 0 && fs.f_favail == 0)
		check_say(c, CHECK_FAIL, area, dir, "remove files there, or "
		    "choose another place", "no inode is free");
	else if (bytes < warn)
		check_say(c, CHECK_WARN, area, dir, NULL,
		    "%s are free; %s would be safe", left, want);
	else
		check_say(c, CHECK_OK, area, dir, NULL, "%s are free", left);
}

static const char *
catalog_todo(const struct err *err, const char *path, const char *dir)
{
	if (access(dir, F_OK) == -1)
		return "make the directory, or set path in [catalog]";
	if (err->kind == ERR_DENIED)
		return "give this user the right, or set path in [catalog]";
	if (access(path, F_OK) == 0)
		return "datamover catalog restore COPY, or set path in "
		    "[catalog]";
	return "set path in [catalog]";
}

/* Would a run be asked which target is meant? */
static void
check_target(struct check *c)
{
	struct run_spec spec = { .op = OP_PUT };
	struct err err = ERR_INIT;

	plan_target(&spec, c->conf);
	if (spec.bucket != NULL && catalog_check_target(c->conf->catalog.path,
	    &spec, &err) == -1)
		check_say(c, CHECK_FAIL, "catalog", c->conf->catalog.path,
		    "nothing is sent until that is said", "%s", err.msg);
}

static void
check_catalog(struct check *c)
{
	const char *path = c->conf->catalog.path;
	AUTOFREE char *dir = path_parent(path);
	struct err err = ERR_INIT;
	struct catalog_probe p;
	char size[16];

	if (catalog_probe(path, &p, &err) == -1)
		check_say(c, CHECK_FAIL, "catalog", path,
		    catalog_todo(&err, path, dir), "%s", err.msg);
	else if (p.in_use)
		check_say(c, CHECK_FAIL, "catalog", path,
		    "wait until it ends: see datamover status",
		    "a run uses it (process %jd)", (intmax_t)p.pid);
	else if (!p.exists || p.version == 0)
		check_say(c, CHECK_OK, "catalog", path, NULL,
		    "new: the first run makes it");
	else if (p.older)
		check_say(c, CHECK_WARN, "catalog", path, "datamover catalog "
		    "restore, if there is a later copy", "an older copy of "
		    "the catalog that was here: it counts as restored, and "
		    "PUT asks the bucket first");
	else if (p.version < p.newest)
		check_say(c, CHECK_OK, "catalog", path, NULL,
		    "%s, schema %d: the next run brings it to %d",
		    units_format(p.bytes, size), p.version, p.newest);
	else
		check_say(c, CHECK_OK, "catalog", path, NULL,
		    "%s, schema %d", units_format(p.bytes, size), p.version);
	if (err.kind == ERR_NONE && p.exists)
		check_target(c);
	if (access(dir, F_OK) == 0)
		check_space(c, "catalog", dir, SPACE_FAIL, SPACE_WARN);
}

/* A run makes the directories of the log: the deepest directory that exists
 * says whether the run can make the missing directories. */
static char *
existing_part(const char *path)
{
	char *dir = xstrdup(path);

	while (access(dir, F_OK) == -1 && errno == ENOENT &&
	    strcmp(dir, "/") != 0 && strcmp(dir, ".") != 0) {
		char *up = path_parent(dir);

		free(dir);
		dir = up;
	}
	return dir;
}

static int
may_log(const char *dir, const char *file, struct err *err)
{
	struct stat st;

	if (stat(dir, &st) == 0 && !S_ISDIR(st.st_mode))
		return err_set(err, ERR_CONFIG, 0, "%s is not a directory",
		    dir);
	if (access(dir, W_OK | X_OK) == -1)
		return err_errno(err, ERR_DENIED, errno, "%s", dir);
	if (access(file, W_OK) == -1 && errno != ENOENT)
		return err_errno(err, ERR_DENIED, errno, "%s", file);
	return 0;
}

static void
check_log(struct check *c)
{
	const char *path = c->conf->logging.path;
	AUTOFREE char *file = xasprintf("%s/datamover.log", path);
	AUTOFREE char *dir = existing_part(path);
	struct err err = ERR_INIT;

	/* If the default place can't be written, a run goes on without a log
	 * file and warns. */
	if (may_log(dir, file, &err) == -1) {
		check_say(c, conf_origin_of(c->conf, "logging", "path") ==
		    CONF_DEFAULT ? CHECK_WARN : CHECK_FAIL, "log", path,
		    "give this user the right, or set path in [logging]",
		    "%s", err.msg);
		return;
	}
	check_say(c, CHECK_OK, "log", path, NULL, "%s",
	    strcmp(dir, path) == 0 ? "can be written" :
	    "the first run makes it");
	check_space(c, "log", dir, LOG_FAIL,
	    c->conf->logging.max_log_file_size *
	    (c->conf->logging.log_file_backup_count + 1));
}

/* What follows the end of a run: a mistake would only be a warning there. */
static void
check_ended(struct check *c)
{
	const char *program = c->conf->general.after_run;
	const char *file = c->conf->general.metrics_file;
	AUTOFREE char *dir = file == NULL ? NULL : path_parent(file);

	if (program != NULL && access(program, X_OK) == -1)
		check_say(c, CHECK_FAIL, "end", program, "see after_run in "
		    "[general]", "%s", strerror(errno));
	else if (program != NULL)
		check_say(c, CHECK_OK, "end", program, NULL,
		    "can be run");
	if (file != NULL && access(dir, W_OK | X_OK) == -1)
		check_say(c, CHECK_FAIL, "end", file, "give this user the "
		    "right to write in its directory, or set metrics_file in "
		    "[general]", "%s", strerror(errno));
	else if (file != NULL)
		check_say(c, CHECK_OK, "end", file, NULL, "can be written");
}

void
check_local(struct check *c)
{
	check_catalog(c);
	check_log(c);
	check_ended(c);
}
