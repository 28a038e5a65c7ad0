#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "conf/table.h"
#include "kit/conf_text.h"

static void
defaults_are_those_of_the_table(void **state)
{
	CLEANUP(conf_release) struct conf c;

	(void)state;
	conf_init(&c);
	assert_true(c.general.compaction);
	assert_int_equal(c.master.workers, 1);
	assert_int_equal(c.master.size, 1000000000);
	assert_int_equal(c.message.port_index, 6000);
	assert_false(c.fs_config.mounted);
	assert_true(c.fs_config.server_as_prefix);
	assert_int_equal(c.fs_config.access.nfs_version, 0);
	assert_int_equal(c.fs_config.access.uid, geteuid());
	assert_int_equal(c.fs_config.skip_dirs.n, 3);
	assert_string_equal(c.fs_config.skip_dirs.v[2], "~snapshot");
	assert_int_equal(c.s3_storage.part_size, 8 * MIB);
	assert_int_equal(c.s3_storage.retry_for, 300);
	assert_true(c.s3_storage.path_style);
	assert_string_equal(c.s3_storage.region, "us-east-1");
	assert_null(c.s3_storage.bucket);
	assert_int_equal(c.bwlimit, 0);
}

static void
ini_sets_what_it_says(void **state)
{
	CLEANUP(conf_release) struct conf c;
	struct err err = ERR_INIT;

	(void)state;
	if (text_load(&c, "t.conf", "\xef\xbb\xbf# comment\r\n"
	    "[general]\r\noperation = put\noperation = LIST\n"
	    "compaction = no\nbwlimit=10M\ntpslimit = 20\n"
	    "; comment\n  ; an indented comment\n   \n"
	    "[nfs a]\nshare = /x y\nshare = /z\n"
	    "[nfs b]\nserver = filer.example.com\nshare: /q\n"
	    "[fs_config]\nmounted = yes\nnfs_version = 4\ninode = ignore\n"
	    "uid = 4294967294\nskip_dir = .ckpt\n"
	    "[s3_storage]\nclient_lib = BOTO3\nendpoint = http://h:1\n"
	    "endpoint = https://h2\nbucket = b#c\nsecret_key = a=b:c==\n"
	    "part_size = 5MiB\n"
	    "[nfs a]\nshare = /w\n"
	    "[dss_targets t]\nnqn = n:1\nnqn = n:2\n"
	    "[dss_targets]\ninstallation_path =\n"
	    "[logging]\nlevel = warning", &err) == -1)
		fail_msg("%s", err.msg);
	assert_int_equal(c.general.operations.n, 2);
	assert_string_equal(c.general.operations.v[0], "PUT");
	assert_false(c.general.compaction);
	assert_int_equal(c.bwlimit, 10 * MIB);
	assert_int_equal(c.tpslimit, 20);
	assert_int_equal(c.fs_config.nfs_count, 2);
	assert_string_equal(c.fs_config.nfs[0].server, "a");
	assert_int_equal(c.fs_config.nfs[0].shares.n, 3);
	assert_string_equal(c.fs_config.nfs[0].shares.v[0], "/x y");
	assert_string_equal(c.fs_config.nfs[1].server, "filer.example.com");
	assert_string_equal(c.fs_config.nfs[1].shares.v[0], "/q");
	assert_true(c.fs_config.mounted);
	assert_int_equal(c.fs_config.access.nfs_version, 4);
	assert_true(c.fs_config.ignore_inode);
	assert_int_equal(c.fs_config.access.uid, 4294967294U);
	assert_int_equal(c.fs_config.skip_dirs.n, 1);
	assert_int_equal(c.s3_storage.client_lib, CLIENT_LIB_BOTO3);
	assert_int_equal(c.s3_storage.endpoints.n, 2);
	assert_string_equal(c.s3_storage.bucket, "b#c");
	assert_string_equal(c.s3_storage.secret_key, "a=b:c==");
	assert_int_equal(c.dss_target_count, 1);
	assert_string_equal(c.dss_targets[0].host, "t");
	assert_int_equal(c.dss_targets[0].nqns.n, 2);
	assert_null(c.dss_installation_path);
	assert_string_equal(c.logging.level, "WARNING");
	assert_int_equal(c.notices.n, 0);
}

#define X10 "xxxxxxxxxx"
#define X50 X10 X10 X10 X10 X10

