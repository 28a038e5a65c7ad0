#include "model/note.h"

#include "base/base.h"

void
xfer_note_free(struct xfer_note **np)
{
	if (*np == NULL)
		return;
	free((*np)->upload_id);
	free(*np);
	*np = NULL;
}
