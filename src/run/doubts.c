#include "run/doubts.h"

#include "base/log.h"
#include "catalog/doubt.h"
#include "model/key.h"

#define PAGE		1000

struct page {
	struct run *r;
	enum doubt_kind kind;
	struct doubt v[PAGE];
	struct found found[PAGE];
	size_t	 count;
};

static void
answered(void *arg, const struct s3_reply *r, const struct err *err)
{
	struct found *f = arg;

	s3_head_answer(r, err, &f->answer);
	if ((err == NULL || r->delete_marker) && r->version_id.len > 0)
		f->version_id = xstrndup(r->version_id.p, r->version_id.len);
}

/* Return false if the run was stopped. */
static bool
ask(struct page *p)
{
	struct run *r = p->r;

	for (size_t i = 0; i < p->count; i++) {
		const char *path = p->v[i].path;

		p->found[i] = (struct found){ .doubt = &p->v[i] };
		s3_head(r->s3, str_of(key_of_path(path,
		    r->conf->fs_config.server_as_prefix)), answered,
		    &p->found[i]);
	}
	return run_s3_wait(r);
}

/* Return true if all rows of the page were asked for and the answers of S3
 * are recorded. */
static bool
settle_page(struct page *p, size_t *foreign, struct err *err)
{
	size_t n = 0;
	bool settled = run_s3(p->r, err) == 0 && ask(p) &&
	    catalog_put_found(p->r->catalog, p->kind, p->found, p->count, &n,
	    err) == 0;

	*foreign += n;
	for (size_t i = 0; i < p->count; i++)
		free(STEAL(p->found[i].version_id));
	return settled;
}

/* Page after page, until all are asked for or the run is stopped. */
static void
settle_all(struct page *p, size_t *foreign, struct err *err)
{
	int64_t after = 0;
	bool more = true;

	while (more && catalog_doubts(p->r->catalog, p->kind, after, p->v,
	    PAGE, &p->count, err) == 0 && p->count > 0) {
		after = p->v[p->count - 1].object;
		more = settle_page(p, foreign, err) && p->count == PAGE;
		for (size_t i = 0; i < p->count; i++)
			doubt_release(&p->v[i]);
	}
}

static int
settle_kind(struct run *r, enum doubt_kind kind, struct err *err)
{
	AUTOFREE struct page *p = xcalloc(1, sizeof(*p));
	size_t foreign = 0;

	p->r = r;
	p->kind = kind;
	err_clear(err);
	settle_all(p, &foreign, err);
	if (foreign > 0 && kind == DOUBT_ANY)
		log_event(LOG_WARN, EVENT_FOREIGN,
		    LOG_WITH(LOG_NUMBER("count", foreign)),
		    "%zu objects under the keys of "
		    "files that are gone are none that this catalog put: they "
		    "stay",
		    foreign);
	return err->kind == ERR_NONE ? 0 : -1;
}

int
doubts_settle(struct run *r, struct err *err)
{
	return settle_kind(r, DOUBT_ANY, err);
}

int
doubts_settle_noted(struct run *r, struct err *err)
{
	return settle_kind(r, DOUBT_NOTED, err);
}

int
doubts_settle_all(struct run *r, struct err *err)
{
	return settle_kind(r, DOUBT_ANY, err) == -1 ? -1 :
	    settle_kind(r, DOUBT_ALL, err);
}
