/*
 * One file that several write together, each its own ranges: who may, who is
 * kept out, and what is there in the end.
 */
#include "kit/dest.h"

#define RANGE	DEST_ALIGN
#define RANGES	3
#define SIZE	(2 * RANGE + 17)
#define SEED	5
#define TOKEN	"0123456789abcdef0123456789abcdef"
#define OTHER	"0123456789abcdef0123456789abcdeF"

static struct dest_want
wants(const char *token)
{
	return (struct dest_want){ .size = SIZE, .range = RANGE, .etag = "e",
	    .token = token };
}

static void
begin(const char *rel, const char *token)
{
	struct dest_want want = wants(token);
	struct err err = ERR_INIT;
	struct dest_file *f;

	if (dest_begin(dest, str_of(rel), &want, &f, &err) == -1)
		fail_msg("%s", err.msg);
	dest_abort(&f, true);
}

static struct dest_file *
join(const char *rel, bool whole)
{
	struct dest_want want = wants(TOKEN);
	struct err err = ERR_INIT;
	struct dest_file *f;

	want.whole = whole;
	if (dest_join(dest, str_of(rel), &want, &f, &err) == -1)
		fail_msg("%s", err.msg);
	return f;
}

static void
no_join(const char *rel, const struct dest_want *want, enum err_kind kind)
{
	struct err err = ERR_INIT;
	struct dest_file *f;

	assert_int_equal(dest_join(dest, str_of(rel), want, &f, &err), -1);
	assert_null(f);
	if (err.kind != kind)
		fail_msg("%s", err.msg);
}

static void
bring(struct dest_file *f, uint32_t index)
{
	struct err err = ERR_INIT;

	dest_kit_range(f, index, SEED);
	assert_int_equal(dest_flush(f, &err), 0);
}

static void
test_together(void **state UNUSED)
{
	static uint8_t want[SIZE];
	struct dest_file *a, *b, *c;

	begin("t", TOKEN);
	a = join("t", false);
	b = join("t", false);
	bring(b, 2);
	bring(a, 0);
	dest_abort(&a, true);
	c = join("t", false);
	assert_true(dest_have(c, 0) && !dest_have(c, 1) && dest_have(c, 2));
	bring(c, 1);
	dest_abort(&c, true);
	/* b, frozen perhaps, still has it: that must not hold up the end. */
	a = join("t", true);
	dest_kit_commit(&a);
	dest_abort(&b, false);
	dest_kit_fill(want, 0, SIZE, SEED);
	dest_kit_expect("to/t", want, SIZE);
	assert_false(dest_kit_is_there(dest_kit_temp("to", "t")));
}

/* One whose host was cut off comes late: the file is in its place, as long as
 * it must be. */
static void
test_late(void **state UNUSED)
{
	static uint8_t want[SIZE];
	struct dest_file *a, *b;
	struct err err = ERR_INIT;

	begin("l", TOKEN);
	a = join("l", false);
	b = join("l", false);
	for (uint32_t i = 0; i < RANGES; i++)
		bring(b, i);
	dest_abort(&b, true);
	b = join("l", true);
	dest_kit_commit(&b);
	assert_int_equal(dest_range_done(a, 1, &err), -1);
	assert_int_equal(err.kind, ERR_RETRY);
	dest_abort(&a, true);
	dest_kit_fill(want, 0, SIZE, SEED);
	dest_kit_expect("to/l", want, SIZE);
}

/* Its bytes of the object that was don't come among those of the new one,
 * though its lock was taken from it. */
static void
test_late_bytes(void **state UNUSED)
{
	static uint8_t want[SIZE];
	struct dest_file *f;
	int late;

	begin("b", TOKEN);
	late = open(dest_kit_temp("to", "b"), O_RDWR);
	assert_int_not_equal(late, -1);
	f = dest_kit_begin("b", SIZE, RANGE, "new");
	for (uint32_t i = 0; i < RANGES; i++)
		dest_kit_range(f, i, SEED);
	assert_int_equal(pwrite(late, "old", 3, RANGE), 3);
	dest_kit_commit(&f);
	assert_int_equal(pwrite(late, "old", 3, 0), 3);
	close(late);
	dest_kit_fill(want, 0, SIZE, SEED);
	dest_kit_expect("to/b", want, SIZE);
}

/* Who wants it alone is told to wait, and the other way round. */
static void
test_alone(void **state UNUSED)
{
	struct dest_want want = wants(TOKEN);
	struct dest_file *f;

	begin("a", TOKEN);
	f = join("a", false);
	assert_int_equal(dest_kit_refuses("a", SIZE, RANGE, "another process"),
	    ERR_RETRY);
	dest_abort(&f, true);
	f = dest_kit_begin("a", SIZE, RANGE, "e");
	no_join("a", &want, ERR_RETRY);
	dest_abort(&f, true);
	/* And who had joined before can't any more. */
	no_join("a", &want, ERR_GONE);
}

static void
test_another(void **state UNUSED)
{
	struct dest_want want = wants(TOKEN);

	no_join("o", &want, ERR_GONE);
	begin("o", OTHER);
	no_join("o", &want, ERR_GONE);
	begin("o", TOKEN);
	want.size++;
	no_join("o", &want, ERR_GONE);
	want = wants(TOKEN);
	want.etag = "f";
	no_join("o", &want, ERR_GONE);
	want = wants(TOKEN);
	want.range *= 2;
	no_join("o", &want, ERR_GONE);
	want = wants(NULL);
	no_join("o", &want, ERR_BUG);
	/* One that somebody else can reach by another name. */
	assert_int_equal(link(dest_kit_temp("to", "o"), "away/name"), 0);
	want = wants(TOKEN);
	no_join("o", &want, ERR_GONE);
}

/* One that fails leaves the file to the others; the last one does not. */
static void
test_abort(void **state UNUSED)
{
	struct dest_file *f;

	begin("x", TOKEN);
	f = join("x", false);
	bring(f, 1);
	dest_abort(&f, false);
	assert_true(dest_kit_is_there(dest_kit_temp("to", "x")));
	/* What is whole is taken up, by one or by several. */
	f = dest_kit_begin("x", SIZE, RANGE, "e");
	assert_true(dest_have(f, 1));
	dest_abort(&f, true);
	begin("x", TOKEN);
	f = join("x", false);
	assert_true(dest_have(f, 1));
	dest_abort(&f, true);
	f = join("x", true);
	dest_abort(&f, false);
	assert_false(dest_kit_is_there(dest_kit_temp("to", "x")));
}

#define TEST(fn) { #fn, fn, dest_kit_empty, NULL, NULL }

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_together),
		TEST(test_late),
		TEST(test_late_bytes),
		TEST(test_alone),
		TEST(test_another),
		TEST(test_abort),
	};

	return cmocka_run_group_tests(tests, dest_kit_setup, dest_kit_teardown);
}
