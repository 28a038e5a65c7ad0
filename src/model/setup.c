#include "model/setup.h"

void
setup_release(struct setup *s)
{
	for (size_t i = 0; i < s->export_count; i++) {
		free(s->exports[i].server);
		free(s->exports[i].share);
		free(s->exports[i].root);
	}
	free(s->exports);
	free(s->settings);
	free(s->cluster_map);
	keys_release(&s->keys);
	free(s->ca_pem);
	free(s->dest_path);
	free(s->dest_export.server);
	free(s->dest_export.share);
	memset(s, 0, sizeof(*s));
}
