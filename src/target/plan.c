#include "target/plan.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/signals.h"
#include "base/silence.h"
#include "crawl/judge.h"
#include "model/filter.h"
#include "model/key.h"
#include "target/cluster_map.h"

#define MEMORY_ASIDE	(24 * MIB)	/* code, catalog, connections */
#define START_LIMIT_MS	30000	/* give up at the start after so long */
#define TURN_MS		200	/* how often to look at signals */

void
plan_release(struct run_plan *p)
{
	for (size_t i = 0; i < p->count; i++) {
		free(p->roots[i]);
		free(p->starts[i]);
	}
	free(p->specs);
	free(p->roots);
	free(p->starts);
	free(p->exports);
	free(p->errs);
	free(p->seen);
	strlist_clear(&p->shares);
	free(p->empty);
	free(p->may_be_empty);
	free(p->scope);
	memset(p, 0, sizeof(*p));
}

/* The catalog path at which a crawl of this root begins, or NULL if --prefix
 * leaves the export out. */
static char *
start_of(const char *root, const struct conf *c, const char *prefix,
    bool holds_prefix)
{
	const char *key = key_of_path(root, c->fs_config.server_as_prefix);
	size_t n;

	if (prefix == NULL)
		return xstrdup(root);
	n = strlen(key);
	/* A share inside of the prefix's share: crawl the whole share. */
	if (!holds_prefix && strncmp(key, prefix, strlen(prefix)) == 0)
		return xstrdup(root);
	if (!holds_prefix || strncmp(prefix, key, n) != 0 ||
	    (n > 0 && prefix[n] != '/'))
		return NULL;
	/* The prefix ends in a slash, the path does not. */
	return xasprintf("%.*s%.*s", (int)(key - root), root,
	    (int)strlen(prefix) - 1, prefix);
}

struct tree_spec
plan_spec(const struct conf *c, enum tree_type type, const char *server,
    const char *share, bool follow_links)
{
	return (struct tree_spec){
		.type = type,
		.server = server,
		.share = share,
		.access = c->fs_config.access,
		.follow_links = follow_links,
		.timeout_ms = c->fs_config.timeout * 1000,
	};
}

static void
add_export(struct run_plan *p, const struct conf *c, const struct job *job,
    const char *server, const char *share, bool may_be_empty)
{
	struct buf root CLEANUP(buf_release);
	struct tree_spec spec = plan_spec(c, c->fs_config.mounted ?
	    TREE_POSIX : TREE_NFS, server, share, job->follow_links);
	const struct conf_nfs *nfs;
	const char *own = share, *rest;
	size_t n = p->count;
	char *start;

	buf_init(&root, 64 * KIB);
	if (conf_key_prefix(c, server, share, &root) == -1)
		return;
	strlist_add(&p->shares, root.data);
	/* Of nested shares the prefix belongs to the inner share. */
	if (job->prefix != NULL)
		conf_share_of(c, job->prefix, &nfs, &own, &rest);
	start = start_of(root.data, c, job->prefix, own == share);
	if (start == NULL)
		return;
	p->specs = xreallocarray(p->specs, n + 1, sizeof(*p->specs));
	p->roots = xreallocarray(p->roots, n + 1, sizeof(*p->roots));
	p->starts = xreallocarray(p->starts, n + 1, sizeof(*p->starts));
	p->exports = xreallocarray(p->exports, n + 1, sizeof(*p->exports));
	p->errs = xreallocarray(p->errs, n + 1, sizeof(*p->errs));
	p->specs[n] = spec;
	p->roots[n] = xstrdup(root.data);
	p->starts[n] = start;
	p->exports[n] = (struct run_export){ .server = server,
	    .share = share, .path = p->roots[n], .start = p->starts[n] };
	p->errs[n] = (struct err)ERR_INIT;
	p->may_be_empty = xreallocarray(p->may_be_empty, n + 1,
	    sizeof(*p->may_be_empty));
	p->may_be_empty[n] = may_be_empty;
	p->count++;
}

/* Describe all settings and options that decide which files a crawl finds, and
 * which files count as changed. */
static char *
scope_of(const struct run_plan *p, const struct conf *c,
    const struct job *job)
{
	struct buf b;
	char *filters = job->filter == NULL ? xstrdup("") :
	    filter_describe(job->filter);

	buf_init(&b, 16 * MIB);
	for (size_t i = 0; i < p->shares.n; i++)
		buf_addf(&b, "%s\n", p->shares.v[i]);
	for (size_t i = 0; i < p->count; i++)
		buf_addf(&b, "from %s\n", p->starts[i]);
	conf_describe_source(c, &b);
	buf_addf(&b, "links=%d checksum=%d min=%ju max=%ju\n%s",
	    job->follow_links, job->checksum, (uintmax_t)job->min_size,
	    (uintmax_t)job->max_size, filters);
	if (job->files_from != NULL)
		buf_addf(&b, "\nfiles-from=%s", job->files_from);
	if (job->retry_failed)
		buf_addstr(&b, "\nretry-failed");
	free(filters);
	return b.data;
}

