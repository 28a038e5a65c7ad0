/*
 * An export out of reach for good: none of its directories and items is handed
 * out any more. The directories stay in the frontier and the items in the
 * backlog, for the next run; the failure has a single row.
 */
#include "writer/writer.h"

static struct run_export_row *
row_of(const struct writer *w, int64_t id)
{
	for (size_t i = 0; i < w->export_count; i++)
		if (w->exports[i].id == id)
			return &w->exports[i];
	return NULL;
}

bool
writer_is_lost(const struct writer *w, int64_t export)
{
	const struct run_export_row *x = row_of(w, export);

	return x != NULL && x->lost;
}

/* Stop counting the directories being read: their crawl threads have given up,
 * or will, and may still bring a page. */
static void
leave_directories(struct writer *w, int64_t export)
{
	for (struct open_dir *d = w->dirs; d != NULL; d = d->next) {
		if (d->export != export || d->id == 0 || d->left)
			continue;
		d->left = true;
		w->frontier_left--;
		w->dirs_out--;
		w->again_left -= d->again;
		w->again_out -= d->again;
	}
}

void
writer_lost(struct writer *w, unsigned export, const struct err *err)
{
	struct run_export_row *x;
	struct err why = *err;

	if (w->run == 0 || w->failed || export >= w->export_count)
		return;
	x = &w->exports[export];
	if (x->lost)
		return;
	x->lost = true;
	err_wrap(&why, "out of reach, the rest is left for the next run");
	writer_failure(w, 0, 0, str_of(x->start), &why, 1);
	w->totals.lost++;
	w->totals.found++;
	w->totals.failed++;
	leave_directories(w, x->id);
}

void
writer_leave_todo(struct writer *w, int64_t todo)
{
	if (w->first_left == 0 || todo < w->first_left)
		w->first_left = todo;
}
