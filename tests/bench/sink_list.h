/*
 * sink_list.h: XML in and out, and the listing of objects by prefix,
 * delimiter and position. Included by sink.c alone.
 */
#ifndef BENCH_SINK_LIST_H
#define BENCH_SINK_LIST_H

#include "sink_http.h"
#include "sink_store.h"

static void
add_xml(struct buf *b, const char *text)
{
	for (; *text != '\0'; text++) {
		if (strchr("&<>\"'\r", *text) != NULL)
			buf_addf(b, "&#%d;", *text);
		else
			buf_addch(b, *text);
	}
}

static void
add_time(struct buf *b, const char *tag, time_t t)
{
	char text[40];
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S.000Z", &tm);
	buf_addf(b, "<%s>%s</%s>", tag, text, tag);
}

static void
xml_unescape(char *s)
{
	static const char *const names[][2] = {
		{ "&amp;", "&" }, { "&lt;", "<" }, { "&gt;", ">" },
		{ "&quot;", "\"" }, { "&apos;", "'" },
	};
	char *out = s;

	while (*s != '\0') {
		size_t skip = 0;
		char c = *s;

		for (size_t i = 0; i < ARRAY_LEN(names) && skip == 0; i++) {
			if (strncmp(s, names[i][0], strlen(names[i][0])) != 0)
				continue;
			skip = strlen(names[i][0]);
			c = names[i][1][0];
		}
		if (strncmp(s, "&#", 2) == 0) {
			bool hex = s[2] == 'x' || s[2] == 'X';
			const char *end = strchr(s, ';');

			c = (char)strtoul(s + 2 + hex, NULL, hex ? 16 : 10);
			skip = end == NULL ? 1 : (size_t)(end + 1 - s);
		}
		*out++ = c;
		s += MAX(skip, (size_t)1);
	}
	*out = '\0';
}

/* The text behind the next <tag>, or NULL; *pos moves on. */
static const char *
next_tag(const char **pos, const char *tag)
{
	const char *p = strstr(*pos, tag);

	if (p == NULL)
		return NULL;
	p += strlen(tag);
	*pos = p;
	return p;
}

struct listing {
	struct store *store;
	const char *bucket;
	const char *prefix;
	const char *delimiter;
	const char *after;	/* key or common prefix, or NULL */
	bool	 url;
	void	(*etag)(struct buf *, const struct object *); /* or NULL */
	size_t	 limit;
	struct buf xml;
	struct buf last;	/* the last key or prefix that was given */
	size_t	 given;
	bool	 more;
};

static void
add_key(const struct listing *l, struct buf *b, const char *key)
{
	if (l->url)
		percent_encode(b, key);
	else
		add_xml(b, key);
}

/* The first object behind everything that starts with text. */
static struct object *
behind_prefix(const struct listing *l, const char *text)
{
	char *name = xasprintf("%s/%s", l->bucket, text);
	size_t len = strlen(name);
	struct object *o;

	/* Keys are UTF-8, in which no byte is 0xff. */
	name[len - 1] = (char)((unsigned char)name[len - 1] + 1);
	o = store_from(l->store, name);
	free(name);
	return o;
}

static struct object *
list_start(const struct listing *l)
{
	size_t plen = strlen(l->prefix), alen;
	struct object *o;
	char *name;

	if (l->after == NULL || strcmp(l->after, l->prefix) < 0) {
		name = xasprintf("%s/%s", l->bucket, l->prefix);
		o = store_from(l->store, name);
		free(name);
		return o;
	}
	alen = strlen(l->after);
	if (*l->delimiter != '\0' && alen > plen &&
	    str_ends(str_of(l->after), str_of(l->delimiter)))
		return behind_prefix(l, l->after);
	name = xasprintf("%s/%s", l->bucket, l->after);
	o = store_from(l->store, name);
	if (o != NULL && strcmp(o->name, name) == 0)
		o = o->next[0];
	free(name);
	return o;
}

static void
list_object(struct listing *l, const struct object *o, const char *key)
{
	buf_addstr(&l->xml, "<Contents><Key>");
	add_key(l, &l->xml, key);
	buf_addstr(&l->xml, "</Key>");
	add_time(&l->xml, "LastModified", o->mtime);
	if (l->etag != NULL) {
		buf_addstr(&l->xml, "<ETag>");
		l->etag(&l->xml, o);
		buf_addstr(&l->xml, "</ETag>");
	}
	buf_addf(&l->xml, "<Size>%lu</Size><StorageClass>STANDARD"
	    "</StorageClass></Contents>", (unsigned long)o->size);
	buf_clear(&l->last);
	buf_addstr(&l->last, key);
	l->given++;
}

/* Under the lock: fills xml with contents and common prefixes. */
static void
list_locked(struct listing *l)
{
	char *start = xasprintf("%s/%s", l->bucket, l->prefix);
	struct object *o = list_start(l);

	while (o != NULL && str_starts(str_of(o->name), str_of(start))) {
		const char *key = o->name + strlen(l->bucket) + 1;
		const char *cut = *l->delimiter == '\0' ? NULL :
		    strstr(key + strlen(l->prefix), l->delimiter);

		if (l->given == l->limit) {
			l->more = true;
			break;
		}
		if (cut == NULL) {
			list_object(l, o, key);
			o = o->next[0];
			continue;
		}
		buf_clear(&l->last);
		buf_add(&l->last, key, (size_t)(cut - key) +
		    strlen(l->delimiter));
		buf_addstr(&l->xml, "<CommonPrefixes><Prefix>");
		add_key(l, &l->xml, l->last.data);
		buf_addstr(&l->xml, "</Prefix></CommonPrefixes>");
		l->given++;
		o = behind_prefix(l, l->last.data);
	}
	free(start);
}

#endif
