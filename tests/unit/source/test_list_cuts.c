/*
 * Where a listing may be cut: at keys of the catalog, if it knows enough of
 * this bucket and prefix.
 */
#include "kit/catalog.h"

#include "source/list_cuts.h"

#define MANY	9000	/* over twice the keys of a range */

static void
conf_of(struct conf *c, const struct kit *k)
{
	conf_init(c);
	free(c->catalog.path);
	c->catalog.path = xstrdup(k->path);
	strlist_add(&c->s3_storage.endpoints, "http://s3");
	c->s3_storage.bucket = xstrdup("bucket");
	c->fs_config.server_as_prefix = true;
}

static size_t
count_of(const struct conf *c, const char *prefix)
{
	struct strlist cuts = list_cuts(c, prefix);
	size_t n = cuts.n;

	strlist_clear(&cuts);
	return n;
}

/* srv/vol/00000 and so on, and few below srv/vol/x/, all stored. */
static void
fill(struct kit *k)
{
	struct dir_page *p;

	kit_open(k);
	kit_begin(k);
	p = kit_page(kit_take(k, "srv/vol"), true);
	for (unsigned i = 0; i < MANY; i++) {
		char path[64];

		snprintf(path, sizeof(path), "srv/vol/%s%05u",
		    i % 100 == 0 ? "x/" : "", i);
		kit_entry(p, PAGE_NEW, 0, path, kit_attrs(10, 1));
	}
	catalog_put_page(k->c, p);
	for (unsigned left = MANY; left > 0;)
		left -= (unsigned)kit_settle(k, 1000, OUTCOME_MOVED);
	kit_end(k, RUN_COMPLETE);
}

static void
test_none(void **state)
{
	struct kit *k = *state;
	struct conf c;

	/* There is no catalog, and there will be none. */
	conf_of(&c, k);
	assert_int_equal(count_of(&c, "srv/vol/"), 0);
	assert_int_equal(access(k->path, F_OK), -1);
	kit_open(k);
	kit_begin(k);
	assert_int_equal(count_of(&c, "srv/vol/"), 0);
	kit_end(k, RUN_COMPLETE);
	conf_release(&c);
}

static void
test_list_cuts(void **state)
{
	struct kit *k = *state;
	struct strlist cuts;
	struct conf c;

	fill(k);
	conf_of(&c, k);
	cuts = list_cuts(&c, "srv/vol/");
	assert_true(cuts.n > 0);
	for (size_t i = 0; i < cuts.n; i++) {
		assert_true(str_starts(str_of(cuts.v[i]), STR("srv/vol/")));
		if (i > 0)
			assert_true(strcmp(cuts.v[i - 1], cuts.v[i]) < 0);
	}
	strlist_clear(&cuts);
	/* Too few to be worth it, others' keys, another bucket. */
	assert_int_equal(count_of(&c, "srv/vol/x/"), 0);
	assert_int_equal(count_of(&c, "srv/none/"), 0);
	c.s3_storage.bucket[0] = 'B';
	assert_int_equal(count_of(&c, "srv/vol/"), 0);
	c.s3_storage.bucket[0] = 'b';
	/* Without the server, a key is no beginning of a path. */
	c.fs_config.server_as_prefix = false;
	assert_int_equal(count_of(&c, "vol/"), 0);
	conf_release(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_none, kit_setup,
		    kit_teardown),
		cmocka_unit_test_setup_teardown(test_list_cuts, kit_setup,
		    kit_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
