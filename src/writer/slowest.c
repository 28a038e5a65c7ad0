#include "writer/writer.h"

void
slowest_add(struct slowest *s, int64_t object, uint64_t took_ms,
    unsigned attempts)
{
	size_t i;

	if (s->count == SLOWEST_MAX && s->v[s->count - 1].took_ms >= took_ms)
		return;
	for (i = 0; i < s->count && s->v[i].object != object; i++)
		;
	if (i < s->count)
		return;		/* a late result: the first one counts */
	i = s->count == SLOWEST_MAX ? s->count - 1 : s->count++;
	for (; i > 0 && s->v[i - 1].took_ms < took_ms; i--)
		s->v[i] = s->v[i - 1];
	s->v[i] = (struct slow_transfer){ object, took_ms, attempts };
	s->changed = true;
}

void
writer_note_slowest(struct writer *w)
{
	struct slowest *s = &w->slowest;

	if (!s->changed)
		return;
	s->changed = false;
	DB_RUN(&w->db, SLOWEST_CLEAR, INT(w->run));
	for (size_t i = 0; i < s->count; i++)
		DB_RUN(&w->db, SLOWEST_INSERT, INT(w->run),
		    INT(s->v[i].object), INT(s->v[i].took_ms),
		    INT(s->v[i].attempts));
}
