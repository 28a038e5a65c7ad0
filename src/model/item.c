#include "model/item.h"
#include "model/job.h"
#include "model/upload_note.h"

void
item_release(struct item *it)
{
	free(it->path);
	free(it->raw);
	free(it->upload_id);
	free(it->part_md5s);
	free(it->part_etags);
	free(it->upload_parts);
	memset(it, 0, sizeof(*it));
}

void
item_forget_upload(struct item *it)
{
	free(STEAL(it->upload_parts));
	free(STEAL(it->upload_id));
	it->upload_intent_sec = 0;
	it->upload_part_size = 0;
}

/* Beyond so many bytes, parts are sent again. */
#define PARTS_TEXT_MAX	((size_t)(1 * MIB))

void
item_keep_part(struct item *it, const char *part)
{
	char *all;

	if (part == NULL || strlen(part) > UPLOAD_PART_LINE ||
	    (it->upload_parts != NULL &&
	    strlen(it->upload_parts) > PARTS_TEXT_MAX))
		return;
	all = xasprintf("%s%s\n", it->upload_parts == NULL ? "" :
	    it->upload_parts, part);
	free(it->upload_parts);
	it->upload_parts = all;
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
