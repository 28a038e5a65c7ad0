/*
 * An older copy of a catalog that another program has put in its place is
 * noticed, and nothing else is taken for one.
 */
#include "kit/outcome.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "catalog/catalog_internal.h"
#include "db/keep.h"
#include "db/probe.h"
#include "db/prune.h"
#include "db/stand.h"

static const struct keeper keeper = { "who", "sudoer", "there" };

static char *
name_in(const struct kit *k, const char *name)
{
	return xasprintf("%s/%s", k->dir, name);
}

static void
put_file(struct kit *k, const char *path)
{
	struct dir_page *p = kit_page(kit_take(k, "srv/vol"), true);

	kit_entry(p, PAGE_NEW, 0, path, kit_attrs(1, 1));
	catalog_put_page(k->c, p);
	kit_settle(k, 1, OUTCOME_MOVED);
}

static void
one_run(struct kit *k, const char *path)
{
	kit_open(k);
	kit_begin(k);
	put_file(k, path);
	kit_end(k, RUN_COMPLETE);
	kit_close(k);
}

/* Another program puts a copy in the place of the catalog, and of its -wal. */
static void
put_by_hand(const struct kit *k, const char *copy)
{
	AUTOFREE char *command = xasprintf("rm -f '%s-wal' '%s-shm'; "
	    "cp '%s' '%s'", k->path, k->path, copy, k->path);

	assert_int_equal(system(command), 0);
}

static void
backup(const struct kit *k, const char *copy)
{
	struct err err = ERR_INIT;

	if (catalog_backup(k->path, copy, true, &err) == -1)
		fail_msg("%s", err.msg);
}

static bool
is_unasked(const struct kit *k)
{
	const struct run_spec spec = kit_spec("bucket", "all");
	struct err err = ERR_INIT;
	bool unasked;

	if (catalog_unasked(k->path, &spec, &unasked, &err) == -1)
		fail_msg("%s", err.msg);
	return unasked;
}

/* A master opens the catalog: the last run that the older copy lacks, or 0; and
 * the catalog knows now whether it counts as restored. */
static int64_t
opened(struct kit *k)
{
	bool before = is_unasked(k), after;
	int64_t run;

	kit_open(k);
	run = catalog_older_than(k->c);
	kit_close(k);
	after = is_unasked(k);
	assert_int_equal(before, after);
	assert_true(after || run == 0);
	return run;
}

/* --- noticed --- */

static void
an_older_copy(void **state)
{
	struct kit *k = *state;
	AUTOFREE char *copy = name_in(k, "copy.db");
	struct catalog_probe probe;
	struct err err = ERR_INIT;

	one_run(k, "srv/vol/a");
	backup(k, copy);
	one_run(k, "srv/vol/b");
	assert_int_equal(opened(k), 0);
	put_by_hand(k, copy);
	assert_int_equal(catalog_probe(k->path, &probe, &err), 0);
	assert_true(probe.older);
	assert_int_equal(opened(k), 2);
	kit_check_answer(k, "SELECT run, user, file, event FROM restores",
	    " 1   2");
	kit_check_answer(k, "SELECT event, run, kind FROM events WHERE path "
	    "IS NULL",
	    " 2 1 catalog-restored");
	/* A run of the copy's own: it has come as far now. */
	one_run(k, "srv/vol/c");
	assert_int_equal(opened(k), 0);
	kit_check_answer(k, "SELECT count(*) FROM restores", " 1");
	/* The copy of then is an older one again. */
	put_by_hand(k, copy);
	assert_int_equal(opened(k), 2);
}

/* The number of runs alone would not do: the copy of another branch has a run
 * with the same number. */
static void
another_branch(void **state)
{
	struct kit *k = *state;
	AUTOFREE char *copy = name_in(k, "copy.db");
	AUTOFREE char *branch = name_in(k, "branch.db");

	one_run(k, "srv/vol/a");
	backup(k, copy);
	one_run(k, "srv/vol/b");
	one_run(k, "srv/vol/c");
	backup(k, branch);
	put_by_hand(k, copy);
	one_run(k, "srv/vol/d");
	put_by_hand(k, branch);
	assert_int_equal(opened(k), 2);
}

