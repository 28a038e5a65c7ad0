#include "model/attrs.h"

const char *
entry_kind_name(enum entry_kind kind)
{
	switch (kind) {
	case ENTRY_FILE:
		return "file";
	case ENTRY_DIR:
		return "directory";
	case ENTRY_LINK:
		return "symlink";
	case ENTRY_FIFO:
		return "fifo";
	case ENTRY_SOCKET:
		return "socket";
	case ENTRY_CHAR:
	case ENTRY_BLOCK:
		return "device";
	case ENTRY_UNKNOWN:
	case ENTRY__MAX:
		break;
	}
	return "unknown";
}

bool
attrs_same(const struct attrs *a, const struct attrs *b, bool ignore_ino)
{
	return a->kind == b->kind && a->size == b->size &&
	    a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns &&
	    (ignore_ino || a->ino == b->ino);
}
