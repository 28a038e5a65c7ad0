#include "run/deleter.h"
#include "run/frame.h"

#include "base/jsontext.h"
#include "crew/setup.h"
#include "model/key.h"

#define BATCHES_MIN	8	/* batches under way, also if one crew is
				   enough */
#define BATCHES_MAX	64
#define FDS_MAX		4
#define CATALOG_MS	1000

struct deleter {
	struct crew *crew;
	struct catalog *catalog;
	struct mailbox *in;	/* the catalog's answers, and the crew's */
	struct outcomes *out;	/* linked by mail.next: what the crew has */
	bool	 server_as_prefix;
	size_t	 asked;		/* batches that the catalog has */
	size_t	 sent;		/* batches that the crew has */
	bool	 failed;
	struct err err;
	bool	 closing;
	size_t	 most;		/* batches under way, as asked for; or 0 */
};

int
deleter_new(struct deleter **ret, const struct conf *c, const struct job *job,
    struct catalog *cat, struct err *err)
{
	CLEANUP(setup_release) struct setup setup = { .op = job->op };
	struct deleter *d = xcalloc(1, sizeof(*d));

	d->catalog = cat;
	d->server_as_prefix = c->fs_config.server_as_prefix;
	/* What a mirror has proven to be gone must not wait for long. */
	d->most = job->mirror ? BATCHES_MIN : job->threads;
	d->in = mailbox_new(0);
	if (setup_make(&setup, c, job, NULL, err) == -1 ||
	    run_crew(&d->crew, c, job, &setup, d->in, err) == -1) {
		mailbox_free(&d->in);
		free(d);
		return -1;
	}
	*ret = d;
	return 0;
}

static const char *
key_of(const struct deleter *d, const struct outcome_row *r)
{
	return key_of_path(r->path, r->is_key || d->server_as_prefix);
}

/* --- answers of S3 --- */

static void
settle_row(struct outcome_row *r, struct erase_row *erased)
{
	r->attempts = 1;
	if (erased->err.kind == ERR_NONE) {
		r->ended = ENDED_DELETED;
		r->version_id = STEAL(erased->version_id);
		return;
	}
	r->ended = ENDED_FAILED;
	r->err = erased->err;
	/* If the store refused, the object is still stored; otherwise nobody
	 * knows whether the object is gone. */
	r->lost = r->err.kind != ERR_DENIED && r->err.kind != ERR_INVALID;
}

/* Record what became of the rows of a batch. Requests that were cut off have
 * no answer; the rows of such requests stay noted as to be deleted. */
static void
take_erased(struct deleter *d, struct erase_batch *b)
{
	struct outcomes *rows = b->user;
	size_t kept = 0;

	for (size_t i = 0; i < rows->count; i++) {
		if (b->v[i].err.kind == ERR_STOPPED) {
			outcome_row_release(&rows->v[i]);
			continue;
		}
		settle_row(&rows->v[i], &b->v[i]);
		rows->v[kept++] = rows->v[i];
	}
	rows->count = kept;
	d->sent--;
	for (struct outcomes **at = &d->out; *at != NULL;
	    at = (struct outcomes **)(void *)&(*at)->mail.next) {
		if (*at == rows) {
			*at = (struct outcomes *)(void *)rows->mail.next;
			break;
		}
	}
	catalog_put_outcomes(d->catalog, rows);
	erase_batch_free(&b);
}

/* --- sending --- */

static void
send_batch(struct deleter *d, struct outcomes *rows)
{
	struct erase_batch *b = xcalloc(1, sizeof(*b));

	b->user = rows;
	b->count = rows->count;
	b->v = xcalloc(b->count, sizeof(*b->v));
	for (size_t i = 0; i < b->count; i++)
		b->v[i].key = xstrdup(key_of(d, &rows->v[i]));
	d->sent++;
	rows->mail.next = (struct mail *)(void *)d->out;
	d->out = rows;
	crew_erase(d->crew, b);
}

static void
take_doomed(struct deleter *d, struct doomed *doomed)
{
	struct outcomes *rows = STEAL(doomed->outcomes);

	d->asked--;
	if (!doomed->noted)
		d->failed = true;
	free(doomed);
	if (d->failed || d->closing || rows->count == 0)
		outcomes_free(&rows);
	else
		send_batch(d, rows);
}

static void
take_mail(struct deleter *d, struct mail *mail)
{
	struct mail *next;

	for (; mail != NULL; mail = next) {
		void *msg = mail;

		next = mail->next;
		if (mail->type == MAIL_ERASED) {
			take_erased(d, msg);
		} else if (mail->type == MAIL_CREW_FAILED) {
			d->failed = true;
			d->err = ((struct crew_failure *)msg)->err;
			free(msg);
		} else {
			take_doomed(d, msg);
		}
	}
}

void
deleter_give(struct deleter *d, struct outcomes *rows)
{
	d->asked++;
	catalog_doom(d->catalog, rows, d->in);
}

size_t
deleter_batches(const struct deleter *d)
{
	return d->asked + d->sent;
}

struct crew *
deleter_crew(struct deleter *d)
{
	return d->crew;
}

bool
deleter_room(const struct deleter *d)
{
	if (d->most > 0)
		return deleter_batches(d) < d->most;
	return deleter_batches(d) < BATCHES_MIN ||
	    (deleter_batches(d) < BATCHES_MAX &&
	    crew_backlog(d->crew) < crew_enough(d->crew));
}

bool
deleter_failed(const struct deleter *d, struct err *err)
{
	if (d->failed)
		*err = d->err;
	return d->failed;
}

void
deleter_wait(struct deleter *d, struct pollfd *fds, unsigned count,
    int timeout_ms)
{
	struct pollfd all[FDS_MAX + 1];

	count = MIN(count, (unsigned)FDS_MAX);
	memcpy(all, fds, count * sizeof(*fds));
	all[count] = (struct pollfd){ .fd = mailbox_fd(d->in),
	    .events = POLLIN };
	if (poll(all, count + 1, timeout_ms) <= 0)
		for (unsigned i = 0; i < count; i++)
			all[i].revents = 0;
	memcpy(fds, all, count * sizeof(*fds));
	take_mail(d, mailbox_take(d->in));
}

void
deleter_free(struct deleter **dp)
{
	struct deleter *d = *dp;

	if (d == NULL)
		return;
	d->closing = true;
	crew_stop(d->crew, 0);
	crew_free(&d->crew);
	take_mail(d, mailbox_take(d->in));
	while (d->out != NULL) {
		struct outcomes *rows = d->out;

		d->out = (struct outcomes *)(void *)rows->mail.next;
		outcomes_free(&rows);
	}
	/* The catalog answers every question, also after the catalog has
	 * failed. */
	while (d->asked > 0)
		take_mail(d, mailbox_wait(d->in, CATALOG_MS));
	mailbox_free(&d->in);
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
	/* main.c checks at the end whether standard output could be written. */
	fwrite(b.data, 1, b.len, stdout);
	buf_release(&b);
}
