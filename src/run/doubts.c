#include "run/doubts.h"

#include "base/log.h"
#include "base/signals.h"
#include "catalog/doubt.h"
#include "model/key.h"
#include "target/plan.h"

#define PAGE		1000
#define TURN_MS		200	/* how often signals are looked at */

struct page {
	struct s3 *s3;
	bool	 server_as_prefix;
	struct doubt v[PAGE];
	struct found found[PAGE];
	size_t	 count;
};

static void
answered(void *arg, const struct s3_reply *r, const struct err *err)
{
	struct found *f = arg;

	s3_head_answer(r, err, &f->answer);
}

/* Return false if a signal waits and some rows have no answer yet. */
static bool
ask(struct page *p)
{
	for (size_t i = 0; i < p->count; i++) {
		const char *path = p->v[i].path;

		p->found[i] = (struct found){ .doubt = &p->v[i] };
		s3_head(p->s3, str_of(key_of_path(path,
		    p->server_as_prefix)), answered, &p->found[i]);
	}
	while (s3_pending(p->s3) > 0) {
		if (signals_waiting())
			return false;
		s3_wait(p->s3, NULL, 0, TURN_MS);
	}
	return true;
}

/* Return true if all rows of the page were asked for and the answers of S3
 * are recorded. */
static bool
settle_page(struct page *p, struct catalog *cat, size_t *foreign,
    struct err *err)
{
	size_t n = 0;

	if (!ask(p) || catalog_put_found(cat, p->found, p->count, &n,
	    err) == -1)
		return false;
	*foreign += n;
	return true;
}

/* Page after page, until all are asked for or a signal waits. The client is
 * made for the first: mostly there is none. */
static void
settle_all(struct page *p, const struct s3_config *sc, struct catalog *cat,
    size_t *foreign, struct err *err)
{
	int64_t after = 0;
	bool more = true;

	while (more && catalog_doubts(cat, after, p->v, PAGE, &p->count,
	    err) == 0 && p->count > 0) {
		after = p->v[p->count - 1].object;
		more = (p->s3 != NULL || s3_new(&p->s3, sc, err) == 0) &&
		    settle_page(p, cat, foreign, err) && p->count == PAGE;
		/* What is under way when a signal came ends here: the answers
		 * belong to the page. */
		if (!more)
			s3_free(&p->s3);
		for (size_t i = 0; i < p->count; i++)
			doubt_release(&p->v[i]);
	}
	s3_free(&p->s3);
}

int
doubts_settle(const struct conf *c, struct catalog *cat, struct err *err)
{
	struct s3_config sc = plan_s3(c);
	AUTOFREE struct page *p = xcalloc(1, sizeof(*p));
	size_t foreign = 0;

	p->server_as_prefix = c->fs_config.server_as_prefix;
	err_clear(err);
	settle_all(p, &sc, cat, &foreign, err);
	if (foreign > 0)
		log_event(LOG_WARN, "foreign", "%zu objects under the keys of "
		    "files that are gone are none that this catalog put: they "
		    "stay", foreign);
	return err->kind == ERR_NONE ? 0 : -1;
}
