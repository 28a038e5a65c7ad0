/*
 * Which target a run means: by name, by endpoint and bucket, or asked about.
 */
#include "kit/catalog.h"

static int64_t
begun(struct kit *k, const struct run_spec *spec)
{
	kit_begin_spec(k, spec);
	kit_end(k, RUN_COMPLETE);
	return k->info.target;
}

/* Both the run and the question before the run are refused, and the refused run
 * has made no target known. */
static void
refused(struct kit *k, const struct run_spec *spec, const char *word)
{
	for (int i = 0; i < 2; i++) {
		struct err err = ERR_INIT, before = ERR_INIT;

		assert_int_equal(catalog_begin_run(k->c, spec, &k->info, &err),
		    -1);
		assert_int_equal(err.kind, ERR_CONFIG);
		assert_int_equal(catalog_check_target(k->path, spec, &before),
		    -1);
		assert_string_equal(err.msg, before.msg);
		if (strstr(err.msg, word) == NULL)
			fail_msg("\"%s\" does not say \"%s\"", err.msg, word);
	}
}

static void
a_new_endpoint_is_asked_about(void **state)
{
	struct kit *k = *state;
	struct run_spec spec = kit_spec("bucket", "all");
	struct run_spec other = kit_spec("another", "all");
	struct err err = ERR_INIT;
	int64_t first, second;

	kit_open(k);
	first = begun(k, &spec);
	other.endpoint = "https://s3";
	assert_int_equal(catalog_check_target(k->path, &other, &err), 0);
	begun(k, &other);

	spec.endpoint = "https://s3";
	refused(k, &spec, "http://s3");
	spec.new_target = true;
	second = begun(k, &spec);
	assert_int_not_equal(second, first);
	spec.new_target = false;
	assert_int_equal(begun(k, &spec), second);
	spec.endpoint = "http://s3";
	assert_int_equal(begun(k, &spec), first);
	/* Keys of the other kind are in the same bucket. */
	spec.server_as_prefix = false;
	assert_int_not_equal(begun(k, &spec), first);
}

static void
a_name_goes_with_the_store(void **state)
{
	struct kit *k = *state;
	struct run_spec spec = kit_spec("bucket", "all");
	struct run_spec away = kit_spec("bucket", "all");
	struct run_spec bucket = kit_spec("another", "all");
	int64_t first;

	kit_open(k);
	first = begun(k, &spec);
	/* A name alone does not tell that it is the same store. */
	away.endpoint = "https://s3.example.com";
	away.name = "store";
	refused(k, &away, "http://s3");
	spec.name = "store";
	assert_int_equal(begun(k, &spec), first);
	assert_int_equal(begun(k, &away), first);
	spec.name = NULL;
	assert_int_equal(begun(k, &spec), first);
	bucket.name = "store";
	assert_int_not_equal(begun(k, &bucket), first);
	spec.name = "shop";
	refused(k, &spec, "store");
	away.name = NULL;
	refused(k, &away, "store");
}

static void
a_name_from_the_first(void **state)
{
	struct kit *k = *state;
	struct run_spec spec = kit_spec("bucket", "all");
	int64_t first;

	kit_open(k);
	spec.name = "store";
	first = begun(k, &spec);
	spec.endpoint = "https://elsewhere";
	assert_int_equal(begun(k, &spec), first);
	spec.server_as_prefix = false;
	assert_int_not_equal(begun(k, &spec), first);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)
	const struct CMUnitTest tests[] = {
		T(a_new_endpoint_is_asked_about),
		T(a_name_goes_with_the_store),
		T(a_name_from_the_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
