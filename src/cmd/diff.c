/*
 * diff.c: the verb diff: what differs between two states of a target, or of two
 * targets or catalogs. Both are read in the order of paths, and merged.
 */
#include <inttypes.h>

#include "base/exit_status.h"
#include "base/jsontext.h"
#include "catalog/catalog.h"
#include "cmd/cmd.h"
#include "reader/past.h"
#include "target/plan.h"

#define PAGE	1000

/* One of the two states: a stream of objects by path. */
struct side {
	const char *word;	/* of the command line */
	char	*target;	/* its name; or NULL: the catalog has none */
	bool	 is_file;	/* the word is the file of a catalog */
	struct catalog_reader *reader;
	struct moment moment;
	struct past_row v[PAGE];
	size_t	 count;
	size_t	 at;
	bool	 last;
	struct buf after;
};

enum difference {
	DIFFERS_MISSING = 0,	/* the second has it not */
	DIFFERS_NEW,		/* the first has it not */
	DIFFERS_BYTES,
	DIFFERS_UNKNOWN,	/* the catalogs can't tell about the bytes */
	DIFFERS_METADATA,
	DIFFERS__MAX
};

static const struct {
	char	 sign;
	const char *name;
} words[DIFFERS__MAX] = {
	[DIFFERS_MISSING] = { '-', "missing" },
	[DIFFERS_NEW] = { '+', "new" },
	[DIFFERS_BYTES] = { '!', "bytes" },
	[DIFFERS_UNKNOWN] = { '?', "unknown" },
	[DIFFERS_METADATA] = { '~', "metadata" },
};

struct diff {
	const struct options *o;
	struct conf conf;
	char	*catalog;	/* of the words that are no files; or NULL */
	struct run_spec spec;	/* the target of the settings; bucket NULL:
				   none is known */
	struct side a;
	struct side b;
	struct buf line;
	uint64_t equal;
	uint64_t count[DIFFERS__MAX];
};

/* --- the settings --- */

/* --catalog is one without settings, and the files of two catalogs need
 * none. */
static int
read_settings(struct diff *d, struct err *err)
{
	bool needed = !d->a.is_file || !d->b.is_file || d->o->config != NULL;

	if (d->o->catalog != NULL) {
		d->catalog = xstrdup(d->o->catalog);
		return 0;
	}
	if (conf_load(&d->conf, d->o->config, err) == -1 ||
	    conf_finish(&d->conf, false, false, err) == -1) {
		if (needed)
			return err_wrap(err, "no --catalog is given");
		err_clear(err);
		return 0;
	}
	d->catalog = xstrdup(d->conf.catalog.path);
	if (plan_bucket(&d->conf) != NULL)
		plan_target(&d->spec, &d->conf);
	return 0;
}

/* --- the sides --- */

/* The target of a run, a time or a catalog: that of --target or of the
 * settings, else the only one. A file may be of other settings. */
static int
choose_target(const struct diff *d, struct side *s, int64_t *ret,
    struct err *err)
{
	if (d->o->target != NULL)
		return past_target(s->reader, d->o->target, ret, err);
	if (d->spec.bucket != NULL && !s->is_file) {
		*ret = catalog_target_id(s->reader, &d->spec);
		return catalog_know_target(s->reader, &d->spec, err);
	}
	*ret = d->spec.bucket == NULL ? 0 :
	    catalog_target_id(s->reader, &d->spec);
	return *ret != 0 ? 0 : past_target(s->reader, NULL, ret, err);
}

static int
open_side(const struct diff *d, struct side *s, struct err *err)
{
	int64_t target = 0;

	s->moment = (struct moment){ .run = INT64_MAX };
	if (reader_look(&s->reader, s->is_file ? s->word : d->catalog,
	    err) == -1 || (!s->is_file && past_find(s->reader, s->word,
	    &s->moment, &target, err) == -1) ||
	    (target == 0 && choose_target(d, s, &target, err) == -1))
		return -1;
	reader_aim(s->reader, target, true);
	s->target = past_target_name(s->reader, target);
	return reader_fault(s->reader, err);
}

/* Say what is compared, as diff(1) does. */
static void
tell_side(const char *sign, const struct side *s)
{
	struct buf b CLEANUP(buf_release);

	buf_init(&b, 64 * KIB);
	buf_addf(&b, "%s %s", sign, s->target == NULL ? "no target" :
	    s->target);
	if (s->target == NULL || strcmp(s->target, s->word) != 0) {
		buf_addstr(&b, s->is_file ? " in " : " as of ");
		buf_add_escaped(&b, str_of(s->word));
	}
	fprintf(stderr, "%s\n", b.data);
}

static void
clear(struct side *s)
{
	for (size_t i = 0; i < s->count; i++)
		past_row_release(&s->v[i]);
	s->count = s->at = 0;
}

/* The next object; NULL at the end, or with err set. */
static const struct stored *
peek(struct side *s, struct err *err)
{
	if (s->at < s->count)
		return &s->v[s->at].stored;
	if (s->last)
		return NULL;
	clear(s);
	if (past_page(s->reader, &s->moment, STR(""), buf_str(&s->after), s->v,
	    PAGE, &s->count, err) == -1)
		return NULL;
	s->last = s->count < PAGE;
	buf_clear(&s->after);
	if (s->count == 0)
		return NULL;
	buf_addstr(&s->after, s->v[s->count - 1].stored.path);
	return &s->v[0].stored;
}

/* --- comparing --- */

/* The order of bytes, as the catalog has it. */
static int
order_of(const struct stored *a, const struct stored *b)
{
	if (a == NULL || b == NULL)
		return a == NULL ? 1 : -1;
	return strcmp(a->path, b->path);
}

