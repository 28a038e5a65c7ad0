/*
 * look.c: the master looks at a file itself if a client reports that the file
 * is gone, or is another version than the item describes. A client whose server
 * name leads to a wrong tree would otherwise report existing files as gone, and
 * would replace the bytes of the true tree. The master logs the name of such a
 * client and gives the client no more work in this run. If the master finds a
 * new version too, the item is leased again with that version: nothing that
 * the master has not seen is stored.
 *
 * The same holds for TEST, which compares with the file of the object: what the
 * master finds at the path of the file counts, and not what a client says.
 *
 * A thread asks the file servers, as asking waits. A result that is looked at
 * is out of the dispatcher.
 */
#include "absence/asker.h"
#include "base/clock.h"
#include "base/log.h"
#include "crew/setup.h"
#include "model/key.h"
#include "team/team_internal.h"
#include "verify/verdict.h"

#define ASK_MAX		256	/* questions at a time */
#define WAIT_MS		UINT64_C(100)	/* before the second look at a file;
					   doubled for each after it */
#define IDLE_MS		200
#define SOON_MS		20	/* if looks wait for their time */
#define CACHED_NS	(INT64_C(120) * 1000000000) /* mounts cache attributes
						   for a minute */

static void
look_free(struct look *l)
{
	result_release(&l->result);
	fetch_item_free(&l->answer);
	if (l->task != NULL)
		team_task_free(l->task);
	free(l->store.version_id);
	free(l);
}

/* --- the thread --- */

static bool
goes_on(void *arg)
{
	struct team *t = arg;

	return !atomic_load(&t->look.stop);
}

static struct asker *
make_asker(struct team *t, struct tree_spec *specs, struct attrs *seen,
    const char **roots)
{
	struct asker_config c = {
		.exports = specs,
		.roots = roots,
		.seen = seen,
		.export_count = t->setup.export_count,
		.ignore_inode = t->conf->fs_config.ignore_inode,
		.retry_for_ms = plan_retry_ms(t->conf),
		.turn = goes_on,
		.arg = t,
	};

	for (size_t i = 0; i < t->setup.export_count; i++) {
		roots[i] = t->setup.exports[i].root;
		seen[i] = t->setup.exports[i].seen;
		/* Only clients check root_ino and root_fsid. */
		specs[i].root_ino = 0;
		specs[i].root_fsid = 0;
	}
	return asker_new(&c);
}

/* The file is gone only from the file system in which it was seen. */
static struct absence_question
question_of(const struct team *t, const struct item *it)
{
	const struct attrs *root = &t->setup.exports[it->export].seen;

	return (struct absence_question){
		.path = it->path,
		.noted = true,
		.fsid = it->attrs.fsid != 0 ? it->attrs.fsid : root->fsid,
		.any_fs = (it->flags & ITEM_ANY_FS) != 0 ||
		    (it->attrs.fsid == 0 && root->fsid == 0 &&
		    root->kind != ENTRY_DIR),
	};
}

static void
ask(struct team *t, struct asker *a, struct s3 **s3, struct look **v,
    size_t n)
{
	struct absence_question q[ASK_MAX];
	struct err err = ERR_INIT;
	int rc;

	for (size_t i = 0; i < n; i++)
		q[i] = question_of(t, &v[i]->task->item);
	rc = absence_ask(a, q, n, &err);
	if (rc == 0)
		team_last_ask(t, s3, v, n);
	for (size_t i = 0; i < n; i++) {
		if (rc == -1) {
			look_free(v[i]);
			continue;
		}
		v[i]->q = q[i];
		v[i]->mail.type = TEAM_LOOKED;
		mailbox_put(t->in, &v[i]->mail);
	}
}

/* Take the looks that are due out of the list. */
static size_t
take_due(struct mail **at, struct look **v)
{
	uint64_t now = clock_mono_ms();
	size_t n = 0;

	while (*at != NULL && n < ASK_MAX) {
		struct look *l = (struct look *)(void *)*at;

		if (l->due_ms > now) {
			at = &(*at)->next;
			continue;
		}
		*at = l->mail.next;
		v[n++] = l;
	}
	return n;
}

static void
free_all(struct mail *m)
{
	for (struct mail *next; m != NULL; m = next) {
		next = m->next;
		look_free((struct look *)(void *)m);
	}
}

