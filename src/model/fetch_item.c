#include "model/fetch_item.h"

void
fetch_item_free(struct fetch_item **ip)
{
	struct fetch_item *it = *ip;

	if (it == NULL)
		return;
	free(it->key);
	free(it->path);
	free(it->raw);
	if (it->has_stored)
		stored_release(&it->stored);
	free(it);
	*ip = NULL;
}
