/*
 * sink_store.h: what the sink remembers: objects by name ("bucket/key") in a
 * skip list, so that listing in order stays cheap while objects come in, and
 * the multipart uploads that are open. Included by sink.c alone. The caller
 * holds the lock.
 */
#ifndef BENCH_SINK_STORE_H
#define BENCH_SINK_STORE_H

#include <time.h>

#include "base/backoff.h"
#include "base/base.h"
#include "crypto/crypto.h"

#define LEVELS 24

struct object {
	char	*name;
	char	*meta;		/* header lines to give back, each with CRLF */
	uint8_t	*data;		/* or NULL: only counted */
	uint64_t size;
	char	 etag[72];
	time_t	 mtime;
	struct object *next[];	/* as many as its level */
};

struct part {
	bool	 given;
	uint8_t	 md5[MD5_LEN];
	uint8_t	*data;
	uint64_t size;
};

struct upload {
	uint64_t id;
	char	*name;
	char	*meta;
	time_t	 since;
	struct part *parts;	/* by number - 1 */
	unsigned part_cap;
	struct upload *next;
};

struct store {
	struct object *head[LEVELS];
	struct upload *uploads;
	uint64_t last_upload;
	uint64_t objects;
	struct rng rng;
};

/* before[i] is the link of level i behind which name stands or belongs. */
static struct object *
store_seek(struct store *s, const char *name, struct object **before[LEVELS])
{
	struct object **links = s->head;

	for (size_t i = LEVELS; i-- > 0;) {
		while (links[i] != NULL && strcmp(links[i]->name, name) < 0)
			links = links[i]->next;
		if (before != NULL)
			before[i] = &links[i];
	}
	return links[0];
}

/* The first object whose name isn't less. */
static struct object *
store_from(struct store *s, const char *name)
{
	return store_seek(s, name, NULL);
}

static struct object *
store_get(struct store *s, const char *name)
{
	struct object *o = store_seek(s, name, NULL);

	return o != NULL && strcmp(o->name, name) == 0 ? o : NULL;
}

static void
object_clear(struct object *o)
{
	free(o->meta);
	free(o->data);
	o->meta = NULL;
	o->data = NULL;
}

/* The object of this name, emptied or new. */
static struct object *
store_put(struct store *s, const char *name)
{
	struct object **before[LEVELS];
	struct object *o = store_seek(s, name, before);
	size_t level = 1;

	if (o != NULL && strcmp(o->name, name) == 0) {
		object_clear(o);
		return o;
	}
	while (level < LEVELS && (rng_next(&s->rng) >> 60 & 3) == 0)
		level++;
	o = xcalloc(1, sizeof(*o) + level * sizeof(o->next[0]));
	o->name = xstrdup(name);
	for (size_t i = 0; i < level; i++) {
		o->next[i] = *before[i];
		*before[i] = o;
	}
	s->objects++;
	return o;
}

static void
store_delete(struct store *s, const char *name)
{
	struct object **before[LEVELS];
	struct object *o = store_seek(s, name, before);

	if (o == NULL || strcmp(o->name, name) != 0)
		return;
	for (size_t i = 0; i < LEVELS; i++)
		if (*before[i] == o)
			*before[i] = o->next[i];
	object_clear(o);
	free(o->name);
	free(o);
	s->objects--;
}

static struct upload *
upload_new(struct store *s, const char *name, char *meta)
{
	struct upload *u = xcalloc(1, sizeof(*u));

	u->id = ++s->last_upload;
	u->name = xstrdup(name);
	u->meta = meta;
	u->since = time(NULL);
	u->next = s->uploads;
	s->uploads = u;
	return u;
}

static struct upload *
upload_get(struct store *s, const char *id, const char *name)
{
	uint64_t n = strtoull(id, NULL, 10);

	for (struct upload *u = s->uploads; u != NULL; u = u->next)
		if (u->id == n && strcmp(u->name, name) == 0)
			return u;
	return NULL;
}

/* The part of this number (from 1), room being made for it. */
static struct part *
upload_part(struct upload *u, unsigned number)
{
	unsigned cap = u->part_cap == 0 ? 16 : u->part_cap;

	while (cap < number)
		cap *= 2;
	if (cap > u->part_cap) {
		u->parts = xreallocarray(u->parts, cap, sizeof(*u->parts));
		memset(u->parts + u->part_cap, 0,
		    (cap - u->part_cap) * sizeof(*u->parts));
		u->part_cap = cap;
	}
	return &u->parts[number - 1];
}

static void
upload_delete(struct store *s, struct upload *u)
{
	struct upload **link = &s->uploads;

	while (*link != u)
		link = &(*link)->next;
	*link = u->next;
	for (unsigned i = 0; i < u->part_cap; i++)
		free(u->parts[i].data);
	free(u->parts);
	free(u->name);
	free(u->meta);
	free(u);
}

#endif
