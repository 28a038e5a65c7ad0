/*
 * get.c: the verb GET, from the parsed options to the last line of output:
 * objects come back as files below --dest_path, each file under the path that
 * the key of the object names.
 */
#include <errno.h>
#include <unistd.h>

#include "base/exit_status.h"
#include "base/log.h"
#include "dest/dest.h"
#include "model/key.h"
#include "frame/frame.h"
#include "run/run.h"
#include "source/as_of.h"

#define NFSERR_DQUOT	69

struct get {
	struct run r;
	struct totals totals;
	size_t	 no_room;		/* files that found no room since a
					   file was written last */
	size_t	 given;			/* keys of the page at hand */
	struct as_of *past;		/* --as-of: in place of a listing */
};

static struct get *
get_of(struct run *r)
{
	return (struct get *)(void *)r;
}

/* --- outcomes --- */

/* Keep a failure of a dry run for the summary: a dry run has no catalog. */
static void
keep_failure(struct get *g, const struct outcome_row *r)
{
	struct run_closing *c = &g->r.closing;
	struct run_failure *f = &c->failures[c->failure_count];

	if (c->failure_count == ARRAY_LEN(c->failures))
		return;
	c->failure_count++;
	str_escape(str_of(r->path), f->path, sizeof(f->path));
	snprintf(f->kind, sizeof(f->kind), "%s", err_kind_name(r->err.kind));
	str_escape(str_of(r->err.msg), f->reason, sizeof(f->reason));
}

static void
count(struct get *g, const struct outcome_row *r)
{
	struct totals *t = &g->totals;

	if (r->outcome == OUTCOME_GONE) {
		t->gone++;
		return;
	}
	t->found++;
	t->found_bytes = add_capped(t->found_bytes, r->size);
	if (r->outcome == OUTCOME_MOVED) {
		t->moved++;
		t->bytes = add_capped(t->bytes, r->size);
	} else if (r->outcome == OUTCOME_UNCHANGED) {
		t->unchanged++;
	} else if (r->outcome == OUTCOME_EXCLUDED) {
		t->excluded++;
	} else {
		t->failed++;
		if (g->r.catalog == NULL) {
			keep_failure(g, r);
			log_failed(r->path, r->attempts, &r->err);
		}
	}
}

/* Takes what the row owns. */
static void
settle(struct get *g, struct outcome_row *r)
{
	count(g, r);
	run_outcome(&g->r, r);
}

static void
refuse(struct get *g, const char *key, uint64_t size, const struct err *err)
{
	struct outcome_row r = { .path = xstrdup(key), .is_key = true,
	    .outcome = err == NULL ? OUTCOME_EXCLUDED : OUTCOME_FAILED,
	    .size = size };

	if (err != NULL)
		r.err = *err;
	settle(g, &r);
}

/*
 * A large file may find no room where smaller files still fit, and the files
 * under way with the large file find no room either. When more files in a row
 * fail for lack of room than can have been under way at once, the destination
 * is full: do not fetch the remaining files in vain.
 */
static void
note_room(struct get *g, enum outcome outcome, const struct err *err)
{
	struct err full = *err;

	if (outcome == OUTCOME_MOVED)
		g->no_room = 0;
	if (outcome != OUTCOME_FAILED || err->kind != ERR_RESOURCE ||
	    (err->code != ENOSPC && err->code != EDQUOT &&
	    err->code != NFSERR_DQUOT))
		return;
	if (g->r.crew == NULL || ++g->no_room <= crew_enough(g->r.crew))
		return;
	err_wrap(&full, "the destination is full, the rest is not fetched");
	run_fail(&g->r, &full);
}

static void
fetched(struct get *g, struct fetch_item *it)
{
	struct outcome_row r = { .path = STEAL(it->key), .is_key = true,
	    .outcome = it->result.outcome, .size = it->size,
	    .attempts = it->result.attempts, .err = it->result.err };

	g->r.out--;
	if (it->has_stored)
		r.object = it->stored.object;
	if (r.outcome == OUTCOME_GONE && g->past != NULL) {
		r.outcome = OUTCOME_FAILED;
		err_set(&r.err, ERR_GONE, 0, "the bucket does not have it any "
		    "more%s", it->stored.version_id != NULL ? " in the "
		    "version of then" : "");
	}
	if (r.outcome == OUTCOME_FAILED) {
		if (r.err.kind == ERR_CORRUPT) {
			g->r.status = EXIT_CORRUPT;
			run_reason(&g->r, "%s: %s", r.path, r.err.msg);
		}
	}
	note_room(g, it->result.outcome, &it->result.err);
	run_saw(&g->r, &it->result.err);
	fetch_item_free(&it);
	settle(g, &r);
}

/* --- items --- */

/* A directory, as consoles and some tools put it: a key that ends in a slash,
 * without bytes. Directories come with their files. */
static bool
is_directory(const struct source_key *k)
{
	return k->size == 0 && k->len > 0 && k->key[k->len - 1] == '/';
}