/* The backup was made while the run went on. */
static void
within_a_run(void **state)
{
	struct kit *k = *state;
	AUTOFREE char *copy = name_in(k, "copy.db");

	one_run(k, "srv/vol/a");
	kit_open(k);
	kit_begin(k);
	backup(k, copy);
	put_file(k, "srv/vol/b");
	kit_end(k, RUN_COMPLETE);
	kit_close(k);
	assert_int_equal(opened(k), 0);
	put_by_hand(k, copy);
	assert_int_equal(opened(k), 2);
}

/* A run that is killed where the function returns. */
static void
killed(struct kit *k, void (*run)(struct kit *, const char *copy),
    const char *copy)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		kit_open(k);
		run(k, copy);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
backup_between_results(struct kit *k, const char *copy)
{
	struct dir_page *p;

	kit_begin(k);
	p = kit_page(kit_take(k, "srv/vol"), true);
	kit_entry(p, PAGE_NEW, 0, "srv/vol/b", kit_attrs(1, 1));
	kit_entry(p, PAGE_NEW, 0, "srv/vol/c", kit_attrs(1, 1));
	catalog_put_page(k->c, p);
	kit_settle(k, 1, OUTCOME_MOVED);
	kit_flush(k, 1);
	backup(k, copy);
	kit_settle(k, 1, OUTCOME_MOVED);
	/* As if a minute had passed. */
	k->c->remember = true;
	kit_flush(k, 1);
}

/* The run of the backup was killed, later. */
static void
within_a_killed_run(void **state)
{
	struct kit *k = *state;
	AUTOFREE char *copy = name_in(k, "copy.db");

	one_run(k, "srv/vol/a");
	killed(k, backup_between_results, copy);
	put_by_hand(k, copy);
	assert_int_equal(opened(k), 2);
}

static void
backup_before_intent(struct kit *k, const char *copy)
{
	struct outcomes *v = xcalloc(1, sizeof(*v));

	begin_op(k, OP_DEL);
	backup(k, copy);
	row(v, "srv/vol/a", OUTCOME_MOVED);
	catalog_intend_delete(k->c, v, k->mail);
	kit_mail(k, MAIL_DELETE_NOTED);
}

/* The backup was made while DEL listed, and DEL was killed after its request:
 * an intent is neither a run nor an event. */
static void
within_a_killed_deletion(void **state)
{
	struct kit *k = *state;
	AUTOFREE char *copy = name_in(k, "copy.db");

	one_run(k, "srv/vol/a");
	killed(k, backup_before_intent, copy);
	put_by_hand(k, copy);
	assert_int_equal(opened(k), 2);
}

/* --- believed --- */

static void
one_file(struct kit *k, const char *copy UNUSED)
{
	kit_begin(k);
	put_file(k, "srv/vol/b");
	kit_flush(k, 1);
}

/* The end of a killed run is remembered by nobody: the catalog has come
 * further than what is. */
static void
a_killed_run(void **state)
{
	struct kit *k = *state;

	one_run(k, "srv/vol/a");
	killed(k, one_file, NULL);
	assert_int_equal(opened(k), 0);
	kit_open(k);
	kit_begin(k);
	kit_end(k, RUN_COMPLETE);
	kit_close(k);
	assert_int_equal(opened(k), 0);
	assert_false(is_unasked(k));
}

static void
a_newer_copy(void **state)
{
	struct kit *k = *state;
	AUTOFREE char *copy = name_in(k, "copy.db");
	AUTOFREE char *there = name_in(k, "there.db");

	one_run(k, "srv/vol/a");
	backup(k, copy);
	/* Nothing has happened since. */
	put_by_hand(k, copy);
	assert_int_equal(opened(k), 0);
	one_run(k, "srv/vol/b");
	backup(k, there);
	put_by_hand(k, copy);
	assert_int_equal(opened(k), 2);
	put_by_hand(k, there);
	assert_int_equal(opened(k), 0);
	assert_false(is_unasked(k));
}

/* At another place nothing is remembered; a catalog that was moved brings
 * along what is. */
