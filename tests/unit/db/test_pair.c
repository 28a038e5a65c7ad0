/*
 * Which -wal belongs to which catalog. What a killed master leaves is a copy of
 * both files, taken while the master's transactions are committed.
 */
#include "kit/catalog.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "db/pair.h"

struct bytes {
	uint8_t	*p;
	size_t	 n;
};

static struct bytes
read_file(const char *path, const char *end)
{
	AUTOFREE char *name = xasprintf("%s%s", path, end);
	int fd = open(name, O_RDONLY);
	struct bytes b;
	struct stat st;

	assert_int_not_equal(fd, -1);
	assert_int_equal(fstat(fd, &st), 0);
	b.n = (size_t)st.st_size;
	b.p = xcalloc(1, b.n + 1);
	assert_int_equal(read(fd, b.p, b.n), st.st_size);
	close(fd);
	return b;
}

static void
write_file(const char *path, const char *end, struct bytes b, size_t n)
{
	AUTOFREE char *name = xasprintf("%s%s", path, end);
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0640);

	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, b.p, MIN(n, b.n)), MIN(n, b.n));
	close(fd);
}

/* Another place, with one file and one -wal. */
struct place {
	struct kit *k;
	char	 path[128];
};

static struct place
place_of(struct kit *k)
{
	struct place p = { .k = k };

	snprintf(p.path, sizeof(p.path), "%s/other.db", k->dir);
	return p;
}

static int
belong(struct place *p, struct bytes file, struct bytes wal)
{
	struct err err = ERR_INIT;
	int rc;

	write_file(p->path, "", file, file.n);
	write_file(p->path, "-wal", wal, wal.n);
	rc = pair_check(p->path, &err);
	if (rc == -1) {
		assert_int_equal(err.kind, ERR_CONFIG);
		assert_non_null(strstr(err.msg, "catalog restore"));
		assert_non_null(strstr(err.msg, "move the -wal away"));
	}
	return rc;
}

static void
place_end(struct place *p)
{
	static const char *const ends[] = { "", "-wal", "-shm" };

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		AUTOFREE char *name = xasprintf("%s%s", p->path, ends[i]);

		unlink(name);
	}
}

/* A run that has met one file; the catalog stays open. */
static void
some_work(struct kit *k, const char *name, int64_t mtime)
{
	struct dir_page *p;
	int64_t dir;

	kit_open(k);
	kit_begin(k);
	dir = kit_take(k, "srv/vol");
	p = kit_page(dir, true);
	kit_entry(p, PAGE_NEW, 0, name, kit_attrs(1, mtime));
	catalog_put_page(k->c, p);
	kit_settle(k, 1, OUTCOME_MOVED);
	kit_flush(k, 1);
}

static void
run_sql(const char *path, const char *sql)
{
	sqlite3 *db;
	char *why = NULL;
	int on = 1;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_file_control(db, "main", SQLITE_FCNTL_PERSIST_WAL, &on);
	if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s", why);
	sqlite3_close(db);
}

/* What a checkpoint makes of the file that has the -wal beside it. */
static struct bytes
checkpointed(struct place *p, struct bytes file, struct bytes wal)
{
	write_file(p->path, "", file, file.n);
	write_file(p->path, "-wal", wal, wal.n);
	run_sql(p->path, "PRAGMA wal_checkpoint(PASSIVE)");
	return read_file(p->path, "");
}

/* The catalog after a run, and what a kill of the next run leaves. */
struct kill {
	struct bytes before;
	struct bytes file;
	struct bytes wal;
};

static struct kill
killed(struct kit *k, const char *name)
{
	struct kill v;

	v.before = access(k->path, F_OK) == 0 ? read_file(k->path, "") :
	    (struct bytes){ xcalloc(1, 1), 0 };
	some_work(k, name, 1);
	v.file = read_file(k->path, "");
	v.wal = read_file(k->path, "-wal");
	assert_true(v.wal.n > 4096);
	kit_end(k, RUN_COMPLETE);
	kit_close(k);
	return v;
}

static void
kill_free(struct kill *v)
{
	free(v->before.p);
	free(v->file.p);
	free(v->wal.p);
}

/* The checkpoint writes page after page: a kill comes between any two. */
static void
a_kill_leaves_a_pair(void **state)
{
	struct kit *k = *state;
	struct place p = place_of(k);

	for (int i = 0; i < 3; i++) {
		AUTOFREE char *name = xasprintf("srv/vol/%d", i);
		struct kill v = killed(k, name);
		struct bytes whole = checkpointed(&p, v.file, v.wal);

		assert_int_equal(belong(&p, v.file, v.wal), 0);
		assert_int_equal(belong(&p, whole, v.wal), 0);
		for (size_t at = 0; at < v.file.n; at += 4096) {
			memcpy(v.file.p + at, whole.p + at, 4096);
			assert_int_equal(belong(&p, v.file, v.wal), 0);
		}
		free(whole.p);
		kill_free(&v);
	}
	place_end(&p);
}

/* Would SQLite change the file? */
static bool
takes(struct place *p, struct bytes file, struct bytes wal)
{
	struct bytes now = checkpointed(p, file, wal);
	bool same = now.n == file.n && memcmp(now.p, file.p, now.n) == 0;

	free(now.p);
	return !same;
}