static void
answered(void *arg, const struct s3_reply *r, const struct err *err)
{
	s3_head_answer(r, err, arg);
}

/*
 * Other tools write a U+FFFD into a key as it is. The name of such an object's
 * file has another key, that of KEYS in datamover(1): only one of both can
 * become the file. Return 0 if the bucket holds no object under the name's own
 * key.
 */
static int
check_own_key(struct get *g, struct str name, struct err *err)
{
	CLEANUP(buf_release) struct buf key;
	struct held_answer a = { .err = ERR_INIT };
	struct run *r = &g->r;
	char shown[160];

	buf_init(&key, 64 * KIB);
	if (key_from_path(&key, name) == -1)
		return err_set(err, ERR_INVALID, 0, "its path is too long");
	if (run_s3(r, err) == -1)
		return -1;
	s3_head(r->s3, buf_str(&key), answered, &a);
	(void)run_s3_wait(r);
	if (a.err.kind == ERR_GONE)
		return 0;
	str_escape(buf_str(&key), shown, sizeof(shown));
	if (a.err.kind == ERR_NONE)
		return err_set(err, ERR_INVALID, 0, "its file is that of the "
		    "key %s; give one of both objects another key", shown);
	*err = a.err;
	return err_wrap(err, "whether the bucket holds %s too, for the same "
	    "file, is not known", shown);
}

static void
fetch(struct get *g, struct fetch_item *it)
{
	it->only_check = g->r.job->dryrun;
	g->r.out++;
	g->totals.queued++;
	g->totals.queued_bytes = add_capped(g->totals.queued_bytes, it->size);
	crew_fetch(g->r.crew, it);
}

static void
give(struct get *g, const struct source_key *k)
{
	struct buf path CLEANUP(buf_release);
	struct err err = ERR_INIT;
	struct fetch_item *it;
	int known = 0;

	if (is_directory(k)) {
		refuse(g, k->key, k->size, NULL);
		return;
	}
	buf_init(&path, 64 * KIB);
	if (dest_path(&path, (struct str){ k->key, k->len }, &err) == -1 ||
	    (!key_is_of_path((struct str){ k->key, k->len },
	    buf_str(&path)) && check_own_key(g, buf_str(&path), &err) == -1)) {
		if (!run_stopped(&g->r))
			refuse(g, k->key, k->size, &err);
		return;
	}
	if (run_stopped(&g->r))
		return;
	it = xcalloc(1, sizeof(*it));
	if (g->r.reader != NULL)
		known = catalog_find_key(g->r.reader, (struct str){ k->key,
		    k->len }, &it->stored, &err);
	if (known == -1) {
		run_fail(&g->r, &err);
		free(it);
		return;
	}
	it->has_stored = known == 1;
	it->key = xstrdup(k->key);
	it->path = xstrdup(path.data);
	it->size = k->size;
	memcpy(it->etag, k->etag, sizeof(it->etag));
	fetch(g, it);
}

/* --- items of the past --- */

/* A bucket without versions calls all its objects null. */
static bool
is_version(const struct stored *s)
{
	return s->version_id != NULL && strcmp(s->version_id, "null") != 0;
}

static bool
is_same(const struct past_row *p, const struct stored *now)
{
	const struct stored *then = &p->stored;

	return (p->held && now->object == then->object) || (now->has_md5 &&
	    then->has_md5 && now->attrs.size == then->attrs.size &&
	    memcmp(now->md5, then->md5, sizeof(now->md5)) == 0);
}

/* Find out where the bytes of then are: in a version of the bucket, or they are
 * what the bucket holds now. */
static int
find_bytes(struct get *g, struct past_row *p, struct fetch_item *it,
    struct err *err)
{
	struct stored *then = &p->stored, now;
	int known;

	it->has_stored = it->of_version = true;
	if (is_version(then)) {
		it->stored = *then;
		memset(then, 0, sizeof(*then));
		return 0;
	}
	known = catalog_find_stored(g->r.reader, str_of(then->path), &now,
	    err);
	if (known == -1)
		return -1;
	if (known == 1 && is_same(p, &now)) {
		if (!is_version(&now))
			free(STEAL(now.version_id));
		now.attrs = then->attrs;
		it->stored = now;
		return 0;
	}
	if (known == 1)
		stored_release(&now);
	return err_set(err, ERR_GONE, 0, "run %jd has replaced or deleted it, "
	    "and no version of it is known in the bucket",
	    (intmax_t)p->ended_run);
}

static void
give_past(struct get *g, struct past_row *p)
{
	AUTOFREE char *key = xstrdup(key_of_path(p->stored.path,
	    g->r.conf->fs_config.server_as_prefix));
	uint64_t size = p->stored.attrs.size;
	struct buf path CLEANUP(buf_release);
	struct err err = ERR_INIT;
	struct fetch_item *it = xcalloc(1, sizeof(*it));

	buf_init(&path, 64 * KIB);
	if (dest_path(&path, str_of(key), &err) == -1 ||
	    find_bytes(g, p, it, &err) == -1) {
		fetch_item_free(&it);
		refuse(g, key, size, &err);
		return;
	}
	it->key = STEAL(key);
	it->path = xstrdup(path.data);
	it->size = size;
	memcpy(it->etag, it->stored.etag, sizeof(it->etag));
	fetch(g, it);
}

