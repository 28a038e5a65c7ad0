/*
 * look.c: the master looks at a file itself if a client's result may be wrong:
 * the client reports that the file is gone, or reports a version that differs
 * from the crawl's. A client whose server name leads to a wrong tree would
 * otherwise report existing files as gone, and would replace new bytes with old
 * bytes. The master logs the name of such a client and gives the client no more
 * work in this run.
 *
 * A thread asks the file servers, as asking waits. A result that is looked at
 * is out of the desk.
 */
#include "absence/asker.h"
#include "base/clock.h"
#include "base/log.h"
#include "crew/setup.h"
#include "team/team_internal.h"

#define ASK_MAX		256	/* questions at a time */
#define LOOKS_MAX	4	/* looks at a file in constant change */
#define CACHED_NS	(INT64_C(120) * 1000000000) /* mounts cache attributes
						   for a minute */

static void
look_free(struct look *l)
{
	result_release(&l->result);
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
		.ignore_inode = t->setup.ignore_inode,
		.retry_for_ms = t->setup.retry_for_ms,
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
		    (it->attrs.fsid == 0 && root->kind != ENTRY_DIR),
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

	while (!atomic_load(&t->look.stop)) {
		struct mail *m = mailbox_wait(t->look.in, 200), *next;
		size_t n = 0;

		for (; m != NULL; m = next) {
			next = m->next;
			v[n++] = (struct look *)(void *)m;
			if (n == ASK_MAX || next == NULL) {
				ask(t, a, &s3, v, n);
				n = 0;
			}
		}
	}
	asker_free(&a);
	s3_free(&s3);
	return NULL;
}

