#include "verify/held.h"

bool
held_looks(const struct held_answer *a, const struct attrs *file)
{
	return a->size == file->size && a->has_mode &&
	    file->mtime_ns != MTIME_NONE && attrs_same_kept(file, &a->kept);
}

static bool
is_recorded(const struct held_answer *a, const struct held_record *r)
{
	return r->etag[0] != '\0' && a->size == r->attrs->size &&
	    strcmp(a->etag, r->etag) == 0;
}

static bool
is_new(const struct held_answer *a, const struct held_record *r)
{
	return (r->before == NULL || strcmp(a->etag, r->before) != 0) &&
	    (r->since_sec == 0 || a->modified_sec >= r->since_sec);
}

enum held_state
held_judge(const struct held_answer *a, const struct held_record *r)
{
	if (a->err.kind == ERR_GONE)
		return HELD_GONE;
	if (a->err.kind != ERR_NONE)
		return HELD_UNKNOWN;
	if (is_recorded(a, r) || (held_looks(a, r->attrs) && is_new(a, r)))
		return HELD_OURS;
	return HELD_FOREIGN;
}
