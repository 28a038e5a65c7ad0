#include "crew/setup.h"
#include "crew/fence.h"
#include "model/path.h"
#include "target/cluster_map.h"

#include <unistd.h>

#define UNLIMITED_PUT	(232 * MIB)	/* for buffers without --limit-memory */
#define UNLIMITED_GET	(128 * MIB)
#define WORKERS_MAX	16

static char *
copy(const char *s)
{
	return s == NULL ? NULL : xstrdup(s);
}

static void
copy_exports(struct setup *s, const struct run_plan *plan)
{
	s->exports = xcalloc(plan->count, sizeof(*s->exports));
	s->export_count = plan->count;
	for (size_t i = 0; i < plan->count; i++) {
		const struct tree_spec *t = &plan->specs[i];

		s->exports[i] = (struct setup_export){
			.type = (uint8_t)t->type,
			.server = copy(t->server),
			.share = copy(t->share),
			.follow_links = t->follow_links,
			.root = copy(plan->roots[i]),
		};
	}
}

/* Each host has a number of its own for a mounted tree's file system. */
static bool
knows_fs(const struct setup *s, const struct setup_export *x, bool team)
{
	return !team || (x->type == TREE_NFS &&
	    !s->conf->fs_config.ignore_inode);
}

void
setup_see_fs(struct setup *s, size_t export, uint64_t fsid, bool team)
{
	struct setup_export *x = &s->exports[export];

	x->seen.fsid = fsid;
	if (knows_fs(s, x, team))
		x->root_fsid = fsid;
}

void
setup_see_roots(struct setup *s, const struct run_plan *plan, bool team)
{
	bool ignore_inode = s->conf->fs_config.ignore_inode;

	for (size_t i = 0; i < s->export_count; i++) {
		struct setup_export *x = &s->exports[i];

		x->seen = plan->seen[i];
		if (x->seen.kind == ENTRY_DIR && !ignore_inode)
			x->root_ino = x->seen.ino;
		if (x->seen.kind == ENTRY_DIR && knows_fs(s, x, team))
			x->root_fsid = x->seen.fsid;
		/* Ignore an error of the peek here: workers report the error
		 * when opening the tree. */
		if (team && x->type == TREE_POSIX && (tree_peek(x->share,
		    &x->root_ino, &x->filled, NULL) == -1 || ignore_inode))
			x->root_ino = 0;
	}
}

/* Return the longest configured share of the server that path begins with, or
 * "". */
static const char *
share_of(const struct conf *c, const struct dest_url *u)
{
	const char *best = "";

	/* With mounted = yes the shares are paths of this host. */
	if (c->fs_config.mounted)
		return best;
	for (size_t i = 0; i < c->fs_config.nfs_count; i++) {
		const struct conf_nfs *nfs = &c->fs_config.nfs[i];

		if (strcasecmp(nfs->server, u->server) != 0)
			continue;
		for (size_t j = 0; j < nfs->shares.n; j++) {
			const char *share = nfs->shares.v[j];

			/* A share of one byte is "/". */
			if ((strlen(share) == 1 || path_lies_in(
			    str_of(u->path), str_of(share))) &&
			    strlen(share) > strlen(best))
				best = share;
		}
	}
	return best;
}

static int
copy_dest(struct setup *s, const struct conf *c, const char *text,
    struct err *err)
{
	CLEANUP(dest_url_release) struct dest_url u = { .port = 0 };
	int rc = dest_url(text, &u, err);

	if (rc == -1)
		return err_wrap(err, "--dest_path");
	if (rc == 0) {
		s->dest_path = xstrdup(text);
		return 0;
	}
	s->dest_export = (struct setup_export){
		.type = TREE_NFS,
		.server = xstrdup(u.server),
		.share = xstrdup(share_of(c, &u)),
		.nfsport = u.port,
	};
	s->dest_path = STEAL(u.path);
	return 0;
}