void
team_looks_end(struct team *t)
{
	struct mail *m, *next;

	if (t->look.in == NULL)
		return;
	atomic_store(&t->look.stop, true);
	pthread_join(t->look.thread, NULL);
	for (m = mailbox_take(t->look.in); m != NULL; m = next) {
		next = m->next;
		look_free((struct look *)(void *)m);
	}
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

/* Hand the result and the task to the thread that looks. Return false if a look
 * is not possible. */
static bool
begin(struct team *t, struct team_task *k, struct result *r, unsigned member)
{
	struct look *l;

	if (k->kind != TASK_PUT || k->split != NULL || t->stopping ||
	    !(k->item.step == SPLIT_WHOLE || (k->item.step == SPLIT_END &&
	    member == 0)) || k->item.path == NULL ||
	    t->setup.exports == NULL ||
	    t->setup.exports[k->item.export].root == NULL || !looks_begin(t))
		return false;
	l = xcalloc(1, sizeof(*l));
	l->task = k;
	l->result = *r;
	memset(r, 0, sizeof(*r));
	l->member = member;
	mailbox_put(t->look.in, &l->mail);
	return true;
}

bool
team_look_last(struct team *t, struct team_task *k, struct result *r)
{
	return begin(t, k, r, 0);
}

bool
team_look(struct member *m, struct team_task *k, struct result *r)
{
	struct team *t = m->team;
	const struct attrs *then = &k->item.attrs;

	if (k->kind != TASK_PUT || t->setup.exports == NULL)
		return false;
	if (r->outcome == OUTCOME_FAILED || (r->outcome != OUTCOME_GONE &&
	    (r->attrs.kind != ENTRY_FILE || (!is_other_fs(t, k, &r->attrs,
	    then) && attrs_same(&r->attrs, then, t->setup.ignore_inode)))))
		return false;
	return begin(t, k, r, m->number);
}

/* --- decisions --- */

static void
fail(struct look *l, enum err_kind kind, const char *why)
{
	enum err_kind kept = kind == ERR_NONE ? ERR_UNREACHABLE : kind;

	l->result.outcome = OUTCOME_FAILED;
	l->result.attrs = l->task->item.attrs;
	err_set(&l->result.err, kept, 0, "%s", why);
}

void
team_other_tree(const struct member *m, const char *path, const char *what)
{
	char shown[400];

	log_event(LOG_ERROR, "client_other_tree", "client=%u host=%s sees "
	    "another tree: for this client %s %s", m->number, m->host,
	    str_escape(str_of(path == NULL ? "" : path), shown,
	    sizeof(shown)), what);
}

/* The member sees a different tree: give the member no more work in this
 * run. */
static void
bar(struct team *t, struct member *m, const struct look *l, const char *what)
{
	struct err err = ERR_INIT;
	char path[400], full[200];

	if (m->barred)
		return;
	m->barred = true;
	snprintf(full, sizeof(full), "%s; the master finds it otherwise: that "
	    "client gets no more work", what);
	team_other_tree(m, l->task->item.path, full);
	err_set(&err, ERR_DENIED, 0, "sees another tree than the master: "
	    "%.120s %s", str_escape(str_of(l->task->item.path), path,
	    sizeof(path)), what);
	if (m->index != NULL)
		team_lost(t, m, &err);
	else
		m->err = err;
	m->said_why = true;
}

static void
other_client(struct team *t, struct look *l)
{
	struct team_task *k = STEAL(l->task);

	result_release(&l->result);
	desk_add(t->desk, &k->task);
	free(l);
}

static bool
same_now(const struct team *t, const struct look *l)
{
	return l->q.verdict == ABSENCE_PRESENT && !is_other_fs(t, l->task,
	    &l->q.attrs, &l->result.attrs) && attrs_same(&l->q.attrs,
	    &l->result.attrs, t->setup.ignore_inode);
}

/* Has the client read a version that the crawl did not see, although the
 * master's later look sees the file as the crawl saw it? A mounted tree may
 * answer the master from a cache: only a version older than any cache proves
 * it. */
static bool
is_elsewhere(const struct team *t, const struct look *l)
{
	const struct attrs *then = &l->task->item.attrs, *r = &l->result.attrs;
	unsigned ignore = t->setup.ignore_inode ? ATTRS_INO : 0;

	if (!attrs_same(&l->q.attrs, then, ignore) ||
	    attrs_same(r, then, ignore | ATTRS_CTIME))
		return false;
	return t->setup.exports[l->task->item.export].type == TREE_NFS ||
	    r->ctime_ns < clock_wall_ns() - CACHED_NS;
}

/* Decide a result after the look. Return true if the result (perhaps now a
 * failure) is final; return false if a different client must do the task. */
static bool
decide(struct team *t, struct look *l)
{
	struct member *m = team_member(t, l->member);
	const struct result *r = &l->result;
	char why[200];
	bool gone = r->outcome == OUTCOME_GONE;
	bool wrong = !gone && (is_older(&r->attrs, &l->task->item.attrs) ||
	    (l->q.verdict == ABSENCE_PRESENT && is_other_fs(t, l->task,
	    &r->attrs, &l->q.attrs)));

	if (l->q.verdict == ABSENCE_UNKNOWN) {
		if (gone || wrong)
			fail(l, l->q.why.kind, l->q.why.msg);
		return true;
	}
	if (l->q.verdict == ABSENCE_GONE) {
		if (wrong)
			fail(l, ERR_GONE, "it is gone, and an older version "
			    "of it was read by a client");
		return true;
	}
	if (!gone && same_now(t, l))
		return true;
	if (gone || wrong) {
		bar(t, m, l, gone ? "is gone" : "is an older version");
		return false;
	}
	if (is_elsewhere(t, l)) {
		bar(t, m, l, "is another version");
		return false;
	}
	/* The file is being written, or was replaced: try again. */
	if (++l->task->looks < LOOKS_MAX)
		return false;
	if (!t->setup.ignore_inode && l->q.attrs.ino != r->attrs.ino) {
		snprintf(why, sizeof(why), "what client %u (%s) reads is not "
		    "the file that the master sees", m->number, m->host);
		fail(l, ERR_CORRUPT, why);
	}
	return true;
}

void
team_looked(struct team *t, struct mail *mail)
{
	struct look *l = (struct look *)(void *)mail;
	struct member *m = team_member(t, l->member);
	struct team_task *k;

	if (m == NULL) {
		team_last_decide(t, l);
	} else if (!decide(t, l)) {
		other_client(t, l);
		return;
	}
	k = STEAL(l->task);
	if (m != NULL)
		team_count(m, l->result.outcome);
	team_put_result(t, k, &l->result);
	team_flush(t);
	result_release(&l->result);
	free(l);
}