static void *
look_main(void *arg)
{
	struct team *t = arg;
	size_t count = t->setup.export_count;
	AUTOFREE struct tree_spec *specs = setup_trees(&t->setup);
	AUTOFREE struct attrs *seen = xcalloc(count + 1, sizeof(*seen));
	AUTOFREE const char **roots = xcalloc(count + 1, sizeof(*roots));
	struct asker *a = make_asker(t, specs, seen, roots);
	struct s3 *s3 = NULL;
	struct look *v[ASK_MAX];
	struct mail *list = NULL, **end;

	while (!atomic_load(&t->look.stop)) {
		size_t n;

		for (end = &list; *end != NULL;)
			end = &(*end)->next;
		*end = mailbox_wait(t->look.in, list == NULL ? IDLE_MS :
		    SOON_MS);
		for (n = take_due(&list, v); n > 0; n = take_due(&list, v))
			ask(t, a, &s3, v, n);
	}
	free_all(list);
	asker_free(&a);
	s3_free(&s3);
	return NULL;
}

void
team_looks_end(struct team *t)
{
	if (t->look.in == NULL)
		return;
	atomic_store(&t->look.stop, true);
	pthread_join(t->look.thread, NULL);
	free_all(mailbox_take(t->look.in));
	mailbox_free(&t->look.in);
}

static bool
looks_begin(struct team *t)
{
	if (t->look.in != NULL)
		return true;
	t->look.in = mailbox_new(0);
	if (pthread_create(&t->look.thread, NULL, look_main, t) == 0)
		return true;
	mailbox_free(&t->look.in);
	return false;
}

/* --- which results need a look --- */

/* Does the file lie in a different file system? Only for NFS: each host numbers
 * mounted trees in its own way. */
static bool
is_other_fs(const struct team *t, const struct team_task *k,
    const struct attrs *a, const struct attrs *b)
{
	return t->setup.exports[k->item.export].type == TREE_NFS &&
	    a->fsid != b->fsid && a->fsid != 0 && b->fsid != 0;
}

/* Is now older than then? A change of a file makes its ctime newer, never
 * older. */
static bool
is_older(const struct attrs *now, const struct attrs *then)
{
	return now->ctime_ns < then->ctime_ns;
}

/* Hand the result, the answer of TEST, and the task to the thread that looks.
 * Return false if a look is not possible. */
static bool
begin(struct team *t, struct team_task *k, struct result *r,
    struct fetch_item *answer, unsigned client)
{
	struct look *l;

	if (k->split != NULL || t->stopping ||
	    !(k->item.step == SPLIT_WHOLE || (k->item.step == SPLIT_END &&
	    client == 0)) || k->item.path == NULL ||
	    t->setup.exports == NULL ||
	    t->setup.exports[k->item.export].root == NULL || !looks_begin(t))
		return false;
	l = xcalloc(1, sizeof(*l));
	l->task = k;
	l->result = *r;
	memset(r, 0, sizeof(*r));
	l->answer = answer;
	l->client = client;
	/* Let a file that goes on changing come to rest. */
	l->due_ms = clock_mono_ms() +
	    (k->changes == 0 ? 0 : WAIT_MS << (k->changes - 1));
	mailbox_put(t->look.in, &l->mail);
	return true;
}

bool
team_look_last(struct team *t, struct team_task *k, struct result *r)
{
	return begin(t, k, r, NULL, 0);
}

bool
team_needs_look(const struct result *r)
{
	return r->outcome == OUTCOME_GONE || r->outcome == OUTCOME_CHANGED;
}

bool
team_look(struct team_client *c, struct team_task *k, struct result *r)
{
	if (!team_needs_look(r))
		return false;
	if (begin(c->team, k, r, NULL, c->number))
		return true;
	r->outcome = OUTCOME_FAILED;
	err_set(&r->err, ERR_RESOURCE, 0, "the master can't look at it");
	return false;
}

bool
team_needs_look_fetched(const struct team *t, const struct team_task *k,
    const struct fetch_item *answer)
{
	return verdict_file_differs(k->fetch, answer, conf_ignored(t->conf));
}

/* Return the catalog path of a file, or NULL. */
static char *
path_of(const struct team *t, const struct fetch_item *it)
{
	const char *root = t->setup.exports[it->export].root;
	struct buf path CLEANUP(buf_release);

	buf_init(&path, 64 * KIB);
	if (root == NULL)
		return NULL;
	buf_addstr(&path, root);
	buf_addstr(&path, "/");
	return key_from_path(&path, str_of(it->raw)) == -1 ? NULL :
	    xstrndup(path.data, path.len);
}

bool
team_look_fetched(struct team_client *c, struct team_task *k,
    struct fetch_item **answer)
{
	const struct fetch_item *it = k->fetch;
	struct fetch_result *f = &(*answer)->result;
	struct result r = { .attrs = f->file_attrs };

