/* What DSS targets answer; the rest is in tests/system/test_compact.py. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "compact/compact_internal.h"

static void
test_answer(void **state)
{
	static const struct { const char *text, *word; } good[] = {
		{ "{\"result\": \"STARTED\"}\n", "STARTED" },
		{ "note\n{\n \"id\": 1,\n \"result\": \"IDLE\"\n}\nbye\n",
		    "IDLE" },
		{ "{\"result\":\"\\u001b[1m\"}", "\\x1b[1m" }
	};
	static const char *const bad[] = { "", "STARTED", "{}", "{", "}{",
	    "{\"result\":1}", "{\"result\":\"\"}", "{\"result\":null}",
	    "{\"other\":\"IDLE\"}", "[\"IDLE\"]", "{\"result\":\"IDLE\"" };
	char word[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct err err = ERR_INIT;

		assert_int_equal(compact_answer(str_of(good[i].text), word,
		    sizeof(word), &err), 0);
		assert_string_equal(word, good[i].word);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err err = ERR_INIT;

		assert_int_equal(compact_answer(str_of(bad[i]), word,
		    sizeof(word), &err), -1);
		assert_int_equal(err.kind, ERR_PEER);
	}
}

static void
test_find(void **state)
{
	static const char text[] =
	    "nvme-subsys0 - NQN=nqn.2023-06.io:host1-data1\n\\\n"
	    " +- nvme0 tcp traddr=10.0.0.1 trsvcid=1023 live\n"
	    "nvme-subsys1 - NQN=nqn.2023-06.io:host10-data1\n"
	    "nvme-subsys2 - NQN=nqn.2023-06.io:x:host1.data2 more\n"
	    "nvme-subsys3 - NQN=nqn.2023-06.io:other-host1\n"
	    "nvme-subsys4 - NQN=nqn.2023-06.host1\n"
	    "nvme-subsys5 - NQN=\n"
	    "nvme-subsys6 - NQN=nqn:host1";
	struct strlist found = { .n = 0 };
	char many[2048];

	(void)state;
	compact_find(STR(text), "host1", &found);
	assert_int_equal(found.n, 3);
	assert_string_equal(found.v[0], "nqn.2023-06.io:host1-data1");
	assert_string_equal(found.v[1], "nqn.2023-06.io:x:host1.data2");
	assert_string_equal(found.v[2], "nqn:host1");
	strlist_clear(&found);
	compact_find(STR(text), "host1.example.org", &found);
	assert_int_equal(found.n, 3);
	strlist_clear(&found);
	compact_find(STR(text), "", &found);
	compact_find(STR(text), ".", &found);
	compact_find(STR(""), "host1", &found);
	assert_int_equal(found.n, 0);
	memset(many, 'x', sizeof(many));
	memcpy(many, "NQN=n:host1-", 12);
	compact_find((struct str){ many, sizeof(many) }, "host1", &found);
	for (size_t i = 0; i < found.n; i++)
		assert_true(strlen(found.v[i]) <= 223);
	strlist_clear(&found);
}

static void
test_sane(void **state)
{
	char nqn[300];

	(void)state;
	assert_true(compact_nqn_is_sane("nqn.2023-06.io:host1;$(x)'"));
	assert_false(compact_nqn_is_sane(""));
	assert_false(compact_nqn_is_sane("-nqn"));
	assert_false(compact_nqn_is_sane("a b"));
	assert_false(compact_nqn_is_sane("a\n"));
	assert_false(compact_nqn_is_sane("\xc3\xa4"));
	memset(nqn, 'a', sizeof(nqn));
	nqn[223] = '\0';
	assert_true(compact_nqn_is_sane(nqn));
	nqn[223] = 'a';
	nqn[224] = '\0';
	assert_false(compact_nqn_is_sane(nqn));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answer),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_sane),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
