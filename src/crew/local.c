/*
 * The crew of one process: the engines of send/, fetch/ and delete/, each
 * started by the first work of its kind.
 */
#include "crew/crew_internal.h"
#include "crew/setup.h"
#include "delete/delete.h"
#include "fetch/fetch.h"
#include "send/sender.h"
#include "target/cluster_map.h"
#include "target/plan.h"

#define ITEMS_PER_SLOT	4	/* items at hand for each request slot */

struct local {
	struct crew crew;
	struct setup setup;
	struct s3_config s3;	/* borrows from setup.conf */
	struct tree_spec *trees;
	struct mailbox *up;
	unsigned workers;
	struct dest *dest;	/* NULL: this process writes no files */
	struct sender *sender;
	struct fetcher *fetch;
	struct deleter *delete;
	bool	 failed;	/* free given work without doing any */
	bool	 stopped;
};

static struct local *
local_of(struct crew *c)
{
	return (struct local *)(void *)c;
}

static void
fail(struct local *l, const struct err *err)
{
	struct crew_failure *f = xcalloc(1, sizeof(*f));

	l->failed = true;
	f->mail.type = MAIL_CREW_FAILED;
	f->err = *err;
	mailbox_put(l->up, &f->mail);
}

/* --- the engines --- */

static bool
has_sender(struct local *l)
{
	const struct setup *s = &l->setup;
	struct sender_config ec = {
		.workers = l->workers,
		.exports = l->trees,
		.export_count = s->export_count,
		.s3 = l->s3,
		.part_size = l->s3.store.part_size,
		.memory_bytes = s->memory_bytes,
		.bwlimit = s->bwlimit,
		.retry_for_ms = l->s3.retry_for_ms,
		.dryrun = s->dryrun,
		.adopt = s->adopt,
		.known = s->known,
		.server_as_prefix = s->conf->fs_config.server_as_prefix,
		.ignore_inode = s->conf->fs_config.ignore_inode,
		.exact = s->exact,
		.exact_but = conf_ignored(s->conf),
		.up = l->up,
	};
	struct err err = ERR_INIT;

	if (l->failed || l->stopped)
		return false;
	if (l->sender == NULL && sender_start(&l->sender, &ec, &err) == -1)
		fail(l, &err);
	return l->sender != NULL;
}

static bool
has_fetch(struct local *l)
{
	const struct setup *s = &l->setup;
	struct fetch_config fc = {
		.workers = l->workers,
		.s3 = l->s3,
		.dest = l->dest,
		.as_root = setup_as_root(s),
		.only_read = s->only_read,
		.exports = l->trees,
		.export_count = s->export_count,
		.ignore = conf_ignored(s->conf),
		.retry_for_ms = l->s3.retry_for_ms,
		.memory_bytes = s->memory_bytes,
		.bwlimit = s->bwlimit,
		.up = l->up,
	};
	struct err err = ERR_INIT;

	if (l->failed || l->stopped)
		return false;
	if (l->fetch == NULL && fetch_start(&l->fetch, &fc, &err) == -1)
		fail(l, &err);
	return l->fetch != NULL;
}

static bool
has_delete(struct local *l)
{
	struct delete_config ec = { .s3 = l->s3, .up = l->up };
	struct err err = ERR_INIT;

	if (l->failed || l->stopped)
		return false;
	if (l->delete == NULL && delete_start(&l->delete, &ec, &err) == -1)
		fail(l, &err);
	return l->delete != NULL;
}

/* --- work --- */

static void
local_lease(struct crew *c, struct lease *lease)
{
	struct local *l = local_of(c);

	if (has_sender(l))
		sender_give(l->sender, lease);
	else
		lease_free(&lease);
}

static void
local_fetch(struct crew *c, struct fetch_item *it)
{
	struct local *l = local_of(c);

	if (has_fetch(l))
		fetch_give(l->fetch, it);
	else
		fetch_item_free(&it);
}

static struct mail *
local_fetch_back(struct crew *c, size_t most)
{
	struct local *l = local_of(c);

	return l->fetch == NULL ? NULL : fetch_take_back(l->fetch, most);
}

static void
local_delete(struct crew *c, struct delete_batch *b)
{
	struct local *l = local_of(c);

	if (has_delete(l))
		delete_give(l->delete, b);
	else
		delete_batch_free(&b);
}

static void
local_noted(struct crew *c, unsigned worker, int64_t object)
{
	struct local *l = local_of(c);

	if (l->sender != NULL)
		sender_noted(l->sender, worker, object);
}

