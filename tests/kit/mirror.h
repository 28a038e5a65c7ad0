/*
 * mirror.h: four files that were put, and what becomes gone of them.
 */
#ifndef KIT_MIRROR_H
#define KIT_MIRROR_H

#include "kit/catalog.h"

#include "catalog/mirror.h"

#define FSID 42

/* srv/vol/a, srv/vol/b, srv/vol/sub/c, srv/vol/sub/deep/d, all moved. */
void put_first(struct kit *k, const struct run_spec *spec, bool note);

void gone(struct kit *k, struct dir_page *p, const char *path);

/* The paths of the plan, each after a blank. */
char *names(struct kit *k, const struct mirror_plan *plan, size_t n);

struct mirror_plan plan_of(struct kit *k);
void check_plan(struct kit *k, const char *expected, enum mirror_guard guard,
    uint64_t guarded, uint64_t unproved);

/* The second run reads the root: b is gone, and the directory sub. */
void second_run(struct kit *k, uint64_t fsid, bool empty);

#endif