static bool
give_more_past(void *arg)
{
	struct get *g = arg;
	struct run *r = &g->r;
	struct err err = ERR_INIT;

	for (size_t room = run_room(r); room > 0 && !r->listed; room--) {
		struct past_row *p = as_of_next(g->past, &err);

		if (p != NULL) {
			give_past(g, p);
			continue;
		}
		if (err.kind != ERR_NONE)
			run_fail(r, &err);
		r->listed = true;
		crew_no_more(r->crew);
	}
	return r->listed;
}

/* Keep enough items at hand that no worker has to wait. */
static bool
give_more(void *arg)
{
	struct get *g = arg;
	struct run *r = &g->r;
	size_t room = run_room(r);
	struct source_page *p;

	while (room > 0 && (p = run_page(r)) != NULL) {
		if (g->given < p->count) {
			give(g, &p->keys[g->given++]);
			room--;
			continue;
		}
		if (p->end)
			crew_no_more(r->crew);
		run_page_used(r);
		g->given = 0;
	}
	return r->listed;
}

static bool
take_mail(struct run *r, struct mail *mail)
{
	if (mail->type != MAIL_FETCHED)
		return false;
	fetched(get_of(r), (struct fetch_item *)(void *)mail);
	return true;
}

static bool
progress(struct run *r, struct totals *t)
{
	struct crew_stats s = { .bytes_read = 0 };

	*t = get_of(r)->totals;
	/* Bytes that are under way count too: a large file takes long. */
	crew_stats(r->crew, &s);
	t->bytes = MAX(t->bytes, s.s3.bytes_received);
	t->found += r->out;
	return r->listed;
}

static void
go(struct run *r)
{
	run_loop(r, r->job->as_of != NULL ? give_more_past : give_more,
	    get_of(r));
}

/* --- begin and end --- */

static int
open_catalog(struct run *r, struct err *err)
{
	const char *path = r->conf->catalog.path;
	struct run_spec spec = { .op = OP_GET, .scope = "",
	    .no_backlog = true };

	plan_target(&spec, r->conf);
	/* A dry run writes nothing, not even a catalog. */
	if (!r->job->dryrun) {
		if (catalog_reader_open(r->catalog, &r->reader, err) == -1)
			return -1;
	} else if (access(path, F_OK) == 0 || errno != ENOENT) {
		if (catalog_look(&r->reader, path, &spec, err) == -1)
			return -1;
	}
	if (r->job->as_of != NULL && r->reader == NULL)
		return err_set(err, ERR_CONFIG, 0, "--as-of needs a catalog, "
		    "and %s is none yet", path);
	if (r->job->as_of != NULL &&
	    catalog_know_target(r->reader, &spec, err) == -1)
		return -1;
	return r->job->dryrun ? 0 : run_begin(r, &spec, err);
}

/* Before anything else is asked: a wrong path is the likelier mistake. Where
 * clients work, it is on theirs. */
static int
check_dest(const struct run *r, const struct setup *s, struct err *err)
{
	struct dest *dest = NULL;

	if (crew_wants_team(r->conf, r->job))
		return 0;
	if (setup_dest(&dest, s, NULL, err) == -1)
		return -1;
	dest_free(&dest);
	return 0;
}

static int
prepare(struct run *r, struct err *err)
{
	CLEANUP(setup_release) struct setup setup = { .op = OP_GET };

	if (setup_make(&setup, r->conf, r->job, NULL, err) == -1 ||
	    check_dest(r, &setup, err) == -1 ||
	    run_attempt(r, err) == -1 ||
	    plan_check_s3(r->conf, NULL, err) == -1 ||
	    open_catalog(r, err) == -1 ||
	    run_crew(r, r->job, &setup, err) == -1)
		return -1;
	if (r->job->as_of == NULL)
		return run_list_bucket(r, false, err);
	return as_of_open(&get_of(r)->past, r->conf, r->job, r->reader, err);
}

/* The closing of a dry run is made of the counts of this file. */
static void
closing(struct run *r)
{
	const struct totals *t = &get_of(r)->totals;
	struct run_closing *c = &r->closing;

	if (r->catalog != NULL)
		return;
	c->totals = *t;
	c->closes = t->found == t->moved + t->unchanged + t->failed +
	    t->excluded;
}

int
run_get(const struct conf *conf, const struct job *job)
{
	static const struct run_ops ops = {
		.prepare = prepare,
		.go = go,
		.mail = take_mail,
		.progress = progress,
		.closing = closing,
	};
	struct get g = { .r = { .conf = conf, .job = job, .ops = &ops } };
	int status = run_verb(&g.r);

	as_of_free(&g.past);
	return status;
}