/* A single process does no work twice. */
static void
local_no_more(struct crew *c UNUSED)
{
}

static size_t
local_enough(struct crew *c)
{
	struct local *l = local_of(c);

	return (size_t)l->workers * MAX(l->s3.store.max_inflight, 1U) *
	    ITEMS_PER_SLOT;
}

/* Return the number of pools that were started. */
static size_t
pools(struct local *l, struct pool *v[3])
{
	size_t n = 0;

	if (l->sender != NULL)
		v[n++] = sender_pool(l->sender);
	if (l->fetch != NULL)
		v[n++] = fetch_pool(l->fetch);
	if (l->delete != NULL)
		v[n++] = delete_pool(l->delete);
	return n;
}

static size_t
local_backlog(struct crew *c)
{
	struct pool *v[3];
	size_t n = 0;

	for (size_t i = pools(local_of(c), v); i > 0; i--)
		n += pool_backlog(v[i - 1]);
	return n;
}

static void
local_stats(struct crew *c, struct crew_stats *ret)
{
	struct pool *v[3];

	for (size_t i = pools(local_of(c), v); i > 0; i--)
		pool_stats(v[i - 1], &ret->s3, &ret->bytes_read);
}

static size_t
local_clients(struct crew *c UNUSED, struct client_line *v UNUSED,
    size_t max UNUSED)
{
	return 0;
}

static void
local_stop(struct crew *c, uint64_t limit_ms)
{
	struct local *l = local_of(c);
	struct pool *v[3];

	l->stopped = true;
	for (size_t i = pools(l, v); i > 0; i--)
		pool_stop(v[i - 1], limit_ms);
	/* Stop the destination after the threads: a thread whose call returns
	 * STOPPED then knows already that its pool is stopping. */
	if (l->dest != NULL)
		dest_stop(l->dest, limit_ms);
}

static bool
local_idle(struct crew *c)
{
	struct pool *v[3];
	size_t n = pools(local_of(c), v);

	while (n > 0 && pool_idle(v[n - 1]))
		n--;
	return n == 0;
}

static void
local_limits(struct crew *c, uint64_t bwlimit, uint64_t tpslimit)
{
	struct local *l = local_of(c);
	struct pool *v[3];

	/* Keep the limits for engines that start later. */
	l->setup.bwlimit = bwlimit;
	s3_gate_limit(l->s3.gate, tpslimit);
	for (size_t i = pools(l, v); i > 0; i--)
		pool_limits(v[i - 1], bwlimit, tpslimit);
}

static void
local_valid_until(struct crew *c, uint64_t mono_ms)
{
	s3_gate_valid_until(local_of(c)->s3.gate, mono_ms);
}

static void
local_free(struct crew *c)
{
	struct local *l = local_of(c);

	sender_free(&l->sender);
	fetch_free(&l->fetch);
	delete_free(&l->delete);
	dest_free(&l->dest);
	free(l->trees);
	setup_release(&l->setup);
	free(l);
}

int
crew_local(struct crew **ret, struct setup *s, struct mailbox *up,
    struct err *err)
{
	static const struct crew_ops ops = {
		.free = local_free,
		.lease = local_lease,
		.fetch = local_fetch,
		.delete = local_delete,
		.noted = local_noted,
		.no_more = local_no_more,
		.backlog = local_backlog,
		.enough = local_enough,
		.stats = local_stats,
		.clients = local_clients,
		.stop = local_stop,
		.idle = local_idle,
		.limits = local_limits,
		.fetch_back = local_fetch_back,
		.valid_until = local_valid_until,
	};
	struct local *l = xcalloc(1, sizeof(*l));

	l->crew.ops = &ops;
	l->setup = *s;
	memset(s, 0, sizeof(*s));
	l->up = up;
	if (cluster_map_set(&l->setup, err) == -1) {
		local_free(&l->crew);
		return -1;
	}
	l->s3 = plan_s3(l->setup.conf);
	l->s3.unacked_ms = l->setup.unacked_ms;
	l->s3.boot_ms = l->setup.s3_clock_ms;
	s3_gate_limit(l->s3.gate, l->setup.tpslimit);
	s3_gate_valid_until(l->s3.gate, 0);
	l->trees = setup_trees(&l->setup);
	l->workers = setup_workers(&l->setup);
	if (setup_dest(&l->dest, &l->setup,
	    &l->s3.gate->valid_until_ms, err) == -1) {
		local_free(&l->crew);
		return -1;
	}
	*ret = &l->crew;
	return 0;
}