/* What inih would cut or misread, and what the table refuses. */
static const struct {
	const char *text;
	const char *message;
} refused[] = {
	{ "bucket = b\n", "t.conf:1: bucket stands before the first" },
	{ "\n[genral]\n", "t.conf:2: unknown section [genral]; see" },
	{ "[nfs]\nshare = /a\n", "t.conf:1: unknown section [nfs]" },
	{ "[nfs ]\nshare = /a\n", "t.conf:1: a section with blanks" },
	{ "[s3_storage x]\n", "t.conf:1: unknown section" },
	{ "[general\n", "t.conf:1: a section without its ]" },
	{ "[general] x = 1\n", "t.conf:1: something follows" },
	{ "[]\n", "t.conf:1: a section with blanks" },
	{ "[nfs " X50 "]\n", "t.conf:1: a section of more than 49" },
	{ "[general]\n" X50 " = 1\n", "t.conf:2: no key is so long" },
	{ "[general]\nbwlimit\n", "t.conf:2: neither a section nor" },
	{ "[general]\n = 3\n", "t.conf:2: an indented line" },
	{ "[general]\n=3\n", "t.conf:2: a value without a key" },
	{ "[nfs a]\nshare = /a\n  /b\n", "t.conf:3: an indented line" },
	{ "[nfs a]\nshare = /a\n\tshare = /b\n", "t.conf:3: an indented" },
	{ "[nfs a]\nshare = /a ; all\n", "t.conf:2: \" ;\" in a line" },
	{ "[nfs a]\nshare = ;\n", "t.conf:2: \" ;\" in a line" },
	{ "[nfs a]\nshare = /a\x01\n", "t.conf:2: a control character" },
	{ "[general]\nbwlimt = 1\n", "t.conf:2: unknown key bwlimt in "
	    "[general]; did you mean bwlimit?" },
	{ "[general]\nbucket = b\n", "t.conf:2: unknown key bucket in "
	    "[general]; it belongs in [s3_storage]" },
	{ "[general]\nfoo\x1b = b\n", "t.conf:2: a control character" },
	{ "[general]\nfoobar = b\n", "t.conf:2: unknown key foobar" },
	{ "[s3_storage]\nbucket = b\n\nbucket = b\n",
	    "t.conf:4: bucket is set a second time" },
	{ "[s3_storage]\nbucket =\n[master]\n[s3_storage]\nbucket = b\n",
	    "t.conf:5: bucket is set a second time" },
	{ "[nfs a]\nserver = a\nserver = b\n",
	    "t.conf:3: server is set a second" },
	{ "[fs_config]\nmounted = Yes\n",
	    "t.conf:2: bad mounted \"Yes\"; write yes or no" },
	{ "[fs_config]\nmounted =\n", "t.conf:2: bad mounted \"\"" },
	{ "[fs_config]\nnfs_version = 2\n", "t.conf:2: bad nfs_version "
	    "\"2\"; write auto, 3 or 4" },
	{ "[fs_config]\nnfsport = 65536\n", "t.conf:2: bad nfsport "
	    "\"65536\"; write a number from 0 to 65535" },
	{ "[master]\nworkers = 0\n", "t.conf:2: bad workers \"0\"; write a "
	    "number from 1 to 64" },
	{ "[fs_config]\nnfsport = 2049 # x\n", "t.conf:2: bad nfsport" },
	{ "[fs_config]\nnfsport = -1\n", "t.conf:2: bad nfsport" },
	{ "[fs_config]\nnfsport = 0x801\n", "t.conf:2: bad nfsport" },
	{ "[fs_config]\nnfsport = 99999999999999999999999\n",
	    "t.conf:2: bad nfsport" },
	{ "[s3_storage]\npart_size = 4MiB\n", "t.conf:2: bad part_size "
	    "\"4MiB\"; write a size such as 64MiB or 1GB, from 5.0 MiB" },
	{ "[s3_storage]\npart_size = 8 floppies\n", "t.conf:2: bad part_s" },
	{ "[s3_storage]\nclient_lib = minoi\n", "t.conf:2: bad client_lib "
	    "\"minoi\"; write minio, boto3 or dss_client" },
	{ "[logging]\nlevel = LOUD\n", "t.conf:2: bad level" },
	{ "[general]\noperation = MOVE\n", "t.conf:2: bad operation" },
};

