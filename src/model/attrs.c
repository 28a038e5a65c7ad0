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

int64_t
attrs_time_ns(int64_t sec, uint32_t nsec)
{
	if (sec > INT64_MAX / 1000000000 - 1 ||
	    sec < INT64_MIN / 1000000000 + 1 || nsec >= 1000000000)
		return MTIME_NONE;
	return sec * 1000000000 + nsec;
}

bool
attrs_same(const struct attrs *a, const struct attrs *b, unsigned ignore)
{
	bool known = a->mtime_ns != MTIME_NONE && b->mtime_ns != MTIME_NONE;

	return a->kind == b->kind && a->size == b->size &&
	    (!known || a->mtime_ns == b->mtime_ns) &&
	    (a->ctime_ns == b->ctime_ns ||
	    (known && (ignore & ATTRS_CTIME) != 0)) &&
	    (a->ino == b->ino || (ignore & ATTRS_INO) != 0);
}

int64_t
attrs_granule(int64_t time_ns)
{
	int64_t granule = GRANULE_MAX;

	while (granule > GRANULE_MIN && time_ns % granule != 0)
		granule = granule == GRANULE_MAX ? GRANULE_MAX / 2 :
		    granule / 10;
	return granule;
}

bool
attrs_same_kept(const struct attrs *now, const struct attrs *known)
{
	return now->mode == known->mode &&
	    (now->uid == known->uid || now->uid == OWNER_NONE) &&
	    (now->gid == known->gid || now->gid == OWNER_NONE) &&
	    (now->mtime_ns == known->mtime_ns ||
	    now->mtime_ns == MTIME_NONE);
}
