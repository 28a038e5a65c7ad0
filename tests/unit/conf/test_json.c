#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "kit/conf_text.h"

static const char whole[] =
    "{ \"clients_hosts_or_ip_addresses\": [\"c1\", \"c2\"],\n"
    "  \"master\": {\"host_or_ip_address\": \"m\", \"workers\": 2,\n"
    "    \"max_index_size\": 500, \"index_data_queue_size\": 50000,\n"
    "    \"size\": \"1GB\"},\n"
    "  \"client\": {\"workers\": 25, \"max_index_size\": 1000,\n"
    "    \"user_id\": \"u\", \"password\": \"p q\"},\n"
    "  \"message\": {\"port_index\": \"4000\", \"port_status\": 4001},\n"
    "  \"ip_address_family\": \"IPV4\",\n"
    "  \"socket_options\": {\"connection_retry_delay\": 3,\n"
    "    \"response_header_length\": 10, \"recv_timeout\": 60},\n"
    "  \"fs_config\": {\"mounted\": true, \"nfs\": {\n"
    "    \"10.0.0.1\": [\"/a\", \"/b c\"], \"h_1\": \"/d\"},\n"
    "    \"nfsport\": 2049, \"server_as_prefix\": \"no\", \"uid\": 7},\n"
    "  \"s3_storage\": {\"minio\": {\"url\": \"h:9000\",\n"
    "    \"access_key\": \"A\", \"secret_key\": \"S\"},\n"
    "    \"bucket\": \"bucket\", \"client_lib\": \"MinIO\",\n"
    "    \"region\": \"r\", \"session_token\": null},\n"
    "  \"operations\": [\"PUT\", \"GET\"], \"compaction\": \"no\",\n"
    "  \"logging\": {\"path\": \"/l\", \"level\": \"EXCEPTION\"},\n"
    "  \"dss_targets\": {\"subsystem_nqn\": {\"t\": [\"n1\", \"n2\"]},\n"
    "    \"installation_path\": \"/i\"},\n"
    "  \"environment\": {\"gcc\": {\"required\": true, \"source\": \"x\",\n"
    "    \"version\": \"5.1\"}, \"target_dir\": \"/t\"},\n"
    "  \"aws\": {\"awslib_log_debug\": 0},\n"
    "  \"catalog\": {\"path\": \"/c.db\"}, \"bwlimit\": \"1M\" }\n";

static void
the_original_is_read_as_it_is(void **state)
{
	CLEANUP(conf_release) struct conf c;
	struct err err = ERR_INIT;

	(void)state;
	if (text_load(&c, "t.json", whole, &err) == -1)
		fail_msg("%s", err.msg);
	assert_int_equal(c.client.hosts.n, 2);
	assert_string_equal(c.client.hosts.v[1], "c2");
	assert_string_equal(c.master.host_or_ip_address, "m");
	assert_int_equal(c.master.workers, 2);
	assert_int_equal(c.master.size, 1000000000);
	assert_int_equal(c.client.workers, 25);
	assert_string_equal(c.client.password, "p q");
	assert_int_equal(c.message.port_index, 4000);
	assert_int_equal(c.socket_options.recv_timeout, 60);
	assert_true(c.fs_config.mounted);
	assert_false(c.fs_config.server_as_prefix);
	assert_int_equal(c.fs_config.nfs_count, 2);
	assert_string_equal(c.fs_config.nfs[0].server, "10.0.0.1");
	assert_string_equal(c.fs_config.nfs[0].shares.v[1], "/b c");
	assert_string_equal(c.fs_config.nfs[1].server, "h_1");
	assert_string_equal(c.fs_config.nfs[1].shares.v[0], "/d");
	assert_int_equal(c.fs_config.access.uid, 7);
	assert_int_equal(c.s3_storage.endpoints.n, 1);
	assert_string_equal(c.s3_storage.endpoints.v[0], "http://h:9000");
	assert_string_equal(c.s3_storage.access_key, "A");
	assert_string_equal(c.s3_storage.secret_key, "S");
	assert_int_equal(c.s3_storage.client_lib, CLIENT_LIB_MINIO);
	assert_string_equal(c.s3_storage.region, "r");
	assert_int_equal(c.general.operations.n, 2);
	assert_false(c.general.compaction);
	assert_int_equal(c.bwlimit, MIB);
	assert_string_equal(c.logging.level, "EXCEPTION");
	assert_int_equal(c.dss_target_count, 1);
	assert_string_equal(c.dss_targets[0].host, "t");
	assert_int_equal(c.dss_targets[0].nqns.n, 2);
	assert_string_equal(c.dss_installation_path, "/i");
	assert_string_equal(c.catalog.path, "/c.db");
	assert_int_equal(c.notices.n, 1);
	assert_non_null(strstr(c.notices.v[0], "[general] ip_address_family, "
	    "[master] index_data_queue_size, "));
	assert_null(strstr(c.notices.v[0], "max_index_size"));
	assert_int_equal(c.client.max_index_size, 1000);
}