	r.outcome = f->file_err.kind == ERR_GONE ? OUTCOME_GONE :
	    OUTCOME_CHANGED;
	item_release(&k->item);
	k->item.path = path_of(c->team, it);
	k->item.export = it->export;
	k->item.flags = it->any_fs ? ITEM_ANY_FS : 0;
	k->item.attrs = it->stored.attrs;
	k->item.attrs.fsid = it->fsid;
	if (begin(c->team, k, &r, *answer, c->number)) {
		*answer = NULL;
		return true;
	}
	err_set(&f->file_err, ERR_RESOURCE, 0, "the master can't look at it");
	return false;
}

/* --- decisions --- */

/* Replace the client's result. */
static void
end(struct look *l, enum outcome outcome, enum err_kind kind, const char *why)
{
	enum err_kind kept = kind == ERR_NONE ? ERR_UNREACHABLE : kind;

	l->result.outcome = outcome;
	l->result.attrs = l->task->item.attrs;
	err_set(&l->result.err, kept, 0, "%s", why);
}

void
team_other_tree(const struct team_client *c, const char *path, const char *what)
{
	char shown[400];

	log_event(LOG_ERROR, EVENT_CLIENT_OTHER_TREE,
	    LOG_WITH(LOG_SHOW_NUMBER("client", c->number),
		LOG_SHOW_TEXT("client_host", c->host), LOG_TEXT("path", path),
		LOG_TEXT("reason", what)),
	    "sees another tree: for this client %s %s",
	    str_escape(str_of(path == NULL ? "" : path), shown, sizeof(shown)),
	    what);
}

/* The client sees a different tree: give the client no more work in this
 * run. */
static void
bar(struct team *t, struct team_client *c, const struct look *l,
    const char *what)
{
	struct err err = ERR_INIT;
	char path[400], full[200];

	if (c->barred)
		return;
	c->barred = true;
	snprintf(full, sizeof(full), "%s; the master finds it otherwise: that "
	    "client gets no more work", what);
	team_other_tree(c, l->task->item.path, full);
	err_set(&err, ERR_DENIED, 0, "sees another tree than the master: "
	    "%.120s %s", str_escape(str_of(l->task->item.path), path,
	    sizeof(path)), what);
	if (c->index != NULL)
		team_lost(t, c, &err);
	else
		c->err = err;
	c->said_why = true;
}

static void
other_client(struct team *t, struct look *l)
{
	struct team_task *k = STEAL(l->task);

	look_free(l);
	dispatch_add(t->dispatcher, &k->task);
}

/* TEST: the catalog does not know the object, so no version of the file was
 * asked for. */
static bool
is_unknown(const struct look *l)
{
	return l->answer != NULL && !l->task->fetch->has_stored;
}

/* Does the master see what the client says? */
static bool
is_as_said(const struct team *t, const struct look *l)
{
	return l->result.outcome != OUTCOME_GONE &&
	    attrs_same(&l->q.attrs, &l->result.attrs, conf_ignored(t->conf)) &&
	    !is_other_fs(t, l->task, &l->q.attrs, &l->result.attrs);
}

/* Does the master contradict the client: does it still see the version that the
 * client was asked for? */
static bool
is_disputed(const struct team *t, const struct look *l)
{
	return is_unknown(l) ? !is_as_said(t, l) :
	    attrs_same(&l->q.attrs, &l->task->item.attrs,
	    conf_ignored(t->conf));
}

/* A mounted tree may answer the master from a cache: only a version older than
 * any cache proves that the client sees another tree. A change of the ctime
 * alone proves nothing. */
static bool
is_proof(const struct team *t, const struct look *l)
{
	const struct attrs *r = &l->result.attrs;

	return !attrs_same(r, &l->task->item.attrs,
	    conf_ignored(t->conf) | ATTRS_CTIME) &&
	    (t->setup.exports[l->task->item.export].type == TREE_NFS ||
	    r->ctime_ns < clock_wall_ns() - CACHED_NS);
}

/* Return what the client says of the file that shows the client to see another
 * tree, or NULL. The file is there. */
static const char *
other_tree(const struct team *t, const struct look *l)
{
	const struct attrs *r = &l->result.attrs;

	if (is_unknown(l) || is_as_said(t, l))
		return NULL;
	if (l->result.outcome == OUTCOME_GONE)
		return is_disputed(t, l) ? "is gone" : NULL;
	if ((!t->conf->fs_config.ignore_ctime &&
	    is_older(r, &l->task->item.attrs)) ||
	    is_other_fs(t, l->task, r, &l->q.attrs))
		return "is an older version";
	return is_disputed(t, l) && is_proof(t, l) ? "is another version" :
	    NULL;
}

