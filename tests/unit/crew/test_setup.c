#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "kit/conf_text.h"
#include "conf/table.h"
#include "crew/setup.h"

static const char TEXT[] =
    "[s3_storage]\nendpoint = http://h:1\nendpoint = http://h:2\n"
    "bucket = bkt\naccess_key = A\nsecret_key = S\nsession_token = T\n"
    "region = eu\nstorage_class = COLD\nsse = AES256\nsign_payload = yes\n"
    "path_style = no\npart_size = 16MiB\nmax_parts = 99\n"
    "max_inflight = 7\nretry_for = 9\n"
    "[fs_config]\nuid = 11\ngid = 12\nnfsport = 13\nmountport = 14\n"
    "nfs_version = 4\ntimeout = 15\nserver_as_prefix = no\n"
    "[nfs h]\nshare = /a\nshare = /b\n"
    "[client]\nworkers = 3\n[general]\nbwlimit = 5M\n"
    "tpslimit = 3\n";

static void
load(struct conf *c, const char *text)
{
	struct err err = ERR_INIT;

	if (text_load(c, "t.conf", text, &err) == -1 ||
	    conf_finish(c, true, true, &err) == -1)
		fail_msg("%s", err.msg);
}

/* A value that is not the default of the row. */
static char *
odd_value(const struct conf_row_info *row)
{
	switch (row->kind) {
	case CONF_BOOL:
		if (row->words == NULL)
			return xstrdup(strcmp(row->def, "yes") == 0 ? "no" :
			    "yes");
		return xstrdup(row->words[1].word);
	case CONF_UINT:
		return row->words != NULL ? xstrdup(row->words[2].word) :
		    xasprintf("%ju", (uintmax_t)row->max - 1);
	case CONF_SIZE:
		return xasprintf("%ju", (uintmax_t)row->max - 1);
	case CONF_TIME:
		return xstrdup("7s");
	default:
		return xasprintf("http://%s", row->key);
	}
}

static bool
is_of_movers(const struct conf_row_info *row)
{
	return strcmp(row->section, "s3_storage") == 0 ||
	    strcmp(row->section, "fs_config") == 0;
}

/* Each setting of the table, new ones too: a client has the value of its
 * master; but no secret, and no name that means something on the master's host
 * alone. */
static void
clients_get_the_settings(void **state)
{
	struct err err = ERR_INIT;
	struct buf sent, seen;
	struct conf c, of_client;

	(void)state;
	conf_init(&c);
	for (size_t i = 0; i < conf_table_len; i++) {
		const struct conf_row_info *row = &conf_table[i];
		AUTOFREE char *value = odd_value(row);

		if (is_of_movers(row) && conf_set(&c, row->section, row->key,
		    value, row->key, &err) == -1)
			fail_msg("%s", err.msg);
	}
	buf_init(&sent, MIB);
	buf_init(&seen, MIB);
	conf_for_clients(&c, &sent);
	for (size_t i = 0; i < conf_table_len; i++) {
		const struct conf_row_info *row = &conf_table[i];
		AUTOFREE char *value = odd_value(row);
		AUTOFREE char *line = xasprintf("\n%s = %s\n", row->key,
		    value);

		if (is_of_movers(row) &&
		    (strstr(sent.data, line) == NULL) != row->here)
			fail_msg("%s", line);
	}
	if (conf_from_master(&of_client, sent.data, &err) == -1)
		fail_msg("%s", err.msg);
	conf_for_clients(&of_client, &seen);
	assert_string_equal(seen.data, sent.data);
	assert_null(of_client.s3_storage.secret_key);
	buf_release(&sent);
	buf_release(&seen);
	conf_release(&of_client);
	conf_release(&c);
}

