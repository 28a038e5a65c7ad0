/*
 * Copies of a catalog, and its place: whole and right, also when the process is
 * killed between any two steps.
 */
#include "kit/catalog.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "db/keep.h"
#include "db/pair.h"

static const struct keeper keeper = { "who", "sudoer", "there" };

/* The steps that the disk keeps; before the one with the number kill_at the
 * process dies. */
static int steps, kill_at;

static void
step(void)
{
	if (++steps == kill_at)
		_exit(9);
}

int
link(const char *from, const char *to)
{
	step();
	return (int)syscall(SYS_link, from, to);
}

int
unlink(const char *name)
{
	step();
	return (int)syscall(SYS_unlink, name);
}

int
renameat2(int a, const char *from, int b, const char *to, unsigned flags)
{
	step();
	return (int)syscall(SYS_renameat2, a, from, b, to, flags);
}

static char *
name_in(const struct kit *k, const char *name)
{
	return xasprintf("%s/%s", k->dir, name);
}

/* A run with a file of its own; the catalog is closed afterwards. */
static void
one_run(struct kit *k, const char *path)
{
	struct dir_page *p;

	kit_open(k);
	kit_begin(k);
	p = kit_page(kit_take(k, "srv/vol"), true);
	kit_entry(p, PAGE_NEW, 0, path, kit_attrs(1, 1));
	catalog_put_page(k->c, p);
	kit_settle(k, 1, OUTCOME_MOVED);
	kit_end(k, RUN_COMPLETE);
	kit_close(k);
}

/* The process is killed; what is committed stays in the -wal. */
static void
killed_run(struct kit *k, const char *path)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct dir_page *p;

		kit_open(k);
		kit_begin(k);
		p = kit_page(kit_take(k, "srv/vol"), true);
		kit_entry(p, PAGE_NEW, 0, path, kit_attrs(1, 1));
		catalog_put_page(k->c, p);
		kit_settle(k, 1, OUTCOME_MOVED);
		kit_flush(k, 1);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static bool
add_row(void *arg, size_t columns UNUSED, const char *const *n UNUSED,
    const struct value *row)
{
	char *all = arg;

	if (row != NULL)
		strncat(strcat(all, " "), row[0].bytes.p + 8,
		    row[0].bytes.len - 8);
	return true;
}

/* The names of the files that the catalog knows; NULL: it is refused. */
static const char *
files_of(const char *path)
{
	static char all[400];
	struct catalog_view *view;
	struct err err = ERR_INIT;

	all[0] = '\0';
	if (catalog_view_open(&view, path, &err) == -1)
		return NULL;
	if (catalog_query(view, "SELECT path FROM objects ORDER BY path",
	    add_row, all, &err) == -1)
		fail_msg("%s: %s", path, err.msg);
	catalog_view_close(&view);
	return all;
}

static void
check_files(const char *path, const char *expected)
{
	const char *files = files_of(path);

	assert_non_null(files);
	assert_string_equal(files, expected);
}

static void
no_findings(void *arg UNUSED, const char *finding)
{
	fail_msg("%s", finding);
}

static void
check_whole(const char *path)
{
	struct err err = ERR_INIT;

	if (catalog_verify(path, no_findings, NULL, &err) == -1)
		fail_msg("%s", err.msg);
}

static void
good_backup(const char *path, const char *to, bool replace)
{
	struct err err = ERR_INIT;

	if (catalog_backup(path, to, replace, &err) == -1)
		fail_msg("%s", err.msg);
	check_whole(to);
}

static char *
good_restore(const char *path, const char *from)
{
	struct err err = ERR_INIT;
	char *former;

	if (catalog_restore(path, from, &keeper, &former, &err) == -1)
		fail_msg("%s", err.msg);
	return former;
}

static bool
there(const char *path, const char *end)
{
	AUTOFREE char *name = xasprintf("%s%s", path, end);

	return access(name, F_OK) == 0;
}

static int
empty_place(void **state)
{
	struct kit *k = *state;
	DIR *d = opendir(k->dir);
	const struct dirent *e;

	kit_close(k);
	while ((e = readdir(d)) != NULL)
		unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
	return kit_teardown(state);
}

