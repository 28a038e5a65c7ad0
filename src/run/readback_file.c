#include "base/clock.h"
#include "run/readback_int.h"

#define READ_MAX	((uint32_t)(256 * KIB))
#define PAUSE_MS	500

static void
finish(struct reading *g, const struct err *err)
{
	if (err != NULL)
		g->item->file_err = *err;
	g->file_done = true;
	readback_file_end(g);
}

/* True if the error is one to try again after. */
static bool
try_again(struct reading *g, const struct err *err)
{
	uint64_t now = clock_mono_ms();

	if (err->kind != ERR_RETRY)
		return false;
	if (g->give_up_ms == 0)
		g->give_up_ms = now + g->r->rb->c.retry_for_ms;
	if (now >= g->give_up_ms)
		return false;
	g->retry_at_ms = now + PAUSE_MS;
	return true;
}

static void
fault(struct reading *g, const struct err *err)
{
	if (!try_again(g, err))
		finish(g, err);
	else
		readback_file_end(g);
}

static void
compare(struct reading *g, const struct attrs *after)
{
	struct readback_item *it = g->item;

	it->file_torn = after->kind != ENTRY_FILE ||
	    g->offset != it->file_attrs.size ||
	    !attrs_same(&it->file_attrs, after, g->r->rb->c.ignore_inode);
	md5_final(&g->file_md5, it->file_md5);
	it->file_hashed = true;
	finish(g, NULL);
}

static void
stat_done(void *arg, const struct tree_entry *e, const struct err *err)
{
	struct reading *g = arg;

	g->file_begun = false;
	if (err != NULL)
		fault(g, err);
	else
		compare(g, &e->attrs);
}

static void
read_done(void *arg, const struct tree_read *rd, const struct err *err)
{
	struct reading *g = arg;

	g->file_begun = false;
	if (err != NULL) {
		fault(g, err);
		return;
	}
	g->give_up_ms = 0;
	md5_update(&g->file_md5, g->buffer, rd->len);
	g->offset += rd->len;
	if (!rd->eof && rd->len > 0 && g->offset < g->item->file_attrs.size)
		return;
	if (rd->attrs.kind != ENTRY_UNKNOWN) {
		compare(g, &rd->attrs);
		return;
	}
	g->file_begun = true;
	tree_file_stat(g->file, stat_done, g);
}

static void
looked_up(void *arg, const struct tree_entry *e, const struct err *err)
{
	struct reading *g = arg;
	struct readback_item *it = g->item;
	struct tree *tree = g->r->trees[it->export];
	struct err none = ERR_INIT;

	g->file_begun = false;
	if (err != NULL) {
		fault(g, err);
		return;
	}
	it->file_attrs = e->attrs;
	if (e->attrs.kind != ENTRY_FILE) {
		err_set(&none, ERR_GONE, 0, "the file is a %s now",
		    entry_kind_name(e->attrs.kind));
		finish(g, &none);
		return;
	}
	g->file = tree_file_open(tree, &e->fh, str_of(it->raw));
	g->buffer = xmalloc(READ_MAX);
	g->offset = 0;
	md5_init(&g->file_md5);
}

static struct tree *
tree_of(struct reading *g)
{
	struct reader *r = g->r;
	unsigned x = g->item->export;
	struct tree_spec spec = r->rb->c.exports[x];

	if (r->trees[x] != NULL || r->tree_errs[x].kind != ERR_NONE)
		return r->trees[x];
	spec.stop = &r->rb->stopping;
	if (tree_open(&r->trees[x], &spec, &r->tree_errs[x]) == -1)
		return NULL;
	return r->trees[x];
}

void
readback_file_step(struct reading *g, uint64_t now_ms)
{
	struct tree *tree;

	if (g->file_done || g->file_begun || now_ms < g->retry_at_ms)
		return;
	tree = tree_of(g);
	if (tree == NULL) {
		finish(g, &g->r->tree_errs[g->item->export]);
		return;
	}
	g->file_begun = true;
	if (g->file == NULL)
		tree_lookup(tree, str_of(g->item->raw), looked_up, g);
	else
		tree_file_read(g->file, g->offset, MIN(READ_MAX,
		    tree_read_max(tree)), g->buffer, read_done, g);
}

void
readback_file_end(struct reading *g)
{
	tree_file_close(&g->file);
	free(STEAL(g->buffer));
}
