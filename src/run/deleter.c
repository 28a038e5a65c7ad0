#include "run/deleter.h"

#include "base/jsontext.h"
#include "model/key.h"
#include "run/plan.h"

#define BATCHES_MAX	8
#define FDS_MAX		4
#define CATALOG_MS	1000

/* A batch on its way. XML can't carry the keys of its last rows: they are
 * deleted one by one. */
struct batch {
	struct deleter *d;
	struct outcomes *rows;
	struct single *singles;
	size_t	 left;		/* requests without an answer */
};

struct single {
	struct batch *b;
	struct outcome_row *row;
};

struct deleter {
	struct s3 *s3;
	struct catalog *catalog;
	struct mailbox *replies;	/* the catalog's */
	bool	 server_as_prefix;
	size_t	 asked;		/* batches that the catalog has */
	size_t	 sent;		/* batches that S3 has */
	bool	 failed;
	bool	 closing;
};

int
deleter_new(struct deleter **ret, const struct conf *c, struct catalog *cat,
    struct err *err)
{
	struct s3_config sc = plan_s3(c);
	struct deleter *d = xcalloc(1, sizeof(*d));

	d->catalog = cat;
	d->server_as_prefix = c->fs_config.server_as_prefix;
	if (s3_new(&d->s3, &sc, err) == -1) {
		free(d);
		return -1;
	}
	d->replies = mailbox_new(0);
	*ret = d;
	return 0;
}

static struct str
key_of(const struct deleter *d, const struct outcome_row *r)
{
	return str_of(r->is_key || d->server_as_prefix ? r->path :
	    key_without_server(r->path));
}

/* --- answers of S3 --- */

static void
settle_row(struct outcome_row *r, const struct err *err, struct str version_id)
{
	r->attempts = 1;
	if (err == NULL) {
		r->ended = ENDED_DELETED;
		if (version_id.len > 0)
			r->version_id = xstrndup(version_id.p, version_id.len);
		return;
	}
	r->ended = ENDED_FAILED;
	r->err = *err;
	/* Whether it is gone nobody knows: it must be uploaded again. */
	r->lost = err->kind == ERR_RETRY;
}

/* All answers are there: record them. Requests that were cut off have none,
 * their rows stay noted as perhaps deleted. */
static void
finish_batch(struct batch *b)
{
	struct deleter *d = b->d;
	struct outcomes *rows = b->rows;
	size_t kept = 0;

	for (size_t i = 0; i < rows->count; i++) {
		if (rows->v[i].err.kind == ERR_STOPPED)
			outcome_row_release(&rows->v[i]);
		else
			rows->v[kept++] = rows->v[i];
	}
	rows->count = kept;
	d->sent--;
	catalog_put_outcomes(d->catalog, rows);
	free(b->singles);
	free(b);
}

static void
many_deleted(void *arg, const struct s3_deleted *v, size_t count)
{
	struct batch *b = arg;

	for (size_t i = 0; i < count; i++)
		settle_row(&b->rows->v[i], v[i].err, v[i].version_id);
	if (--b->left == 0)
		finish_batch(b);
}

static void
one_deleted(void *arg, const struct s3_reply *r, const struct err *err)
{
	struct single *s = arg;
	struct batch *b = s->b;

	settle_row(s->row, err, r->version_id);
	if (--b->left == 0)
		finish_batch(b);
}

/* --- sending --- */

/* Rows whose keys XML can't carry go to the end; returns how many can. */
static size_t
part_rows(const struct deleter *d, struct outcomes *rows)
{
	size_t n = 0;

	for (size_t i = 0; i < rows->count; i++) {
		struct outcome_row row = rows->v[i];

		if (!s3_key_fits_xml(key_of(d, &row)))
			continue;
		rows->v[i] = rows->v[n];
		rows->v[n++] = row;
	}
	return n;
}

static void
send_batch(struct deleter *d, struct outcomes *rows)
{
	struct batch *b = xcalloc(1, sizeof(*b));
	struct str *keys AUTOFREE = NULL;
	size_t plain = part_rows(d, rows);

	b->d = d;
	b->rows = rows;
	b->left = rows->count - plain + (plain > 0);
	b->singles = xcalloc(rows->count - plain + 1, sizeof(*b->singles));
	keys = xcalloc(plain + 1, sizeof(*keys));
	for (size_t i = 0; i < plain; i++)
		keys[i] = key_of(d, &rows->v[i]);
	d->sent++;
	if (plain > 0)
		s3_delete_many(d->s3, keys, plain, many_deleted, b);
	for (size_t i = plain; i < rows->count; i++) {
		struct single *s = &b->singles[i - plain];

		*s = (struct single){ .b = b, .row = &rows->v[i] };
		s3_delete(d->s3, key_of(d, s->row), one_deleted, s);
	}
}

static void
take_replies(struct deleter *d, struct mail *mail)
{
	struct mail *next;

	for (; mail != NULL; mail = next) {
		struct doomed *doomed = (struct doomed *)(void *)mail;
		struct outcomes *rows = STEAL(doomed->outcomes);

		next = mail->next;
		d->asked--;
		if (!doomed->noted)
			d->failed = true;
		free(doomed);
		if (d->failed || d->closing || rows->count == 0)
			outcomes_free(&rows);
		else
			send_batch(d, rows);
	}
}

void
deleter_give(struct deleter *d, struct outcomes *rows)
{
	d->asked++;
	catalog_doom(d->catalog, rows, d->replies);
}

size_t
deleter_batches(const struct deleter *d)
{
	return d->asked + d->sent;
}

bool
deleter_room(const struct deleter *d)
{
	return deleter_batches(d) < BATCHES_MAX;
}

bool
deleter_failed(const struct deleter *d)
{
	return d->failed;
}

void
deleter_wait(struct deleter *d, struct pollfd *fds, unsigned count,
    int timeout_ms)
{
	struct pollfd all[FDS_MAX + 1];

	count = MIN(count, (unsigned)FDS_MAX);
	memcpy(all, fds, count * sizeof(*fds));
	all[count] = (struct pollfd){ .fd = mailbox_fd(d->replies),
	    .events = POLLIN };
	s3_wait(d->s3, all, count + 1, timeout_ms);
	memcpy(fds, all, count * sizeof(*fds));
	take_replies(d, mailbox_take(d->replies));
}

void
deleter_free(struct deleter **dp)
{
	struct deleter *d = *dp;

	if (d == NULL)
		return;
	d->closing = true;
	s3_free(&d->s3);
	/* The catalog answers every question, also one that has failed. */
	while (d->asked > 0)
		take_replies(d, mailbox_wait(d->replies, CATALOG_MS));
	mailbox_free(&d->replies);
	free(d);
	*dp = NULL;
}

void
deleter_print(const struct job *job, struct str key, uint64_t size)
{
	struct buf b;

	buf_init(&b, 64 * KIB);
	if (job->json) {
		buf_addstr(&b, "{\"type\":\"delete\",\"key\":");
		buf_add_json(&b, key);
		buf_addf(&b, ",\"size\":%ju}\n", (uintmax_t)size);
	} else {
		buf_add_escaped(&b, key);
		buf_addch(&b, '\n');
	}
	/* main.c looks whether standard output took it all. */
	fwrite(b.data, 1, b.len, stdout);
	buf_release(&b);
}