static void
older_names_are_known(void **state)
{
	CLEANUP(conf_release) struct conf a, b;
	struct err err = ERR_INIT;

	(void)state;
	if (text_load(&a, "t.json", "{\"tess_clients_ip\": [\"c\"],"
	    "\"master\": {\"ip_address\": \"m\"},"
	    "\"nfs_config\": {\"h\": [\"/a\"]},"
	    "\"dss_targets\": [\"t1\", \"t2\"]}", &err) == -1)
		fail_msg("%s", err.msg);
	assert_string_equal(a.client.hosts.v[0], "c");
	assert_string_equal(a.master.host_or_ip_address, "m");
	assert_string_equal(a.fs_config.nfs[0].server, "h");
	assert_int_equal(a.dss_target_count, 2);
	assert_string_equal(a.dss_targets[1].host, "t2");
	if (text_load(&b, "t.json", "{\"dss_targets\": {\"t\": [\"n\"],"
	    "\"u\": [\"o\"]}}", &err) == -1)
		fail_msg("%s", err.msg);
	assert_int_equal(b.dss_target_count, 2);
	assert_string_equal(b.dss_targets[1].nqns.v[0], "o");
}

static void
the_block_of_client_lib_counts(void **state)
{
	static const struct {
		const char *lib, *endpoint;
	} rows[] = {
		{ "boto3", "https://b" },
		{ "minio", "http://m:1" },
		{ "dss_client", "http://m:1" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(conf_release) struct conf c;
		struct err err = ERR_INIT;
		AUTOFREE char *text = xasprintf("{\"s3_storage\": {"
		    "\"client_lib\": \"%s\", \"minio\": {\"url\": \"m:1\"},"
		    "\"boto3\": {\"url\": \"https://b\"}}}", rows[i].lib);

		if (text_load(&c, "t.json", text, &err) == -1)
			fail_msg("%s", err.msg);
		assert_int_equal(c.s3_storage.endpoints.n, 1);
		assert_string_equal(c.s3_storage.endpoints.v[0],
		    rows[i].endpoint);
		assert_int_equal(c.notices.n, 1);
		assert_non_null(strstr(c.notices.v[0],
		    "is not the store in use"));
	}
}

static const struct {
	const char *text, *message;
} refused[] = {
	{ "{\"a\": 1,\n\"b\" 2}", "t.json:2:" },
	{ "[]", "t.json: the file: a list stands where an object belongs" },
	{ "{\"foo\": 1}", "t.json: foo: unknown key" },
	{ "{\"nfs a\": {\"share\": \"/a\"}}", "t.json: nfs a: unknown key" },
	{ "{\"client\": {\"wrokers\": 1}}", "t.json: client.wrokers: unknown "
	    "key wrokers in [client]; did you mean workers?" },
	{ "{\"client\": 5}", "t.json: client: a number stands where an obj" },
	{ "{\"prefix\": \"a/\"}", "t.json: prefix: an option, not a set" },
	{ "{\"dryrun\": true}", "t.json: dryrun: an option, not a setting" },
	{ "{\"fs_config\": {\"mounted\": 1}}", "t.json: fs_config.mounted: "
	    "bad mounted \"1\"; write yes or no" },
	{ "{\"fs_config\": {\"nfsport\": [1]}}", "t.json: fs_config.nfsport: "
	    "a list stands where one value belongs" },
	{ "{\"fs_config\": {\"nfs\": [\"/a\"]}}", "t.json: fs_config.nfs: a "
	    "list stands where an object of lists belongs" },
	{ "{\"fs_config\": {\"nfs\": {\"\": [\"/a\"]}}}",
	    "t.json: fs_config.nfs: a server without a name" },
	{ "{\"fs_config\": {\"nfs\": {\"h\": [[\"/a\"]]}}}",
	    "t.json: fs_config.nfs.h: a list stands where a string" },
	{ "{\"master\": {\"ip_address\": \"a\", \"host_or_ip_address\": "
	    "\"b\"}}", "t.json: master.host_or_ip_address: host_or_ip_address "
	    "is set a second time" },
	{ "{\"s3_storage\": {\"minio\": {\"urk\": \"a\"}}}",
	    "t.json: s3_storage.minio.urk: unknown key; url, access" },
	{ "{\"s3_storage\": {\"minio\": {\"url\": 5}}}",
	    "t.json: s3_storage.minio.url: a number stands where a string" },
	{ "{\"s3_storage\": {\"bucket\": \"a\\nb\"}}",
	    "t.json: s3_storage.bucket: bucket: the value holds a control" },
	{ "{\"s3_storage\": {\"bucket\": \" a\"}}",
	    "t.json: s3_storage.bucket: bucket: the value begins or ends" },
	{ "{\"client\": {\"password\": \"a ;b\"}}",
	    "t.json: client.password: password: the value holds \" ;\"" },
	{ "{\"client\": {\"x\\ny\": 1}}",
	    "t.json: client.x\\x0ay: unknown key x\\x0ay" },
	{ "{\"dss_targets\": [1]}", "t.json: dss_targets: a number stands" },
	{ "{\"fs_config\": {\"nfs\": {\"h\": [\"/a\"]}}, "
	    "\"nfs_config\": {\"h\": [\"/b\"]}}",
	    "t.json: nfs_config.h: server is set a second time" },
};

static void
bad_json_is_refused_with_its_path(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		CLEANUP(conf_release) struct conf c;
		struct err err = ERR_INIT;

		if (text_load(&c, "t.json", refused[i].text, &err) == 0)
			fail_msg("accepted: %s", refused[i].text);
		assert_int_equal(err.kind, ERR_CONFIG);
		if (strncmp(text_message(&err), refused[i].message,
		    strlen(refused[i].message)) != 0)
			fail_msg("got:  %s\nwant: %s", err.msg,
			    refused[i].message);
	}
}

