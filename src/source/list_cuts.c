#include "reader/stored.h"
#include "source/list_cuts.h"
#include "target/plan.h"

#define RANGE_KEYS	4000	/* about four pages: see lister/lister.h */
#define RANGES_MAX	64	/* counting for more would take time */

static void
find(struct list_cuts *s, struct catalog_reader *r, const char *prefix)
{
	char *keys[RANGES_MAX];
	uint64_t count, bytes;
	struct err err = ERR_INIT;
	size_t n = 0;

	if (catalog_count_stored(r, str_of(prefix), RANGES_MAX * RANGE_KEYS,
	    NULL, &count, &bytes, &err) == -1 || count < 2 * RANGE_KEYS ||
	    catalog_key_cuts(r, str_of(prefix),
	    (size_t)MIN(count / RANGE_KEYS, (uint64_t)RANGES_MAX), keys, &n,
	    &err) == -1)
		return;
	s->keys = xcalloc(n + 1, sizeof(*s->keys));
	for (; s->count < n; s->count++)
		s->keys[s->count] = str_of(keys[s->count]);
}

void
list_cuts_find(struct list_cuts *s, const struct conf *c,
    const char *prefix)
{
	struct run_spec spec = { .op = OP_LIST };
	struct catalog_reader *r;
	struct err err = ERR_INIT;

	*s = (struct list_cuts){ .count = 0 };
	/* Keys without the server are no beginning of a catalog's path. */
	if (!c->fs_config.server_as_prefix && prefix[0] != '\0')
		return;
	plan_target(&spec, c);
	if (catalog_look(&r, c->catalog.path, &spec, &err) == -1)
		return;
	find(s, r, prefix);
	catalog_reader_close(&r);
}

void
list_cuts_release(struct list_cuts *s)
{
	for (size_t i = 0; i < s->count; i++)
		free((void *)(uintptr_t)s->keys[i].p);
	free(s->keys);
	*s = (struct list_cuts){ .count = 0 };
}
