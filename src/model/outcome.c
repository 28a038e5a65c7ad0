#include "model/outcome.h"

static const char *const verdict_names[VERDICT__MAX] = {
	[VERDICT_OK] = "ok",
	[VERDICT_MISSING] = "missing",
	[VERDICT_CORRUPT] = "corrupt",
	[VERDICT_CHANGED] = "changed",
	[VERDICT_BITROT] = "bitrot",
	[VERDICT_UNREADABLE] = "unreadable",
	[VERDICT_DOUBT] = "doubt",
};

const char *
verdict_name(enum verdict v)
{
	return verdict_names[v];
}

enum verdict
verdict_of(const char *name, size_t len)
{
	for (enum verdict v = VERDICT_OK; v < VERDICT__MAX; v++)
		if (strlen(verdict_names[v]) == len &&
		    memcmp(verdict_names[v], name, len) == 0)
			return v;
	return VERDICT_NONE;
}

const char *
verify_method_name(enum verify_method m)
{
	static const char *const names[METHOD__MAX] = {
		[METHOD_FULL] = "full",
		[METHOD_HEAD] = "head",
		[METHOD_SAMPLE] = "sample",
	};

	return names[m];
}

void
outcome_row_release(struct outcome_row *r)
{
	free(r->path);
	free(r->version_id);
	memset(r, 0, sizeof(*r));
}

void
outcomes_free(struct outcomes **op)
{
	struct outcomes *o = *op;

	if (o == NULL)
		return;
	for (size_t i = 0; i < o->count; i++)
		outcome_row_release(&o->v[i]);
	free(o->v);
	free(o);
	*op = NULL;
}

void
stored_release(struct stored *s)
{
	free(s->path);
	free(s->part_md5s);
	free(s->version_id);
	memset(s, 0, sizeof(*s));
}
