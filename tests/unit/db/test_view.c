/*
 * What people may ask of a catalog, and that they can do nothing else.
 */
#include "kit/catalog.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

struct answer {
	size_t	 rows;
	size_t	 columns;
	char	 first[400];	/* of the first row, with '|' between */
	char	 last[400];
	char	 all[4000];	/* last column of all rows */
};

static void
print_value(const struct value *v, char *out, size_t size)
{
	if (v->type == VALUE_INTEGER)
		snprintf(out, size, "%lld", (long long)v->integer);
	else if (v->type == VALUE_REAL)
		snprintf(out, size, "%g", v->real);
	else if (v->type == VALUE_NULL)
		snprintf(out, size, "NULL");
	else
		snprintf(out, size, "%.*s", (int)v->bytes.len, v->bytes.p);
}

static bool
take(void *arg, size_t columns, const char *const *names,
    const struct value *row)
{
	struct answer *a = arg;
	char one[400];

	a->columns = columns;
	assert_non_null(names[0]);
	if (row == NULL)
		return true;
	a->rows++;
	a->last[0] = '\0';
	for (size_t i = 0; i < columns; i++) {
		size_t len = strlen(a->last);

		print_value(&row[i], one, sizeof(one));
		snprintf(a->last + len, sizeof(a->last) - len, "%s%s",
		    i == 0 ? "" : "|", one);
	}
	if (a->rows == 1)
		memcpy(a->first, a->last, sizeof(a->first));
	snprintf(a->all + strlen(a->all), sizeof(a->all) - strlen(a->all),
	    "%s\n", one);
	return true;
}

static struct answer
ask(struct kit *k, const char *sql)
{
	struct answer a = { .rows = 0 };
	struct catalog_view *v = NULL;
	struct err err = ERR_INIT;

	if (catalog_view_open(&v, k->path, &err) == -1 ||
	    catalog_query(v, sql, take, &a, &err) == -1)
		fail_msg("%s: %s", sql, err.msg);
	catalog_view_close(&v);
	return a;
}

#define ANSWER(k, sql, text) \
	assert_string_equal(ask((k), (sql)).first, (text))

static enum err_kind
refused(struct kit *k, const char *sql)
{
	struct answer a = { .rows = 0 };
	struct catalog_view *v = NULL;
	struct err err = ERR_INIT;
	int rc;

	assert_int_equal(catalog_view_open(&v, k->path, &err), 0);
	rc = catalog_query(v, sql, take, &a, &err);
	catalog_view_close(&v);
	if (rc == 0)
		fail_msg("was allowed: %s", sql);
	assert_int_equal(a.rows, 0);
	return err.kind;
}

/* One file of each state. */
static void
fill(struct kit *k)
{
	struct page_entry *e;
	struct results *r;
	struct dir_page *p;
	struct lease *l;

	kit_open(k);
	kit_begin(k);
	p = kit_page(kit_take(k, "srv/vol"), false);
	kit_entry(p, PAGE_NEW, 0, "srv/vol/stored", kit_attrs(10, 5000000000));
	kit_entry(p, PAGE_NEW, 0, "srv/vol/failed", kit_attrs(10, 1));
	kit_entry(p, PAGE_NEW, 0, "srv/vol/gone", kit_attrs(10, 1));
	kit_entry(p, PAGE_NEW, 0, "srv/vol/odd\xef\xbf\xbd" "FE",
	    kit_attrs(10, 1));
	kit_entry(p, PAGE_NEW, 0, "srv/vol/leased", kit_attrs(10, 1));
	e = kit_entry(p, PAGE_EXCLUDED, 0, "srv/vol/link", kit_attrs(10, 1));
	e->attrs.kind = ENTRY_LINK;
	e->why = xstrdup("symlink");
	catalog_put_page(k->c, p);
	l = kit_lease(k, 4);
	r = kit_results(l);
	kit_result(r, &l->items[0], OUTCOME_MOVED);
	kit_result(r, &l->items[1], OUTCOME_FAILED);
	kit_result(r, &l->items[2], OUTCOME_GONE);
	kit_result(r, &l->items[3], OUTCOME_MOVED);
	catalog_put_results(k->c, r);
	lease_free(&l);
	l = kit_lease(k, 4);
	lease_free(&l);
	kit_flush(k, 999);
}