/* All that a mover would get from settings and job. */
static void
nothing_is_lost_on_the_way(void **state)
{
	CLEANUP(setup_release) struct setup s = { .op = OP_NONE };
	struct job job = { .op = OP_GET, .dest_path = xstrdup("/dest"),
	    .follow_links = true, .dryrun = true };
	struct run_plan plan;
	struct err err = ERR_INIT;
	AUTOFREE struct tree_spec *trees = NULL;
	struct s3_config s3;
	struct conf c;

	(void)state;
	load(&c, TEXT);
	assert_int_equal(plan_make(&plan, &c, &job, &err), 0);
	assert_int_equal(setup_make(&s, &c, &job, &plan, &err), 0);
	plan_release(&plan);
	free(job.dest_path);

	s3 = plan_s3(s.conf);
	assert_string_equal(s3.store.bucket, "bkt");
	assert_string_equal(s3.store.secret_key, "S");
	assert_int_equal(s3.store.max_inflight, 7);
	assert_int_equal(s3.retry_for_ms, 9000);
	assert_int_equal(s.bwlimit, 5 * MIB);
	assert_int_equal(s.tpslimit, 3000);
	assert_int_equal(s.workers, 0);
	assert_int_equal(s.workers_max, 3);
	assert_string_equal(s.dest_path, "/dest");
	assert_true(s.dryrun);

	trees = setup_trees(&s);
	assert_int_equal(s.export_count, 2);
	assert_int_equal(trees[1].type, TREE_NFS);
	assert_string_equal(trees[1].server, "h");
	assert_string_equal(trees[1].share, "/b");
	assert_int_equal(trees[1].access.uid, 11);
	assert_int_equal(trees[1].access.gid, 12);
	assert_int_equal(trees[1].access.nfsport, 13);
	assert_int_equal(trees[1].access.mountport, 14);
	assert_int_equal(trees[1].access.nfs_version, 4);
	assert_int_equal(trees[1].timeout_ms, 15000);
	assert_true(trees[1].follow_links);
	conf_release(&c);
}

/* A destination on a server: which, which share, and how it is spoken to. */
static void
a_destination_is_parsed_once(void **state)
{
	static const struct {
		const char *url, *share, *path;
		unsigned port;
	} rows[] = {
		{ "nfs://h/a/b", "/a", "/a/b", 0 },
		{ "nfs://H:99/b/", "/b", "/b", 99 },
		{ "nfs://h/ab/c", "", "/ab/c", 0 },
		{ "nfs://other/a/b", "", "/a/b", 0 },
	};
	struct err err = ERR_INIT;
	struct conf c;

	(void)state;
	load(&c, TEXT);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(setup_release) struct setup s = { .op = OP_NONE };
		struct job job = { .op = OP_GET,
		    .dest_path = (char *)(uintptr_t)rows[i].url };

		assert_int_equal(setup_make(&s, &c, &job, NULL, &err), 0);
		assert_int_equal(s.dest_export.type, TREE_NFS);
		assert_string_equal(s.dest_export.share, rows[i].share);
		assert_string_equal(s.dest_path, rows[i].path);
		assert_int_equal(s.dest_export.nfsport, rows[i].port);
		c.fs_config.access.uid = 11;
		assert_false(setup_as_root(&s));
		c.fs_config.access.uid = 0;
		assert_true(setup_as_root(&s));
	}
	conf_release(&c);
}

static void
workers_can_hold_a_part_each(void **state)
{
	struct conf c = { .s3_storage.part_size = 8 * MIB };
	struct setup s = { .op = OP_PUT, .conf = &c, .workers = 8,
	    .memory_bytes = 40 * MIB };

	(void)state;
	assert_int_equal(setup_workers(&s), 5);
	s.memory_bytes = 8 * MIB;
	assert_int_equal(setup_workers(&s), 1);
	s.op = OP_GET;
	assert_int_equal(setup_workers(&s), 8);
	s.workers = 0;
	s.workers_max = 1;
	assert_int_equal(setup_workers(&s), 1);
	s.workers_max = 0;
	assert_in_range(setup_workers(&s), 1, 16);
}

static void
memory_too_small_for_a_part_is_an_error(void **state)
{
	struct setup s = { .op = OP_NONE };
	struct job job = { .op = OP_PUT };
	struct err err = ERR_INIT;
	struct conf c;

	(void)state;
	load(&c, TEXT);
	c.limit_memory = 20 * MIB;
	assert_int_equal(setup_make(&s, &c, &job, NULL, &err), -1);
	assert_int_equal(err.kind, ERR_CONFIG);
	job.op = OP_GET;
	assert_int_equal(setup_make(&s, &c, &job, NULL, &err), 0);
	setup_release(&s);
	conf_release(&c);
}

