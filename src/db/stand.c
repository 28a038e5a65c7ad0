/*
 * The lock file has fields of fixed width, each a line: the process number of
 * the master (guard.c); what stat(2) said of the catalog when it was closed,
 * until the next master takes the lock; and how far the catalog has come. Each
 * is written by one call.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db/db_internal.h"
#include "db/guard.h"
#include "db/stand.h"

#define SIGN_AT		GUARD_PID_SIZE
#define STAND_AT	GUARD_HEAD_SIZE
#define LINE_SIZE	128
#define NUMBERS		5

/* What grows with each run, and nothing makes smaller. */
struct stand {
	int64_t	 run;		/* the last one; 0: nothing is remembered */
	int64_t	 began;
	int64_t	 ended;		/* bool */
	int64_t	 event;		/* the last one */
	int64_t	 number;	/* see stand_count */
};

/* --- the file --- */

static void
write_line(int fd, off_t at, const char *text)
{
	char line[LINE_SIZE];
	int n = snprintf(line, sizeof(line), "%-*s", LINE_SIZE - 1, text);

	line[LINE_SIZE - 1] = '\n';
	/* What can't be written makes a catalog believed. */
	if (n != LINE_SIZE - 1 || pwrite(fd, line, sizeof(line), at) == -1)
		return;
}

static void
write_stand(int fd, const struct stand *s)
{
	char text[LINE_SIZE];

	snprintf(text, sizeof(text), "%jd %jd %jd %jd %jd", (intmax_t)s->run,
	    (intmax_t)s->began, (intmax_t)s->ended, (intmax_t)s->event,
	    (intmax_t)s->number);
	write_line(fd, STAND_AT, text);
}

/* All are 0 if the line is not there. */
static void
read_line(int fd, off_t at, int64_t v[NUMBERS])
{
	char line[LINE_SIZE + 1] = "";
	char *end = line;

	memset(v, 0, NUMBERS * sizeof(*v));
	if (pread(fd, line, LINE_SIZE, at) != LINE_SIZE)
		return;
	for (size_t i = 0; i < NUMBERS; i++)
		v[i] = strtoll(end, &end, 10);
}

static struct stand
read_stand(int fd)
{
	int64_t v[NUMBERS];

	read_line(fd, STAND_AT, v);
	return (struct stand){ v[0], v[1], v[2], v[3], v[4] };
}

void
stand_forget(int lock_fd)
{
	write_line(lock_fd, STAND_AT, "");
}

void
stand_carry(int lock_fd, int other_fd)
{
	struct stand s = read_stand(lock_fd);

	write_stand(other_fd, &s);
}

static void
sign(const struct stat *st, char text[LINE_SIZE])
{
	snprintf(text, LINE_SIZE, "%ju %ju %jd %jd %ld",
	    (uintmax_t)st->st_dev, (uintmax_t)st->st_ino,
	    (intmax_t)st->st_size, (intmax_t)st->st_ctim.tv_sec,
	    st->st_ctim.tv_nsec);
}

void
stand_sign(int lock_fd, int fd)
{
	char text[LINE_SIZE];
	struct stat st;

	if (fstat(fd, &st) == -1)
		return;
	sign(&st, text);
	write_line(lock_fd, SIGN_AT, text);
}

static bool
is_signed(int lock_fd, const char *path)
{
	char text[LINE_SIZE], there[LINE_SIZE] = "";
	struct stat st;

	if (stat(path, &st) == -1)
		return false;
	sign(&st, text);
	return pread(lock_fd, there, LINE_SIZE, SIGN_AT) ==
	    LINE_SIZE && strncmp(text, there, strlen(text)) == 0 &&
	    there[strlen(text)] == ' ';
}

static int
open_lock(const char *path)
{
	AUTOFREE char *name = guard_lock_name(path);

	return open(name, O_RDONLY | O_CLOEXEC);
}

bool
stand_may_be_older(const char *path)
{
	CLEANUP(close_fd) int fd = open_lock(path);

	return fd != -1 && read_stand(fd).run != 0 && !is_signed(fd, path);
}

/* --- the catalog --- */

/* Of any schema: older ones have no journal, and no later run either. */
static int64_t
last_event(struct db *db)
{
	return !db_is_newest(db) ? INT64_MAX :
	    db_number(db, "SELECT coalesce(max(id), 0) FROM event");
}

static int64_t
number_of(struct db *db)
{
	return !db_is_newest(db) ? INT64_MAX :
	    db_number(db, "SELECT coalesce(max(stand), 0) FROM stamp");
}

void
stand_count(struct db *db)
{
	DB_RUN0(db, STAND_ADD);
}

void
stand_remember(struct db *db, int lock_fd)
{
	struct stand s = { .run = 0 };

	if (DB_ROW0(db, RUN_NEWEST)) {
		s.run = db_int(db, STMT_RUN_NEWEST, 0);
		s.began = db_int(db, STMT_RUN_NEWEST, 1);
		s.ended = db_int(db, STMT_RUN_NEWEST, 2);
		db_done(db, STMT_RUN_NEWEST);
	}
	s.event = last_event(db);
	s.number = number_of(db);
	if (!db_failed(db))
		write_stand(lock_fd, &s);
}

/* True if the catalog's run of the remembered number began when the remembered
 * run began: the catalog has not come from another branch. */
static bool
knows_run(struct db *db, const struct stand *s)
{
	char sql[200];

	snprintf(sql, sizeof(sql), "SELECT count(*) FROM run WHERE id = %jd "
	    "AND started_ns = %jd AND (%jd = 0 OR ended_ns IS NOT NULL)",
	    (intmax_t)s->run, (intmax_t)s->began, (intmax_t)s->ended);
	return db_number(db, sql) > 0;
}

static bool
is_older(struct db *db, const struct stand *s)
{
	return s->run != 0 &&
	    db_number(db, "SELECT count(*) FROM run") > 0 &&
	    (!knows_run(db, s) || last_event(db) < s->event ||
	    number_of(db) < s->number) &&
	    !db_failed(db);
}

bool
stand_is_older(struct db *db)
{
	CLEANUP(close_fd) int fd = open_lock(db->path);
	struct stand s = { .run = 0 };

	if (fd != -1)
		s = read_stand(fd);
	return is_older(db, &s);
}

int
stand_check(struct db *db, int lock_fd, int64_t *ret_run, struct err *err)
{
	struct stand s = read_stand(lock_fd);

	*ret_run = is_older(db, &s) ? s.run : 0;
	if (*ret_run != 0) {
		db_begin(db);
		schema_restored(db, NULL, NULL);
		stand_count(db);
		db_commit(db);
		db_sync(db);
		stand_remember(db, lock_fd);
	}
	if (!db_failed(db))
		return 0;
	*err = db->err;
	return -1;
}