int
setup_make(struct setup *s, const struct conf *c, const struct job *job,
    const struct run_plan *plan, struct err *err)
{
	uint64_t part = c->s3_storage.part_size;

	memset(s, 0, sizeof(*s));
	s->op = job->op;
	s->conf = c;
	s->workers = job->threads;
	s->workers_max = c->client.workers;
	s->memory_bytes = plan_memory(c, job->op == OP_GET ? UNLIMITED_GET :
	    UNLIMITED_PUT);
	if (job->op == OP_PUT && s->memory_bytes < part)
		return err_set(err, ERR_CONFIG, 0, "limit_memory of %ju MiB "
		    "leaves no room for a part of %ju MiB; raise it, or lower "
		    "part_size", (uintmax_t)(c->limit_memory / MIB),
		    (uintmax_t)(part / MIB));
	s->bwlimit = c->bwlimit;
	s->tpslimit = c->tpslimit * UINT64_C(1000);
	s->dryrun = job->dryrun;
	s->adopt = job->adopt;
	s->more_follows = job->more_follows;
	s->only_read = job->op == OP_TEST;
	if (job->op == OP_GET && job->dest_path != NULL &&
	    copy_dest(s, c, job->dest_path, err) == -1)
		return -1;
	if (plan != NULL)
		copy_exports(s, plan);
	if (crew_wants_team(c, job))
		s->unacked_ms = fence_unacked_ms(UINT64_C(1000) *
		    c->socket_options.recv_timeout);
	return 0;
}

static struct tree_spec
tree_of(const struct setup *s, const struct setup_export *x)
{
	struct tree_spec spec = plan_spec(s->conf, x->type, x->server,
	    x->share, x->follow_links);

	if (x->nfsport != 0)
		spec.access.nfsport = x->nfsport;
	spec.root_ino = x->root_ino;
	spec.root_fsid = x->root_fsid;
	spec.filled = x->filled;
	return spec;
}

struct tree_spec *
setup_trees(const struct setup *s)
{
	struct tree_spec *v = xcalloc(s->export_count + 1, sizeof(*v));

	for (size_t i = 0; i < s->export_count; i++)
		v[i] = tree_of(s, &s->exports[i]);
	return v;
}

int
setup_dest(struct dest **ret_dest, const struct setup *s,
    const _Atomic uint64_t *valid_until_ms, struct err *err)
{
	struct tree_spec spec = tree_of(s, &s->dest_export);

	spec.unacked_ms = s->unacked_ms;
	spec.valid_until_ms = valid_until_ms;
	*ret_dest = NULL;
	if (s->dest_path == NULL)
		return 0;
	if (spec.share != NULL && *spec.share == '\0')
		spec.share = NULL;
	if (s->dest_export.type == TREE_NFS)
		return dest_open_nfs(ret_dest, &spec, s->dest_path,
		    plan_retry_ms(s->conf), err);
	return dest_open(ret_dest, s->dest_path, err);
}

bool
setup_as_root(const struct setup *s)
{
	return s->dest_export.type == TREE_NFS ?
	    s->conf->fs_config.access.uid == 0 : geteuid() == 0;
}

/* For PUT, start only as many workers as have memory for a part each. */
unsigned
setup_workers(const struct setup *s)
{
	unsigned max = s->workers_max > 0 ? s->workers_max : WORKERS_MAX;
	unsigned n = s->workers;
	long cores;

	if (n == 0) {
		cores = sysconf(_SC_NPROCESSORS_ONLN);
		n = MIN(max, (unsigned)MAX(cores, 1L));
	}
	if (s->op == OP_PUT)
		while (n > 1 && s->memory_bytes / n <
		    s->conf->s3_storage.part_size)
			n--;
	return n;
}

bool
crew_wants_team(const struct conf *c, const struct job *job)
{
	return (c->client.hosts.n > 0 || c->master.key_file != NULL) &&
	    !job->standalone && job->op != OP_LIST;
}

uint64_t
crew_late_ms(const struct conf *c, const struct job *job)
{
	return crew_wants_team(c, job) ?
	    (uint64_t)c->socket_options.recv_timeout * 1000 : 0;
}
