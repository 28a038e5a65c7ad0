/* The cluster map: what it says, and what is wrong with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "rest/map.h"

static void
test_sample(void **state)
{
	static const char text[] = "{\"version\":1.0,\"init_time\":5,"
	    "\"transport_type\":\"minio/rdd\",\"clusters\":["
	    "{\"id\":1,\"endpoints\":[{\"ipv4\":\"10.0.0.2\",\"port\":9000}],"
	    "\"rdd_endpoints\":[{\"ipv4\":\"10.0.0.2\",\"port\":1234}]},"
	    "{\"id\":0,\"endpoints\":[{\"ipv4\":\"127.0.0.1\",\"port\":9001},"
	    "{\"ipv4\":\"node-1.example.com\",\"port\":9002},"
	    "{\"ipv4\":\"127.0.0.1\",\"port\":9001},"
	    "{\"ipv4\":\"fd00::7\",\"port\":9003}]}]}";
	struct err err = ERR_INIT;
	struct s3_map *m;

	(void)state;
	if (s3_map_parse(&m, str_of(text), "https", &err) == -1)
		fail_msg("%s", err.msg);
	assert_int_equal(m->count, 2);
	assert_string_equal(m->clusters[0].bucket, "dss0");
	assert_int_equal(m->clusters[0].endpoint_count, 3);
	assert_string_equal(m->clusters[0].endpoints[0],
	    "https://127.0.0.1:9001");
	assert_string_equal(m->clusters[0].endpoints[1],
	    "https://node-1.example.com:9002");
	assert_string_equal(m->clusters[0].endpoints[2],
	    "https://[fd00::7]:9003");
	assert_string_equal(m->clusters[1].bucket, "dss1");
	assert_int_equal(m->clusters[1].endpoint_count, 1);
	assert_string_equal(m->clusters[1].endpoints[0],
	    "https://10.0.0.2:9000");
	s3_map_free(&m);
	assert_null(m);
}

#define E	"{\"ipv4\":\"h\",\"port\":1}"
#define C(id)	"{\"id\":" id ",\"endpoints\":[" E "]}"

static void
test_wrong(void **state)
{
	static const struct {
		const char *text, *says;
	} v[] = {
		{ "", "conf.json:1:" },
		{ "{", "conf.json:1:" },
		{ "[]", "no \"clusters\"" },
		{ "{}", "no \"clusters\"" },
		{ "{\"clusters\":[]}", "no \"clusters\"" },
		{ "{\"clusters\":{}}", "no \"clusters\"" },
		{ "{\"clusters\":[7]}", "\"id\"" },
		{ "{\"clusters\":[{\"endpoints\":[" E "]}]}", "\"id\"" },
		{ "{\"clusters\":[" C("\"0\"") "]}", "\"id\"" },
		{ "{\"clusters\":[" C("-1") "]}", "\"id\"" },
		{ "{\"clusters\":[" C("1") "]}", "from 0 to 0" },
		{ "{\"clusters\":[" C("0") "," C("2") "]}", "from 0 to 1" },
		{ "{\"clusters\":[" C("0") "," C("0") "]}", "two clusters" },
		{ "{\"clusters\":[{\"id\":0}]}", "no \"endpoints\"" },
		{ "{\"clusters\":[{\"id\":0,\"endpoints\":[]}]}",
		    "no \"endpoints\"" },
		{ "{\"clusters\":[{\"id\":0,\"endpoints\":[7]}]}", "ipv4" },
		{ "{\"clusters\":[{\"id\":0,\"endpoints\":[{\"port\":1}]}]}",
		    "ipv4" },
		{ "{\"clusters\":[{\"id\":0,\"endpoints\":[{\"ipv4\":"
		    "\"h/../x\",\"port\":1}]}]}", "ipv4" },
		{ "{\"clusters\":[{\"id\":0,\"endpoints\":[{\"ipv4\":"
		    "\"u@h\",\"port\":1}]}]}", "ipv4" },
		{ "{\"clusters\":[{\"id\":0,\"endpoints\":[{\"ipv4\":"
		    "\"\",\"port\":1}]}]}", "ipv4" },
		{ "{\"clusters\":[{\"id\":0,\"endpoints\":[{\"ipv4\":"
		    "\"h\"}]}]}", "port" },
		{ "{\"clusters\":[{\"id\":0,\"endpoints\":[{\"ipv4\":"
		    "\"h\",\"port\":0}]}]}", "port" },
		{ "{\"clusters\":[{\"id\":0,\"endpoints\":[{\"ipv4\":"
		    "\"h\",\"port\":65536}]}]}", "port" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		struct err err = ERR_INIT;
		struct s3_map *m = NULL;

		assert_int_equal(s3_map_parse(&m, str_of(v[i].text), "http",
		    &err), -1);
		assert_null(m);
		assert_int_equal(err.kind, ERR_CONFIG);
		if (strstr(err.msg, v[i].says) == NULL ||
		    strstr(err.msg, "cluster map dss/conf.json") == NULL)
			fail_msg("%s: %s", v[i].text, err.msg);
	}
}

static void
test_limits(void **state)
{
	struct err err = ERR_INIT;
	struct s3_map *m = NULL;
	struct buf b;

	(void)state;
	for (unsigned n = 256; n <= 257; n++) {
		buf_init(&b, MIB);
		buf_addstr(&b, "{\"clusters\":[");
		for (unsigned i = 0; i < n; i++)
			buf_addf(&b, "%s{\"id\":%u,\"endpoints\":[" E "]}",
			    i == 0 ? "" : ",", i);
		buf_addstr(&b, "]}");
		assert_int_equal(s3_map_parse(&m, buf_str(&b), "http", &err),
		    n == 256 ? 0 : -1);
		buf_release(&b);
		s3_map_free(&m);
	}
	assert_non_null(strstr(err.msg, "more than 256"));
	buf_init(&b, 2 * MIB);
	while (b.len <= MIB)
		buf_addstr(&b, "                ");
	assert_int_equal(s3_map_parse(&m, buf_str(&b), "http", &err), -1);
	assert_non_null(strstr(err.msg, "over 1 MiB"));
	buf_release(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sample),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
