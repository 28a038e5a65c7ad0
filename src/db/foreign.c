/*
 * What of a catalog's schema this program has not made: another program may
 * have changed a view, or left a trigger.
 */
#include <sqlite3.h>

#include "db/db_internal.h"

/* Of a table its columns: a table that has climbed the ladder has another text
 * than a new one. */
#define SHAPES \
    "SELECT s.type, s.name, iif(s.type = 'table' AND s.sql NOT LIKE " \
    "'CREATE VIRTUAL %', (SELECT group_concat(c.name || ' ' || c.type || " \
    "' ' || c.\"notnull\" || ' ' || c.pk, ', ') FROM " \
    "pragma_table_xinfo(s.name) c), s.sql) FROM sqlite_schema s " \
    "WHERE s.name NOT LIKE 'sqlite~_%' ESCAPE '~' ORDER BY 1, 2"

/* The parts of a schema, in order. */
struct parts {
	struct db *db;
	sqlite3_stmt *st;
	bool	 more;
};

static void
next(struct parts *p)
{
	int rc = sqlite3_step(p->st);

	p->more = rc == SQLITE_ROW;
	if (rc != SQLITE_ROW && rc != SQLITE_DONE &&
	    p->db->err.kind == ERR_NONE)
		db_fault(&p->db->err, rc, p->db->path,
		    sqlite3_errmsg(p->db->conn));
}

static void
begin(struct parts *p, struct db *db)
{
	p->db = db;
	if (db_failed(db))
		return;
	if (sqlite3_prepare_v2(db->conn, SHAPES, -1, &p->st, NULL) ==
	    SQLITE_OK)
		next(p);
	else
		db_fault(&db->err, sqlite3_errcode(db->conn), db->path,
		    sqlite3_errmsg(db->conn));
}

static const char *
column(const struct parts *p, int i)
{
	const char *text = (const char *)sqlite3_column_text(p->st, i);

	return text == NULL ? "" : text;
}

static int
order_of(const struct parts *a, const struct parts *b)
{
	int order;

	if (!a->more || !b->more)
		return a->more ? -1 : 1;
	order = strcmp(column(a, 0), column(b, 0));
	return order != 0 ? order : strcmp(column(a, 1), column(b, 1));
}

static void
compare(struct parts *here, struct parts *made, catalog_finding_fn *fn,
    void *arg)
{
	while (here->more || made->more) {
		int order = order_of(here, made);
		const struct parts *p = order <= 0 ? here : made;
		AUTOFREE char *text = xasprintf("%s %s is %s", column(p, 0),
		    column(p, 1), order < 0 ? "not of this program" :
		    order > 0 ? "missing" : "not as this program makes it");

		if (order != 0 || strcmp(column(here, 2), column(made, 2)) != 0)
			fn(arg, text);
		if (order <= 0)
			next(here);
		if (order >= 0)
			next(made);
	}
}

int
foreign_find(struct db *db, catalog_finding_fn *fn, void *arg,
    struct err *err)
{
	struct parts here = { .st = NULL }, made = { .st = NULL };
	struct db empty;

	if (db_connect(&empty, ":memory:", db->path, SQLITE_OPEN_READWRITE |
	    SQLITE_OPEN_CREATE, err) == -1)
		return -1;
	schema_climb(&empty, 0);
	if (db_was_restored(db))
		schema_restored(&empty, NULL, NULL);
	begin(&here, db);
	begin(&made, &empty);
	if (here.more && made.more)
		compare(&here, &made, fn, arg);
	sqlite3_finalize(here.st);
	sqlite3_finalize(made.st);
	*err = empty.err;
	db_close(&empty);
	return err->kind == ERR_NONE ? 0 : -1;
}

void
foreign_refuse(struct db *db)
{
	if (db_number(db, "SELECT count(*) FROM sqlite_schema WHERE type = "
	    "'trigger'") > 0)
		err_set(&db->err, ERR_CONFIG, 0, "catalog %s has triggers of "
		    "another program, which would change what is recorded: "
		    "drop them (datamover catalog check names them)",
		    db->path);
}