static void
another_place(void **state)
{
	struct kit *k = *state;
	AUTOFREE char *copy = name_in(k, "copy.db");
	AUTOFREE char *there = name_in(k, "there.db");
	AUTOFREE char *lock = name_in(k, "catalog.db.lock");
	struct err err = ERR_INIT;

	one_run(k, "srv/vol/a");
	backup(k, copy);
	one_run(k, "srv/vol/b");
	if (catalog_move(k->path, there, &err) == -1)
		fail_msg("%s", err.msg);
	snprintf(k->path, sizeof(k->path), "%s", there);
	assert_int_equal(opened(k), 0);
	put_by_hand(k, copy);
	assert_int_equal(opened(k), 2);
	snprintf(k->path, sizeof(k->path), "%s", copy);
	assert_int_equal(opened(k), 0);
	assert_false(is_unasked(k));
	assert_int_equal(unlink(lock), 0);
}

/* A new catalog is no older one; the former is, once the new one was used. */
static void
a_new_one(void **state)
{
	struct kit *k = *state;
	AUTOFREE char *copy = name_in(k, "copy.db");

	one_run(k, "srv/vol/a");
	backup(k, copy);
	assert_int_equal(unlink(k->path), 0);
	one_run(k, "srv/vol/b");
	one_run(k, "srv/vol/c");
	assert_false(is_unasked(k));
	put_by_hand(k, copy);
	assert_int_equal(opened(k), 2);
}

/* A copy that was put there by the verb counts as restored once, and the event
 * says who did that. */
static void
by_the_verb(void **state)
{
	struct kit *k = *state;
	AUTOFREE char *copy = name_in(k, "copy.db");
	AUTOFREE char *expected = xasprintf(" 1 %s who sudoer there 2", copy);
	AUTOFREE char *former = NULL;
	struct err err = ERR_INIT;

	one_run(k, "srv/vol/a");
	backup(k, copy);
	one_run(k, "srv/vol/b");
	if (catalog_restore(k->path, copy, &keeper, &former, &err) == -1)
		fail_msg("%s", err.msg);
	assert_true(is_unasked(k));
	assert_int_equal(opened(k), 0);
	kit_check_answer(k, "SELECT run, file, user, sudo_user, host, event "
	    "FROM restores", expected);
	kit_check_answer(k, "SELECT event, run, kind FROM events "
	    "WHERE kind = 'catalog-restored'", " 2 1 catalog-restored");
	one_run(k, "srv/vol/c");
	kit_check_answer(k, "SELECT event, run, kind FROM events WHERE run = 2",
	    " 3 2 stored");
}

/* What prune drops doesn't make a catalog older; a copy from before would bring
 * it back. */
static void
a_pruned_one(void **state)
{
	struct kit *k = *state;
	AUTOFREE char *copy = name_in(k, "copy.db");
	struct prune p = { .horizon_ns = INT64_MAX, .user = "who" };
	struct err err = ERR_INIT;

	one_run(k, "srv/vol/a");
	one_run(k, "srv/vol/b");
	backup(k, copy);
	if (catalog_prune(k->path, &p, &err) == -1)
		fail_msg("%s", err.msg);
	assert_int_equal(opened(k), 0);
	kit_check_answer(k, "SELECT run, kind FROM events WHERE path IS NULL",
	    " 2 pruned");
	assert_false(is_unasked(k));
	put_by_hand(k, copy);
	assert_int_equal(opened(k), 2);
}

/* An untouched catalog is not opened once more by each PUT. */
static void
cheap(void **state)
{
	struct kit *k = *state;

	one_run(k, "srv/vol/a");
	assert_false(stand_may_be_older(k->path));
	assert_int_equal(chmod(k->path, 0600), 0);
	assert_true(stand_may_be_older(k->path));
	one_run(k, "srv/vol/b");
	assert_false(stand_may_be_older(k->path));
}

#define T(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_older_copy),
		T(another_branch),
		T(within_a_run),
		T(within_a_killed_run),
		T(within_a_killed_deletion),
		T(a_killed_run),
		T(a_newer_copy),
		T(another_place),
		T(a_new_one),
		T(by_the_verb),
		T(a_pruned_one),
		T(cheap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