static void
states(void **state)
{
	struct kit *k = *state;

	fill(k);
	ANSWER(k, "SELECT group_concat(name, ' ') FROM (SELECT "
	    "substr(path, 9) || '=' || state AS name FROM objects "
	    "WHERE path NOT GLOB '*odd*' ORDER BY path)",
	    "failed=failed gone=gone leased=leased link=excluded "
	    "stored=stored");
	ANSWER(k, "SELECT size, mtime, md5, etag, target, mode, key, run, "
	    "reason FROM objects WHERE state = 'stored'",
	    "10|1970-01-01T00:00:05Z|01010101010101010101010101010101|"
	    "etag-1|http://s3/bucket|0644|srv/vol/stored|1|NULL");
	ANSWER(k, "SELECT reason FROM objects WHERE path = 'srv/vol/failed'",
	    "no access");
	ANSWER(k, "SELECT path_raw, typeof(path_raw) FROM objects "
	    "WHERE path GLOB '*odd*'", "srv/vol/odd\xfe|blob");
	ANSWER(k, "SELECT path, kind, reason, what FROM failures",
	    "srv/vol/failed|denied|no access|object");
	ANSWER(k, "SELECT state, found, moved, operation FROM runs",
	    "running|5|2|PUT");
	ANSWER(k, "SELECT path, state FROM dirs", "srv/vol|pending");
	assert_int_equal(ask(k, "SELECT * FROM verifications").rows, 0);
	assert_int_equal(ask(k, "SELECT * FROM versions").rows, 0);
	assert_in_range(ask(k, "SELECT * FROM uploads").rows, 0, 1);
	assert_int_equal(ask(k, "SELECT * FROM failure_log").rows, 1);
	assert_true(ask(k, "SELECT * FROM objects WHERE 0").columns > 10);
}

/* Never the whole table for one path. */
static void
fast_by_path(void **state)
{
	static const char *const where[] = {
		"path = 'srv/vol/stored'",
		"path GLOB 'srv/vol/*'",
		"path LIKE 'srv/vol/%'",
		"path > 'a' AND path < 'b'",
	};
	struct kit *k = *state;

	fill(k);
	for (size_t i = 0; i < ARRAY_LEN(where); i++) {
		char sql[200];
		struct answer a;

		snprintf(sql, sizeof(sql), "EXPLAIN QUERY PLAN SELECT * FROM "
		    "objects WHERE %s", where[i]);
		a = ask(k, sql);
		assert_non_null(strstr(a.all, "SEARCH o USING INDEX "
		    "sqlite_autoindex_object_1"));
		assert_null(strstr(a.all, "SCAN o\n"));
		assert_null(strstr(a.all, "SCAN r\n"));
	}
}

static void
only_reads(void **state)
{
	static const char *const bad[] = {
		"INSERT INTO target VALUES (9, 'x', 'y', 0)",
		"DELETE FROM object", "UPDATE object SET size = 0",
		"DROP VIEW objects", "CREATE TABLE x (y)",
		"CREATE TEMP TABLE x (y)", "ATTACH '/tmp/other.db' AS o",
		"PRAGMA journal_mode = DELETE", "PRAGMA writable_schema = 1",
		"VACUUM INTO '/tmp/other.db'", "VACUUM", "BEGIN IMMEDIATE",
		"BEGIN", "SELECT 1; DELETE FROM object", "SELECT 1; SELECT 2",
		"SELECT load_extension('x')", "SELECT nothing FROM objects",
		"", " -- nothing", "DETACH main", "REINDEX", "ANALYZE",
		"DELETE FROM object RETURNING id",
		"SELECT abs(-9223372036854775807 - 1)",
	};
	struct kit *k = *state;

	fill(k);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(refused(k, bad[i]), ERR_USAGE);
	ANSWER(k, "SELECT count(*) FROM object; ", "6");
	ANSWER(k, "VALUES (1)", "1");
	ANSWER(k, "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL "
	    "SELECT i + 1 FROM n WHERE i < 5) SELECT max(i) FROM n", "5");
}

static bool
stop_at_two(void *arg, size_t columns, const char *const *names,
    const struct value *row)
{
	size_t *n = arg;

	(void)columns;
	(void)names;
	return row == NULL || ++*n < 2;
}

static void
stops_when_told(void **state)
{
	struct kit *k = *state;
	struct catalog_view *v = NULL;
	struct err err = ERR_INIT;
	size_t n = 0;

	fill(k);
	assert_int_equal(catalog_view_open(&v, k->path, &err), 0);
	assert_int_equal(catalog_query(v, "SELECT path FROM objects",
	    stop_at_two, &n, &err), 0);
	assert_int_equal(n, 2);
	catalog_view_close(&v);
}

static void
nothing_there(void **state)
{
	struct kit *k = *state;
	struct catalog_view *v = NULL;
	struct err err = ERR_INIT;
	int64_t pid;

	assert_int_equal(catalog_view_open(&v, k->path, &err), -1);
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_int_equal(access(k->path, F_OK), -1);
	assert_false(catalog_in_use(k->path, &pid));
}

static void
in_use(void **state)
{
	struct kit *k = *state;
	int64_t pid;

	kit_open(k);
	assert_true(catalog_in_use(k->path, &pid));
	assert_int_equal(pid, getpid());
	kit_close(k);
	assert_false(catalog_in_use(k->path, &pid));
}