/* DIFFERS__MAX: they do not differ. */
static enum difference
compare(const struct stored *a, const struct stored *b)
{
	if (a->attrs.size != b->attrs.size)
		return DIFFERS_BYTES;
	if (a->has_md5 && b->has_md5) {
		if (memcmp(a->md5, b->md5, sizeof(a->md5)) != 0)
			return DIFFERS_BYTES;
	} else if (a->object != b->object && (a->etag[0] == '\0' ||
	    strcmp(a->etag, b->etag) != 0)) {
		return DIFFERS_UNKNOWN;
	}
	return attrs_same_kept(&a->attrs, &b->attrs) ? DIFFERS__MAX :
	    DIFFERS_METADATA;
}

static void
print(struct diff *d, enum difference what, const char *path)
{
	buf_clear(&d->line);
	if (d->o->job.json) {
		buf_addf(&d->line, "{\"type\":\"difference\",\"what\":\"%s\","
		    "\"path\":", words[what].name);
		buf_add_json(&d->line, str_of(path));
		buf_addstr(&d->line, "}\n");
	} else {
		buf_addf(&d->line, "%c ", words[what].sign);
		buf_add_escaped(&d->line, str_of(path));
		buf_addch(&d->line, '\n');
	}
	/* main.c checks at the end whether standard output could be written. */
	fwrite(d->line.data, 1, d->line.len, stdout);
}

static int
merge(struct diff *d, struct err *err)
{
	for (;;) {
		const struct stored *a = peek(&d->a, err);
		const struct stored *b = err->kind != ERR_NONE ? NULL :
		    peek(&d->b, err);
		enum difference what;
		int order;

		if (err->kind != ERR_NONE)
			return -1;
		if (a == NULL && b == NULL)
			return 0;
		order = order_of(a, b);
		what = order < 0 ? DIFFERS_MISSING : order > 0 ? DIFFERS_NEW :
		    compare(a, b);
		if (what == DIFFERS__MAX)
			d->equal++;
		else
			d->count[what]++;
		if (what != DIFFERS__MAX)
			print(d, what, order <= 0 ? a->path : b->path);
		d->a.at += order <= 0;
		d->b.at += order >= 0;
	}
}

/* --- the verb --- */

static void
tell_json(struct diff *d)
{
	const uint64_t *n = d->count;

	buf_clear(&d->line);
	buf_addstr(&d->line, "{\"operation\":\"diff\",\"a_target\":");
	buf_add_json(&d->line, str_of(d->a.target == NULL ? "" :
	    d->a.target));
	buf_addstr(&d->line, ",\"b_target\":");
	buf_add_json(&d->line, str_of(d->b.target == NULL ? "" :
	    d->b.target));
	printf("%s,\"equal\":%" PRIu64 ",\"missing\":%" PRIu64
	    ",\"new\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"unknown\":%"
	    PRIu64 ",\"metadata\":%" PRIu64 "}\n", d->line.data, d->equal,
	    n[DIFFERS_MISSING], n[DIFFERS_NEW], n[DIFFERS_BYTES],
	    n[DIFFERS_UNKNOWN], n[DIFFERS_METADATA]);
}

static void
tell(struct diff *d)
{
	const uint64_t *n = d->count;

	if (d->o->job.json)
		tell_json(d);
	else
		fprintf(stderr, "%" PRIu64 " equal, %" PRIu64 " missing (-), %"
		    PRIu64 " new (+), %" PRIu64 " with other bytes (!), %"
		    PRIu64 " of which nobody can tell (?), %" PRIu64
		    " with other metadata (~)\n", d->equal,
		    n[DIFFERS_MISSING], n[DIFFERS_NEW], n[DIFFERS_BYTES],
		    n[DIFFERS_UNKNOWN], n[DIFFERS_METADATA]);
}

static int
run(struct diff *d, struct err *err)
{
	d->a.word = d->o->words[0];
	d->b.word = d->o->words[1];
	d->a.is_file = past_is_file(d->a.word);
	d->b.is_file = past_is_file(d->b.word);
	if (read_settings(d, err) == -1 || open_side(d, &d->a, err) == -1 ||
	    open_side(d, &d->b, err) == -1)
		return -1;
	if (!d->o->job.json) {
		tell_side("---", &d->a);
		tell_side("+++", &d->b);
	}
	if (merge(d, err) == -1)
		return -1;
	tell(d);
	return 0;
}

static void
release(struct diff *d)
{
	clear(&d->a);
	clear(&d->b);
	catalog_reader_close(&d->a.reader);
	catalog_reader_close(&d->b.reader);
	buf_release(&d->a.after);
	buf_release(&d->b.after);
	buf_release(&d->line);
	free(d->a.target);
	free(d->b.target);
	free(d->catalog);
	conf_release(&d->conf);
}

int
cmd_diff(int argc, char **argv)
{
	AUTOFREE struct diff *d = xcalloc(1, sizeof(*d));
	struct err err = ERR_INIT;
	struct options o;
	int status;

	d->o = &o;
	buf_init(&d->a.after, 64 * KIB);
	buf_init(&d->b.after, 64 * KIB);
	buf_init(&d->line, 256 * KIB);
	if (cmd_begin(&o, VERB_DIFF, argc, argv, &status)) {
		if (run(d, &err) == -1)
			status = cmd_error("diff", &err);
		for (size_t i = 0; i < DIFFERS__MAX && status == EXIT_DONE; i++)
			if (d->count[i] > 0)
				status = EXIT_CORRUPT;
	}
	release(d);
	options_release(&o);
	return status;
}
