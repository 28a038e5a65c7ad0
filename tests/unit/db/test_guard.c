/*
 * Catalogs that are refused, and what is left of one when its master is
 * killed.
 */
#include "kit/catalog.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <sqlite3.h>

#include "db/probe.h"

static enum err_kind
refused(const char *path, const char *word)
{
	struct catalog *c = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(catalog_open(&c, path, NULL, &err), -1);
	assert_null(c);
	if (strstr(err.msg, word) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err.msg, word);
	assert_non_null(strstr(err.msg, path));
	return err.kind;
}

static void
write_at(const char *path, off_t at, const void *data, size_t n)
{
	int fd = open(path, O_RDWR | O_CREAT, 0640);

	assert_int_not_equal(fd, -1);
	assert_int_equal(pwrite(fd, data, n, at), n);
	close(fd);
}

static void
one_file(struct kit *k)
{
	struct dir_page *p;

	kit_open(k);
	kit_begin(k);
	p = kit_page(kit_take(k, "srv/vol"), true);
	kit_entry(p, PAGE_NEW, 0, "srv/vol/a", kit_attrs(1, 1));
	catalog_put_page(k->c, p);
	assert_int_equal(kit_settle(k, 1, OUTCOME_MOVED), 1);
	kit_end(k, RUN_COMPLETE);
	kit_close(k);
}

static void
not_a_database(void **state)
{
	static const char text[] = "this is somebody's letter, not a table\n";
	struct kit *k = *state;
	char back[sizeof(text)];
	int fd;

	write_at(k->path, 0, text, sizeof(text));
	assert_int_equal(refused(k->path, "damaged"), ERR_CONFIG);
	fd = open(k->path, O_RDONLY);
	assert_int_equal(read(fd, back, sizeof(back)), sizeof(text));
	close(fd);
	assert_memory_equal(back, text, sizeof(text));
}

static void
short_database(void **state)
{
	struct kit *k = *state;

	write_at(k->path, 0, "SQLite", 6);
	assert_int_equal(refused(k->path, "damaged"), ERR_CONFIG);
	assert_int_equal(unlink(k->path), 0);
	one_file(k);
	assert_int_equal(truncate(k->path, 8192), 0);
	assert_int_equal(refused(k->path, "damaged"), ERR_CONFIG);
}

static off_t
size_of(const struct kit *k, const char *suffix)
{
	struct stat st;
	char name[128];

	snprintf(name, sizeof(name), "%s%s", k->path, suffix);
	return stat(name, &st) == -1 ? -1 : st.st_size;
}

/* Truncated to nothing: a run that took it for a new one would know nothing
 * of what is at the target. */
static void
empty_file(void **state)
{
	struct catalog_view *v = NULL;
	struct err err = ERR_INIT;
	struct kit *k = *state;
	struct catalog_probe p;
	char wal[128];

	one_file(k);
	snprintf(wal, sizeof(wal), "%s-wal", k->path);
	write_at(wal, 0, "frames", 6);
	assert_int_equal(truncate(k->path, 0), 0);
	assert_int_equal(refused(k->path, "empty"), ERR_CONFIG);
	assert_int_equal(size_of(k, ""), 0);
	assert_int_equal(size_of(k, "-wal"), 6);
	assert_int_equal(catalog_view_open(&v, k->path, &err), -1);
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_non_null(strstr(err.msg, "empty"));
	assert_int_equal(catalog_probe(k->path, &p, &err), -1);
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_non_null(strstr(err.msg, "empty"));
	assert_int_equal(unlink(k->path), 0);
	assert_int_equal(unlink(wal), 0);
	one_file(k);
	assert_true(size_of(k, "") > 0);
}

