#include "source/as_of.h"

#include "model/key.h"
#include "reader/stored.h"
#include "source/source.h"

#define PAGE	1000

struct as_of {
	struct catalog_reader *reader;
	struct moment moment;
	struct strlist prefixes;	/* of catalog paths */
	size_t	 prefix;		/* at hand */
	struct past_row v[PAGE];
	size_t	 count;
	size_t	 at;
	struct buf after;		/* last path of the page */
	bool	 last;			/* page of the prefix */
};

static void
add_prefix(void *arg, struct str path)
{
	AUTOFREE char *text = xstrndup(path.p, path.len);

	strlist_add(arg, text);
}

/* Prefixes of keys as prefixes of catalog paths. */
static int
find_prefixes(struct as_of *a, const struct conf *c, const struct job *job,
    struct err *err)
{
	struct strlist keys CLEANUP(strlist_clear) = { .v = NULL };

	if (source_prefixes(c, job, &keys, err) == -1)
		return -1;
	for (size_t i = 0; i < keys.n; i++) {
		if (c->fs_config.server_as_prefix || keys.v[i][0] == '\0')
			strlist_add(&a->prefixes, keys.v[i]);
		else if (catalog_names_of_key(a->reader, str_of(keys.v[i]),
		    add_prefix, &a->prefixes, err) == -1)
			return -1;
	}
	return 0;
}

int
as_of_open(struct as_of **ret, const struct conf *c, const struct job *job,
    struct catalog_reader *reader, struct err *err)
{
	struct as_of *a = xcalloc(1, sizeof(*a));

	a->reader = reader;
	buf_init(&a->after, 64 * KIB);
	if (past_moment(reader_db(reader), job->as_of, &a->moment,
	    err) == -1) {
		err_wrap(err, "--as-of");
		as_of_free(&a);
		return -1;
	}
	if (find_prefixes(a, c, job, err) == -1) {
		as_of_free(&a);
		return -1;
	}
	*ret = a;
	return 0;
}

static void
clear(struct as_of *a)
{
	for (size_t i = 0; i < a->count; i++)
		past_row_release(&a->v[i]);
	a->count = a->at = 0;
}

/* Read the next page of the prefix at hand, or the first of the next one. */
static int
read_page(struct as_of *a, struct err *err)
{
	clear(a);
	if (a->last) {
		a->prefix++;
		a->last = false;
		buf_clear(&a->after);
	}
	if (a->prefix == a->prefixes.n)
		return 0;
	if (past_page(a->reader, &a->moment, str_of(a->prefixes.v[a->prefix]),
	    buf_str(&a->after), a->v, PAGE, &a->count, err) == -1)
		return -1;
	a->last = a->count < PAGE;
	buf_clear(&a->after);
	if (a->count > 0)
		buf_addstr(&a->after, a->v[a->count - 1].stored.path);
	return 0;
}

struct past_row *
as_of_next(struct as_of *a, struct err *err)
{
	bool shadowed = true;
	struct past_row *row = NULL;

	while (shadowed) {
		while (a->at == a->count && a->prefix < a->prefixes.n)
			if (read_page(a, err) == -1)
				return NULL;
		row = a->at < a->count ? &a->v[a->at++] : NULL;
		shadowed = false;
		if (row != NULL && past_is_shadowed(a->reader, &a->moment, row,
		    &shadowed, err) == -1)
			return NULL;
	}
	return row;
}

void
as_of_free(struct as_of **ap)
{
	struct as_of *a = *ap;

	if (a == NULL)
		return;
	clear(a);
	strlist_clear(&a->prefixes);
	buf_release(&a->after);
	free(a);
	*ap = NULL;
}
