/*
 * times.c: estimate the server's clock from the times met by a crawl.
 */
#include "base/clock.h"
#include "base/log.h"
#include "crawl/crawl_internal.h"

#define FUTURE_NS	((int64_t)60 * 1000000000)

static void
tell_future(struct reading *r, struct str name, const struct attrs *a)
{
	char dir[1024], text[300];

	if (a->ctime_ns <= r->limit_ns + FUTURE_NS ||
	    atomic_exchange(&r->w->c->told_future, true))
		return;
	log_event(LOG_WARN, EVENT_CTIME,
	    LOG_WITH(LOG_TEXT("path", r->job.path)),
	    "%s/%s: its ctime lies in the future: "
	    "the clock of the server or of this host is wrong, or was; this "
	    "file, and any other such, is read once more by the next run",
	    str_escape(str_of(r->job.path), dir, sizeof(dir)),
	    str_escape(name, text, sizeof(text)));
}

static void
note_time(struct reading *r, int64_t ns)
{
	if (ns <= r->times.newest_ns)
		return;
	if (ns > r->limit_ns)
		r->limit_ns = clock_wall_ns() + r->w->c->c.clock_skew_ns;
	if (ns <= r->limit_ns)
		r->times.newest_ns = ns;
}

void
times_note(struct reading *r, struct str name, const struct attrs *a)
{
	if (a->kind == ENTRY_UNKNOWN)
		return;
	note_time(r, a->ctime_ns);
	note_time(r, a->atime_ns);
	if (a->ctime_ns > r->limit_ns)
		tell_future(r, name, a);
}
