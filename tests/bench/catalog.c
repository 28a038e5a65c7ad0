/*
 * catalog.c: what leases and results cost in a catalog of so many objects:
 *
 *	catalog DIR OBJECTS
 *
 * fills a catalog in DIR with objects that are all to be moved, then leases
 * some of them and records their results. Microseconds of this process'
 * processor for each object; the time between is the disk's too.
 */
#include <stdlib.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/log.h"
#include "catalog/catalog.h"

#define PAGE	1000
#define DIR_FILES 10000		/* in one directory */
#define LEASES	1000000		/* objects that are leased */

static double
cpu_s(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	    (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void
need(int rc, const struct err *err)
{
	if (rc == 0)
		return;
	fprintf(stderr, "catalog: %s\n", err->msg);
	exit(1);
}

static struct mail *
wait_for(struct mailbox *in)
{
	struct mail *m = mailbox_wait(in, 60000);

	if (m != NULL && m->next == NULL)
		return m;
	fprintf(stderr, "catalog: no answer\n");
	exit(1);
}

/* Files of one directory, and the directory that comes after it. */
static struct dir_page *
page_of(int64_t dir, uint64_t first, size_t count, bool last)
{
	struct dir_page *p = xcalloc(1, sizeof(*p));
	uint64_t d = first / DIR_FILES;

	p->dir = dir;
	p->entries = xcalloc(count, sizeof(*p->entries));
	p->entry_count = count;
	for (size_t i = 0; i < count; i++) {
		struct page_entry *e = &p->entries[i];

		e->path = xasprintf("srv/vol/d%07ju/f%09ju", (uintmax_t)d,
		    (uintmax_t)(first + i));
		e->attrs.kind = ENTRY_FILE;
		e->attrs.size = 4096;
		e->attrs.ino = first + i + 1;
		e->fh.len = 32;
	}
	p->last = last;
	return p;
}

static int64_t
next_dir(struct catalog *c, struct mailbox *in)
{
	struct dir_batch *b;
	int64_t dir;

	catalog_want_dirs(c, 1, in);
	b = (struct dir_batch *)(void *)wait_for(in);
	dir = b->count == 0 ? 0 : b->v[0].dir;
	dir_batch_free(&b);
	return dir;
}

static void
fill(struct catalog *c, struct mailbox *in, uint64_t objects)
{
	for (uint64_t at = 0; at < objects;) {
		int64_t dir = next_dir(c, in);
		uint64_t end = MIN(at + DIR_FILES, objects);

		for (; at < end; at += PAGE) {
			size_t n = (size_t)MIN((uint64_t)PAGE, end - at);
			struct dir_page *p = page_of(dir, at, n,
			    at + PAGE >= end);

			if (p->last && end < objects) {
				p->dirs = xcalloc(1, sizeof(*p->dirs));
				p->dir_count = 1;
				p->dirs[0].path = xasprintf("srv/vol/d%07ju",
				    (uintmax_t)(end / DIR_FILES));
			}
			catalog_put_page(c, p);
		}
		at = end;
	}
}

static void
lease_some(struct catalog *c, struct mailbox *in, uint64_t count)
{
	for (uint64_t done = 0; done < count;) {
		struct results *r = xcalloc(1, sizeof(*r));
		struct lease *l;

		catalog_want_lease(c, PAGE, UINT64_MAX, in);
		l = (struct lease *)(void *)wait_for(in);
		r->lease = l->id;
		r->count = l->count;
		r->v = xcalloc(MAX(l->count, (size_t)1), sizeof(*r->v));
		for (size_t i = 0; i < l->count; i++) {
			r->v[i].object = l->items[i].object;
			r->v[i].attrs = l->items[i].attrs;
			r->v[i].event = EVENT_STORED;
			r->v[i].has_md5 = true;
			memset(r->v[i].md5, 0x99, sizeof(r->v[i].md5));
			r->v[i].attempts = 1;
			snprintf(r->v[i].etag, sizeof(r->v[i].etag), "%s",
			    "99999999999999999999999999999999");
		}
		done += l->count;
		lease_free(&l);
		catalog_put_results(c, r);
	}
}

int
main(int argc, char **argv)
{
	static const struct run_export export = { "srv", "vol", "srv/vol",
		"srv/vol", NULL };
	struct run_spec spec = { .op = OP_PUT, .endpoint = "http://s3",
		.bucket = "bench", .server_as_prefix = true, .scope = "",
		.command_line = "bench", .exports = &export,
		.export_count = 1 };
	AUTOFREE char *path = NULL;
	struct mailbox *in = mailbox_new(0);
	struct err err = ERR_INIT;
	struct run_closing closing;
	struct run_info info;
	struct catalog *c;
	uint64_t objects, some;
	double cpu, wall;

	if (argc != 3) {
		fprintf(stderr, "usage: catalog DIR OBJECTS\n");
		return 2;
	}
	objects = strtoull(argv[2], NULL, 10);
	some = MIN(objects, (uint64_t)LEASES);
	path = xasprintf("%s/catalog-bench.db", argv[1]);
	need(catalog_open(&c, path, in, &err), &err);
	need(catalog_begin_run(c, &spec, &info, &err), &err);
	cpu = cpu_s();
	fill(c, in, objects);
	/* Answered after all pages. */
	lease_some(c, in, 1);
	printf("%ju objects: %.2f us of processor each to enter\n",
	    (uintmax_t)objects, (cpu_s() - cpu) / (double)objects * 1e6);
	cpu = cpu_s();
	wall = (double)clock_mono_ns();
	lease_some(c, in, some - MIN(some, (uint64_t)PAGE));
	need(catalog_end_run(c, RUN_INTERRUPTED, NULL, NULL, &closing,
	    &err), &err);
	wall = (double)clock_mono_ns() - wall;
	some -= MIN(some, (uint64_t)PAGE);
	printf("%ju objects: %.2f us of processor (%.2f us in all) each for "
	    "lease and result\n", (uintmax_t)objects, (cpu_s() - cpu) /
	    (double)MAX(some, 1U) * 1e6, wall / 1000 / (double)MAX(some, 1U));
	catalog_close(&c);
	mailbox_free(&in);
	return 0;
}