/* The files below the prefix get keys that begin with the prefix: the prefix
 * must be written as keys are. */
static int
check_prefix(const struct conf *c, const char *prefix, struct err *err)
{
	CLEANUP(buf_release) struct buf path;
	char shown[64];

	buf_init(&path, strlen(prefix));
	if (conf_check_prefix(c, prefix, err) == -1)
		return -1;
	if (key_to_path(&path, str_of(prefix)) == -1 ||
	    !key_is_of_path(str_of(prefix), buf_str(&path)))
		return err_set(err, ERR_USAGE, 0, "--prefix %s: holds a "
		    "U+FFFD, or an escape, that no key of a file holds; write "
		    "the directory as in keys (see KEYS in datamover(1))",
		    str_escape(str_of(prefix), shown, sizeof(shown)));
	return 0;
}

int
plan_make(struct run_plan *p, const struct conf *c, const struct job *job,
    struct err *err)
{
	memset(p, 0, sizeof(*p));
	if (job->prefix != NULL &&
	    check_prefix(c, job->prefix, err) == -1)
		return -1;
	for (size_t i = 0; i < c->fs_config.nfs_count; i++) {
		const struct conf_nfs *n = &c->fs_config.nfs[i];

		for (size_t k = 0; k < n->shares.n; k++)
			add_export(p, c, job, n->server, n->shares.v[k],
			    n->may_be_empty || job->accept_empty);
	}
	if (p->count == 0)
		return err_set(err, ERR_USAGE, 0, "--prefix %s lies under no "
		    "configured share", job->prefix);
	p->scope = scope_of(p, c, job);
	p->seen = xcalloc(p->count, sizeof(*p->seen));
	p->empty = xcalloc(p->count, sizeof(*p->empty));
	return 0;
}

const char *
plan_bucket(const struct conf *c)
{
	/* No bucket can have this name, so the catalog never mistakes the DSS
	 * store for a bucket. */
	return c->s3_storage.client_lib == CLIENT_LIB_DSS ?
	    S3_MAP_BUCKET "*" : c->s3_storage.bucket;
}

void
plan_target(struct run_spec *spec, const struct conf *c)
{
	const struct strlist *e = &c->s3_storage.endpoints;

	spec->endpoint = e->n > 0 ? e->v[0] : "";
	spec->also = (const char *const *)e->v;
	spec->also_count = e->n;
	spec->bucket = plan_bucket(c);
	spec->name = c->s3_storage.name;
	spec->server_as_prefix = c->fs_config.server_as_prefix;
}

uint64_t
plan_retry_ms(const struct conf *c)
{
	return MAX(c->s3_storage.retry_for * UINT64_C(1000), UINT64_C(1));
}

struct s3_config
plan_s3(const struct conf *c)
{
	/* Every S3 request of this process passes the gate: --tpslimit. */
	static struct s3_gate gate;
	struct s3_config sc = {
		.gate = &gate,
		.map = cluster_map(),
		.store = c->s3_storage,
		.retry_for_ms = plan_retry_ms(c),
	};

	/* A DSS store's buckets are in the cluster map. */
	if (c->s3_storage.client_lib == CLIENT_LIB_DSS)
		sc.store.bucket = NULL;
	s3_gate_limit(&gate, c->tpslimit * UINT64_C(1000));
	return sc;
}

size_t
plan_batch(const struct conf *c)
{
	unsigned max = c->client.max_index_size;

	return max == 0 ? c->master.max_index_size :
	    MIN(max, c->master.max_index_size);
}

uint64_t
plan_memory(const struct conf *c, uint64_t unlimited)
{
	uint64_t all = c->limit_memory;

	if (all == 0)
		return unlimited;
	return all > 2 * MEMORY_ASIDE ? all - MEMORY_ASIDE : all / 2;
}

/* --- exports --- */

struct attempt {
	struct mail mail;
	struct mailbox *done;	/* gets the mail */
	pthread_t thread;
	bool	 started;
	struct tree_spec spec;
	struct err *err;
	struct attrs *seen;
	bool	*empty;
	const struct crawl_config *rules;	/* which entries count */
	bool	 listed;
};

static void
on_entries(void *arg, const struct tree_entry *v, size_t n)
{
	struct attempt *a = arg;

	for (size_t i = 0; i < n; i++)
		if (!judge_skips(a->rules, v[i].name, &v[i].attrs))
			*a->empty = false;
}

