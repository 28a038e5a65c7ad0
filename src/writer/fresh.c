/*
 * Decide whether the times of a file could hide a change. They can if the
 * server's clock, while the bytes were read, showed a time not later than the
 * last change, or in the same granule: then the next change gets the same time.
 *
 * Two facts limit the server's clock: the clock is not behind the newest time
 * met by the crawl (nobody can set a ctime), and not further behind our clock
 * than clock_skew. If the crawl met no newer time, clock_skew may be wrong:
 * read the newest files once more, unless their times are older than any error
 * of a clock.
 */
#include "writer/writer.h"

#define CLOCK_OFF_NS	((int64_t)86400 * 1000000000)

void
writer_note_times(struct writer *w, int64_t export, const struct dir_times *t)
{
	for (size_t i = 0; i < w->export_count; i++) {
		struct dir_times *to = &w->exports[i].times;

		if (w->exports[i].id != export)
			continue;
		to->newest_ns = MAX(to->newest_ns, t->newest_ns);
		to->delta_ns = MAX(to->delta_ns, t->delta_ns);
		return;
	}
}

/* The digits of the time show its granule: file systems below an export may
 * have other granules, and servers reporting seconds may keep more. */
static int64_t
granule(const struct dir_times *t, int64_t changed)
{
	int64_t own = attrs_granule(changed);

	return own < GRANULE_MAX / 2 ? own : MAX(own, t->delta_ns);
}

int
writer_fresh(const struct writer *w, const struct open_lease *l,
    const struct open_item *it, const struct attrs *a)
{
	const struct dir_times *t = &w->exports[it->export].times;
	int64_t changed = (w->ignore & ATTRS_CTIME) != 0 &&
	    a->mtime_ns != MTIME_NONE ? a->mtime_ns : a->ctime_ns;
	int64_t end;

	/* No clock shows such a time. */
	if (changed == MTIME_NONE || changed > l->since_ns + w->clock_skew_ns)
		return 1;
	end = changed + granule(t, changed);
	if (end > l->since_ns - w->clock_skew_ns && end > it->newest_ns)
		return 2;
	return it->newest_ns > l->since_ns - CLOCK_OFF_NS &&
	    end > t->newest_ns;
}
