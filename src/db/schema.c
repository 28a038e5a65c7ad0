/*
 * The schema of a catalog file: the ladder of schema/NNN_*.sql, climbed rung
 * by rung.
 */
#include "db/db_internal.h"
#include "db/guard.h"

static const struct rung {
	int	 number;
	const char *text;
} rungs[] = {
#define RUNG(number, text) { number, text },
#include "db/schema.inc"
#undef RUNG
};

int
schema_newest(void)
{
	return rungs[ARRAY_LEN(rungs) - 1].number;
}

static void
mark_version(struct db *db, int number)
{
	char sql[80];

	snprintf(sql, sizeof(sql), "PRAGMA application_id = %d",
	    DB_APPLICATION_ID);
	db_exec(db, sql);
	snprintf(sql, sizeof(sql), "PRAGMA user_version = %d", number);
	db_exec(db, sql);
}

static void
climb(struct db *db, int number)
{
	db_exec(db, "BEGIN IMMEDIATE");
	for (size_t i = 0; i < ARRAY_LEN(rungs); i++)
		if (rungs[i].number == number)
			db_exec(db, rungs[i].text);
	mark_version(db, number);
	db_exec(db, "COMMIT");
}

void
schema_climb(struct db *db, int version)
{
	for (int v = version + 1; v <= schema_newest() && !db_failed(db); v++)
		climb(db, v);
}

/* Return the text from the view's name on, if the statement makes or drops a
 * view; else NULL. */
static const char *
made_view(const char *sql)
{
	return strncmp(sql, "CREATE VIEW ", 12) == 0 ? sql + 12 : NULL;
}

static const char *
dropped_view(const char *sql)
{
	return strncmp(sql, "DROP VIEW ", 10) == 0 ? sql + 10 : NULL;
}

static bool
is_dropped_later(size_t i, const char *name)
{
	size_t len = strcspn(name, " ");
	const char *other;

	while (++i < ARRAY_LEN(rungs)) {
		other = dropped_view(rungs[i].text);
		if (other != NULL && strncmp(name, other, len) == 0 &&
		    other[len] == ';')
			return true;
	}
	return false;
}

/* Climb the whole ladder for an empty file. SQLite reads the complete schema
 * again after each change of a table; half of that time would go to views, so
 * make the views last, and only the views of the newest rung. */
void
schema_make(struct db *db)
{
	const char *sql, *view;

	db_exec(db, "BEGIN IMMEDIATE");
	for (size_t i = 0; i < ARRAY_LEN(rungs); i++) {
		sql = rungs[i].text;
		if (made_view(sql) == NULL && dropped_view(sql) == NULL)
			db_exec(db, sql);
	}
	for (size_t i = 0; i < ARRAY_LEN(rungs); i++) {
		view = made_view(rungs[i].text);
		if (view != NULL && !is_dropped_later(i, view))
			db_exec(db, rungs[i].text);
	}
	mark_version(db, schema_newest());
	db_exec(db, "COMMIT");
}

/* Check that the file is a catalog known to this program. A catalog without
 * tables was not left by a kill (see db_create): its tables were lost together
 * with a removed -wal. */
void
schema_check(struct db *db, bool may_be_older)
{
	int64_t id = db_number(db, "PRAGMA application_id");
	int64_t version = db_number(db, "PRAGMA user_version");
	int64_t tables = db_number(db, "SELECT count(*) FROM sqlite_schema");

	if (db_failed(db))
		return;
	if (id == 0 && version == 0 && tables == 0)
		guard_empty(db->path, &db->err);
	else if (id != DB_APPLICATION_ID)
		err_set(&db->err, ERR_CONFIG, 0,
		    "%s is a database, but not a catalog of datamover",
		    db->path);
	else if (version > schema_newest())
		err_set(&db->err, ERR_CONFIG, 0, "catalog %s was made by a "
		    "newer datamover (schema %d, this one knows %d)",
		    db->path, (int)version, schema_newest());
	else if (!may_be_older && version < schema_newest())
		err_set(&db->err, ERR_CONFIG, 0, "catalog %s was made by an "
		    "older datamover (schema %d): the next "
		    "run brings it up to date",
		    db->path, (int)version);
}