static char *
printed(const struct conf *c, bool comments)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	conf_print(c, f, comments, true);
	assert_int_equal(fclose(f), 0);
	return text;
}

static void
check_round_trip(const char *json)
{
	CLEANUP(conf_release) struct conf a, b;
	AUTOFREE char *ini = NULL, *shown_a = NULL, *shown_b = NULL;
	struct err err = ERR_INIT;

	if (text_load(&a, "t.json", json, &err) == -1)
		fail_msg("%s", err.msg);
	ini = printed(&a, true);
	if (text_load(&b, "t.conf", ini, &err) == -1)
		fail_msg("%s\n%s", err.msg, ini);
	assert_int_equal(b.notices.n, 0);
	shown_a = printed(&a, false);
	shown_b = printed(&b, false);
	assert_string_equal(shown_a, shown_b);
	for (size_t i = 0; i < a.fs_config.nfs_count; i++)
		assert_string_equal(a.fs_config.nfs[i].server,
		    b.fs_config.nfs[i].server);
}

static void
converted_settings_are_the_same(void **state)
{
	(void)state;
	check_round_trip(whole);
	check_round_trip("{}");
	/* The shape of the older documents. */
	check_round_trip("{\"tess_clients_ip\": [\"c1\", \"c2\"], "
	    "\"master\": {\"ip_address\": \"m\", \"workers\": 2, "
	    "\"max_index_size\": 7, \"size\": \"2GB\"}, "
	    "\"client\": {\"workers\": 3, \"max_index_size\": 6}, "
	    "\"nfs_config\": {\"h\": [\"/a\", \"/b\"], \"i\": [\"/c\"]}, "
	    "\"dss_targets\": [\"t1\", \"t2\"], \"operations\": "
	    "[\"PUT\", \"LIST\"], \"s3_storage\": {\"minio\": {\"url\": "
	    "\"m:9000\", \"access_key\": \"a\", \"secret_key\": \"s\"}, "
	    "\"bucket\": \"bkt\", \"client_lib\": \"dss_client\"}}");
	/* Servers whose names can't be a section's, lists that are empty,
	 * bytes beyond ASCII. */
	check_round_trip("{\"fs_config\": {\"nfs\": {"
	    "\"a-name-that-is-longer-than-a-section-may-be.example.com\": "
	    "[\"/a\"], \"x]y\": [\"/b\"], \"fe80::1\": [\"/\xc3\xa9\"]},"
	    "\"skip_dir\": []}, \"client\": {\"path\": \"\"},"
	    "\"s3_storage\": {\"part_size\": 5242881}}");
}

