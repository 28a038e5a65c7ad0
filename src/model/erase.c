#include "model/erase.h"

void
erase_batch_free(struct erase_batch **bp)
{
	struct erase_batch *b = *bp;

	if (b == NULL)
		return;
	for (size_t i = 0; i < b->count; i++) {
		free(b->v[i].key);
		free(b->v[i].version_id);
	}
	free(b->v);
	free(b);
	*bp = NULL;
}
