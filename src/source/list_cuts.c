#include "reader/stored.h"
#include "source/list_cuts.h"
#include "target/plan.h"

#define RANGE_KEYS	4000	/* about four pages: see lister/lister.h */
#define RANGES_MAX	64	/* counting for more would take time */

static void
find(struct strlist *cuts, struct catalog_reader *r, const char *prefix)
{
	struct err err = ERR_INIT;
	uint64_t count, bytes;

	if (catalog_count_stored(r, str_of(prefix), RANGES_MAX * RANGE_KEYS,
	    NULL, &count, &bytes, &err) == -1 || count < 2 * RANGE_KEYS)
		return;
	(void)!catalog_key_cuts(r, str_of(prefix),
	    (size_t)MIN(count / RANGE_KEYS, (uint64_t)RANGES_MAX), cuts, &err);
}

struct strlist
list_cuts(const struct conf *c, const char *prefix)
{
	struct run_spec spec = { .op = OP_LIST };
	struct strlist cuts = { .v = NULL };
	struct catalog_reader *r;
	struct err err = ERR_INIT;

	/* Keys without the server are no beginning of a catalog's path. */
	if (!c->fs_config.server_as_prefix && prefix[0] != '\0')
		return cuts;
	plan_target(&spec, c);
	if (catalog_look(&r, c->catalog.path, &spec, &err) == -1)
		return cuts;
	find(&cuts, r, prefix);
	catalog_reader_close(&r);
	return cuts;
}