/* --- backup --- */

static void
while_a_run_goes_on(void **state)
{
	struct kit *k = *state;
	AUTOFREE char *copy = name_in(k, "copy.db");
	struct err err = ERR_INIT;
	struct dir_page *p;

	one_run(k, "srv/vol/a");
	kit_open(k);
	kit_begin(k);
	p = kit_page(kit_take(k, "srv/vol"), true);
	kit_entry(p, PAGE_NEW, 0, "srv/vol/b", kit_attrs(1, 1));
	catalog_put_page(k->c, p);
	kit_settle(k, 1, OUTCOME_MOVED);
	kit_flush(k, 1);
	good_backup(k->path, copy, false);
	check_files(copy, " a b");
	assert_false(there(copy, "-wal"));
	assert_false(there(copy, ".part"));
	assert_int_equal(catalog_backup(k->path, copy, false, &err), -1);
	assert_non_null(strstr(err.msg, "--replace"));
	kit_end(k, RUN_COMPLETE);
	kit_close(k);
	one_run(k, "srv/vol/c");
	good_backup(k->path, copy, true);
	check_files(copy, " a b c");
	assert_int_equal(catalog_backup(k->path, k->path, true, &err), -1);
	check_files(k->path, " a b c");
}

static void
refused(const struct kit *k, const char *to)
{
	struct err err = ERR_INIT;

	assert_int_equal(catalog_backup(k->path, to, true, &err), -1);
	assert_int_equal(err.kind, ERR_USAGE);
	assert_non_null(strstr(err.msg, "no copy of a catalog"));
	assert_false(there(to, ".part"));
}

