#include "model/item.h"
#include "model/job.h"

void
item_release(struct item *it)
{
	free(it->path);
	free(it->raw);
	free(it->upload_id);
	free(it->part_md5s);
	free(it->part_etags);
	memset(it, 0, sizeof(*it));
}

void
lease_free(struct lease **lp)
{
	struct lease *l = *lp;

	if (l == NULL)
		return;
	for (size_t i = 0; i < l->count; i++)
		item_release(&l->items[i]);
	free(l->items);
	free(l);
	*lp = NULL;
}

void
result_release(struct result *r)
{
	free(r->part_md5s);
	free(r->part_etags);
	free(r->version_id);
	free(r->upload_id);
	memset(r, 0, sizeof(*r));
}

void
results_free(struct results **rp)
{
	struct results *r = *rp;

	if (r == NULL)
		return;
	for (size_t i = 0; i < r->count; i++)
		result_release(&r->v[i]);
	free(r->v);
	free(r);
	*rp = NULL;
}

const char *
op_name(enum op op)
{
	static const char *const names[] = {
		[OP_NONE] = "?", [OP_PUT] = "PUT", [OP_LIST] = "LIST",
		[OP_GET] = "GET", [OP_DEL] = "DEL", [OP_TEST] = "TEST",
		[OP_UNDO] = "undo",
	};

	return names[op];
}