static void
bad_lines_are_refused_with_their_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		CLEANUP(conf_release) struct conf c;
		struct err err = ERR_INIT;

		if (text_load(&c, "t.conf", refused[i].text, &err) == 0)
			fail_msg("accepted: %s", refused[i].text);
		assert_int_equal(err.kind, ERR_CONFIG);
		if (strncmp(text_message(&err), refused[i].message,
		    strlen(refused[i].message)) != 0)
			fail_msg("got:  %s\nwant: %s", err.msg,
			    refused[i].message);
	}
}

static void
long_lines_are_whole_or_refused(void **state)
{
	CLEANUP(buf_release) struct buf text;
	struct err err = ERR_INIT;

	(void)state;
	buf_init(&text, 1 << 20);
	for (size_t len = 100; len < 10000; len += 97) {
		CLEANUP(conf_release) struct conf c;
		int rc;

		buf_clear(&text);
		buf_addstr(&text, "[s3_storage]\nsession_token = ");
		for (size_t i = 0; i < len; i++)
			buf_addch(&text, i % 3 == 0 ? '=' : 'a');
		rc = text_load_bytes(&c, "t.conf", buf_str(&text), &err);
		if (rc == -1) {
			assert_in_range(len, 4097, 10000);
			assert_non_null(strstr(err.msg, "t.conf:2: "));
		} else {
			assert_in_range(len, 100, 4096);
			assert_int_equal(strlen(c.s3_storage.session_token),
			    len);
		}
	}
}

static void
nul_bytes_and_huge_files_are_refused(void **state)
{
	CLEANUP(conf_release) struct conf a, b;
	AUTOFREE char *huge = xmalloc(2 * MIB);
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(text_load_bytes(&a, "t.conf",
	    STR("[nfs a]\nshare = /a\0b\n"), &err), -1);
	assert_string_equal(text_message(&err),
	    "t.conf:2: a NUL byte; is it a text file?");
	memset(huge, '\n', 2 * MIB);
	assert_int_equal(text_load_bytes(&b, "t.conf",
	    (struct str){ huge, 2 * MIB }, &err), -1);
	assert_non_null(strstr(err.msg, "longer than 1048576 bytes"));
}

static void
a_missing_file_is_a_configuration_error(void **state)
{
	CLEANUP(conf_release) struct conf c;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(conf_load(&c, "/nowhere/t.conf", &err), -1);
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_non_null(strstr(err.msg, "/nowhere/t.conf: No such file"));
}

static void
options_win_and_lists_are_replaced(void **state)
{
	CLEANUP(conf_release) struct conf c;
	struct err err = ERR_INIT;

	(void)state;
	if (text_load(&c, "t.conf", "[s3_storage]\nbucket = file\n"
	    "endpoint = http://a\nendpoint = http://b\n[nfs a]\nshare = /a\n",
	    &err) == -1)
		fail_msg("%s", err.msg);
	assert_int_equal(conf_origin_of(&c, "s3_storage", "bucket"),
	    CONF_FILE);
	assert_int_equal(conf_set(&c, "s3_storage", "bucket", "option",
	    "--bucket", &err), 0);
	assert_int_equal(conf_set(&c, "s3_storage", "endpoint", "http://c",
	    "--endpoint", &err), 0);
	assert_int_equal(conf_set(&c, "s3_storage", "endpoint", "http://d",
	    "--endpoint", &err), 0);
	assert_string_equal(c.s3_storage.bucket, "option");
	assert_int_equal(c.s3_storage.endpoints.n, 2);
	assert_string_equal(c.s3_storage.endpoints.v[0], "http://c");
	assert_int_equal(conf_origin_of(&c, "s3_storage", "bucket"),
	    CONF_OPTION);
	assert_int_equal(conf_origin_of(&c, "s3_storage", "region"),
	    CONF_DEFAULT);
	assert_int_equal(conf_set(&c, "fs_config", "nfsport", "many",
	    "--nfs-port", &err), -1);
	assert_string_equal(err.msg, "--nfs-port: bad nfsport \"many\"; "
	    "write a number from 0 to 65535");
	conf_set_nfs(&c, "h", "/s");
	assert_int_equal(c.fs_config.nfs_count, 1);
	assert_string_equal(c.fs_config.nfs[0].server, "h");
	assert_string_equal(c.fs_config.nfs[0].shares.v[0], "/s");
}