/* Who may not write there: what another user finds. */
static int
nobody_looks(const char *path)
{
	struct catalog_view *v = NULL;
	struct err err = ERR_INIT;
	struct answer a = { .rows = 0 };

	if (setgid(65534) == -1 || setuid(65534) == -1)
		return 9;
	if (catalog_view_open(&v, path, &err) == -1)
		return 2;
	if (catalog_query(v, "SELECT * FROM objects", take, &a, &err) == -1)
		return 3;
	catalog_view_close(&v);
	return a.rows == 6 ? 0 : 4;
}

/* This program once more: a child of fork alone would wait for ever for a lock
 * of SQLite that the catalog's thread held at that moment. */
static int
as_nobody(struct kit *k)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		execl("/proc/self/exe", "test_view", k->path, (char *)NULL);
		_exit(8);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

static void
by_another_user(void **state)
{
	static const char *const suffix[] = { "", "-wal", "-shm" };
	struct kit *k = *state;
	char name[128];

	if (geteuid() != 0) {
		print_message("a reader of another user: not root\n");
		skip();
	}
	fill(k);
	assert_int_equal(chmod(k->dir, 0755), 0);
	assert_int_equal(as_nobody(k), 2);
	for (size_t i = 0; i < ARRAY_LEN(suffix); i++) {
		snprintf(name, sizeof(name), "%s%s", k->path, suffix[i]);
		assert_int_equal(chmod(name, 0644), 0);
	}
	assert_int_equal(as_nobody(k), 0);	/* the master runs */
	kit_close(k);
	assert_int_equal(as_nobody(k), 0);	/* and has ended */
	for (size_t i = 1; i < ARRAY_LEN(suffix); i++) {
		snprintf(name, sizeof(name), "%s%s", k->path, suffix[i]);
		assert_int_equal(unlink(name), 0);
	}
	assert_int_equal(as_nobody(k), 0);	/* without -wal and -shm */
}

/* Lines of a list that name nothing, until the next list. */
static void
refused_is_failed(void **state)
{
	struct run_spec spec = kit_spec("bucket", "list");
	struct page_entry *e;
	struct kit *k = *state;
	struct dir_page *p;

	spec.no_crawl = true;
	kit_open(k);
	kit_begin_spec(k, &spec);
	p = kit_page(0, true);
	e = kit_entry(p, PAGE_REFUSED, 0, "no/such/share",
	    (struct attrs){ .size = 0 });
	err_set(&e->err, ERR_CONFIG, 0, "under no share");
	catalog_put_page(k->c, p);
	kit_end(k, RUN_INTERRUPTED);
	ANSWER(k, "SELECT path, what, reason, run FROM failures",
	    "no/such/share|object|under no share|1");
	kit_begin(k);
	assert_int_equal(ask(k, "SELECT * FROM failures").rows, 0);
	assert_int_equal(ask(k, "SELECT * FROM failure_log").rows, 1);
	kit_end(k, RUN_INTERRUPTED);
}

static void
clients_of_a_run(void **state)
{
	struct client_line v[] = {
		{ .number = 1, .host = "one", .state = "working",
		  .leases = 2, .items = 30, .moved = 400, .failed = 5,
		  .bytes = 6000, .items_per_s = 1.5, .bytes_per_s = 0 },
		{ .number = 2, .host = "two", .state = "lost",
		  .reason = "connection reset", .heard_ms = 5000 },
	};
	struct kit *k = *state;

	/* No run: nothing to belong to. */
	kit_open(k);
	catalog_put_clients(k->c, v, 2);
	kit_begin(k);
	catalog_put_clients(k->c, v, 0);
	catalog_put_clients(k->c, v, 2);
	v[0].moved = 401;
	v[0].bytes_per_s = __builtin_nan("");
	catalog_put_clients(k->c, v, 1);
	kit_flush(k, 1);
	ANSWER(k, "SELECT run, number, host, state, leases, items, moved, "
	    "failed, bytes, items_per_s, bytes_per_s, reason FROM clients "
	    "WHERE number = 1", "1|1|one|working|2|30|401|5|6000|1.5|0|NULL");
	ANSWER(k, "SELECT count(*) FROM clients WHERE run = 1 AND "
	    "heard GLOB '20*Z'", "2");
	ANSWER(k, "SELECT unixepoch(a.heard) - unixepoch(b.heard) BETWEEN 4 "
	    "AND 7 FROM clients a, clients b WHERE a.number = 1 AND "
	    "b.number = 2", "1");
	kit_end(k, RUN_INTERRUPTED);
	ANSWER(k, "SELECT group_concat(number || state || leases || "
	    "coalesce(reason, ''), ' ') FROM clients",
	    "1ended0 2lost0connection reset");
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)
		T(states),
		T(refused_is_failed),
		T(clients_of_a_run),
		T(fast_by_path),
		T(only_reads),
		T(stops_when_told),
		T(nothing_there),
		T(in_use),
		T(by_another_user),
	};

	if (argc > 1)
		return nobody_looks(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
