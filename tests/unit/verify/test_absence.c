/*
 * What counts as proof that a file is gone: each answer that a source can
 * give, in a table.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include "verify/absence.h"

#include <cmocka.h>

#define FSID	7

/* What the source said: an error with its code, or a kind. */
struct said {
	enum err_kind error;
	int	 code;
	enum entry_kind kind;
	uint64_t fsid;
	uint64_t ino;
	bool	 dangling;
};

#define DIRECTORY	{ 0, 0, ENTRY_DIR, FSID, 1, 0 }
#define OTHER_FS	{ 0, 0, ENTRY_DIR, FSID + 1, 1, 0 }
#define OTHER_DIR	{ 0, 0, ENTRY_DIR, FSID, 2, 0 }
#define NOENT		{ ERR_GONE, ENOENT, 0, 0, 0, 0 }
#define FAILS(k, c)	{ k, c, 0, 0, 0, 0 }
#define IS(k)		{ 0, 0, k, FSID, 9, 0 }
#define DANGLING	{ 0, 0, ENTRY_LINK, FSID, 9, true }

static const struct row {
	const char *name;
	struct said before;
	struct said entry;
	struct said after;
	bool	 on_the_way;	/* entry is a directory above the file */
	bool	 not_noted;
	bool	 ignore_inode;
	enum absence verdict;
	enum err_kind why;
} rows[] = {
	{ .name = "no such entry", .before = DIRECTORY, .entry = NOENT,
	    .after = DIRECTORY, .verdict = ABSENCE_GONE },
	{ .name = "no such directory on the way", .before = DIRECTORY,
	    .entry = NOENT, .after = DIRECTORY, .on_the_way = true,
	    .verdict = ABSENCE_GONE },
	{ .name = "a file on the way", .before = DIRECTORY,
	    .entry = IS(ENTRY_FILE), .after = DIRECTORY, .on_the_way = true,
	    .verdict = ABSENCE_GONE },
	{ .name = "a directory in its place", .before = DIRECTORY,
	    .entry = IS(ENTRY_DIR), .after = DIRECTORY,
	    .verdict = ABSENCE_GONE },
	{ .name = "there", .before = DIRECTORY, .entry = IS(ENTRY_FILE),
	    .after = DIRECTORY, .verdict = ABSENCE_PRESENT },
	{ .name = "there, in another file system", .before = OTHER_FS,
	    .entry = IS(ENTRY_FILE), .after = OTHER_FS,
	    .verdict = ABSENCE_PRESENT },
	{ .name = "a pipe in its place", .before = DIRECTORY,
	    .entry = IS(ENTRY_FIFO), .after = DIRECTORY,
	    .verdict = ABSENCE_PRESENT },
	{ .name = "a symlink in its place", .before = DIRECTORY,
	    .entry = IS(ENTRY_LINK), .after = DIRECTORY,
	    .verdict = ABSENCE_PRESENT },
	{ .name = "a symlink on the way", .before = DIRECTORY,
	    .entry = IS(ENTRY_LINK), .after = DIRECTORY, .on_the_way = true,
	    .verdict = ABSENCE_PRESENT },
	{ .name = "a link on the way whose target is gone",
	    .before = DIRECTORY, .entry = DANGLING, .after = DIRECTORY,
	    .on_the_way = true, .verdict = ABSENCE_GONE },
	{ .name = "the same, of another file system", .before = OTHER_FS,
	    .entry = DANGLING, .after = OTHER_FS, .on_the_way = true,
	    .why = ERR_UNREACHABLE },
	{ .name = "a link in its place whose target is gone",
	    .before = DIRECTORY, .entry = DANGLING, .after = DIRECTORY,
	    .verdict = ABSENCE_PRESENT },
	{ .name = "no attributes", .before = DIRECTORY,
	    .entry = IS(ENTRY_UNKNOWN), .after = DIRECTORY,
	    .why = ERR_PEER },
	{ .name = "no attributes on the way", .before = DIRECTORY,
	    .entry = IS(ENTRY_UNKNOWN), .after = DIRECTORY,
	    .on_the_way = true, .why = ERR_PEER },
	{ .name = "a directory on the way is back", .before = DIRECTORY,
	    .entry = IS(ENTRY_DIR), .after = DIRECTORY, .on_the_way = true,
	    .why = ERR_RETRY },
	{ .name = "denied", .before = DIRECTORY,
	    .entry = FAILS(ERR_DENIED, EACCES), .after = DIRECTORY,
	    .why = ERR_DENIED },
	{ .name = "stale", .before = DIRECTORY,
	    .entry = FAILS(ERR_GONE, ESTALE), .after = DIRECTORY,
	    .why = ERR_GONE },
	{ .name = "stale over NFS", .before = DIRECTORY,
	    .entry = FAILS(ERR_GONE, 70), .after = DIRECTORY,
	    .why = ERR_GONE },
	{ .name = "gone without a code", .before = DIRECTORY,
	    .entry = FAILS(ERR_GONE, 0), .after = DIRECTORY,
	    .why = ERR_GONE },
	{ .name = "a loop of symlinks", .before = DIRECTORY,
	    .entry = FAILS(ERR_GONE, ELOOP), .after = DIRECTORY,
	    .why = ERR_GONE },
	{ .name = "no such entry, but a passing fault", .before = DIRECTORY,
	    .entry = FAILS(ERR_RETRY, ENOENT), .after = DIRECTORY,
	    .why = ERR_RETRY },
	{ .name = "I/O error", .before = DIRECTORY,
	    .entry = FAILS(ERR_RETRY, EIO), .after = DIRECTORY,
	    .why = ERR_RETRY },
	{ .name = "name too long", .before = DIRECTORY,
	    .entry = FAILS(ERR_INVALID, ENAMETOOLONG), .after = DIRECTORY,
	    .why = ERR_INVALID },
	{ .name = "not mounted", .before = OTHER_FS, .entry = NOENT,
	    .after = OTHER_FS, .why = ERR_UNREACHABLE },
	{ .name = "mount point gone", .before = OTHER_FS, .entry = NOENT,
	    .after = OTHER_FS, .on_the_way = true, .why = ERR_UNREACHABLE },
	{ .name = "no file system noted", .before = DIRECTORY,
	    .entry = NOENT, .after = DIRECTORY, .not_noted = true,
	    .why = ERR_UNREACHABLE },
	{ .name = "the root denies", .before = FAILS(ERR_DENIED, EACCES),
	    .entry = NOENT, .after = DIRECTORY, .why = ERR_DENIED },
	{ .name = "no such root", .before = NOENT, .entry = NOENT,
	    .after = NOENT, .why = ERR_GONE },
	{ .name = "the root is a file", .before = IS(ENTRY_FILE),
	    .entry = NOENT, .after = DIRECTORY, .why = ERR_UNREACHABLE },
	{ .name = "replaced meanwhile", .before = DIRECTORY, .entry = NOENT,
	    .after = OTHER_DIR, .why = ERR_RETRY },
	{ .name = "inodes mean nothing", .before = DIRECTORY, .entry = NOENT,
	    .after = OTHER_DIR, .ignore_inode = true,
	    .verdict = ABSENCE_GONE },
	{ .name = "unmounted meanwhile", .before = DIRECTORY, .entry = NOENT,
	    .after = OTHER_FS, .ignore_inode = true, .why = ERR_RETRY },
	{ .name = "removed meanwhile", .before = DIRECTORY, .entry = NOENT,
	    .after = NOENT, .why = ERR_RETRY },
	{ .name = "denied meanwhile", .before = DIRECTORY, .entry = NOENT,
	    .after = FAILS(ERR_DENIED, EACCES), .why = ERR_RETRY },
};

static struct absence_answer
answer(const struct said *s)
{
	struct absence_answer a = { .err = ERR_INIT };

	if (s->error != ERR_NONE)
		err_set(&a.err, s->error, s->code, "so it was said");
	a.attrs.kind = s->kind;
	a.attrs.fsid = s->fsid;
	a.dangling = s->dangling;
	a.attrs.ino = s->ino;
	return a;
}

static void
test_table(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];
		struct absence_answer before = answer(&r->before);
		struct absence_answer entry = answer(&r->entry);
		struct absence_answer after = answer(&r->after);
		const struct absence_case c = { &before, &after, &entry,
		    !r->on_the_way, !r->not_noted, FSID, r->ignore_inode };
		struct err why = ERR_INIT;
		enum absence got = absence_judge(&c, &why);

		if (got != r->verdict || why.kind != r->why)
			fail_msg("%s: %d, %s", r->name, got,
			    err_kind_name(why.kind));
		if (got == ABSENCE_UNKNOWN)
			assert_true(why.msg[0] != '\0');
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
