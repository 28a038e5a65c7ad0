#include "source/source.h"

#include <pthread.h>
#include <stdatomic.h>

#include "reader/stored.h"
#include "lister/lister.h"
#include "target/plan.h"

#define TURN_MS		1000
#define RANGES_MAX	64	/* that a prefix is cut into */

struct source {
	struct source_config c;
	struct strlist prefixes;
	struct strlist *cuts;	/* of each prefix */
	struct s3 *s3;
	struct s3_lister *lister;	/* of the prefix at hand */
	pthread_t thread;
	_Atomic unsigned out;	/* pages not freed yet */
	_Atomic bool stopping;
	bool	 paused;
	bool	 done;		/* with the prefix at hand */
	bool	 failed;
	struct err err;
};

static int
by_bytes(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

static int
add_shares(const struct conf *c, struct strlist *l, struct err *err)
{
	for (size_t i = 0; i < c->fs_config.nfs_count; i++) {
		const struct conf_nfs *nfs = &c->fs_config.nfs[i];

		for (size_t k = 0; k < nfs->shares.n; k++) {
			struct buf key CLEANUP(buf_release);

			buf_init(&key, 64 * KIB);
			if (conf_s3_prefix(c, nfs->server, nfs->shares.v[k],
			    &key) == -1 || (key.len > 0 &&
			    buf_addch(&key, '/') == -1))
				return err_set(err, ERR_CONFIG, 0,
				    "%s: the share's name is too long",
				    nfs->server);
			strlist_add(l, key.len > 0 ? key.data : "");
		}
	}
	return 0;
}

/* Two servers can meet in a prefix, and a share can lie in another share: list
 * each key once. */
static void
drop_nested(struct strlist *l)
{
	size_t kept = 0;

	if (l->n == 0)
		return;
	qsort(l->v, l->n, sizeof(*l->v), by_bytes);
	for (size_t i = 1; i < l->n; i++) {
		if (strncmp(l->v[i], l->v[kept], strlen(l->v[kept])) == 0)
			free(l->v[i]);
		else
			l->v[++kept] = l->v[i];
	}
	l->n = kept + 1;
}

int
source_prefixes(const struct conf *c, const struct job *job,
    struct strlist *ret, struct err *err)
{
	if (job->prefix != NULL) {
		if (!job->all && conf_check_prefix(c, job->prefix, err) == -1)
			return -1;
		strlist_add(ret, job->prefix);
		return 0;
	}
	if (job->all) {
		strlist_add(ret, "");
		return 0;
	}
	if (add_shares(c, ret, err) == -1)
		return -1;
	drop_nested(ret);
	return 0;
}

static struct source_page *
page_of(const struct s3_listed *listed, size_t count)
{
	struct source_page *p = xcalloc(1, sizeof(*p));
	size_t bytes = 0;
	char *at;

	for (size_t i = 0; i < count; i++)
		bytes += listed[i].key.len + 1;
	p->mail.type = MAIL_SOURCE_PAGE;
	p->keys = xcalloc(count, sizeof(*p->keys));
	p->count = count;
	p->text = at = xmalloc(MAX(bytes, (size_t)1));
	for (size_t i = 0; i < count; i++) {
		struct source_key *k = &p->keys[i];

		memcpy(at, listed[i].key.p, listed[i].key.len);
		at[listed[i].key.len] = '\0';
		k->key = at;
		k->len = listed[i].key.len;
		k->size = listed[i].size;
		k->modified_sec = listed[i].modified_sec;
		memcpy(k->etag, listed[i].etag, sizeof(k->etag));
		at += k->len + 1;
	}
	return p;
}

static void
send_page(struct source *s, struct source_page *p)
{
	atomic_fetch_add(&s->out, 1);
	mailbox_put(s->c.up, &p->mail);
}

static void
on_page(void *arg, const struct s3_listed *listed, size_t count)
{
	struct source *s = arg;

	if (count == 0 || atomic_load(&s->stopping))
		return;
	send_page(s, page_of(listed, count));
	if (atomic_load(&s->out) >= SOURCE_PAGES) {
		s->paused = true;
		s3_lister_pause(s->lister);
	}
}

static void
on_done(void *arg, const struct err *err)
{
	struct source *s = arg;

	s->done = true;
	if (err != NULL) {
		s->failed = true;
		s->err = *err;
	}
}

static void
list_prefix(struct source *s, const char *prefix, struct strlist cuts)
{
	struct s3_lister_plan plan = {
		.prefix = str_of(prefix),
		.cuts = cuts,
		.ordered = s->c.ordered,
	};

	s->done = s->paused = false;
	s3_lister_new(&s->lister, s->s3, &plan, on_page, on_done, s);
	while (!s->done && !atomic_load(&s->stopping)) {
		s3_wait(s->s3, NULL, 0, TURN_MS);
		if (s->paused && atomic_load(&s->out) <= SOURCE_PAGES / 2) {
			s->paused = false;
			s3_lister_resume(s->lister);
		}
	}
	s3_lister_free(&s->lister);
}

static void *
source_main(void *arg)
{
	struct source *s = arg;
	struct source_page *end = xcalloc(1, sizeof(*end));

	for (size_t i = 0; i < s->prefixes.n && !s->failed &&
	    !atomic_load(&s->stopping); i++)
		list_prefix(s, s->prefixes.v[i], s->cuts[i]);
	end->mail.type = MAIL_SOURCE_PAGE;
	end->end = true;
	end->err = s->err;
	if (atomic_load(&s->stopping))
		free(end);
	else
		send_page(s, end);
	return NULL;
}

/* Keys are catalog paths only if keys begin with the server. */
static int
find_cuts(struct source *s, struct err *err)
{
	s->cuts = xcalloc(s->prefixes.n, sizeof(*s->cuts));
	if (s->c.reader == NULL || !s->c.conf->fs_config.server_as_prefix)
		return 0;
	for (size_t i = 0; i < s->prefixes.n; i++)
		if (catalog_key_cuts(s->c.reader, str_of(s->prefixes.v[i]),
		    RANGES_MAX, &s->cuts[i], err) == -1)
			return -1;
	return 0;
}

static void
release(struct source *s)
{
	s3_free(&s->s3);
	for (size_t i = 0; s->cuts != NULL && i < s->prefixes.n; i++)
		strlist_clear(&s->cuts[i]);
	free(s->cuts);
	strlist_clear(&s->prefixes);
	free(s);
}

int
source_start(struct source **ret, const struct source_config *c,
    struct err *err)
{
	struct s3_config sc = plan_s3(c->conf);
	struct source *s = xcalloc(1, sizeof(*s));
	int no;

	s->c = *c;
	if (source_prefixes(c->conf, c->job, &s->prefixes, err) == -1 ||
	    find_cuts(s, err) == -1 ||
	    s3_new(&s->s3, &sc, err) == -1)
		goto fail;
	no = pthread_create(&s->thread, NULL, source_main, s);
	if (no != 0) {
		err_errno(err, ERR_RESOURCE, no, "thread");
		goto fail;
	}
	*ret = s;
	return 0;
fail:
	release(s);
	return -1;
}

void
source_page_free(struct source *s, struct source_page **pp)
{
	struct source_page *p = *pp;

	if (p == NULL)
		return;
	free(p->keys);
	free(p->text);
	free(p);
	*pp = NULL;
	if (s != NULL && atomic_fetch_sub(&s->out, 1) - 1 <= SOURCE_PAGES / 2)
		s3_wakeup(s->s3);
}

void
source_free(struct source **sp)
{
	struct source *s = *sp;

	if (s == NULL)
		return;
	atomic_store(&s->stopping, true);
	s3_wakeup(s->s3);
	pthread_join(s->thread, NULL);
	release(s);
	*sp = NULL;
}
