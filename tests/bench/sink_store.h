/*
 * sink_store.h: what the sink remembers: objects by name ("bucket/key") in a
 * skip list, so that listing in order stays cheap while objects come in;
 * earlier versions of them; and the multipart uploads that are open. The
 * caller holds the lock.
 */
#ifndef BENCH_SINK_STORE_H
#define BENCH_SINK_STORE_H

#include <time.h>

#include "base/backoff.h"
#include "base/base.h"
#include "crypto/crypto.h"

#define LEVELS 24
#define ETAG_SPACE 256

struct object {
	char	*name;
	char	*meta;		/* header lines to give back, each with CRLF */
	uint8_t	*data;		/* or NULL: only counted */
	uint64_t size;
	char	 etag[ETAG_SPACE];
	unsigned parts;		/* 0: a single PUT */
	uint64_t part_size;	/* of the first */
	time_t	 mtime;
	uint64_t version;	/* 0: null */
	bool	 marker;	/* of a deletion: it has no bytes */
	bool	 copied;	/* nobody has sent its bytes now */
	struct object *next[];	/* as many as its level */
};

struct part {
	bool	 given;
	uint8_t	 md5[MD5_LEN];
	char	 etag[ETAG_SPACE];
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

enum versioning {
	VERSIONING_NONE = 0,
	VERSIONING_ON,
	VERSIONING_SUSPENDED	/* all that comes now is the version null */
};

struct store {
	struct object *head[LEVELS];
	enum versioning versioning;
	struct object *earlier;	/* versions, of all names, that a later one has
				   covered, and markers; the newest first */
	uint64_t last_version;
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

static void
object_free(struct object *o)
{
	object_clear(o);
	free(o->name);
	free(o);
}

/* The object of this name, or a new one. */
static struct object *
store_place(struct store *s, const char *name)
{
	struct object **before[LEVELS];
	struct object *o = store_seek(s, name, before);
	size_t level = 1;

	if (o != NULL && strcmp(o->name, name) == 0)
		return o;
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
	object_free(o);
	s->objects--;
}

/* --- versions --- */

static struct object *
earlier_add(struct store *s, const char *name)
{
	struct object *v = xcalloc(1, sizeof(*v) + sizeof(v->next[0]));

	v->name = xstrdup(name);
	v->next[0] = s->earlier;
	s->earlier = v;
	return v;
}

static void
earlier_remove(struct store *s, struct object *v)
{
	struct object **link = &s->earlier;

	while (*link != v)
		link = &(*link)->next[0];
	*link = v->next[0];
	object_free(v);
}

static struct object *
earlier_get(const struct store *s, const char *name)
{
	struct object *v = s->earlier;

	while (v != NULL && strcmp(v->name, name) != 0)
		v = v->next[0];
	return v;
}

/* Move what the object is to another place; it stays there, emptied. */
static void
object_move(struct object *to, struct object *from)
{
	to->meta = STEAL(from->meta);
	to->data = STEAL(from->data);
	to->size = from->size;
	memcpy(to->etag, from->etag, sizeof(to->etag));
	to->parts = from->parts;
	to->part_size = from->part_size;
	to->mtime = from->mtime;
	to->version = from->version;
}

/* Something new comes under the name: what is there becomes an earlier version,
 * or is gone. Where versioning is suspended there is one version null. */
static void
store_cover(struct store *s, const char *name)
{
	struct object *o = store_get(s, name);
	bool off = s->versioning != VERSIONING_ON;

	if (o != NULL && (!off || (o->version != 0 &&
	    s->versioning == VERSIONING_SUSPENDED)))
		object_move(earlier_add(s, name), o);
	for (struct object *v = s->earlier, *n; off && v != NULL; v = n) {
		n = v->next[0];
		if (v->version == 0 && strcmp(v->name, name) == 0)
			earlier_remove(s, v);
	}
}

static uint64_t
store_new_version(struct store *s)
{
	return s->versioning == VERSIONING_ON ? ++s->last_version : 0;
}

/* The object of this name, emptied or new. */
static struct object *
store_put(struct store *s, const char *name)
{
	struct object *o;

	store_cover(s, name);
	o = store_place(s, name);
	object_clear(o);
	o->version = store_new_version(s);
	o->copied = false;
	o->parts = 0;
	return o;
}

/* The object is there no longer; the marker that says so, or NULL. */
static struct object *
store_hide(struct store *s, const char *name)
{
	struct object *marker;

	store_cover(s, name);
	store_delete(s, name);
	if (s->versioning == VERSIONING_NONE)
		return NULL;
	marker = earlier_add(s, name);
	marker->marker = true;
	marker->version = store_new_version(s);
	marker->mtime = time(NULL);
	return marker;
}

/* "null", or "v" and a number. */
static void
version_text(uint64_t version, char text[24])
{
	if (version == 0)
		snprintf(text, 24, "null");
	else
		snprintf(text, 24, "v%lu", (unsigned long)version);
}

/* The version with this id (NULL: what the name is now, if it is an object). */
static struct object *
store_version(struct store *s, const char *name, const char *id)
{
	struct object *o = store_get(s, name);
	char text[24];

	if (id == NULL)
		return o;
	for (struct object *v = o == NULL ? s->earlier : o; v != NULL;
	    v = v == o ? s->earlier : v->next[0]) {
		version_text(v->version, text);
		if (strcmp(v->name, name) == 0 && strcmp(text, id) == 0)
			return v;
	}
	return NULL;
}

/* The version goes for ever. What comes to light thereby, or NULL. */
static struct object *
store_drop(struct store *s, struct object *v)
{
	AUTOFREE char *name = xstrdup(v->name);
	struct object *o = store_get(s, name), *next;

	if (v == o)
		store_delete(s, name);
	else
		earlier_remove(s, v);
	next = earlier_get(s, name);
	if (next == NULL || next->marker || store_get(s, name) != NULL)
		return NULL;
	o = store_place(s, name);
	object_move(o, next);
	earlier_remove(s, next);
	return o;
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