/* The client finds another version than the master. This proves nothing, as one
 * of the hosts may see an old version in a cache. */
static void
doubt(struct team_client *c, const struct look *l)
{
	char path[400];

	team_distrust(c);
	if (c->elsewhere)
		return;
	c->elsewhere = true;
	log_event(LOG_WARN, EVENT_CLIENT_OTHER_TREE,
	    LOG_WITH(LOG_SHOW_NUMBER("client", c->number),
		LOG_SHOW_TEXT("client_host", c->host),
		LOG_TEXT("path", l->task->item.path)),
	    "finds another version of %s than the master: it may see another "
	    "tree, and gets less work",
	    str_escape(str_of(l->task->item.path), path, sizeof(path)));
}

/* The task is to move the version that the master has just seen. */
static void
renew(struct team_task *k, const struct attrs *seen)
{
	struct item *it = &k->item;
	uint64_t fsid = it->attrs.fsid;

	it->attrs = *seen;
	it->attrs.fsid = fsid;
	it->fh.len = 0;		/* it may be of a file that was replaced */
	it->flags &= ~(uint32_t)ITEM_CHECKSUM;
	k->task.bytes = seen->size;
	k->task.twice = false;
	/* A file that goes on changing: a client without other work gets to it
	 * soonest after the master's look. */
	if (++k->changes > 1)
		k->task.careful = true;
}

/* The client has found a version that it was not asked for. Return true if the
 * file has failed, or, for TEST, if the master finds another version, too. */
static bool
changed(struct team *t, struct look *l)
{
	struct team_client *c = team_client(t, l->client);
	unsigned times = l->task->changes + 1;
	enum err_kind kind = ERR_GONE;
	char why[200];

	if (l->q.attrs.kind != ENTRY_FILE) {
		snprintf(why, sizeof(why), "it is a %s now",
		    entry_kind_name(l->q.attrs.kind));
	} else if (l->answer != NULL && !is_disputed(t, l)) {
		l->result.outcome = OUTCOME_CHANGED;
		return true;
	} else if (times <= ITEM_CHANGES_MAX) {
		if (is_disputed(t, l))
			doubt(c, l);
		renew(l->task, &l->q.attrs);
		return false;
	} else if (is_disputed(t, l)) {
		if (l->answer != NULL)
			kind = ERR_UNREACHABLE;
		snprintf(why, sizeof(why), "client %u (%s) finds another "
		    "version of it than the master", c->number, c->host);
	} else {
		snprintf(why, sizeof(why), "it changed %u times while it was "
		    "read; not stored", times);
	}
	end(l, OUTCOME_FAILED, kind, why);
	return true;
}

/* Decide a result after the look. Return true if the result (perhaps now
 * another one) is final; return false if the task must be done again. */
static bool
decide(struct team *t, struct look *l)
{
	const char *what;

	if (l->q.verdict == ABSENCE_UNKNOWN) {
		end(l, OUTCOME_FAILED, l->q.why.kind, l->q.why.msg);
		return true;
	}
	if (l->q.verdict == ABSENCE_GONE) {
		end(l, OUTCOME_GONE, ERR_GONE, "it is gone");
		return true;
	}
	what = other_tree(t, l);
	if (what == NULL)
		return changed(t, l);
	bar(t, team_client(t, l->client), l, what);
	return false;
}

/* TEST: what the master has found takes the place of what the client says. */
static void
amend(struct look *l)
{
	struct fetch_result *f = &l->answer->result;

	if (l->result.outcome != OUTCOME_CHANGED) {
		f->file_err = l->result.err;
	} else if (!is_unknown(l)) {
		err_clear(&f->file_err);
		f->file_attrs = l->q.attrs;
		f->file_hashed = false;
	}
}

void
team_looked(struct team *t, struct mail *mail)
{
	struct look *l = (struct look *)(void *)mail;
	struct team_client *c = team_client(t, l->client);

	if (c == NULL) {
		team_last_decide(t, l);
	} else if (!decide(t, l)) {
		other_client(t, l);
		return;
	}
	if (l->answer != NULL) {
		amend(l);
		team_take_answer(c, STEAL(l->task), l->answer);
	} else {
		if (c != NULL)
			team_count(c, l->result.outcome);
		team_put_result(t, STEAL(l->task), &l->result);
		team_flush(t);
	}
	look_free(l);
}