/* Clients can tell a directory whose mount they lack. */
static void
clients_know_the_roots(void **state)
{
	static const char text[] = "[s3_storage]\nendpoint = http://h:1\n"
	    "bucket = bkt\naccess_key = A\nsecret_key = S\n"
	    "[fs_config]\nmounted = yes\n[nfs h]\nshare = /etc\n"
	    "[client]\nhost = c\n";
	struct setup s = { .op = OP_NONE };
	struct job job = { .op = OP_PUT };
	struct run_plan plan = { .count = 0 };
	struct err err = ERR_INIT;
	struct conf c;

	(void)state;
	load(&c, text);
	assert_int_equal(plan_make(&plan, &c, &job, &err), 0);
	assert_int_equal(setup_make(&s, &c, &job, &plan, &err), 0);
	assert_int_equal(s.exports[0].root_ino, 0);
	setup_see_roots(&s, &plan, true);
	assert_int_not_equal(s.exports[0].root_ino, 0);
	assert_true(s.exports[0].filled);
	setup_release(&s);
	c.fs_config.ignore_inode = true;
	assert_int_equal(setup_make(&s, &c, &job, &plan, &err), 0);
	setup_see_roots(&s, &plan, true);
	assert_int_equal(s.exports[0].root_ino, 0);
	assert_true(s.exports[0].filled);
	setup_release(&s);
	plan_release(&plan);
	conf_release(&c);
}

/* What a client sees over NFS is compared with what the plan has seen. */
static void
clients_know_the_roots_of_nfs(void **state)
{
	static const char text[] = "[s3_storage]\nendpoint = http://h:1\n"
	    "bucket = bkt\naccess_key = A\nsecret_key = S\n"
	    "[nfs h]\nshare = /x\n[client]\nhost = c\n";
	struct setup s = { .op = OP_NONE };
	struct job job = { .op = OP_PUT };
	struct run_plan plan = { .count = 0 };
	struct err err = ERR_INIT;
	struct tree_spec *specs;
	struct conf c;

	(void)state;
	load(&c, text);
	assert_int_equal(plan_make(&plan, &c, &job, &err), 0);
	assert_int_equal(setup_make(&s, &c, &job, &plan, &err), 0);
	plan.seen[0] = (struct attrs){ .kind = ENTRY_DIR, .ino = 5,
	    .fsid = 6 };
	setup_see_roots(&s, &plan, true);
	assert_int_equal(s.exports[0].seen.ino, 5);
	specs = setup_trees(&s);
	assert_int_equal(specs[0].root_ino, 5);
	assert_int_equal(specs[0].root_fsid, 6);
	free(specs);
	setup_release(&s);
	plan_release(&plan);
	conf_release(&c);
}

/* This process compares what it opens, too; and as nobody else opens it, also
 * the file system of a mounted share. */
static void
roots_are_compared_alone(void **state)
{
	static const char text[] = "[s3_storage]\nendpoint = http://h:1\n"
	    "bucket = bkt\naccess_key = A\nsecret_key = S\n"
	    "[fs_config]\nmounted = yes\n[nfs h]\nshare = /etc\n";
	struct setup s = { .op = OP_NONE };
	struct job job = { .op = OP_PUT };
	struct run_plan plan = { .count = 0 };
	struct err err = ERR_INIT;
	struct tree_spec *specs;
	struct tree *t = NULL;
	struct conf c;

	(void)state;
	load(&c, text);
	assert_int_equal(plan_make(&plan, &c, &job, &err), 0);
	assert_int_equal(tree_open(&t, &plan.specs[0], &err), 0);
	tree_root(t, NULL, &plan.seen[0]);
	tree_free(&t);
	for (int ignore = 0; ignore < 2; ignore++) {
		c.fs_config.ignore_inode = ignore != 0;
		assert_int_equal(setup_make(&s, &c, &job, &plan, &err), 0);
		setup_see_roots(&s, &plan, false);
		specs = setup_trees(&s);
		assert_int_equal(tree_open(&t, &specs[0], &err), 0);
		tree_free(&t);
		assert_int_equal(specs[0].root_ino == 0, ignore);
		specs[0].root_fsid++;
		assert_int_equal(tree_open(&t, &specs[0], &err), -1);
		assert_int_equal(err.kind, ERR_DENIED);
		free(specs);
		setup_release(&s);
	}
	plan_release(&plan);
	conf_release(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clients_get_the_settings),
		cmocka_unit_test(nothing_is_lost_on_the_way),
		cmocka_unit_test(a_destination_is_parsed_once),
		cmocka_unit_test(workers_can_hold_a_part_each),
		cmocka_unit_test(memory_too_small_for_a_part_is_an_error),
		cmocka_unit_test(clients_know_the_roots),
		cmocka_unit_test(clients_know_the_roots_of_nfs),
		cmocka_unit_test(roots_are_compared_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
