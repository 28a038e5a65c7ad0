#include "run/ours.h"

#include "target/cluster_map.h"

/* A listing costs about as much as this number of HEADs: do not list for
 * fewer keys, and do not continue a listing whose last page answered fewer
 * keys. */
#define LIST_MIN	32

/* The keys of one directory that the listing has still to answer. */
struct listing {
	struct s3 *s3;
	struct ours_question *v;
	size_t	 at;
	size_t	 end;
};

/* --- one by one --- */

static void
judge(struct ours_question *q, const struct held_answer *a)
{
	struct held_record r = { .attrs = &q->stored->attrs,
	    .etag = q->stored->etag };

	q->held = held_judge(a, &r);
	memcpy(q->etag, q->held == HELD_OURS ? a->etag : r.etag,
	    sizeof(q->etag));
	q->err = a->err;
}

static void
headed(void *arg, const struct s3_reply *r, const struct err *err)
{
	struct held_answer a;

	s3_head_answer(r, err, &a);
	judge(arg, &a);
}

static void
ask_each(struct s3 *s3, struct ours_question *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		s3_head(s3, str_of(v[i].key), headed, &v[i]);
}

/* --- by listings --- */

static struct str
directory_of(const char *key)
{
	const char *slash = strrchr(key, '/');

	return (struct str){ key, slash == NULL ? 0 :
	    (size_t)(slash + 1 - key) };
}

/* A key without its last character: not many lie between the two. */
static struct str
shortly_before(const char *key)
{
	struct str s = str_of(key);

	while (s.len > 0 && ((unsigned char)s.p[--s.len] & 0xc0) == 0x80)
		;
	return s;
}

static void list_next(struct listing *);

/* Does the listing show the object under its key to be ours? */
static bool
shows(struct ours_question *q, const struct s3_listed *k)
{
	struct held_answer a = { .err = ERR_INIT, .size = k->size };

	memcpy(a.etag, k->etag, sizeof(a.etag));
	judge(q, &a);
	return q->held == HELD_OURS;
}

/* Settle the questions at or before the listed key. Ask by HEAD for each key
 * that the listing jumped over: the object may be gone, or the listing may be
 * in a different order. */
static void
take_listed(struct listing *l, const struct s3_listed *k)
{
	while (l->at < l->end) {
		struct ours_question *q = &l->v[l->at];
		struct str key = str_of(q->key);
		int order = memcmp(key.p, k->key.p, MIN(key.len, k->key.len));

		if (order > 0 || (order == 0 && key.len > k->key.len))
			return;
		if (order != 0 || key.len != k->key.len || !shows(q, k))
			ask_each(l->s3, q, 1);
		l->at++;
	}
}

static void
listed(void *arg, const struct s3_reply *r, const struct err *err)
{
	struct listing *l = arg;
	size_t from = l->at;

	if (err != NULL && err->kind == ERR_STOPPED)
		return;
	for (size_t i = 0; err == NULL && i < r->listed_count; i++)
		take_listed(l, &r->listed[i]);
	if (err == NULL && r->truncated && l->at - from >= LIST_MIN &&
	    l->end - l->at >= LIST_MIN)
		list_next(l);
	else
		ask_each(l->s3, l->v + l->at, l->end - l->at);
}

static void
list_next(struct listing *l)
{
	const char *key = l->v[l->at].key;

	s3_list(l->s3, directory_of(key), shortly_before(key), STR(""), 0,
	    listed, l);
}

/* Count the keys at the start of v that lie in one directory. */
static size_t
count_of_directory(const struct ours_question *v, size_t n)
{
	struct str dir = directory_of(v[0].key);
	size_t count = 1;

	while (count < n && str_eq(directory_of(v[count].key), dir))
		count++;
	return count;
}

int
ours_ask(struct run *r, struct ours_question *v, size_t n, struct err *err)
{
	/* Of several clusters s3_list sees the first alone. */
	bool lists = cluster_map() == NULL;
	AUTOFREE struct listing *listings = xcalloc(n / LIST_MIN + 1,
	    sizeof(*listings));
	size_t used = 0, count;

	for (size_t i = 0; i < n; i++)
		v[i].held = HELD_UNKNOWN;
	for (size_t i = 0; i < n; i += count) {
		count = count_of_directory(v + i, n - i);
		if (!lists || count < LIST_MIN) {
			ask_each(r->s3, v + i, count);
			continue;
		}
		listings[used] = (struct listing){ r->s3, v, i, i + count };
		list_next(&listings[used++]);
	}
	return run_s3_wait(r) ? 0 : err_set(err, ERR_STOPPED, 0,
	    "interrupted");
}