/* SQLite takes nothing from a -wal that has no whole transaction, because the
 * -wal is cut or a part of it never came to the disk: such a -wal belongs to
 * any file. As soon as SQLite would take something, the other file is
 * refused. */
static void
a_cut_wal(void **state)
{
	struct kit *k = *state;
	struct place p = place_of(k);
	struct kill a = killed(k, "srv/vol/a"), b = killed(k, "srv/vol/b");
	unsigned cuts = 0, faults = 0;

	for (size_t n = 0; n < b.wal.n; n += 1030) {
		struct bytes cut = { b.wal.p, n };
		bool taken = takes(&p, a.file, cut);

		cuts += taken;
		assert_int_equal(belong(&p, b.file, cut), 0);
		assert_int_equal(belong(&p, a.file, cut), taken ? -1 : 0);
		b.wal.p[n] ^= 1;
		taken = takes(&p, a.file, b.wal);
		faults += !taken;
		assert_int_equal(belong(&p, b.file, b.wal), 0);
		assert_int_equal(belong(&p, a.file, b.wal), taken ? -1 : 0);
		b.wal.p[n] ^= 1;
	}
	assert_true(cuts > 2);
	assert_true(faults > 2);
	kill_free(&a);
	kill_free(&b);
	place_end(&p);
}

static struct bytes
vacuumed(struct kit *k)
{
	AUTOFREE char *name = xasprintf("%s/copy.db", k->dir);
	AUTOFREE char *text = xasprintf("VACUUM INTO '%s'", name);
	struct bytes b;

	run_sql(k->path, text);
	b = read_file(name, "");
	unlink(name);
	return b;
}

/* Copies of the very state in which the -wal begins have its id, but their
 * pages lie elsewhere. */
static void
a_copy_is_no_pair(void **state)
{
	struct kit *k = *state;
	struct place p = place_of(k);
	struct kill a = killed(k, "srv/vol/a"), b, c;
	struct bytes copy;

	/* From here on the mark's page is the same in each copy. */
	run_sql(k->path, "VACUUM");
	kill_free(&a);
	a = killed(k, "srv/vol/c");
	copy = vacuumed(k);
	b = killed(k, "srv/vol/b");
	c = killed(k, "srv/vol/c");
	assert_int_equal(belong(&p, b.before, b.wal), 0);
	assert_int_equal(belong(&p, copy, b.wal), -1);
	assert_int_equal(belong(&p, a.file, b.wal), -1);
	assert_int_equal(belong(&p, b.before, c.wal), -1);
	assert_int_equal(belong(&p, c.file, b.wal), -1);
	assert_int_equal(belong(&p, c.file, a.wal), -1);
	free(copy.p);
	kill_free(&a);
	kill_free(&b);
	kill_free(&c);
	place_end(&p);
}

/* Two catalogs of the same history until then: neither takes the other's. */
static void
branches(void **state)
{
	struct kit *k = *state;
	struct place p = place_of(k);
	struct kill a = killed(k, "srv/vol/a"), b, c, d;

	b = killed(k, "srv/vol/b");
	c = killed(k, "srv/vol/c");
	write_file(k->path, "", b.before, b.before.n);
	d = killed(k, "srv/vol/b");
	assert_int_equal(belong(&p, b.file, d.wal), 0);
	free(d.file.p);
	free(d.before.p);
	free(d.wal.p);
	d = killed(k, "srv/vol/c");
	assert_int_equal(belong(&p, d.file, d.wal), 0);
	assert_int_equal(belong(&p, c.file, c.wal), 0);
	assert_int_equal(belong(&p, c.file, d.wal), -1);
	assert_int_equal(belong(&p, d.file, c.wal), -1);
	kill_free(&a);
	kill_free(&b);
	kill_free(&c);
	kill_free(&d);
	place_end(&p);
}

/* Neither a run nor a look at the catalog changes a file that is refused. */
static void
nothing_is_touched(void **state)
{
	struct kit *k = *state;
	struct kill a = killed(k, "srv/vol/a"), b = killed(k, "srv/vol/b");
	struct catalog_view *view = NULL;
	struct err err = ERR_INIT;
	struct bytes file, wal;

	write_file(k->path, "", a.file, a.file.n);
	write_file(k->path, "-wal", b.wal, b.wal.n);
	assert_int_equal(catalog_view_open(&view, k->path, &err), -1);
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_int_equal(catalog_open(&k->c, k->path, k->events, &err), -1);
	assert_int_equal(err.kind, ERR_CONFIG);
	file = read_file(k->path, "");
	wal = read_file(k->path, "-wal");
	assert_int_equal(file.n, a.file.n);
	assert_memory_equal(file.p, a.file.p, file.n);
	assert_int_equal(wal.n, b.wal.n);
	assert_memory_equal(wal.p, b.wal.p, wal.n);
	free(file.p);
	free(wal.p);
	kill_free(&a);
	kill_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_kill_leaves_a_pair,
		    kit_setup, kit_teardown),
		cmocka_unit_test_setup_teardown(a_cut_wal, kit_setup,
		    kit_teardown),
		cmocka_unit_test_setup_teardown(a_copy_is_no_pair, kit_setup,
		    kit_teardown),
		cmocka_unit_test_setup_teardown(branches, kit_setup,
		    kit_teardown),
		cmocka_unit_test_setup_teardown(nothing_is_touched, kit_setup,
		    kit_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
