/*
 * A check of all of a catalog.
 */
#include <sqlite3.h>

#include "db/db_internal.h"
#include "db/keep.h"
#include "db/pair.h"

/* Each statement counts rows that contradict another table: what a row names is
 * missing there, or stands there too. */
static const struct {
	enum stmt stmt;
	const char *what;
} rules[] = {
	{ STMT_VERIFY_TWICE, "versions are both newest and earlier" },
	{ STMT_VERIFY_DIR, "versions lie in a directory that is not there" },
	{ STMT_VERIFY_RESULT, "results are of a version that is not there" },
	{ STMT_VERIFY_TARGET, "results are of a target that is not there" },
	{ STMT_VERIFY_RUN, "results are of a run that is not there" },
	{ STMT_VERIFY_VERDICT, "verdicts are of an object that no target has" },
	{ STMT_VERIFY_TODO, "items of the backlog are of no version" },
};

struct finder {
	catalog_finding_fn *fn;
	void	*arg;
	size_t	 count;		/* of what is damaged */
	size_t	 foreign;
};

static void
found(struct finder *f, const char *text)
{
	f->count++;
	f->fn(f->arg, text);
}

static void
found_foreign(void *arg, const char *text)
{
	struct finder *f = arg;

	f->foreign++;
	f->fn(f->arg, text);
}

static void
check_rules(struct db *db, struct finder *f)
{
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		const enum stmt s = rules[i].stmt;
		int64_t n = 0;

		if (db_row(db, s, NULL, 0)) {
			n = db_int(db, s, 0);
			db_done(db, s);
		}
		if (n > 0) {
			AUTOFREE char *text = xasprintf("%jd %s", (intmax_t)n,
			    rules[i].what);

			found(f, text);
		}
	}
}

/* Return SQLite's code: of the steps, not of what was found. */
static int
check_structure(struct db *db, const char *sql, struct finder *f)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(db->conn, sql, -1, &st, NULL);

	while (rc == SQLITE_OK || rc == SQLITE_ROW) {
		const char *text;

		rc = sqlite3_step(st);
		if (rc != SQLITE_ROW)
			break;
		text = (const char *)sqlite3_column_text(st, 0);
		if (text != NULL && strcmp(text, "ok") != 0)
			found(f, text);
	}
	sqlite3_finalize(st);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static void
ignore(void *arg UNUSED, const char *finding UNUSED)
{
}

static int
verify(struct db *db, const char *sql, struct finder *f, struct err *err)
{
	int rc = check_structure(db, sql, f);

	if (rc != SQLITE_OK)
		return db_fault(err, rc, db->path, sqlite3_errmsg(db->conn));
	if (f->fn == ignore)
		foreign_refuse(db);
	if (f->count == 0 && f->fn != ignore &&
	    db_number(db, "PRAGMA user_version") == schema_newest()) {
		check_rules(db, f);
		if (foreign_find(db, found_foreign, f, err) == -1)
			return -1;
	}
	if (db->err.kind != ERR_NONE) {
		*err = db->err;
		return -1;
	}
	if (f->count > 0)
		return err_set(err, ERR_CONFIG, 0, "catalog %s is damaged (%zu "
		    "findings): put a copy in its place with datamover catalog "
		    "restore", db->path, f->count);
	if (f->foreign > 0)
		return err_set(err, ERR_CONFIG, 0, "catalog %s is whole, but "
		    "another program has changed its tables or views (%zu "
		    "findings): drop what is not of this program, or put a "
		    "copy in its place with datamover catalog restore",
		    db->path, f->foreign);
	return 0;
}

int
catalog_verify(const char *path, catalog_finding_fn *fn, void *arg,
    struct err *err)
{
	struct finder f = { .fn = fn, .arg = arg };
	struct db db;
	int rc;

	if (db_open_older(&db, path, err) == -1)
		return -1;
	rc = verify(&db, "PRAGMA integrity_check(20)", &f, err);
	db_close(&db);
	return rc;
}

int
db_quick_check(const char *path, struct err *err)
{
	struct finder f = { .fn = ignore };
	struct db db;
	int rc;

	if (db_connect(&db, path, path, SQLITE_OPEN_READONLY, err) == -1)
		return -1;
	rc = verify(&db, "PRAGMA quick_check(1)", &f, err);
	db_close(&db);
	return rc;
}
