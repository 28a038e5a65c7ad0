#include "cmd/options.h"

int
options_apply(const struct options *o, struct conf *c, struct err *err)
{
	for (size_t i = 0; i < o->override_count; i++) {
		const struct override *v = &o->overrides[i];

		if (conf_set(c, v->section, v->key, v->value, v->where, err)
		    == -1)
			return -1;
	}
	if (o->nfs_server != NULL) {
		size_t len = strlen(o->nfs_share);
		AUTOFREE char *share = NULL;

		while (len > 1 && o->nfs_share[len - 1] == '/')
			len--;
		share = xstrndup(o->nfs_share, len);
		conf_set_nfs(c, o->nfs_server, share);
	}
	return 0;
}

int
options_check(const struct options *o, const struct conf *c, struct err *err)
{
	const struct job *j = &o->job;

	if (!conf_allows(c, op_name(j->op)))
		return err_set(err, ERR_CONFIG, 0,
		    "%s does not allow %s: see operation in [general]",
		    c->file, op_name(j->op));
	if (j->prefix != NULL)
		return conf_check_prefix(c, j->prefix, err);
	return 0;
}
