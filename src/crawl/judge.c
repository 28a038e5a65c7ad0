#include "crawl/judge.h"

#include "model/key.h"

static bool
in_list(const struct strlist *l, struct str name)
{
	for (size_t i = 0; l != NULL && i < l->n; i++)
		if (str_eq(str_of(l->v[i]), name))
			return true;
	return false;
}

bool
judge_skips(const struct crawl_config *c, struct str name,
    const struct attrs *a)
{
	return a->kind == ENTRY_DIR && in_list(c->skip_dirs, name);
}

const char *
judge_excluded(const struct crawl_config *c, struct str rel, struct str name,
    const struct attrs *a, char buf[120])
{
	const char *pattern;

	if (judge_skips(c, name, a))
		return "snapshot directory";
	pattern = c->filter == NULL ? NULL :
	    filter_excludes(c->filter, rel, a->kind == ENTRY_DIR);
	/* An entry of unknown kind may be a directory: exclude the entry only
	 * if the pattern matches a directory too. */
	if (pattern != NULL && a->kind == ENTRY_UNKNOWN)
		pattern = filter_excludes(c->filter, rel, true);
	if (pattern != NULL) {
		snprintf(buf, 120, "excluded by pattern %s", pattern);
		return buf;
	}
	if (a->kind == ENTRY_DIR || a->kind == ENTRY_UNKNOWN)
		return NULL;
	if (a->kind != ENTRY_FILE)
		return entry_kind_name(a->kind);
	if (a->size < c->min_size)
		return "smaller than --min-size";
	if (a->size > c->max_size)
		return "larger than --max-size";
	return NULL;
}

bool
judge_leaves_out(const struct crawl_config *c, struct str rel,
    const struct attrs *a)
{
	static const struct attrs directory = { .kind = ENTRY_DIR };
	struct str name = rel;
	char buf[120];

	for (;;) {
		const char *slash = memchr(name.p, '/', name.len);
		struct str upto = rel;

		if (slash == NULL)
			return judge_excluded(c, rel, name, a, buf) != NULL;
		name.len = (size_t)(slash - name.p);
		upto.len = (size_t)(slash - rel.p);
		if (judge_excluded(c, upto, name, &directory, buf) != NULL)
			return true;
		name.p = slash + 1;
		name.len = rel.len - upto.len - 1;
	}
}

enum judgement
judge(const struct crawl_config *c, const struct attrs *a,
    const struct known *k, struct str key, const char *why, struct err *err)
{
	bool live = k != NULL && !k->tombstone;
	bool same = live && attrs_same(a, &k->attrs, c->ignore) &&
	    attrs_same_kept(a, &k->attrs);

	if (why != NULL) {
		if (live && k->excluded && strcmp(k->why, why) == 0)
			return JUDGED_EXCLUDED_SAME;
		return JUDGED_EXCLUDED;
	}
	if (key.len > KEY_MAX) {
		err_set(err, ERR_INVALID, 0, "the key has %zu bytes, S3 holds "
		    "at most %d", key.len, KEY_MAX);
		return JUDGED_FAILED;
	}
	if (a->size > INT64_MAX) {
		err_set(err, ERR_INVALID, 0, "its size, %ju bytes, can't be",
		    (uintmax_t)a->size);
		return JUDGED_FAILED;
	}
	if (k == NULL)
		return JUDGED_NEW;
	if (!same)
		return JUDGED_CHANGED;
	if (!k->stored || k->fresh || c->checksum)
		return JUDGED_QUEUE;
	return k->excluded ? JUDGED_INCLUDED : JUDGED_UNCHANGED;
}
