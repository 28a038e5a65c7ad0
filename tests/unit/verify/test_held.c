/*
 * Whose object is it: each answer that S3 can give about a key, in a table.
 */
#include <setjmp.h>
#include <stdarg.h>

#include "verify/held.h"

#include <cmocka.h>

#define SIZE	1000
#define SEC	((int64_t)1000000000)
#define ETAG	"aaaa"
#define OTHER	"bbbb"

/* The file as it was put. */
static const struct attrs file = { .kind = ENTRY_FILE, .size = SIZE,
    .mtime_ns = 5 * SEC, .mode = 0644, .uid = 7, .gid = 8 };

/* What is kept with the object; rclone keeps the mtime alone. */
#define KEEPS(mtime, m, u, g) .has_mode = true, .has_all = true, \
		.kept = { .mtime_ns = mtime, .mode = m, .uid = u, .gid = g }
#define KEPT	KEEPS(5 * SEC, 0644, 7, 8)
#define RCLONE	.kept = { .mtime_ns = 5 * SEC, .uid = OWNER_NONE, \
		.gid = OWNER_NONE }
#define NOTHING	.kept = { .mtime_ns = MTIME_NONE, .uid = OWNER_NONE, \
		.gid = OWNER_NONE }
#define FAILS(k) .answer = { .err = { .kind = k } }

static const struct row {
	const char *name;
	struct held_answer answer;
	const char *etag;	/* recorded; NULL: the answer was lost */
	const char *before;
	int64_t	 since_sec;
	bool	 no_mtime;	/* of the file */
	bool	 no_owner;
	bool	 zero;		/* root's, of 1970, mode 0 */
	enum held_state held;
} rows[] = {
	{ .name = "no object", FAILS(ERR_GONE), .etag = ETAG,
	    .held = HELD_GONE },
	{ .name = "no object, and the answer was lost", FAILS(ERR_GONE),
	    .held = HELD_GONE },
	{ .name = "denied", FAILS(ERR_DENIED), .etag = ETAG },
	{ .name = "no answer", FAILS(ERR_RETRY), .etag = ETAG },
	{ .name = "stopped", FAILS(ERR_STOPPED), .etag = ETAG },
	{ .name = "a listing: the ETag", .etag = ETAG,
	    .answer = { .size = SIZE, .etag = ETAG, NOTHING },
	    .held = HELD_OURS },
	{ .name = "a listing: no word on what is kept", .etag = ETAG,
	    .answer = { .size = SIZE, .etag = OTHER },
	    .held = HELD_FOREIGN },
	{ .name = "a listing: no word is not a word of zeros", .etag = ETAG,
	    .zero = true, .answer = { .size = SIZE, .etag = OTHER },
	    .held = HELD_FOREIGN },
	{ .name = "the ETag, of another size", .etag = ETAG,
	    .answer = { .size = SIZE + 1, .etag = ETAG, KEPT },
	    .held = HELD_FOREIGN },
	{ .name = "the ETag, after a chmod", .etag = ETAG,
	    .answer = { .size = SIZE, .etag = ETAG,
	    KEEPS(5 * SEC, 0600, 7, 8) },
	    .held = HELD_OURS },
	{ .name = "other parts of the same", .etag = ETAG,
	    .answer = { .size = SIZE, .etag = OTHER, KEPT },
	    .held = HELD_OURS },
	{ .name = "another size", .etag = ETAG,
	    .answer = { .size = SIZE - 1, .etag = OTHER, KEPT },
	    .held = HELD_FOREIGN },
	{ .name = "another time", .etag = ETAG,
	    .answer = { .size = SIZE, .etag = OTHER,
	    KEEPS(5 * SEC + 1, 0644, 7, 8) }, .held = HELD_FOREIGN },
	{ .name = "another mode", .etag = ETAG,
	    .answer = { .size = SIZE, .etag = OTHER,
	    KEEPS(5 * SEC, 0600, 7, 8) },
	    .held = HELD_FOREIGN },
	{ .name = "another owner", .etag = ETAG,
	    .answer = { .size = SIZE, .etag = OTHER,
	    KEEPS(5 * SEC, 0644, 7, 9) },
	    .held = HELD_FOREIGN },
	{ .name = "its owner is not kept", .etag = ETAG,
	    .answer = { .size = SIZE, .etag = OTHER,
	    KEEPS(5 * SEC, 0644, OWNER_NONE, 8) }, .held = HELD_FOREIGN },
	{ .name = "the file's owner is not known", .etag = ETAG,
	    .no_owner = true, .answer = { .size = SIZE, .etag = OTHER, KEPT },
	    .held = HELD_OURS },
	{ .name = "the file's time is not known", .etag = ETAG,
	    .no_mtime = true, .answer = { .size = SIZE, .etag = OTHER,
	    KEEPS(MTIME_NONE, 0644, 7, 8) }, .held = HELD_FOREIGN },
	{ .name = "the same, by its ETag", .etag = ETAG, .no_mtime = true,
	    .answer = { .size = SIZE, .etag = ETAG, NOTHING },
	    .held = HELD_OURS },
	{ .name = "rclone's, of the same file", .etag = ETAG,
	    .answer = { .size = SIZE, .etag = OTHER, RCLONE },
	    .held = HELD_FOREIGN },
	{ .name = "rclone's, which was adopted", .etag = ETAG,
	    .answer = { .size = SIZE, .etag = ETAG, RCLONE },
	    .held = HELD_OURS },
	{ .name = "without anything", .etag = ETAG,
	    .answer = { .size = SIZE, .etag = OTHER, NOTHING },
	    .held = HELD_FOREIGN },
	{ .name = "lost: it looks like the file",
	    .answer = { .size = SIZE, .etag = OTHER, KEPT },
	    .held = HELD_OURS },
	{ .name = "lost: no ETag is no ETag",
	    .answer = { .size = SIZE, NOTHING }, .held = HELD_FOREIGN },
	{ .name = "lost: it is the object of before", .before = OTHER,
	    .answer = { .size = SIZE, .etag = OTHER, KEPT },
	    .held = HELD_FOREIGN },
	{ .name = "lost: it is another one", .before = ETAG,
	    .answer = { .size = SIZE, .etag = OTHER, KEPT },
	    .held = HELD_OURS },
	{ .name = "lost: older than the run", .since_sec = 50,
	    .answer = { .size = SIZE, .etag = OTHER, .modified_sec = 49,
	    KEPT }, .held = HELD_FOREIGN },
	{ .name = "lost: its age is not known", .since_sec = 50,
	    .answer = { .size = SIZE, .etag = OTHER, KEPT },
	    .held = HELD_FOREIGN },
	{ .name = "lost: as old as the run", .since_sec = 50,
	    .answer = { .size = SIZE, .etag = OTHER, .modified_sec = 50,
	    KEPT }, .held = HELD_OURS },
};

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];
		struct attrs put = file;
		struct held_record record = { .attrs = &put,
		    .etag = r->etag == NULL ? "" : r->etag,
		    .before = r->before, .since_sec = r->since_sec };
		enum held_state held;

		if (r->no_mtime)
			put.mtime_ns = MTIME_NONE;
		if (r->no_owner)
			put.uid = put.gid = OWNER_NONE;
		if (r->zero)
			put = (struct attrs){ .size = SIZE };
		held = held_judge(&r->answer, &record);
		if (held != r->held)
			fail_msg("%s: %d", r->name, (int)held);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
