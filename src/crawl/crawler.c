/*
 * crawler.c: the crawl threads: each thread reads several directories at the
 * same time, over its own connections.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "crawl/crawl_internal.h"
#include "crypto/crypto.h"

#define DIRS_MAX	8	/* directories read at the same time by a
				   thread */
#define TREE_FDS	2
#define OWN_FDS		2	/* the mailbox, a list */
#define IDLE_MS		200
#define MOUNT_BASE_MS	500
#define MOUNT_CAP_MS	10000
#define ROOT_TRIES	3	/* each may take as long as a mount does */
#define ROOT_PAUSE_MS	1000

/* Nothing is known of an export without a mount: never report its failed mount
 * as ERR_GONE, or its files would count as gone. */
static struct tree *
no_tree(const struct err *why, struct err *err)
{
	*err = *why;
	if (err->kind == ERR_GONE)
		err->kind = ERR_UNREACHABLE;
	return NULL;
}

static void
note_root(struct crawler *w, unsigned export, const struct tree *t)
{
	const struct crawl_config *c = &w->c->c;
	struct attrs root;

	tree_root(t, NULL, &root);
	catalog_note_root(c->catalog, export, &root,
	    (c->ignore & ATTRS_INO) != 0, NULL);
}

struct tree *
crawler_tree(struct crawler *w, unsigned export, struct err *err)
{
	const struct crawl_config *c = &w->c->c;
	struct mount *m = &w->mounts[export];
	struct tree_spec spec = c->exports[export];

	if (m->tree != NULL)
		return m->tree;
	if (c->export_errs[export].kind != ERR_NONE)
		return no_tree(&c->export_errs[export], err);
	/* A mount may take long: don't try again for each directory. */
	if (clock_mono_ms() < m->again_ms)
		return no_tree(&m->err, err);
	spec.stop = &w->c->stopping;
	if (tree_open(&m->tree, &spec, err) == 0) {
		m->tries = 0;
		note_root(w, export, m->tree);
		return m->tree;
	}
	m->err = *err;
	if (m->err.kind == ERR_UNREACHABLE || m->err.kind == ERR_GONE)
		m->err.kind = ERR_RETRY;
	m->again_ms = clock_mono_ms() + backoff_ms(++m->tries, MOUNT_BASE_MS,
	    MOUNT_CAP_MS, rng_next(&w->rng));
	return no_tree(&m->err, err);
}

bool
crawler_lost(struct crawler *w, unsigned export, uint64_t now_ms)
{
	struct mount *m = &w->mounts[export];

	if (m->fault_ms == 0)
		m->fault_ms = now_ms;
	return now_ms - m->fault_ms >= w->c->c.retry_for_ms &&
	    (m->tree == NULL || !tree_answers(m->tree));
}

void
crawler_answered(struct crawler *w, unsigned export)
{
	w->mounts[export].fault_ms = 0;
}

void
crawler_turn(struct crawler *w, int timeout)
{
	size_t n = w->c->c.export_count, count = 0;

	w->fds[count++] = (struct pollfd){ .fd = mailbox_fd(w->in),
	    .events = POLLIN };
	w->fds[count++] = (struct pollfd){ .events = POLLIN,
	    .fd = w->list_wanted ? w->list_fd : -1 };
	for (size_t i = 0; i < n; i++) {
		int ms;

		w->fds_first[i] = count;
		if (w->mounts[i].tree == NULL)
			continue;
		count += (size_t)tree_fds(w->mounts[i].tree, w->fds + count,
		    TREE_FDS);
		ms = tree_timeout_ms(w->mounts[i].tree);
		if (ms >= 0)
			timeout = MIN(timeout, ms);
	}
	if (poll(w->fds, count, timeout) == -1)
		count = 0;
	w->list_ready = count > 0 && w->fds[1].revents != 0;
	for (size_t i = 0; i < n; i++) {
		size_t first = w->fds_first[i];
		size_t next = i + 1 < n ? w->fds_first[i + 1] : count;

		if (w->mounts[i].tree != NULL)
			tree_service(w->mounts[i].tree, w->fds + first,
			    count == 0 ? 0 : (int)(next - first));
	}
}

static void
take_dirs(struct crawler *w)
{
	struct mail *m = mailbox_take(w->in), *next;

	for (; m != NULL; m = next) {
		struct dir_batch *b = (struct dir_batch *)(void *)m;

		next = m->next;
		w->asked = false;
		w->end = w->end || b->end;
		for (size_t i = 0; i < b->count; i++) {
			struct reading *r = reading_new(w, &b->v[i]);

			r->next = w->active;
			w->active = r;
			w->active_count++;
			reading_start(r);
		}
		dir_batch_free(&b);
	}
}

static void
settle_all(struct crawler *w)
{
	struct reading **rp = &w->active;

	while (*rp != NULL) {
		struct reading *r = *rp;

		if (!reading_settle(r)) {
			rp = &r->next;
			continue;
		}
		*rp = r->next;
		w->active_count--;
		reading_free(&r);
	}
}

/* After the crawl: open the export anew, to see whether the path of the share
 * still leads to the same root. */
