/*
 * outcome.h: nine files that were put, and short words for what GET,
 * DEL and TEST write of them.
 */
#ifndef KIT_OUTCOME_H
#define KIT_OUTCOME_H

#include "kit/catalog.h"

#include "catalog/outcome.h"
#include "reader/stored.h"

#define NAMES 9

/* srv/vol/a to i, all new and moved; the run ends as told. */
void put(struct kit *k, const struct run_spec *spec, enum run_end how);

void put_all(struct kit *k);
void begin_op(struct kit *k, enum op op);
struct outcome_row *row(struct outcomes *v, const char *path,
    enum outcome outcome);

/* One outcome; what it wrote can be read. */
void give_outcomes(struct kit *k, struct outcomes *v);

void verdict(struct kit *k, const char *path, enum verdict what);
int find(struct kit *k, const char *path, struct stored *s);
bool holds(struct kit *k, const char *path);
void check_answer(struct kit *k, const char *sql, const char *text);

#endif
