#include "db/prune.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "db/db_internal.h"
#include "db/guard.h"
#include "db/pair.h"
#include "db/stand.h"

#define CHUNK	50000		/* ids of events in a transaction */
#define PAGE	1000		/* versions in a transaction */

struct horizon {
	struct prune *p;
	struct db db;
	int64_t	 run;		/* see the table pruned */
	int64_t	 event;
	int	 lock;
};

static bool
find_horizon(struct horizon *h)
{
	const enum stmt s = STMT_MOMENT_AT;

	if (!DB_ROW(&h->db, MOMENT_AT, INT(h->p->horizon_ns)))
		return false;
	h->run = db_int(&h->db, s, 0);
	h->event = db_null(&h->db, s, 1) ? 0 : db_int(&h->db, s, 1);
	db_done(&h->db, s);
	return true;
}

static void
count(struct db *db, uint64_t *n)
{
	if (db->err.kind == ERR_NONE)
		*n += (uint64_t)db_changes(db);
}

/* In the order of ids: what supersedes an event is looked up before it goes
 * itself. */
static void
drop_events(struct horizon *h)
{
	struct db *db = &h->db;

	for (int64_t id = 0; id < h->event && !db_failed(db); id += CHUNK) {
		db_begin(db);
		DB_RUN(db, PRUNE_EVENTS, INT(id), INT(MIN(id + CHUNK,
		    h->event)), INT(h->event));
		count(db, &h->p->events);
		DB_RUN(db, PRUNE_SPANS, INT(id), INT(MIN(id + CHUNK,
		    h->event)));
		db_commit(db);
	}
}

static size_t
read_versions(struct horizon *h, int64_t after, int64_t v[PAGE])
{
	const enum stmt s = STMT_PRUNE_VERSIONS;
	bool more = DB_ROW(&h->db, PRUNE_VERSIONS, INT(after), INT(h->run),
	    INT(PAGE));
	size_t n = 0;

	for (; more; more = db_next(&h->db, s))
		v[n++] = db_int(&h->db, s, 0);
	return n;
}

static void
drop_versions(struct horizon *h)
{
	int64_t *v AUTOFREE = xcalloc(PAGE, sizeof(*v));
	struct db *db = &h->db;
	size_t n = PAGE;

	for (int64_t after = 0; n == PAGE && !db_failed(db);) {
		db_begin(db);
		n = read_versions(h, after, v);
		for (size_t i = 0; i < n; i++) {
			DB_RUN(db, PRUNE_VERDICT, INT(v[i]));
			DB_RUN(db, PRUNE_RESULT, INT(v[i]));
			DB_RUN(db, PRUNE_VERSION, INT(v[i]));
			after = v[i];
		}
		h->p->versions += n;
		db_commit(db);
	}
}

static void
drop(struct horizon *h)
{
	struct prune *p = h->p;
	struct db *db = &h->db;
	int64_t entry;

	/* First the note: if the process is killed on the way, questions for
	 * the time before the horizon have no answer already. */
	db_begin(db);
	entry = db_event(db, STMT_EVENT_PRUNED);
	DB_RUN(db, PRUNED_INSERT, INT(clock_wall_ns()), INT(p->horizon_ns),
	    INT(h->run), INT(h->event), TEXT(p->user), TEXT(p->sudo_user),
	    TEXT(p->host), INT(entry));
	stand_count(db);
	db_commit(db);
	db_sync(db);
	stand_remember(db, h->lock);
	drop_events(h);
	drop_versions(h);
	p->verdicts += prune_verdicts(db, h->run, h->event);
	db_begin(db);
	DB_RUN(db, PRUNE_FAILURES, INT(h->run));
	count(db, &p->failures);
	DB_RUN(db, PRUNE_STRANGERS, INT(h->run));
	count(db, &p->verdicts);
	DB_RUN(db, PRUNE_SLOWEST, INT(h->run));
	DB_RUN(db, PRUNED_COUNTS, INT(p->events), INT(p->versions),
	    INT(p->failures), INT(p->verdicts));
	db_commit(db);
}

/* VACUUM would write all of the file into the -wal. */
static int
shrink(const char *path, struct prune *p, struct err *err)
{
	AUTOFREE char *wal = xasprintf("%s-wal", path);
	AUTOFREE char *name = xasprintf("%s.new", path);
	struct stat st;

	if (db_checkpoint(path, err) == -1)
		return -1;
	p->kept_space = stat(wal, &st) == 0 && st.st_size > 0;
	if (p->kept_space)
		return 0;
	if (stat(path, &st) == -1)
		return guard_fault(err, 0, path);
	unlink(name);
	if (db_vacuum(path, name, err) == 0 &&
	    file_give(name, &st, err) == 0 &&
	    db_rename(name, path, true, err) == 0)
		return 0;
	unlink(name);
	return -1;
}

static int
prune(const char *path, struct prune *p, int lock, struct err *err)
{
	struct horizon h = { .p = p, .lock = lock };
	int64_t older_than;

	if (pair_check_locked(path, err) == -1 ||
	    db_open_writer(&h.db, path, err) == -1)
		return -1;
	if (stand_check(&h.db, lock, &older_than, err) == -1) {
		db_close(&h.db);
		return -1;
	}
	p->nothing = !find_horizon(&h);
	if (!p->nothing)
		drop(&h);
	if (db_opened(&h.db, err) == -1)
		return -1;
	db_close(&h.db);
	return p->nothing ? 0 : shrink(path, p, err);
}

int
catalog_prune(const char *path, struct prune *p, struct err *err)
{
	char *real AUTOFREE = realpath(path, NULL);
	CLEANUP(close_fd) int lock = -1;
	CLEANUP(close_fd) int own = -1;

	p->events = p->versions = p->failures = p->verdicts = 0;
	p->nothing = p->kept_space = false;
	if (real == NULL)
		return err_set(err, ERR_CONFIG, 0, "catalog %s: there is none "
		    "yet; the first run makes it", path);
	if (guard_place(real, err) == -1 ||
	    guard_lock(real, &lock, err) == -1 ||
	    db_file(real, err) == -1 || guard_own(real, &own, err) == -1)
		return -1;
	return prune(real, p, lock, err);
}