static void
operations_are_allowed_as_listed(void **state)
{
	CLEANUP(conf_release) struct conf c;

	(void)state;
	conf_init(&c);
	assert_true(conf_allows(&c, "DEL"));
	assert_int_equal(conf_set(&c, "general", "operation", "PUT", "x",
	    NULL), 0);
	assert_true(conf_allows(&c, "PUT"));
	assert_true(conf_allows(&c, "TEST"));
	assert_false(conf_allows(&c, "DEL"));
}

static void
a_file_with_secrets_that_all_can_read_is_noticed(void **state)
{
	CLEANUP(conf_release) struct conf c;
	AUTOFREE char *path = text_path("t.conf");
	struct err err = ERR_INIT;

	(void)state;
	text_write("t.conf", STR("[client]\npassword = p\n"), 0644);
	assert_int_equal(conf_load(&c, path, &err), 0);
	assert_int_equal(c.notices.n, 1);
	assert_non_null(strstr(c.notices.v[0], "open to every user"));
}

static void
settings_without_meaning_are_named_once(void **state)
{
	CLEANUP(conf_release) struct conf c;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(text_load(&c, "t.conf", "[aws]\nawslib_log_debug=1\n"
	    "[master]\nindex_data_queue_size = 5\n", &err), 0);
	assert_int_equal(c.notices.n, 1);
	assert_non_null(strstr(c.notices.v[0],
	    ": [master] index_data_queue_size, [aws] awslib_log_debug"));
}

static void
the_table_is_sound(void **state)
{
	const struct conf_row_info *rows = conf_table;
	size_t n = conf_table_len;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		assert_non_null(rows[i].help);
		if (rows[i].kind == CONF_NOTHING)
			continue;
		assert_true(rows[i].help[strlen(rows[i].help) - 1] == '.');
		if (rows[i].kind == CONF_SIZE)
			assert_true(rows[i].max > rows[i].min);
		for (size_t j = 0; j < i; j++)
			assert_false(strcmp(rows[i].section,
			    rows[j].section) == 0 &&
			    strcmp(rows[i].key, rows[j].key) == 0);
	}
}

/* A cut crawl is continued only where all that decides what is found is as it
 * was. */
static void
each_setting_of_the_source_is_described(void **state UNUSED)
{
	static const char *const set[][2] = { { "mounted", "yes" },
	    { "server_as_prefix", "no" }, { "nfsport", "7" },
	    { "mountport", "7" }, { "nfs_version", "4" }, { "uid", "77" },
	    { "gid", "77" }, { "inode", "ignore" }, { "ctime", "ignore" },
	    { "clock_skew", "77s" }, { "cross_mounts", "no" },
	    { "skip_dir", "" }, { "skip_dir", "a" } };

	for (size_t i = 0; i < ARRAY_LEN(set); i++) {
		CLEANUP(conf_release) struct conf plain, c;
		CLEANUP(buf_release) struct buf a, b;

		conf_init(&plain);
		conf_init(&c);
		buf_init(&a, MIB);
		buf_init(&b, MIB);
		assert_int_equal(conf_set(&c, "fs_config", set[i][0],
		    set[i][1], "test", NULL), 0);
		conf_describe_source(&plain, &a);
		conf_describe_source(&c, &b);
		assert_string_not_equal(a.data, b.data);
		assert_int_equal(conf_set(&plain, "fs_config", set[i][0],
		    set[i][1], "test", NULL), 0);
		assert_int_equal(conf_set(&plain, "fs_config", "timeout",
		    "77", "test", NULL), 0);
		buf_clear(&a);
		conf_describe_source(&plain, &a);
		assert_string_equal(a.data, b.data);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_those_of_the_table),
		cmocka_unit_test(ini_sets_what_it_says),
		cmocka_unit_test(bad_lines_are_refused_with_their_place),
		cmocka_unit_test(long_lines_are_whole_or_refused),
		cmocka_unit_test(nul_bytes_and_huge_files_are_refused),
		cmocka_unit_test(a_missing_file_is_a_configuration_error),
		cmocka_unit_test(options_win_and_lists_are_replaced),
		cmocka_unit_test(operations_are_allowed_as_listed),
		cmocka_unit_test(
		    a_file_with_secrets_that_all_can_read_is_noticed),
		cmocka_unit_test(settings_without_meaning_are_named_once),
		cmocka_unit_test(each_setting_of_the_source_is_described),
		cmocka_unit_test(the_table_is_sound),
	};

	return cmocka_run_group_tests(tests, text_setup, text_teardown);
}