/* What was in it was in a -wal that is gone. */
static void
no_tables(void **state)
{
	struct err err = ERR_INIT;
	struct kit *k = *state;
	struct catalog_probe p;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(k->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "VACUUM; PRAGMA journal_mode = WAL",
	    NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_true(size_of(k, "") > 0);
	assert_int_equal(refused(k->path, "empty"), ERR_CONFIG);
	assert_int_equal(catalog_probe(k->path, &p, &err), -1);
	assert_non_null(strstr(err.msg, "empty"));
}

/* What somebody left who was killed while making one, and the -wal of one
 * that was removed: with changes it is not thrown away. */
static void
remains(void **state)
{
	struct kit *k = *state;
	char name[128];

	one_file(k);
	assert_int_equal(unlink(k->path), 0);
	snprintf(name, sizeof(name), "%s-wal", k->path);
	write_at(name, 0, "frames", 6);
	assert_int_equal(refused(k->path, "-wal"), ERR_CONFIG);
	assert_int_equal(size_of(k, ""), -1);
	assert_int_equal(size_of(k, "-wal"), 6);
	assert_int_equal(truncate(name, 0), 0);
	snprintf(name, sizeof(name), "%s.new", k->path);
	write_at(name, 0, "half a catalog", 14);
	one_file(k);
	assert_int_equal(size_of(k, ".new"), -1);
}

/* One is not made where the file is that was meant. */
static void
link_to_nothing(void **state)
{
	struct kit *k = *state;

	assert_int_equal(symlink("/nonexistent/catalog.db", k->path), 0);
	assert_int_equal(refused(k->path, "symbolic link"), ERR_CONFIG);
}

static void
another_database(void **state)
{
	static const uint8_t id[4] = { 1, 2, 3, 4 };
	struct kit *k = *state;

	one_file(k);
	write_at(k->path, 68, id, sizeof(id));
	assert_int_equal(refused(k->path, "not a catalog"), ERR_CONFIG);
}

static void
too_new(void **state)
{
	static const uint8_t version[4] = { 0, 0, 0, 99 };
	struct catalog_view *v = NULL;
	struct err err = ERR_INIT;
	struct kit *k = *state;

	one_file(k);
	write_at(k->path, 60, version, sizeof(version));
	assert_int_equal(refused(k->path, "newer"), ERR_CONFIG);
	assert_int_equal(catalog_view_open(&v, k->path, &err), -1);
	assert_int_equal(err.kind, ERR_CONFIG);
}

static void
no_directory(void **state)
{
	struct kit *k = *state;
	char path[128];

	snprintf(path, sizeof(path), "%s/no/catalog.db", k->dir);
	assert_int_equal(refused(path, "does not exist"), ERR_CONFIG);
	assert_int_equal(refused(k->dir, ""), ERR_CONFIG);
	snprintf(path, sizeof(path), "%s.lock", k->dir);
	unlink(path);
}

static void
second_master(void **state)
{
	struct kit *k = *state;
	char pid[24];

	kit_open(k);
	snprintf(pid, sizeof(pid), "process %d", (int)getpid());
	assert_int_equal(refused(k->path, pid), ERR_DENIED);
	assert_int_equal(refused(k->path, "another datamover"), ERR_DENIED);
}

/* Locked is the file, whatever it is called; and its own master goes on. */
static void
other_names(void **state)
{
	struct kit *k = *state;
	char link_name[128], hard[128], dir[128], other_dir[160], lock[200];
	int64_t pid = 0;

	snprintf(link_name, sizeof(link_name), "%s/link.db", k->dir);
	snprintf(hard, sizeof(hard), "%s/hard.db", k->dir);
	snprintf(dir, sizeof(dir), "%s/dir", k->dir);
	snprintf(other_dir, sizeof(other_dir), "%s/catalog.db", dir);
	kit_open(k);
	assert_int_equal(symlink("catalog.db", link_name), 0);
	assert_int_equal(symlink(".", dir), 0);
	assert_int_equal(link(k->path, hard), 0);
	assert_int_equal(refused(link_name, "another datamover"), ERR_DENIED);
	assert_int_equal(refused(other_dir, "another datamover"), ERR_DENIED);
	assert_int_equal(refused(hard, "another name"), ERR_DENIED);
	assert_true(catalog_in_use(link_name, &pid));
	assert_int_equal(pid, getpid());
	assert_true(catalog_in_use(other_dir, &pid));
	kit_close(k);
	/* It is free again, and by its other name it is the same one. */
	assert_false(catalog_in_use(link_name, &pid));
	kit_open(k);
	kit_close(k);
	snprintf(lock, sizeof(lock), "%s.lock", hard);
	assert_int_equal(unlink(lock), 0);
	assert_int_equal(unlink(hard) | unlink(link_name) | unlink(dir), 0);
}

/* Another process under another name, and again when the master was killed:
 * a descriptor of its own that is closed takes no lock from it. */
static void
killed_under_another_name(void **state)
{
	struct kit *k = *state;
	char hard[128], lock[160];
	int to_child[2], from_child[2], status;
	char c = 0;
	pid_t pid;

	one_file(k);
	snprintf(hard, sizeof(hard), "%s/hard.db", k->dir);
	snprintf(lock, sizeof(lock), "%s.lock", hard);
	assert_int_equal(link(k->path, hard), 0);
	assert_int_equal(pipe(to_child) | pipe(from_child), 0);
	pid = fork();
	if (pid == 0) {
		close(to_child[1]);	/* its end is that of the test */
		kit_open(k);
		(void)!write(from_child[1], "x", 1);
		(void)!read(to_child[0], &c, 1);
		_exit(0);
	}
	assert_int_equal(read(from_child[0], &c, 1), 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(refused(hard, "another name"), ERR_DENIED);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(unlink(hard) | unlink(lock), 0);
	kit_open(k);
}

static void
closed_to_others(void **state)
{
	struct kit *k = *state;
	struct stat st;

	kit_open(k);
	assert_int_equal(stat(k->path, &st), 0);
	assert_int_equal(st.st_mode & 0137, 0);
}

/* Pages in the middle are overwritten while nobody looks: the run ends with
 * an error and everybody who waits is told. */
static void
damage_in_the_middle(void **state)
{
	struct kit *k = *state;
	struct catalog_failure *f;
	struct err err = ERR_INIT;
	struct dir_batch *b;
	struct run_spec spec = kit_spec("bucket", "all");
	struct stat st;
	char junk[4096];

	one_file(k);
	assert_int_equal(stat(k->path, &st), 0);
	memset(junk, 0xa5, sizeof(junk));
	for (off_t at = 4096 * 4; at < st.st_size; at += 4096)
		write_at(k->path, at, junk, sizeof(junk));
	if (catalog_open(&k->c, k->path, k->events, &err) == -1) {
		assert_int_equal(err.kind, ERR_CONFIG);
		assert_non_null(strstr(err.msg, "damaged"));
		return;
	}
	assert_int_equal(catalog_begin_run(k->c, &spec, &k->info, &err), -1);
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_non_null(strstr(err.msg, "damaged"));
	f = (struct catalog_failure *)mailbox_wait(k->events, 20000);
	assert_non_null(f);
	assert_int_equal(f->mail.type, MAIL_CATALOG_FAILED);
	free(f);
	b = kit_dirs(k, 1);
	assert_true(b->end);
	dir_batch_free(&b);
}

/* A statement is prepared when it is needed: then it shows what somebody has
 * done to the schema. */
static void
table_missing(void **state)
{
	struct kit *k = *state;
	struct run_spec spec = kit_spec("bucket", "all");
	struct err err = ERR_INIT;
	sqlite3 *db = NULL;

	one_file(k);
	assert_int_equal(sqlite3_open(k->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "DROP TABLE upload", NULL, NULL,
	    NULL), SQLITE_OK);
	sqlite3_close(db);
	kit_open(k);
	assert_int_equal(catalog_begin_run(k->c, &spec, &k->info, &err), -1);
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_non_null(strstr(err.msg, k->path));
	assert_non_null(strstr(err.msg, "damaged (no such table"));
	free(mailbox_wait(k->events, 20000));
}

static void
temporary(void **state)
{
	struct kit *k = *state;
	struct err err = ERR_INIT;

	assert_int_equal(setenv("TMPDIR", k->dir, 1), 0);
	assert_int_equal(catalog_open(&k->c, NULL, k->events, &err), 0);
	kit_begin(k);
	assert_true(kit_take(k, "srv/vol") > 0);
	kit_close(k);
	unsetenv("TMPDIR");
	assert_int_equal(rmdir(k->dir), 0);	/* it is empty */
	assert_int_equal(mkdir(k->dir, 0700), 0);
}

/* What a child does before it is killed: three files, two leased, one of
 * them moved. */
static void
victim(struct kit *k, int ready)
{
	struct results *r;
	struct dir_page *p;
	struct lease *l;

	kit_open(k);
	kit_begin(k);
	p = kit_page(kit_take(k, "srv/vol"), true);
	kit_entry(p, PAGE_NEW, 0, "srv/vol/a", kit_attrs(1, 1));
	kit_entry(p, PAGE_NEW, 0, "srv/vol/b", kit_attrs(2, 1));
	kit_entry(p, PAGE_NEW, 0, "srv/vol/c", kit_attrs(3, 1));
	kit_subdir(p, "srv/vol/sub");
	catalog_put_page(k->c, p);
	l = kit_lease(k, 2);
	r = kit_results(l);
	kit_result(r, &l->items[0], OUTCOME_MOVED);
	catalog_put_results(k->c, r);
	kit_flush(k, 1);	/* commits */
	if (write(ready, "x", 1) == 1)
		pause();
	_exit(1);
}

static void
killed(void **state)
{
	struct kit *k = *state;
	struct results *r;
	struct lease *l;
	int ready[2], status;
	pid_t pid;
	char c;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0)
		victim(k, ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(refused(k->path, "in use"), ERR_DENIED);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(ready[0]);
	close(ready[1]);

	kit_open(k);
	kit_begin(k);
	assert_true(k->info.continued);
	assert_int_equal(k->info.run, 2);
	assert_int_equal(k->info.crawl, 1);
	l = kit_lease(k, 10);
	assert_int_equal(l->count, 2);
	assert_string_equal(l->items[0].raw, "b");
	assert_int_equal(l->items[0].flags & ITEM_SETTLE, ITEM_SETTLE);
	assert_string_equal(l->items[1].raw, "c");
	assert_int_equal(l->items[1].flags & ITEM_SETTLE, 0);
	r = kit_results(l);
	kit_result(r, &l->items[0], OUTCOME_UNCHANGED);
	kit_result(r, &l->items[1], OUTCOME_MOVED);
	catalog_put_results(k->c, r);
	lease_free(&l);
	catalog_put_page(k->c, kit_page(kit_take(k, "srv/vol/sub"), true));
	kit_end(k, RUN_COMPLETE);
	assert_true(k->closing.closes);
	assert_int_equal(k->closing.totals.found, 3);
	assert_int_equal(k->closing.totals.moved, 1);
	assert_int_equal(k->closing.totals.unchanged, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)
		T(not_a_database),
		T(short_database),
		T(empty_file),
		T(no_tables),
		T(remains),
		T(link_to_nothing),
		T(another_database),
		T(too_new),
		T(no_directory),
		T(second_master),
		T(other_names),
		T(killed_under_another_name),
		T(closed_to_others),
		T(damage_in_the_middle),
		T(table_missing),
		T(temporary),
		T(killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
