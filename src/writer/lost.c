/*
 * An export out of reach for good: none of its directories and items is handed
 * out any more. The directories stay in the frontier and the items in the
 * backlog, for the next run; the failure has a single row.
 */
#include "writer/writer.h"

static struct run_export_row *
row_of(const struct own *o, int64_t id)
{
	for (size_t i = 0; i < o->export_count; i++)
		if (o->exports[i].id == id)
			return &o->exports[i];
	return NULL;
}

bool
core_is_lost(const struct own *o, int64_t export)
{
	const struct run_export_row *x = row_of(o, export);

	return x != NULL && x->lost;
}

/* Stop counting the directories being read: their crawl threads have given up,
 * or will, and may still bring a page. */
static void
leave_directories(struct own *o, int64_t export)
{
	for (struct open_dir *d = o->dirs; d != NULL; d = d->next) {
		if (d->export != export || d->id == 0 || d->left)
			continue;
		d->left = true;
		o->frontier_left--;
		o->dirs_out--;
		o->again_left -= d->again;
		o->again_out -= d->again;
	}
}

void
core_lost(struct own *o, unsigned export, const struct err *err)
{
	struct run_export_row *x;
	struct err why = *err;

	if (o->run == 0 || o->failed || export >= o->export_count)
		return;
	x = &o->exports[export];
	if (x->lost)
		return;
	x->lost = true;
	err_wrap(&why, "out of reach, the rest is left for the next run");
	core_failure(o, 0, 0, str_of(x->start), &why, 1);
	o->totals.lost++;
	o->totals.found++;
	o->totals.failed++;
	leave_directories(o, x->id);
}

void
core_leave_todo(struct own *o, int64_t todo)
{
	if (o->first_left == 0 || todo < o->first_left)
		o->first_left = todo;
}