static void
on_listed(void *arg, const struct err *err)
{
	struct attempt *a = arg;

	/* Leave an unreadable directory to the crawl. */
	if (err != NULL)
		*a->empty = false;
	a->listed = true;
}

/* List the root up to its first entry. */
static void
look_into(struct attempt *a, struct tree *t)
{
	uint64_t end_ms = clock_mono_ms() + a->spec.timeout_ms;
	struct handle root;

	*a->empty = true;
	tree_root(t, &root, a->seen);
	tree_list(t, &root, STR(""), on_entries, on_listed, a);
	while (*a->empty && !a->listed && clock_mono_ms() < end_ms &&
	    !atomic_load(a->spec.stop)) {
		struct pollfd fds[2];
		int n = tree_fds(t, fds, 2), ms = tree_timeout_ms(t);

		if (ms < 0 || ms > TURN_MS)
			ms = TURN_MS;
		if (poll(fds, (nfds_t)n, ms) == -1)
			n = 0;
		tree_service(t, fds, n);
	}
	if (!a->listed)
		*a->empty = false;
}

static void *
attempt_main(void *arg)
{
	struct attempt *a = arg;
	struct tree *t = NULL;

	if (tree_open(&t, &a->spec, a->err) == 0) {
		look_into(a, t);
		tree_free(&t);
	}
	mailbox_put(a->done, &a->mail);
	return NULL;
}

static size_t
count_mail(struct mail *m)
{
	size_t n = 0;

	for (; m != NULL; m = m->next)
		n++;
	return n;
}

/* Try the exports at the same time, within a common time limit. */
static void
try_exports(struct run_plan *p, const struct crawl_config *rules)
{
	struct attempt *v = xcalloc(p->count, sizeof(*v));
	struct mailbox *done = mailbox_new(0);
	uint64_t end_ms = clock_mono_ms() + START_LIMIT_MS;
	_Atomic bool stop = false;
	size_t left = 0;

	for (size_t i = 0; i < p->count; i++) {
		v[i].done = done;
		v[i].err = &p->errs[i];
		v[i].seen = &p->seen[i];
		v[i].empty = &p->empty[i];
		v[i].rules = rules;
		v[i].spec = p->specs[i];
		v[i].spec.stop = &stop;
		v[i].spec.brief = true;
		v[i].spec.timeout_ms = p->specs[i].timeout_ms == 0 ?
		    START_LIMIT_MS : MIN(p->specs[i].timeout_ms,
		    (unsigned)START_LIMIT_MS);
		v[i].started = pthread_create(&v[i].thread, NULL,
		    attempt_main, &v[i]) == 0;
		if (v[i].started)
			left++;
		else
			err_set(v[i].err, ERR_RESOURCE, 0,
			    "no thread to mount it");
	}
	while (left > 0) {
		left -= count_mail(mailbox_wait(done, TURN_MS));
		silence_watch(clock_mono_ms());
		if (clock_mono_ms() > end_ms + TURN_MS || signals_waiting())
			atomic_store(&stop, true);
	}
	for (size_t i = 0; i < p->count; i++)
		if (v[i].started)
			pthread_join(v[i].thread, NULL);
	mailbox_free(&done);
	free(v);
}

int
plan_any_export(const struct run_plan *p, struct err *err)
{
	size_t bad = 0;

	for (size_t i = 0; i < p->count; i++)
		bad += p->errs[i].kind != ERR_NONE;
	if (bad < p->count)
		return 0;
	*err = p->errs[0];
	if (err->kind == ERR_RETRY || err->kind == ERR_GONE)
		err->kind = ERR_UNREACHABLE;
	return err_wrap(err, bad == 1 ? "export %s" :
	    "no export can be reached; %s", p->roots[0]);
}

int
plan_check_exports(struct run_plan *p, const struct conf *c, struct err *err)
{
	const struct crawl_config rules = {
		.skip_dirs = &c->fs_config.skip_dirs };

	try_exports(p, &rules);
	if (signals_waiting())
		return err_set(err, ERR_STOPPED, 0, "interrupted");
	for (size_t i = 0; i < p->count; i++) {
		if (p->errs[i].kind == ERR_NONE)
			continue;
		if (p->errs[i].kind == ERR_STOPPED)
			err_set(&p->errs[i], ERR_UNREACHABLE, 0,
			    "no answer for %d s", START_LIMIT_MS / 1000);
		log_event(LOG_ERROR, EVENT_EXPORT,
		    LOG_WITH(LOG_TEXT("path", p->roots[i]),
			LOG_TEXT("reason", p->errs[i].msg)),
		    "%s: %s", p->roots[i], p->errs[i].msg);
	}
	return plan_any_export(p, err);
}
