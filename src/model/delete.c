#include "model/delete.h"

void
delete_batch_free(struct delete_batch **bp)
{
	struct delete_batch *b = *bp;

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