/* Only a former copy is replaced: nothing else that has the name. */
static void
replaces_copies_alone(void **state)
{
	struct kit *k = *state;
	AUTOFREE char *fifo = name_in(k, "fifo");
	AUTOFREE char *text = name_in(k, "text");
	AUTOFREE char *copy = name_in(k, "copy.db");
	AUTOFREE char *name = name_in(k, "link");
	struct stat st;
	int fd;

	one_run(k, "srv/vol/a");
	assert_int_equal(mkfifo(fifo, 0600), 0);
	fd = open(text, O_WRONLY | O_CREAT, 0600);
	for (int i = 0; i < 40; i++)
		assert_int_equal(write(fd, "[master]\n", 9), 9);
	close(fd);
	good_backup(k->path, copy, false);
	assert_int_equal(symlink(copy, name), 0);
	refused(k, fifo);
	refused(k, text);
	refused(k, name);
	assert_int_equal(lstat(fifo, &st), 0);
	assert_true(S_ISFIFO(st.st_mode));
	assert_int_equal(lstat(text, &st), 0);
	assert_int_equal(st.st_size, 360);
	assert_int_equal(lstat(name, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
}

/* A catalog with which runs are made is no copy of another, idle as it is. */
static void
spares_catalogs(void **state)
{
	struct kit *k = *state;
	AUTOFREE char *other = name_in(k, "other.db");
	struct err err = ERR_INIT;

	one_run(k, "srv/vol/a");
	good_backup(k->path, other, false);
	one_run(k, "srv/vol/b");
	assert_int_equal(catalog_backup(other, k->path, true, &err), -1);
	assert_int_equal(err.kind, ERR_USAGE);
	assert_non_null(strstr(err.msg, "has a .lock beside it"));
	check_files(k->path, " a b");
}

/* An existing file stays when the copy can't be made. */
static void
no_backup(void **state)
{
	struct kit *k = *state;
	AUTOFREE char *copy = name_in(k, "copy.db");
	AUTOFREE char *none = name_in(k, "none.db");
	struct err err = ERR_INIT;

	one_run(k, "srv/vol/a");
	good_backup(k->path, copy, false);
	assert_int_equal(catalog_backup(none, copy, true, &err), -1);
	check_files(copy, " a");
	assert_false(there(copy, ".part"));
	assert_false(there(none, ""));
}

/* --- restore --- */

/* What a killed run left goes with the former catalog, and a second restore
 * undoes the first. */
static void
after_a_kill(void **state)
{
	struct kit *k = *state;
	AUTOFREE char *copy = name_in(k, "copy.db");
	AUTOFREE char *former = NULL;
	AUTOFREE char *second = NULL;

	one_run(k, "srv/vol/a");
	good_backup(k->path, copy, false);
	killed_run(k, "srv/vol/b");
	check_files(k->path, " a b");
	former = good_restore(k->path, copy);
	assert_false(there(former, "-wal"));
	check_files(k->path, " a");
	check_files(former, " a b");
	one_run(k, "srv/vol/c");
	check_files(k->path, " a c");
	check_files(copy, " a");
	second = good_restore(k->path, former);
	check_files(k->path, " a b");
	check_files(second, " a c");
	check_whole(k->path);
}

static void
copy_over(const char *from, const char *to)
{
	AUTOFREE char *command = xasprintf("cp '%s' '%s'", from, to);

	assert_int_equal(system(command), 0);
}

/* Somebody has copied a backup over the catalog of a killed run. */
static void
copied_by_hand(void **state)
{
	struct kit *k = *state;
	AUTOFREE char *copy = name_in(k, "copy.db");
	AUTOFREE char *former = NULL;
	struct err err = ERR_INIT;

	one_run(k, "srv/vol/a");
	good_backup(k->path, copy, false);
	killed_run(k, "srv/vol/b");
	copy_over(copy, k->path);
	assert_null(files_of(k->path));
	assert_int_equal(catalog_open(&k->c, k->path, k->events, &err), -1);
	assert_non_null(strstr(err.msg, "catalog restore"));
	/* The file itself, if the copy is not there any more. */
	former = good_restore(k->path, k->path);
	assert_true(there(former, "-wal"));
	check_files(k->path, " a");
	one_run(k, "srv/vol/c");
	check_files(k->path, " a c");
	check_whole(k->path);
}

static void
no_restore(void **state)
{
	struct kit *k = *state;
	AUTOFREE char *copy = name_in(k, "copy.db");
	struct err err = ERR_INIT;
	char *former;
	int fd;

	one_run(k, "srv/vol/a");
	good_backup(k->path, copy, false);
	kit_open(k);
	assert_int_equal(catalog_restore(k->path, copy, &keeper, &former,
	    &err), -1);
	assert_int_equal(err.kind, ERR_DENIED);
	kit_close(k);
	fd = open(copy, O_WRONLY);
	for (off_t at = 8192; at < 60000; at += 4096)
		assert_int_equal(pwrite(fd, "nonsense", 8, at), 8);
	close(fd);
	assert_int_equal(catalog_restore(k->path, copy, &keeper, &former,
	    &err), -1);
	assert_null(former);
	check_files(k->path, " a");
	check_whole(k->path);
	assert_false(there(k->path, ".new"));
}

/* True if the catalog, or a file beside it, knows these files. */
static bool
somewhere(const struct kit *k, const char *files)
{
	DIR *d = opendir(k->dir);
	const struct dirent *e;
	bool is = false;

	while (!is && (e = readdir(d)) != NULL) {
		AUTOFREE char *name = name_in(k, e->d_name);
		const char *v;

		if (strncmp(e->d_name, "catalog.db", 10) != 0 ||
		    strstr(e->d_name, "-wal") != NULL ||
		    strstr(e->d_name, "-shm") != NULL ||
		    strstr(e->d_name, ".lock") != NULL ||
		    strstr(e->d_name, ".new") != NULL)
			continue;
		v = files_of(name);
		is = v != NULL && strcmp(v, files) == 0;
	}
	closedir(d);
	return is;
}

typedef int action_fn(const struct kit *, struct err *);

/* Run the action in a process that dies before its step n; false: the action
 * has fewer steps. */
static bool
dies_at(const struct kit *k, int n, action_fn *action)
{
	struct err err = ERR_INIT;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		steps = 0;
		kill_at = n;
		_exit(action(k, &err) == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WEXITSTATUS(status) != 9)
		assert_int_equal(status, 0);
	return WEXITSTATUS(status) == 9;
}

static int
restore_copy(const struct kit *k, struct err *err)
{
	AUTOFREE char *copy = name_in(k, "copy.db");
	char *former;

	return catalog_restore(k->path, copy, &keeper, &former, err);
}

/* The catalog of before is always there under some name. Under the name of the
 * catalog there is one of the two, or a run is refused. reader: the -wal can't
 * be brought into the file. */
static void
kill_restore(struct kit *k, bool reader)
{
	AUTOFREE char *copy = name_in(k, "copy.db");
	struct err err = ERR_INIT;
	bool died = true;
	unsigned refused = 0;

	one_run(k, "srv/vol/a");
	good_backup(k->path, copy, false);
	for (int n = 1; died; n++) {
		AUTOFREE char *name = xasprintf("srv/vol/%d", n);
		AUTOFREE char *before = NULL;
		sqlite3 *db = NULL;
		const char *now;

		free(good_restore(k->path, copy));
		killed_run(k, name);
		before = xasprintf(" %d a", n);
		check_files(k->path, before);
		if (reader) {
			assert_int_equal(sqlite3_open(k->path, &db), SQLITE_OK);
			assert_int_equal(sqlite3_exec(db, "BEGIN; SELECT * "
			    "FROM run", NULL, NULL, NULL), SQLITE_OK);
		}
		died = dies_at(k, n, restore_copy);
		sqlite3_close(db);
		assert_true(somewhere(k, before));
		now = files_of(k->path);
		refused += now == NULL;
		if (now != NULL && strcmp(now, " a") != 0)
			assert_string_equal(now, before);
		if (restore_copy(k, &err) == -1)
			fail_msg("%s", err.msg);
		assert_true(somewhere(k, before));
		check_files(k->path, " a");
	}
	assert_int_equal(refused > 0, reader);
}

static void
killed_restore(void **state)
{
	kill_restore(*state, false);
}

static void
killed_restore_with_a_reader(void **state)
{
	kill_restore(*state, true);
}

/* --- move --- */

static int
move_away(const struct kit *k, struct err *err)
{
	AUTOFREE char *to = name_in(k, "there.db");

	return catalog_move(k->path, to, err);
}

static void
moved(void **state)
{
	struct kit *k = *state;
	AUTOFREE char *to = name_in(k, "there.db");
	struct err err = ERR_INIT;

	one_run(k, "srv/vol/a");
	killed_run(k, "srv/vol/b");
	if (move_away(k, &err) == -1)
		fail_msg("%s", err.msg);
	check_files(to, " a b");
	check_whole(to);
	assert_false(there(k->path, "-wal"));
	assert_null(files_of(k->path));
	assert_int_equal(catalog_open(&k->c, k->path, k->events, &err), -1);
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_non_null(strstr(err.msg, to));
	assert_int_equal(move_away(k, &err), -1);
	/* Back, over the note. */
	if (catalog_move(to, k->path, &err) == -1)
		fail_msg("%s", err.msg);
	kit_open(k);
	kit_close(k);
	check_files(k->path, " a b");
}

/* No run begins with a new catalog because the old one is on its way. */
static void
killed_move(void **state)
{
	struct kit *k = *state;
	AUTOFREE char *to = name_in(k, "there.db");
	struct err err = ERR_INIT;
	bool died = true;

	one_run(k, "srv/vol/a");
	for (int n = 1; died; n++) {
		died = dies_at(k, n, move_away);
		assert_true(there(k->path, ""));
		if (files_of(k->path) != NULL) {
			check_files(k->path, " a");
			if (move_away(k, &err) == -1)
				fail_msg("%d: %s", n, err.msg);
		}
		check_files(to, " a");
		if (catalog_move(to, k->path, &err) == -1)
			fail_msg("%d: %s", n, err.msg);
		check_files(k->path, " a");
		unlink(to);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, kit_setup, empty_place)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(while_a_run_goes_on),
		TEST(replaces_copies_alone),
		TEST(spares_catalogs),
		TEST(no_backup),
		TEST(after_a_kill),
		TEST(copied_by_hand),
		TEST(no_restore),
		TEST(killed_restore),
		TEST(killed_restore_with_a_reader),
		TEST(moved),
		TEST(killed_move),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
