#include "run/deleter.h"

#include "base/jsontext.h"
#include "model/key.h"

#define BATCHES_MIN	8	/* batches under way, also if one crew is
				   enough */
#define BATCHES_MAX	64

int
deleter_start(struct run *r, const struct job *job, struct err *err)
{
	CLEANUP(setup_release) struct setup setup = { .op = OP_DEL };

	return setup_make(&setup, r->conf, job, NULL, err) == -1 ? -1 :
	    run_crew(r, job, &setup, err);
}

/* --- answers of S3 --- */

static void
settle_row(struct outcome_row *r, struct delete_row *deleted)
{
	r->attempts = 1;
	if (deleted->err.kind == ERR_NONE) {
		r->outcome = OUTCOME_DELETED;
		r->version_id = STEAL(deleted->version_id);
		return;
	}
	r->outcome = OUTCOME_FAILED;
	r->err = deleted->err;
	/* If the store refused, the object is still stored; otherwise nobody
	 * knows whether the object is gone. */
	r->lost = r->err.kind != ERR_DENIED && r->err.kind != ERR_REFUSED &&
	    r->err.kind != ERR_INVALID;
}

/* Record what became of the rows of a batch. Requests that were cut off have
 * no answer; the rows of such requests stay noted as to be deleted. */
static void
take_deleted(struct run *r, struct delete_batch *b)
{
	struct outcomes *rows = b->user;
	size_t kept = 0;

	for (size_t i = 0; i < rows->count; i++) {
		if (b->v[i].err.kind == ERR_STOPPED) {
			outcome_row_release(&rows->v[i]);
			continue;
		}
		run_saw(r, &b->v[i].err);
		settle_row(&rows->v[i], &b->v[i]);
		rows->v[kept++] = rows->v[i];
	}
	rows->count = kept;
	r->out--;
	for (struct outcomes **at = &r->deleting; *at != NULL;
	    at = (struct outcomes **)(void *)&(*at)->mail.next) {
		if (*at == rows) {
			*at = (struct outcomes *)(void *)rows->mail.next;
			break;
		}
	}
	catalog_put_outcomes(r->catalog, rows);
	delete_batch_free(&b);
}

/* --- sending --- */

static void
send_batch(struct run *r, struct outcomes *rows)
{
	struct delete_batch *b = xcalloc(1, sizeof(*b));

	b->user = rows;
	b->count = rows->count;
	b->v = xcalloc(b->count, sizeof(*b->v));
	for (size_t i = 0; i < b->count; i++) {
		b->v[i].key = xstrdup(key_of_path(rows->v[i].path,
		    rows->v[i].is_key ||
		    r->conf->fs_config.server_as_prefix));
		b->v[i].size = rows->v[i].size;
		memcpy(b->v[i].etag, rows->v[i].etag, sizeof(b->v[i].etag));
	}
	rows->mail.next = (struct mail *)(void *)r->deleting;
	r->deleting = rows;
	crew_delete(r->crew, b);
}

/* If the catalog has failed, the failure comes by a mail of its own. */
static void
take_intent(struct run *r, struct outcomes *rows)
{
	if (rows->intended && !run_stopped(r) && rows->count > 0) {
		send_batch(r, rows);
	} else {
		r->out--;
		outcomes_free(&rows);
	}
}

bool
deleter_mail(struct run *r, struct mail *mail)
{
	void *msg = mail;

	if (mail->type == MAIL_DELETED)
		take_deleted(r, msg);
	else if (mail->type == MAIL_DELETE_NOTED)
		take_intent(r, msg);
	else
		return false;
	return true;
}

void
deleter_give(struct run *r, struct outcomes *rows)
{
	r->out++;
	catalog_intend_delete(r->catalog, rows, r->in);
}

bool
deleter_room(const struct run *r)
{
	/* What a mirror has proven to be gone must not wait for long. */
	uint64_t most = r->job->mirror ? BATCHES_MIN : r->job->threads;

	if (most > 0)
		return r->out < most;
	return r->out < BATCHES_MIN ||
	    (r->out < BATCHES_MAX && run_room(r) > 0);
}

void
deleter_print(const struct job *job, const char *type, struct str key,
    uint64_t size)
{
	struct buf b;

	buf_init(&b, 64 * KIB);
	if (job->json) {
		buf_addf(&b, "{\"type\":\"%s\",\"key\":", type);
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
