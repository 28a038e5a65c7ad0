/*
 * A transaction of the catalog's writer, and the mark at its end.
 */
#include <sqlite3.h>

#include "db/db_internal.h"
#include "db/pair.h"

void
db_begin(struct db *db)
{
	if (db->in_transaction || db_failed(db))
		return;
	DB_RUN0(db, BEGIN);
	db->in_transaction = !db_failed(db);
	db->rows = 0;
	db->changes = sqlite3_total_changes64(db->conn);
}

void
db_commit(struct db *db)
{
	if (!db->in_transaction)
		return;
	if (sqlite3_total_changes64(db->conn) != db->changes)
		pair_mark(db);
	DB_RUN0(db, COMMIT);
	if (!db_failed(db))
		db->in_transaction = false;
}
