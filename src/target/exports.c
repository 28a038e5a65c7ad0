#include "target/exports.h"

#include "base/log.h"
#include "catalog/export.h"

/* 1: the catalog knows files of the export, by whichever name. */
static int
holds(const struct run_plan *p, size_t i, const struct conf *conf,
    bool also_gone, struct catalog_reader *r, struct err *err)
{
	int rc = catalog_export_holds(r, p->roots[i], also_gone, err);

	return rc != 0 || conf->fs_config.server_as_prefix ? rc :
	    catalog_former_holds(r, p->roots[i], err);
}

/* 1: the export is empty, and should not be. */
static int
is_missing(const struct run_plan *p, size_t i, const struct conf *conf,
    struct catalog_reader *r, struct err *err)
{
	if (!p->empty[i] || p->may_be_empty[i])
		return 0;
	return holds(p, i, conf, false, r, err);
}

/* 1: the export's file system differs from the file system noted in the
 * catalog. */
static int
is_other(const struct run_plan *p, size_t i, const struct conf *conf,
    const struct job *job, struct catalog_reader *r, struct err *err)
{
	uint64_t fsid;
	int rc = catalog_export_noted(r, p->roots[i], &fsid, err);

	if (rc <= 0 || fsid == p->seen[i].fsid || job->accept_filesystem)
		return MIN(rc, 0);
	return holds(p, i, conf, true, r, err);
}

static int
compare(struct run_plan *p, size_t i, const struct conf *conf,
    const struct job *job, struct catalog_reader *r, struct err *err)
{
	int missing = is_missing(p, i, conf, r, err);
	int other = missing != 0 ? 0 : is_other(p, i, conf, job, r, err);

	if (missing == -1 || other == -1)
		return -1;
	if (missing == 1) {
		err_set(&p->errs[i], ERR_UNREACHABLE, 0, "it is empty, and "
		    "the catalog knows files there: is it mounted, at the "
		    "server too? If it is empty for good: --accept-empty, or "
		    "may_be_empty = yes");
		log_event(LOG_ERROR, EVENT_EXPORT,
		    LOG_WITH(LOG_TEXT("path", p->roots[i]),
			LOG_TEXT("reason", p->errs[i].msg)),
		    "%s: %s", p->roots[i], p->errs[i].msg);
	}
	if (other == 1)
		log_event(LOG_WARN, EVENT_EXPORT_OTHER,
		    LOG_WITH(LOG_TEXT("path", p->roots[i])),
		    "%s: another file system than "
		    "before: its files are moved, and nothing of it is taken "
		    "for gone. If that is right: --accept-filesystem%s",
		    p->roots[i],
		    p->specs[i].type != TREE_NFS ?
			"" :
			". A "
			"server may give one file system another number over "
			"NFS 3 "
			"than over NFS 4: if nfs_version was changed, that is "
			"the "
			"reason, and it is right, or can be set back");
	return 0;
}

int
exports_compare(struct run_plan *p, const struct conf *conf,
    const struct job *job, struct catalog_reader *r, struct err *err)
{
	for (size_t i = 0; i < p->count; i++) {
		if (p->errs[i].kind == ERR_NONE &&
		    compare(p, i, conf, job, r, err) == -1)
			return -1;
		if (p->errs[i].kind == ERR_NONE)
			p->exports[i].root = &p->seen[i];
	}
	return plan_any_export(p, err);
}

void
exports_tell(const struct run_plan *p, const struct conf *conf,
    const struct job *job, struct catalog *catalog)
{
	bool crawls = job->files_from == NULL && !job->retry_failed;

	for (unsigned i = 0; i < p->count; i++) {
		catalog_see_export(catalog, i,
		    p->errs[i].kind != ERR_NONE ? EXPORT_AWAY :
		    job->accept_filesystem ? EXPORT_ACCEPTED : EXPORT_THERE,
		    p->seen[i].fsid);
		/* The crawl sees the root that exports_compare has compared. */
		if (crawls && p->errs[i].kind == ERR_NONE)
			catalog_note_root(catalog, i, &p->seen[i],
			    conf->fs_config.ignore_inode, NULL);
	}
}
