#include "verify/absence.h"

#include <errno.h>

bool
absence_stands(const struct absence_answer *a)
{
	return a->err.kind == ERR_NONE && a->attrs.kind == ENTRY_DIR;
}

static enum absence
unknown(struct err *why, enum err_kind kind, const char *text)
{
	err_set(why, kind, 0, "%s", text);
	return ABSENCE_UNKNOWN;
}

/* Judge the entry alone, whatever the directory above answered. */
static enum absence
judge_entry(const struct absence_case *c, struct err *why)
{
	const struct absence_answer *a = c->entry;

	if (a->err.kind != ERR_NONE) {
		if (a->err.kind == ERR_GONE && a->err.code == ENOENT)
			return ABSENCE_GONE;
		*why = a->err;
		return ABSENCE_UNKNOWN;
	}
	switch (a->attrs.kind) {
	case ENTRY_DIR:
		/* A directory at the path means that the file is gone. */
		return c->is_file ? ABSENCE_GONE : unknown(why, ERR_RETRY,
		    "a directory on the way came back");
	case ENTRY_LINK:
		/* A link's directory is in the file system of the files below
		 * the target, or the case's noted fsid differs. For a link that
		 * is the file itself, the file system of the target was never
		 * noted. */
		return a->dangling && !c->is_file ? ABSENCE_GONE :
		    ABSENCE_PRESENT;
	case ENTRY_FILE:
	case ENTRY_FIFO:
	case ENTRY_SOCKET:
	case ENTRY_CHAR:
	case ENTRY_BLOCK:
		/* No file lies below an entry other than a directory. */
		return c->is_file ? ABSENCE_PRESENT : ABSENCE_GONE;
	case ENTRY_UNKNOWN:
	case ENTRY__MAX:
		break;
	}
	return unknown(why, ERR_PEER, "the source gave no attributes");
}

/* Is the directory the same in the answers before and after? */
static bool
same(const struct absence_case *c)
{
	const struct attrs *a = &c->before->attrs, *b = &c->after->attrs;

	return a->fsid == b->fsid && (c->ignore_inode || a->ino == b->ino);
}

enum absence
absence_judge(const struct absence_case *c, struct err *why)
{
	enum absence verdict;

	if (!absence_stands(c->before)) {
		if (c->before->err.kind == ERR_NONE)
			return unknown(why, ERR_UNREACHABLE,
			    "the export is no directory");
		*why = c->before->err;
		return ABSENCE_UNKNOWN;
	}
	verdict = judge_entry(c, why);
	if (verdict != ABSENCE_GONE)
		return verdict;
	if (!c->noted)
		return unknown(why, ERR_UNREACHABLE, "it was never noted in "
		    "which file system the file was");
	if (c->before->attrs.fsid != c->fsid)
		return unknown(why, ERR_UNREACHABLE, "another file system is "
		    "in the place of the one in which the file was (is it not "
		    "mounted?)");
	if (!absence_stands(c->after) || !same(c))
		return unknown(why, ERR_RETRY, "its directory changed while "
		    "the file was looked for");
	return ABSENCE_GONE;
}
