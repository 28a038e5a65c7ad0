#include "xfer/erase.h"

#include "base/clock.h"
#include "xfer/pool.h"

#define TURN_MS		1000

struct erase {
	struct erase_config c;
	struct pool pool;
	struct mailbox *in;
};

struct erase_worker {
	struct pool_worker p;
	struct erase *e;
	size_t	 active;	/* batches on the way */
};

/* A batch on its way. Keys that XML can't carry are deleted one by one. */
struct erasing {
	struct erase_worker *w;
	struct erase_batch *b;
	size_t	 left;		/* requests without an answer */
	size_t	*plain;		/* rows of the request for many */
	struct single *singles;
};

struct single {
	struct erasing *x;
	struct erase_row *row;
};

static void
give_back(struct erase *e, struct erase_batch *b)
{
	b->mail.type = MAIL_ERASED;
	if (!mailbox_put(e->c.up, &b->mail))
		erase_batch_free(&b);
}

static void
answered(struct erasing *x)
{
	if (--x->left > 0)
		return;
	x->w->active--;
	give_back(x->w->e, x->b);
	free(x->plain);
	free(x->singles);
	free(x);
}

static void
settle(struct erase_row *r, const struct err *err, struct str version_id)
{
	err_clear(&r->err);
	if (err != NULL)
		r->err = *err;
	else if (version_id.len > 0)
		r->version_id = xstrndup(version_id.p, version_id.len);
}

static void
many_deleted(void *arg, const struct s3_deleted *v, size_t count)
{
	struct erasing *x = arg;

	for (size_t i = 0; i < count; i++)
		settle(&x->b->v[x->plain[i]], v[i].err, v[i].version_id);
	answered(x);
}

static void
one_deleted(void *arg, const struct s3_reply *r, const struct err *err)
{
	struct single *s = arg;

	settle(s->row, err, r->version_id);
	answered(s->x);
}

static void
begin(struct erase_worker *w, struct erase_batch *b)
{
	struct erasing *x = xcalloc(1, sizeof(*x));
	AUTOFREE struct str *keys = xcalloc(b->count + 1, sizeof(*keys));
	size_t plain = 0, single = 0;

	w->active++;
	x->w = w;
	x->b = b;
	x->plain = xcalloc(b->count + 1, sizeof(*x->plain));
	x->singles = xcalloc(b->count + 1, sizeof(*x->singles));
	for (size_t i = 0; i < b->count; i++) {
		struct str key = str_of(b->v[i].key);

		if (s3_key_fits_xml(key)) {
			x->plain[plain] = i;
			keys[plain++] = key;
		} else {
			x->singles[single++] = (struct single){ .x = x,
			    .row = &b->v[i] };
		}
	}
	/* One more than there are: an empty batch has its end, too. */
	x->left = single + (plain > 0) + 1;
	if (plain > 0)
		s3_delete_many(w->p.s3, keys, plain, many_deleted, x);
	for (size_t i = 0; i < single; i++)
		s3_delete(w->p.s3, str_of(x->singles[i].row->key),
		    one_deleted, &x->singles[i]);
	answered(x);
}

/* Nobody will ask S3 for it. */
static void
refuse(struct erase *e, struct erase_batch *b)
{
	for (size_t i = 0; i < b->count; i++)
		err_set(&b->v[i].err, ERR_STOPPED, 0, "stopped");
	give_back(e, b);
}

static void
read_mail(struct erase_worker *w)
{
	struct mail *m = mailbox_take(w->e->in), *next;

	for (; m != NULL; m = next) {
		struct erase_batch *b = (struct erase_batch *)(void *)m;

		next = m->next;
		if (pool_stopping(&w->p))
			refuse(w->e, b);
		else
			begin(w, b);
	}
}

static void
run(struct pool_worker *p)
{
	struct erase_worker *w = (struct erase_worker *)(void *)p;

	for (;;) {
		struct pollfd fd = { .fd = mailbox_fd(w->e->in),
		    .events = POLLIN };

		read_mail(w);
		if (pool_over(p, w->active, 0, clock_mono_ms()))
			break;
		s3_wait(p->s3, &fd, 1, TURN_MS);
		pool_publish(p);
	}
}

static void
init(struct pool_worker *p)
{
	struct erase_worker *w = (struct erase_worker *)(void *)p;

	w->e = p->pool->owner;
}

static void
release(struct pool_worker *p)
{
	struct erase_worker *w = (struct erase_worker *)(void *)p;
	struct mail *m, *next;

	/* What is on the way is called back, STOPPED. */
	s3_free(&p->s3);
	for (m = mailbox_take(w->e->in); m != NULL; m = next) {
		next = m->next;
		refuse(w->e, (struct erase_batch *)(void *)m);
	}
}

int
erase_start(struct erase **ret, const struct erase_config *c,
    struct err *err)
{
	static const struct pool_ops ops = { .size = sizeof(struct
	    erase_worker), .init = init, .run = run, .release = release };
	struct erase *e = xcalloc(1, sizeof(*e));

	e->c = *c;
	e->in = mailbox_new(0);
	if (pool_start(&e->pool, &ops, e, 1, &c->s3, err) == -1) {
		mailbox_free(&e->in);
		free(e);
		return -1;
	}
	*ret = e;
	return 0;
}

void
erase_give(struct erase *e, struct erase_batch *b)
{
	if (!mailbox_put(e->in, &b->mail))
		refuse(e, b);
}

void
erase_stop(struct erase *e, uint64_t limit_ms)
{
	pool_stop(&e->pool, limit_ms);
}

bool
erase_idle(struct erase *e)
{
	return pool_idle(&e->pool);
}

void
erase_stats(struct erase *e, struct s3_stats *s)
{
	pool_stats(&e->pool, s);
}

void
erase_limits(struct erase *e, uint64_t tpslimit)
{
	pool_limits(&e->pool, 0, tpslimit);
}

void
erase_valid_until(struct erase *e, uint64_t mono_ms)
{
	pool_valid_until(&e->pool, mono_ms);
}

void
erase_free(struct erase **ep)
{
	struct erase *e = *ep;

	if (e == NULL)
		return;
	*ep = NULL;
	pool_join(&e->pool);
	pool_release(&e->pool);
	mailbox_free(&e->in);
	free(e);
}
