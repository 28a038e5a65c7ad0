#include "kit/mirror.h"

void
put_first(struct kit *k, const struct run_spec *spec, bool note)
{
	static const char *const dirs[] = { "srv/vol", "srv/vol/sub",
		"srv/vol/sub/deep" };
	struct dir_page *p;

	kit_open(k);
	kit_begin_spec(k, spec);
	if (note)
		catalog_note_export(k->c, 0, FSID, false);
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		AUTOFREE char *path = xasprintf("%s/%c", dirs[i],
		    "acd"[i]);

		p = kit_page(kit_take(k, dirs[i]), true);
		kit_entry(p, PAGE_NEW, 0, path, kit_attrs(10, 1));
		if (i == 0)
			kit_entry(p, PAGE_NEW, 0, "srv/vol/b",
			    kit_attrs(5, 1));
		if (i + 1 < ARRAY_LEN(dirs))
			kit_subdir(p, dirs[i + 1]);
		catalog_put_page(k->c, p);
	}
	assert_int_equal(kit_settle(k, 10, OUTCOME_MOVED), 4);
	kit_end(k, RUN_COMPLETE);
}

void
gone(struct kit *k, struct dir_page *p, const char *path)
{
	struct known known;

	assert_int_equal(kit_find(k, path, &known), 1);
	kit_gone(p, known.object);
}

char *
names(struct kit *k, const struct mirror_plan *plan, size_t n)
{
	struct mirror_row *v AUTOFREE = xcalloc(n, sizeof(*v));
	struct err err = ERR_INIT;
	char after[64] = "";
	size_t count;
	struct buf b;
	char *all;

	buf_init(&b, 64 * KIB);
	do {
		assert_int_equal(catalog_mirror_page(k->reader, plan,
		    str_of(after), v, n, &count, &err), 0);
		for (size_t i = 0; i < count; i++) {
			assert_true(v[i].stored.gone);
			assert_true(v[i].stored.object > 0);
			assert_int_equal(v[i].fsid, plan->fsids[0]);
			assert_int_equal(v[i].export, 0);
			snprintf(after, sizeof(after), "%s", v[i].stored.path);
			buf_addf(&b, " %s", after);
			mirror_row_release(&v[i]);
		}
	} while (count == n);
	all = xstrdup(b.len == 0 ? "" : b.data);
	buf_release(&b);
	return all;
}

struct mirror_plan
plan_of(struct kit *k)
{
	struct mirror_plan plan;
	struct err err = ERR_INIT;

	if (catalog_mirror_plan(k->c, k->reader, NULL, &plan, &err) == -1)
		fail_msg("%s", err.msg);
	return plan;
}

void
check_plan(struct kit *k, const char *expected, enum mirror_guard guard,
    uint64_t guarded, uint64_t unproved)
{
	struct mirror_plan plan = plan_of(k);
	AUTOFREE char *one = names(k, &plan, 1);
	AUTOFREE char *two = names(k, &plan, 2);

	assert_string_equal(one, expected);
	assert_string_equal(two, expected);
	assert_int_equal(plan.exports[0], guard);
	assert_int_equal(plan.guarded, guarded);
	assert_int_equal(plan.unproved, unproved);
	mirror_plan_release(&plan);
}

void
second_run(struct kit *k, uint64_t fsid, bool empty)
{
	struct dir_page *p;

	kit_begin(k);
	if (fsid != 0)
		catalog_note_export(k->c, 0, fsid, empty);
	p = kit_page(kit_take(k, "srv/vol"), true);
	p->unchanged = 1;
	gone(k, p, "srv/vol/b");
	catalog_put_page(k->c, p);
}
