#include "base/idmap.h"

void
idmap_release(struct idmap *m)
{
	free(m->slots);
	memset(m, 0, sizeof(*m));
}

static size_t
home(const struct idmap *m, int64_t id)
{
	return (size_t)((uint64_t)id * 0x9e3779b97f4a7c15U >> 32) &
	    (m->cap - 1);
}

/* Return the slot of the id, or the empty slot for the id. */
static size_t
find(const struct idmap *m, int64_t id)
{
	size_t i = home(m, id);

	while (m->slots[i].p != NULL && m->slots[i].id != id)
		i = (i + 1) & (m->cap - 1);
	return i;
}

static void
grow(struct idmap *m)
{
	struct idmap bigger = {
		.cap = MAX(m->cap * 2, (size_t)64), .count = m->count,
	};

	bigger.slots = xcalloc(bigger.cap, sizeof(*bigger.slots));
	for (size_t i = 0; i < m->cap; i++)
		if (m->slots[i].p != NULL)
			bigger.slots[find(&bigger, m->slots[i].id)] =
			    m->slots[i];
	free(m->slots);
	*m = bigger;
}

void
idmap_put(struct idmap *m, int64_t id, void *p)
{
	if (m->count * 3 >= m->cap * 2)
		grow(m);
	m->slots[find(m, id)] = (struct idmap_slot){ .id = id, .p = p };
	m->count++;
}

void *
idmap_get(const struct idmap *m, int64_t id)
{
	return m->cap == 0 ? NULL : m->slots[find(m, id)].p;
}

/* Leave no mark behind: move up the entries pushed further by the removed
 * entry, lest a search step over holes. */
void
idmap_remove(struct idmap *m, int64_t id)
{
	size_t mask = m->cap - 1, hole, i;

	if (idmap_get(m, id) == NULL)
		return;
	hole = find(m, id);
	for (i = (hole + 1) & mask; m->slots[i].p != NULL; i = (i + 1) & mask) {
		size_t from_home = (i - home(m, m->slots[i].id)) & mask;

		if (from_home < ((i - hole) & mask))
			continue;
		m->slots[hole] = m->slots[i];
		hole = i;
	}
	m->slots[hole].p = NULL;
	m->count--;
}

void *
idmap_any(struct idmap *m)
{
	if (m->count == 0)
		return NULL;
	while (m->slots[m->at].p == NULL)
		m->at = (m->at + 1) & (m->cap - 1);
	return m->slots[m->at].p;
}
