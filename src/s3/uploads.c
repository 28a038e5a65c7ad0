/*
 * List the open uploads: page after page, in every cluster at once.
 */
#include "s3/s3_internal.h"

struct walk {
	struct s3 *s3;
	char	*prefix;
	size_t	 prefix_len;
	size_t	 left;		/* clusters not listed to the end */
	s3_upload_fn *each;
	s3_done_fn *done;
	void	*arg;
	struct err err;		/* the first */
	int	 status;
	unsigned attempts;
};

/* One cluster's pages; the markers name the last upload of the page before. */
struct walk_part {
	struct walk *walk;
	size_t	 cluster;
	struct buf key, id;
};

static void page(void *arg, const struct s3_reply *, const struct err *);

static void
ask(struct walk_part *p)
{
	struct walk *w = p->walk;

	s3_mpu_list_in(w->s3, p->cluster, (struct str){ w->prefix,
	    w->prefix_len }, buf_str(&p->key), buf_str(&p->id), page, p);
}

/* Where the next page begins; false: the server would send the same again. */
static bool
move_on(struct walk_part *p, const struct s3_reply *r)
{
	const struct s3_upload *last;

	if (r->upload_count == 0)
		return false;
	last = &r->uploads[r->upload_count - 1];
	if (str_eq(last->key, buf_str(&p->key)) &&
	    str_eq(r->next, buf_str(&p->id)))
		return false;
	buf_clear(&p->key);
	buf_clear(&p->id);
	return buf_add(&p->key, last->key.p, last->key.len) == 0 &&
	    buf_add(&p->id, r->next.p, r->next.len) == 0;
}

static void
part_over(struct walk_part *p)
{
	struct walk *w = p->walk;
	struct s3_reply reply = { .status = w->status,
	    .attempts = w->attempts, .version_id = STR(""),
	    .etag_given = STR(""),
	    .upload_id = STR(""), .next = STR("") };

	buf_release(&p->key);
	buf_release(&p->id);
	free(p);
	if (--w->left > 0)
		return;
	w->done(w->arg, &reply, w->err.kind == ERR_NONE ? NULL : &w->err);
	free(w->prefix);
	free(w);
}

static void
take_error(struct walk_part *p, const struct err *err)
{
	struct walk *w = p->walk;

	if (w->err.kind != ERR_NONE)
		return;
	w->err = *err;
	if (w->s3->map != NULL)
		err_wrap(&w->err, "cluster %zu (bucket %s)", p->cluster,
		    w->s3->clusters[p->cluster].bucket);
}

static void
page(void *arg, const struct s3_reply *r, const struct err *err)
{
	struct walk_part *p = arg;
	struct walk *w = p->walk;
	struct err stuck;
	bool more = false;

	if (err != NULL || w->err.kind == ERR_NONE)
		w->status = r->status;
	w->attempts = MAX(w->attempts, r->attempts);
	for (size_t i = 0; err == NULL && i < r->upload_count; i++) {
		struct s3_upload u = r->uploads[i];

		s3_cluster_tag(w->s3, p->cluster, &u.upload_id);
		w->each(w->arg, &u);
	}
	if (err == NULL && r->truncated)
		more = move_on(p, r);
	if (err == NULL && r->truncated && !more) {
		err_set(&stuck, ERR_PEER, 0,
		    "the list of uploads does not go on");
		err = &stuck;
	}
	if (err != NULL)
		take_error(p, err);
	if (more)
		ask(p);
	else
		part_over(p);
}

void
s3_mpu_list(struct s3 *s, struct str prefix, s3_upload_fn *each,
    s3_done_fn *done, void *arg)
{
	struct walk *w = xcalloc(1, sizeof(*w));

	w->s3 = s;
	w->prefix = xstrndup(prefix.p, prefix.len);
	w->prefix_len = prefix.len;
	w->left = s->cluster_count;
	w->each = each;
	w->done = done;
	w->arg = arg;
	for (size_t i = 0; i < s->cluster_count; i++) {
		struct walk_part *p = xcalloc(1, sizeof(*p));

		p->walk = w;
		p->cluster = i;
		buf_init(&p->key, 64 * KIB);
		buf_init(&p->id, 64 * KIB);
		ask(p);
	}
}
