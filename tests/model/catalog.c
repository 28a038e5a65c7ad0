/*
 * catalog.c: the catalog, looked at with SQLite, and not with the program's
 * own code; its views, as anybody may ask them.
 */
#include <sqlite3.h>
#include <sys/stat.h>

#include "model.h"

char *
catalog_file(void)
{
	return xasprintf("%s/cat/catalog.db", w.dir);
}

bool
catalog_exists(void)
{
	AUTOFREE char *path = catalog_file();
	struct stat st;

	return stat(path, &st) == 0;
}

/* Between two runs one connection is enough: to open it costs more than what
 * is asked. */
static sqlite3 *db;

void
catalog_close(void)
{
	sqlite3_close(db);
	db = NULL;
}

static void
open_it(void)
{
	AUTOFREE char *path = catalog_file();

	if (db != NULL)
		return;
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) !=
	    SQLITE_OK) {
		breach(5, "the catalog can't be opened: %s",
		    sqlite3_errmsg(db));
		catalog_close();
		return;
	}
	/* What a kill left in the -wal stays there. */
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
}

static sqlite3_stmt *
ask(const char *sql)
{
	sqlite3_stmt *st = NULL;

	open_it();
	if (db != NULL && sqlite3_prepare_v2(db, sql, -1, &st, NULL) !=
	    SQLITE_OK)
		breach(5, "%s: %s", sql, sqlite3_errmsg(db));
	return st;
}

static const char *
text(sqlite3_stmt *st, int column)
{
	const char *t = (const char *)sqlite3_column_text(st, column);

	return t == NULL ? "" : t;
}

void
catalog_check(void)
{
	sqlite3_stmt *st = ask("PRAGMA integrity_check");

	if (st != NULL && (sqlite3_step(st) != SQLITE_ROW ||
	    strcmp(text(st, 0), "ok") != 0))
		breach(5, "integrity_check: %s", text(st, 0));
	sqlite3_finalize(st);
}

const char catalog_objects[] = "SELECT bucket, key, state, etag, reason, size "
    "FROM objects";

void
catalog_rows(const char *sql, void (*fn)(void *, const struct row *),
    void *arg)
{
	sqlite3_stmt *st = ask(sql);

	while (st != NULL && sqlite3_step(st) == SQLITE_ROW) {
		struct row r = { text(st, 0), text(st, 1), text(st, 2),
		    text(st, 3), text(st, 4), sqlite3_column_int64(st, 5) };

		fn(arg, &r);
	}
	sqlite3_finalize(st);
}

long
catalog_number(const char *sql)
{
	sqlite3_stmt *st = ask(sql);
	long n = -1;

	if (st != NULL && sqlite3_step(st) == SQLITE_ROW)
		n = (long)sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return n;
}

uint64_t
catalog_hash_of(const char *sql)
{
	sqlite3_stmt *st = ask(sql);
	uint64_t h = 0;

	while (st != NULL && sqlite3_step(st) == SQLITE_ROW) {
		for (int i = 0; i < sqlite3_column_count(st); i++) {
			const void *p = sqlite3_column_blob(st, i);
			int len = sqlite3_column_bytes(st, i);

			h = h * 31 + bytes_hash(p, (size_t)len);
		}
	}
	sqlite3_finalize(st);
	return h;
}

/* Of a directory the number of its last reading is the run's too. */
static uint64_t
hash_table(const char *name)
{
	bool dir = strcmp(name, "dir") == 0;
	AUTOFREE char *sql = xasprintf("SELECT %s FROM \"%s\"",
	    dir ? "id, path, gone_run, found, failed" : "*", name);

	return bytes_hash(name, strlen(name)) * 31 + catalog_hash_of(sql);
}

/* But for what each run writes: its row, the number that it took, which exports
 * it saw, and the mark of each transaction. */
uint64_t
catalog_hash(void)
{
	sqlite3_stmt *st = ask("SELECT name FROM sqlite_schema "
	    "WHERE type = 'table' AND name NOT IN "
	    "('run', 'export', 'stamp', 'sqlite_sequence') ORDER BY name");
	uint64_t h = 0;

	while (st != NULL && sqlite3_step(st) == SQLITE_ROW)
		h = h * 31 + hash_table(text(st, 0));
	sqlite3_finalize(st);
	return h;
}