static void
the_sample_is_read(void **state)
{
	CLEANUP(conf_release) struct conf c;
	struct err err = ERR_INIT;

	(void)state;
	if (conf_load(&c, "conf/config.json", &err) == -1 ||
	    conf_finish(&c, true, true, &err) == -1)
		fail_msg("%s", err.msg);
	assert_string_equal(c.fs_config.nfs[0].server, "filer.example.com");
}

static void
the_example_is_that_of_the_table(void **state)
{
	CLEANUP(conf_release) struct conf c, d;
	AUTOFREE char *text = NULL, *file = xcalloc(1, MIB);
	AUTOFREE char *shown_c = NULL, *shown_d = NULL;
	CLEANUP(buf_release) struct buf all;
	FILE *f = fopen("conf/datamover.conf", "r");
	struct err err = ERR_INIT;
	size_t len = 0;

	(void)state;
	assert_non_null(f);
	assert_in_range(fread(file, 1, MIB, f), 1, MIB - 1);
	fclose(f);
	f = open_memstream(&text, &len);
	assert_non_null(f);
	conf_print_example(f);
	assert_int_equal(fclose(f), 0);
	assert_string_equal(file, text);
	if (conf_load(&c, "conf/datamover.conf", &err) == -1)
		fail_msg("%s", err.msg);
	assert_string_equal(c.s3_storage.bucket, "bucket");
	/* What stands there as a default is one: "#key = value". */
	buf_init(&all, MIB);
	for (const char *p = text; *p != '\0'; p = strchr(p, '\n') + 1) {
		size_t n = strcspn(p, "\n");

		if (p[0] == '#' && p[1] != ' ' && p[n - 1] != '=')
			buf_add(&all, p + 1, n);
		else
			buf_add(&all, p, n + 1);
	}
	if (text_load(&d, "t.conf", all.data, &err) == -1)
		fail_msg("%s", err.msg);
	shown_c = printed(&c, false);
	shown_d = printed(&d, false);
	assert_string_equal(shown_c, shown_d);
}

static void
secrets_are_not_shown(void **state)
{
	CLEANUP(conf_release) struct conf c;
	AUTOFREE char *text = NULL;
	struct err err = ERR_INIT;
	size_t len = 0;
	FILE *f;

	(void)state;
	assert_int_equal(text_load(&c, "t.json", "{\"client\": {\"password\":"
	    "\"SECRET1\"}, \"s3_storage\": {\"secret_key\": \"SECRET2\","
	    "\"session_token\": \"SECRET3\", \"access_key\": \"A\"}}",
	    &err), 0);
	f = open_memstream(&text, &len);
	assert_non_null(f);
	conf_print(&c, f, false, false);
	conf_print(&c, f, true, false);
	fclose(f);
	assert_null(strstr(text, "SECRET"));
	assert_non_null(strstr(text, "secret_key = (set)\n"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_original_is_read_as_it_is),
		cmocka_unit_test(older_names_are_known),
		cmocka_unit_test(the_block_of_client_lib_counts),
		cmocka_unit_test(bad_json_is_refused_with_its_path),
		cmocka_unit_test(converted_settings_are_the_same),
		cmocka_unit_test(the_sample_is_read),
		cmocka_unit_test(the_example_is_that_of_the_table),
		cmocka_unit_test(secrets_are_not_shown),
	};

	return cmocka_run_group_tests(tests, text_setup, text_teardown);
}