static void
look_at_root(struct crawler *w, unsigned export)
{
	const struct crawl_config *c = &w->c->c;
	struct mount *m = &w->mounts[export];
	uint64_t end_ms = clock_mono_ms() + c->retry_for_ms;
	struct err err = ERR_INIT;

	for (unsigned tries = 0;;) {
		uint64_t now;

		tree_free(&m->tree);
		m->again_ms = 0;
		err_clear(&err);
		if (crawler_tree(w, export, &err) != NULL ||
		    atomic_load(&w->c->stopping))
			return;
		now = clock_mono_ms();
		if (++tries == ROOT_TRIES || err.kind != ERR_RETRY ||
		    now >= end_ms)
			break;
		poll(NULL, 0, (int)MIN((uint64_t)ROOT_PAUSE_MS, end_ms - now));
	}
	err_wrap(&err, "its root can't be looked at once more");
	catalog_note_root(c->catalog, export, NULL, false, &err);
}

/* Only the last thread looks at the roots. A stopped crawl concludes
 * nothing. */
static void
look_at_roots(struct crawler *w)
{
	const struct crawl_config *c = &w->c->c;

	if (atomic_fetch_sub(&w->c->at_work, 1) != 1)
		return;
	for (unsigned i = 0; i < c->export_count; i++)
		if (c->export_errs[i].kind == ERR_NONE &&
		    !atomic_load(&w->c->stopping))
			look_at_root(w, i);
}

static void *
crawler_main(void *arg)
{
	struct crawler *w = arg;
	struct crawl *c = w->c;
	struct mail *done;

	while (!atomic_load(&c->stopping)) {
		if (!w->asked && !w->end && w->active_count < DIRS_MAX) {
			w->asked = true;
			catalog_want_dirs(c->c.catalog,
			    DIRS_MAX - w->active_count, w->in);
		}
		take_dirs(w);
		settle_all(w);
		if (w->end && w->active_count == 0)
			break;
		crawler_turn(w, IDLE_MS);
	}
	look_at_roots(w);
	done = xcalloc(1, sizeof(*done));
	done->type = MAIL_CRAWLED;
	mailbox_put(c->c.up, done);
	return NULL;
}

static int
crawler_init(struct crawler *w, struct crawl *c, struct err *err)
{
	size_t n = c->c.export_count;
	uint64_t seed;

	w->c = c;
	w->in = mailbox_new(0);
	w->mounts = xcalloc(n, sizeof(*w->mounts));
	w->fds = xcalloc(OWN_FDS + n * TREE_FDS, sizeof(*w->fds));
	w->fds_first = xcalloc(n, sizeof(*w->fds_first));
	random_bytes(&seed, sizeof(seed));
	rng_seed(&w->rng, seed);
	return catalog_reader_open(c->c.catalog, &w->reader, err);
}

/* After its thread has ended. */
static void
crawler_release(struct crawler *w)
{
	struct mail *m, *next;

	for (size_t i = 0; i < w->c->c.export_count; i++)
		tree_free(&w->mounts[i].tree);
	while (w->active != NULL) {
		struct reading *r = w->active;

		w->active = r->next;
		reading_free(&r);
	}
	catalog_forget(w->c->c.catalog, w->in);
	for (m = mailbox_take(w->in); m != NULL; m = next) {
		struct dir_batch *b = (struct dir_batch *)(void *)m;

		next = m->next;
		dir_batch_free(&b);
	}
	mailbox_free(&w->in);
	catalog_reader_close(&w->reader);
	free(w->mounts);
	free(w->fds);
	free(w->fds_first);
	close_fd(&w->list_fd);
}

static int
start(struct crawl **ret, const struct crawl_config *config, unsigned threads,
    void *(*main_fn)(void *), int list_fd, struct err *err)
{
	struct crawl *c = xcalloc(1, sizeof(*c));
	int rc = 0;

	c->c = *config;
	c->v = xcalloc(threads, sizeof(*c->v));
	atomic_store(&c->at_work, threads);
	for (unsigned i = 0; i < threads; i++)
		c->v[i].list_fd = i == 0 ? list_fd : -1;
	while (rc == 0 && c->count < threads) {
		struct crawler *w = &c->v[c->count];
		int no;

		rc = crawler_init(w, c, err);
		if (rc == -1) {
			crawler_release(w);
			break;
		}
		no = pthread_create(&w->thread, NULL, main_fn, w);
		if (no != 0) {
			crawler_release(w);
			rc = err_errno(err, ERR_RESOURCE, no, "crawl thread");
			break;
		}
		c->count++;
	}
	if (rc == -1)
		crawl_free(&c);
	else
		*ret = c;
	return rc;
}

int
crawl_start(struct crawl **ret, const struct crawl_config *c, unsigned threads,
    struct err *err)
{
	return start(ret, c, threads, crawler_main, -1, err);
}

int
crawl_open_list(const char *path, int *ret_fd, struct err *err)
{
	struct stat st;
	int fd = strcmp(path, "-") == 0 ?
	    fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) :
	    open(path, O_RDONLY | O_CLOEXEC);
	int code = errno;

	if (fd != -1 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		code = EISDIR;
		close_fd(&fd);
	}
	if (fd == -1)
		return err_errno(err, ERR_USAGE, code, "--files-from %s",
		    path);
	*ret_fd = fd;
	return 0;
}

int
crawl_start_list(struct crawl **ret, const struct crawl_config *c, int fd,
    struct err *err)
{
	return start(ret, c, 1, list_main, fd, err);
}

void
crawl_stop(struct crawl *c)
{
	atomic_store(&c->stopping, true);
}

void
crawl_free(struct crawl **cp)
{
	struct crawl *c = *cp;

	if (c == NULL)
		return;
	crawl_stop(c);
	for (unsigned i = 0; i < c->count; i++)
		pthread_join(c->v[i].thread, NULL);
	for (unsigned i = 0; i < c->count; i++)
		crawler_release(&c->v[i]);
	free(c->v);
	free(c);
	*cp = NULL;
}
