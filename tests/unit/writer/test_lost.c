/*
 * What a verdict found lost stays known until it is put again, or nobody has
 * it any more.
 */
#include "kit/catalog.h"

#include "catalog/outcome.h"
#include "reader/stored.h"

#define NAMES 6

static void
put(struct kit *k)
{
	struct run_spec spec = kit_spec("bucket", "all");
	struct dir_page *p;

	kit_begin_spec(k, &spec);
	p = kit_page(kit_take(k, "srv/vol"), true);
	for (int i = 0; i < NAMES; i++) {
		AUTOFREE char *path = xasprintf("srv/vol/%c", 'a' + i);

		kit_entry(p, PAGE_NEW, 0, path, kit_attrs(10, 1));
	}
	catalog_put_page(k->c, p);
	assert_int_equal(kit_settle(k, 100, OUTCOME_MOVED), NAMES);
	kit_flush(k, 1);
	kit_end(k, RUN_COMPLETE);
}

static void
begin_test(struct kit *k)
{
	struct run_spec spec = kit_spec("bucket", "test");

	spec.op = OP_TEST;
	spec.no_backlog = true;
	kit_begin_spec(k, &spec);
}

static void
found(struct kit *k, const char *path, enum verdict what)
{
	struct outcomes *v = xcalloc(1, sizeof(*v));

	v->v = xcalloc(1, sizeof(*v->v));
	v->count = 1;
	v->v[0] = (struct outcome_row){ .path = xstrdup(path),
	    .outcome = what == VERDICT_OK ? OUTCOME_MOVED : OUTCOME_FAILED,
	    .verdict = what, .lost = what == VERDICT_MISSING ||
	    what == VERDICT_CORRUPT };
	catalog_put_outcomes(k->c, v);
	kit_flush(k, 1000);
}

/* The last letters of the paths that are known to be lost, read n at once. */
static void
check_lost(struct kit *k, const char *prefix, const char *wanted, size_t n)
{
	AUTOFREE char *after = xstrdup("");
	struct stored v[NAMES];
	char got[NAMES + 1] = "";
	struct err err = ERR_INIT;
	size_t count;

	do {
		if (catalog_lost_page(k->reader, str_of(prefix), str_of(after),
		    v, n, &count, &err) == -1)
			fail_msg("%s", err.msg);
		for (size_t i = 0; i < count; i++) {
			got[strlen(got)] = v[i].path[8];
			/* What it should be is still known. */
			assert_true(v[i].has_md5);
			assert_int_equal(v[i].attrs.size, 10);
			free(after);
			after = xstrdup(v[i].path);
			stored_release(&v[i]);
		}
	} while (count == n);
	assert_string_equal(got, wanted);
}

static void
what_is_lost(void **state)
{
	struct kit *k = *state;

	kit_open(k);
	put(k);
	begin_test(k);
	check_lost(k, "srv/vol/", "", 3);
	found(k, "srv/vol/e", VERDICT_MISSING);
	found(k, "srv/vol/b", VERDICT_CORRUPT);
	found(k, "srv/vol/a", VERDICT_OK);
	found(k, "srv/vol/c", VERDICT_BITROT);
	found(k, "srv/vol/d", VERDICT_UNREADABLE);
	for (size_t n = 1; n < 4; n++)
		check_lost(k, "srv/vol/", "be", n);
	check_lost(k, "", "be", 2);
	check_lost(k, "srv/vol/e", "e", 2);
	check_lost(k, "srv/other/", "", 2);
	/* Said again, it is known as before. */
	found(k, "srv/vol/e", VERDICT_MISSING);
	kit_end(k, RUN_COMPLETE);
	begin_test(k);
	check_lost(k, "srv/vol/", "be", 2);
	kit_end(k, RUN_COMPLETE);
}

static void
put_again_or_gone(void **state)
{
	struct kit *k = *state;
	struct run_spec spec = kit_spec("bucket", "all");
	struct dir_page *p;
	struct known known;
	int64_t e, f;

	kit_open(k);
	put(k);
	begin_test(k);
	found(k, "srv/vol/b", VERDICT_CORRUPT);
	found(k, "srv/vol/c", VERDICT_CORRUPT);
	found(k, "srv/vol/e", VERDICT_MISSING);
	found(k, "srv/vol/f", VERDICT_CORRUPT);
	kit_end(k, RUN_COMPLETE);
	assert_int_equal(kit_find(k, "srv/vol/e", &known), 1);
	e = known.object;
	assert_int_equal(kit_find(k, "srv/vol/f", &known), 1);
	f = known.object;
	/* b is put again; e and f are gone at the source. */
	kit_begin_spec(k, &spec);
	p = kit_page(kit_take(k, "srv/vol"), true);
	assert_int_equal(kit_find(k, "srv/vol/b", &known), 1);
	assert_false(known.stored);
	kit_entry(p, PAGE_QUEUE, known.object, "srv/vol/b", kit_attrs(10, 1));
	kit_gone(p, e);
	kit_gone(p, f);
	catalog_put_page(k->c, p);
	assert_int_equal(kit_settle(k, 100, OUTCOME_MOVED), 1);
	kit_flush(k, 1);
	kit_end(k, RUN_COMPLETE);
	begin_test(k);
	/* Nobody misses e; the bucket has something of f. */
	check_lost(k, "srv/vol/", "cf", 4);
	kit_end(k, RUN_COMPLETE);
}

#define T(name) \
	cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_is_lost),
		T(put_again_or_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
