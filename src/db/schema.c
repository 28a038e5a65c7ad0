/*
 * The schema of a catalog file. A catalog of an earlier version climbs the
 * ladder of schema/NNN_*.sql; a new catalog begins with the tables to which the
 * ladder leads (db/tables.sql, made with the program). Then schema/views.sql
 * makes the views.
 */
#include "base/clock.h"
#include "base/log.h"
#include "db/db_internal.h"
#include "db/guard.h"
#include "db/keep.h"
#include "db/pair.h"

/* Rungs without effect on a catalog that has taken them. */
#define ASKED_RUNG	14
#define RESTORED_RUNG	23

#define TELL_MS	5000

static const struct rung {
	int	 number;
	bool	 step;		/* again and again */
	const char *text;
} rungs[] = {
#define RUNG(number, text) { number, false, text },
#define STEP(number, text) { number, true, text },
#include "db/schema.inc"
#undef STEP
#undef RUNG
};

static const char *const new_tables[] = {
#define TABLE(text) text,
#include "db/schema.inc"
#undef TABLE
};

static const char *const views[] = {
#define VIEW(text) text,
#include "db/schema.inc"
#undef VIEW
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

	if (db_number(db, "PRAGMA application_id") != DB_RESTORED_ID) {
		snprintf(sql, sizeof(sql), "PRAGMA application_id = %d",
		    DB_APPLICATION_ID);
		db_exec(db, sql);
	}
	snprintf(sql, sizeof(sql), "PRAGMA user_version = %d", number);
	db_exec(db, sql);
}

/* Views would name tables and columns that a rung replaces. */
static void
drop_views(struct db *db)
{
	for (size_t i = 0; i < ARRAY_LEN(views); i++)
		if (strncmp(views[i], "DROP VIEW ", 10) == 0)
			db_exec(db, views[i]);
}

/* How much is done, for people: the ids of the rows that are still to go begin
 * later each time. */
static void
tell_step(struct db *db, uint64_t *told_ms)
{
	uint64_t now = clock_mono_ms();
	int64_t first, last;

	if (*told_ms == 0)
		*told_ms = now;
	if (now - *told_ms < TELL_MS)
		return;
	*told_ms = now;
	first = db_number(db, "SELECT coalesce(min(id), 0) FROM result");
	last = db_number(db, "SELECT coalesce(max(id), 1) FROM result");
	log_event(LOG_WARN, EVENT_CLIMB, LOG_WITH(LOG_TEXT("path", db->path),
	    LOG_NUMBER("percent", first * 100 / last)), "the catalog is "
	    "brought up to date: %d %% are done; a run that is cut now goes "
	    "on there", (int)(first * 100 / last));
}

/* Run the statements from the one with this index on that are steps, with a
 * commit after each time. A catalog between two steps has the version of the
 * rung before: older programs refuse it, and this one goes on. Return the index
 * of the last. */
static size_t
take_steps(struct db *db, size_t first)
{
	uint64_t told_ms = 0;
	size_t last = first;
	bool more = true;

	while (last + 1 < ARRAY_LEN(rungs) && rungs[last + 1].step)
		last++;
	while (more && !db_failed(db)) {
		for (size_t i = first; i <= last; i++)
			db_exec(db, rungs[i].text);
		more = db_changes(db) > 0;
		mark_version(db, rungs[first].number - 1);
		pair_mark(db);
		db_exec(db, "COMMIT");
		tell_step(db, &told_ms);
		db_exec(db, "BEGIN IMMEDIATE");
	}
	return last;
}

/* But for steps, all in one transaction: the file has the version of its tables
 * and views. */
void
schema_climb(struct db *db, int version)
{
	if (version >= schema_newest())
		return;
	db_exec(db, "BEGIN IMMEDIATE");
	for (size_t i = 0; version == 0 && i < ARRAY_LEN(new_tables); i++)
		db_exec(db, new_tables[i]);
	if (version > 0)
		drop_views(db);
	for (size_t i = 0; version > 0 && i < ARRAY_LEN(rungs); i++) {
		if (rungs[i].number <= version)
			continue;
		if (rungs[i].step)
			i = take_steps(db, i);
		else
			db_exec(db, rungs[i].text);
	}
	/* Last: SQLite reads the complete schema again after each change of a
	 * table, and half of that time would go to views. */
	for (size_t i = 0; i < ARRAY_LEN(views); i++)
		db_exec(db, views[i]);
	mark_version(db, schema_newest());
	pair_mark(db);
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
	else if (id != DB_APPLICATION_ID && id != DB_RESTORED_ID)
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


bool
db_is_unrestored(struct db *db)
{
	return db_number(db, "PRAGMA application_id") == DB_APPLICATION_ID;
}

int64_t
db_event(struct db *db, enum stmt s)
{
	if (db_number(db, "SELECT count(*) FROM sqlite_schema WHERE "
	    "name = 'event'") == 0)
		return 0;
	db_run(db, s, &INT(clock_wall_ns()), 1);
	return db_changes(db) == 0 ? 0 : db_last_id(db);
}

bool
db_is_newest(struct db *db)
{
	return db_number(db, "PRAGMA user_version") == schema_newest();
}

bool
db_was_restored(struct db *db)
{
	return db_number(db, "SELECT count(*) FROM sqlite_schema WHERE "
	    "name = 'asked'") > 0;
}

void
schema_restored(struct db *db, const struct keeper *who, const char *file)
{
	static const struct keeper nobody = { .user = NULL };
	int64_t event;
	char sql[80];

	if (who == NULL)
		who = &nobody;
	for (size_t i = 0; i < ARRAY_LEN(rungs); i++)
		if (rungs[i].number == ASKED_RUNG ||
		    rungs[i].number == RESTORED_RUNG)
			db_exec(db, rungs[i].text);
	DB_RUN0(db, ASKED_NONE);
	DB_RUN0(db, ASKED_RESTORED);
	event = db_event(db, STMT_EVENT_RESTORED);
	DB_RUN(db, RESTORED_INSERT, INT(clock_wall_ns()), TEXT(who->user),
	    TEXT(who->sudo_user), TEXT(who->host), TEXT(file),
	    event == 0 ? NOTHING : INT(event));
	snprintf(sql, sizeof(sql), "PRAGMA application_id = %d",
	    DB_RESTORED_ID);
	db_exec(db, sql);
}
