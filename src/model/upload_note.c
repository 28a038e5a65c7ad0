#include "model/upload_note.h"

#include "base/base.h"

void
upload_note_free(struct upload_note **np)
{
	if (*np == NULL)
		return;
	free((*np)->upload_id);
	free((*np)->part);
	free(*np);
	*np = NULL;
}
