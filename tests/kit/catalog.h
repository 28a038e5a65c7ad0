/*
 * catalog.h: a catalog in a directory of its own, and short words
 * for what the crawl and the master do with it.
 */
#ifndef KIT_CATALOG_H
#define KIT_CATALOG_H

#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include "catalog/catalog.h"
#include "db/holder.h"
#include "db/view.h"

/* After what it needs. */
#include <cmocka.h>

struct kit {
	char	 dir[64];
	char	 path[96];
	struct mailbox *events;
	struct mailbox *mail;
	struct catalog *c;
	struct catalog_reader *reader;
	struct run_info info;
	struct run_closing closing;
};

/* The export of every kit_spec. */
extern const struct run_export kit_exports[1];

struct run_spec kit_spec(const char *bucket, const char *scope);
void kit_open(struct kit *k);
void kit_close(struct kit *k);
int kit_setup(void **state);
int kit_teardown(void **state);
void kit_begin_spec(struct kit *k, const struct run_spec *spec);
void kit_begin(struct kit *k);
struct totals *kit_end(struct kit *k, enum run_end how);

/* The next mail; every wait of the tests has this limit. */
struct mail *kit_mail(struct kit *k, int type);

struct dir_batch *kit_dirs(struct kit *k, size_t max);
struct lease *kit_lease(struct kit *k, size_t max);
struct attrs kit_attrs(uint64_t size, int64_t mtime);
/* The flags that the pages of these tests decide: no page notes the file system
 * of its directory. */
uint32_t kit_flags(const struct item *);
struct dir_page *kit_page(int64_t dir, bool last);
struct page_entry *kit_entry(struct dir_page *p, enum page_action action,
    int64_t object, const char *path, struct attrs attrs);
void kit_subdir(struct dir_page *p, const char *path);
void kit_gone(struct dir_page *p, int64_t object);

/* One directory of the frontier; its id. */
int64_t kit_take(struct kit *k, const char *path);

struct results *kit_results(const struct lease *l);
struct result *kit_result(struct results *r, const struct item *it,
    enum outcome outcome);

/* Lease up to max items and give all the same outcome; how many. */
size_t kit_settle(struct kit *k, size_t max, enum outcome outcome);

/* Wait until everything posted is handled. */
void kit_flush(struct kit *k, int64_t object);

/* The rows of the answer, each value behind a space, NULL as "-". */
void kit_answer(const struct kit *k, const char *sql, char all[4000]);
void kit_check_answer(const struct kit *k, const char *sql,
    const char *expected);

/* 1 found, 0 not. */
int kit_find(struct kit *k, const char *path, struct known *ret);

#endif
