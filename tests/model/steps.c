/*
 * steps.c: the table of steps, histories drawn from a seed, and histories as
 * text: a line "set" for what stays the same, then one line a step, its name
 * and the fields that aren't 0.
 */
#include "model.h"


static const char *const dirs[] = { "top", "a", "a/b", "c", "v", "v/w", NULL };
static const char *const names[] = { "f0", "f1", "f2", "x.tmp", "odd", "big",
    "itself", NULL };
static const char *const sizes[] = { "10", "0", "3", "4096", "70000", "11",
    NULL };
static const char *const modes[] = { "0", "0600", "0444", "0755", "0111",
    NULL };
static const char *const whens[] = { "2001", "1969", "2128", "2286", "2096",
    "1970", NULL };
static const char *const ops[] = { "PUT", "mirror", "GET", "DEL", "LIST",
    "TEST", "verify", NULL };
static const char *const filters[] = { "none", "no-tmp", "no-a", "no-c",
    "no-small", "no-large", "only-f", NULL };
static const char *const test_modes[] = { "head", "full", "sample", NULL };
static const char *const requests[] = { "any", "put", "copy", "part",
    "create", "complete", "delete-many", "delete", "abort", "head",
    "head-bucket", "get", "list", "list-uploads", "list-parts",
    "list-versions", NULL };
static const char *const troubles[] = { "lost", "mute", "500", "503", "403",
    "wide", "kill", "kill-after", "SIGTERM",
    "kill-late", "expired", NULL };
static const char *const kill_calls[] = { "send", "recv", "write", "sync",
    "open", "rename", "connect", "any", NULL };
static const char *const kill_hows[] = { "before", "after", "SIGTERM", NULL };
static const char *const bad_calls[] = { "stat", "open", "list", "read",
    "stat+open", NULL };
static const char *const codes[] = { "EIO", "ESTALE", "EACCES", "ENOTCONN",
    "ETIMEDOUT", NULL };
static const char *const procs[] = { "list", "any", "getattr", "lookup",
    "read", "access", NULL };
static const char *const nfs_hows[] = { "NOENT", "IO", "STALE", "ACCES",
    "NOTDIR", "SERVERFAULT", "close", "no-attrs", "cut", NULL };
static const char *const whats[] = { "create", "rewrite", "remove",
    "remove_dir", "umount", "unstash", "share", NULL };
static const char *const confs[] = { "filer", "old-name", "new-name",
    "other-bucket", NULL };
static const char *const asks[] = { "LIST", "GET", "sql", NULL };
static const char *const moments[] = { "run", "time", "day", NULL };
static const char *const hours[] = { "20", "1", "26", "-1", "-26", NULL };

#define FOCI	2
#define BIG_NAME	5

#define DIR(name)	{ name, 6, 70, dirs }
#define NAME(name)	{ name, 6, 80, names }
#define NONE		{ { NULL, 0, 0, NULL } }

static const struct step_kind kinds[] = {
	{ "create", 30, play_create, { DIR("dir"), NAME("name"),
	    { "size", 6, 60, sizes } }, STEP_TREE, NULL },
	{ "rewrite", 14, play_rewrite, { DIR("dir"), NAME("name"),
	    { "keep", 2, 50, NULL } }, STEP_TREE, NULL },
	{ "truncate", 3, play_truncate, { DIR("dir"), NAME("name") }, STEP_TREE,
	    NULL },
	{ "huge", 1, play_huge, { DIR("dir"), NAME("name") }, STEP_TREE,
	    NULL },
	{ "rename", 6, play_rename, { DIR("dir"), NAME("name"), DIR("to_dir"),
	    NAME("to_name") }, STEP_TREE, NULL },
	{ "rename_dir", 4, play_rename_dir, { DIR("dir"), DIR("to_dir") },
	    STEP_TREE, NULL },
	{ "swap", 4, play_swap, { DIR("dir"), { "name", 7, 80, names } },
	    STEP_TREE, NULL },
	{ "remove", 10, play_remove, { DIR("dir"), NAME("name") }, STEP_TREE,
	    NULL },
	{ "remove_dir", 5, play_remove_dir, { DIR("dir") }, STEP_TREE, NULL },
	{ "stash", 5, play_stash, { DIR("dir"), NAME("name") }, STEP_TREE,
	    NULL },
	{ "unstash", 6, play_unstash, { DIR("dir"), NAME("name"),
	    { "copy", 2, 40, NULL } }, STEP_TREE, NULL },
	{ "chmod", 8, play_chmod, { DIR("dir"), { "name", 7, 90, names },
	    { "mode", 5, 60, modes } }, STEP_TREE, NULL },
	{ "link", 4, play_link, { DIR("dir"), NAME("name"), DIR("to_dir"),
	    NAME("to_name") }, STEP_TREE, NULL },
	{ "symlink", 3, play_symlink, { DIR("dir"), DIR("to"),
	    { "file", 2, 40, NULL } }, STEP_TREE, NULL },
	{ "times", 3, play_times, { DIR("dir"), NAME("name"),
	    { "when", 6, 80, whens } }, STEP_TREE, NULL },
	{ "mount", 5, play_mount, NONE, STEP_OTHER, NULL },
	{ "umount", 5, play_umount, NONE, STEP_OTHER, NULL },
	{ "stub", 5, play_stub, { NAME("name"), { "below", 2, 30, NULL },
	    { "gone", 2, 25, NULL } }, STEP_OTHER, NULL },
	{ "inner", 4, play_inner, { DIR("dir") }, STEP_OTHER, NULL },
	/* fs is not drawn: a run that has noted no file system before takes
	 * the other one for the share's. */
	{ "root_away", 3, play_root_away, { { "files", 2, 30, NULL },
	    { "fs", 2, 0, NULL } }, STEP_OTHER, NULL },
	{ "root_back", 3, play_root_back, NONE, STEP_OTHER, NULL },
	{ "run", 60, play_run, { { "op", 7, 99, ops },
	    { "prefix", 6, 15, dirs }, { "filter", 7, 20, filters },
	    { "from", 6, 5, dirs }, { "checksum", 2, 10, NULL },
	    { "retry", 2, 8, NULL }, { "adopt", 2, 5, NULL },
	    { "follow", 2, 8, NULL }, { "mode", 3, 50, test_modes },
	    { "dry", 2, 5, NULL }, { "excluded", 2, 25, NULL } }, STEP_OTHER,
	    NULL },
	{ "bend", 14, play_bend, { { "kind", 16, 90, requests },
	    { "nth", 8, 60, NULL }, { "times", 30, 30, NULL },
	    { "how", 11, 85, troubles } }, STEP_BEND, NULL },
	{ "kill", 14, play_kill, { { "call", 8, 90, kill_calls },
	    { "nth", 200, 98, NULL }, { "how", 3, 60, kill_hows } }, STEP_BEND,
	    NULL },
	{ "errno", 10, play_errno, { { "call", 5, 80, bad_calls }, DIR("dir"),
	    { "name", 7, 80, names }, { "errno", 5, 80, codes },
	    { "first", 4, 30, NULL }, { "count", 4, 40, NULL } }, STEP_BEND,
	    NULL },
	{ "nfs", 10, play_nfs, { { "proc", 6, 70, procs },
	    { "nth", 12, 80, NULL }, { "times", 6, 40, NULL },
	    { "how", 9, 90, nfs_hows } }, STEP_BEND, NULL },
	{ "full", 2, play_full, { { "nth", 60, 95, NULL } }, STEP_BEND, NULL },
	{ "meanwhile", 8, play_meanwhile, { { "nth", 16, 80, NULL },
	    { "what", 7, 90, whats }, DIR("dir"), NAME("name"),
	    { "size", 2, 50, sizes }, { "nfs", 2, 60, NULL } }, STEP_BEND,
	    NULL },
	{ "conf", 3, play_conf, { { "conf", 4, 60, confs } }, STEP_OTHER,
	    NULL },
	{ "turn", 2, play_turn, NONE, STEP_OTHER, NULL },
	{ "settings", 4, play_settings, { { "little", 2, 50, NULL },
	    { "larger", 2, 50, NULL }, { "skip", 2, 40, NULL },
	    { "ctime", 2, 30, NULL }, { "version", 3, 50, nfs_versions } },
	    STEP_OTHER, NULL },
	{ "clock", 5, play_clock, { { "hours", 5, 80, hours } }, STEP_OTHER,
	    NULL },
	{ "save", 6, play_save, NONE, STEP_OTHER, NULL },
	{ "restore", 6, play_restore, { { "hand", 2, 50, NULL } }, STEP_OTHER,
	    NULL },
	{ "prune", 5, play_prune, NONE, STEP_OTHER, NULL },
	{ "as_of", 9, play_as_of, { { "how", 3, 80, asks },
	    { "which", 8, 60, NULL }, { "by", 3, 40, moments },
	    { "prefix", 6, 15, dirs }, { "dry", 2, 10, NULL } }, STEP_OTHER,
	    NULL },
	{ "undo", 7, play_undo, { { "which", 4, 40, NULL },
	    { "dry", 2, 5, NULL } }, STEP_OTHER, NULL },
	{ "versioning", 3, play_versioning, { { "on", 2, 60, NULL } },
	    STEP_OTHER, NULL },
	{ "foreign", 3, play_foreign, { DIR("dir"), NAME("name"),
	    { "equal", 2, 50, NULL } }, STEP_OTHER, NULL },
	{ "tamper", 2, play_tamper, { DIR("dir"), NAME("name") }, STEP_OTHER,
	    NULL },
};

static const struct {
	const char *name;
	size_t	 at;
	int	 chance;	/* in percent */
} settings[] = {
	{ "nfs", offsetof(struct setting, nfs), 25 },
	{ "coarse", offsetof(struct setting, coarse), 10 },
	{ "volume", offsetof(struct setting, volume), 30 },
	{ "fsids", offsetof(struct setting, fsids), 30 },
	{ "versioned", offsetof(struct setting, versioned), 50 },
	{ "unshown", offsetof(struct setting, unshown), 25 },
};

static int *
field_of(struct setting *set, size_t i)
{
	return (int *)(void *)((char *)set + settings[i].at);
}

const struct step_kind *
kind_of(const struct step *s)
{
	return &kinds[s->kind];
}

/* --- drawing --- */

static int
below(struct rng *rng, int n)
{
	return (int)((rng_next(rng) >> 33) % (uint64_t)n);
}

static int
kind_number(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return (int)i;
	return -1;
}

static int
draw_kind(struct rng *rng)
{
	int total = 0, at;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		total += kinds[i].off == NULL ? kinds[i].weight : 0;
	at = below(rng, total);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		at -= kinds[i].off == NULL ? kinds[i].weight : 0;
		if (at < 0)
			return (int)i;
	}
	return 0;
}

/* Most steps of a history are about the same few files. */
struct focus {
	int	 dir;
	int	 name;
};

static void
draw_focus(struct rng *rng, struct focus f[FOCI])
{
	for (int i = 0; i < FOCI; i++)
		f[i] = (struct focus){ below(rng, 6),
		    below(rng, 12) == 0 ? BIG_NAME : below(rng, 5) };
}

/* Small numbers more often, where they say how many calls something waits
 * for. */
static void
draw_step(struct rng *rng, struct step *s, int kind,
    const struct focus foci[FOCI])
{
	const struct focus *focus = &foci[below(rng, FOCI)];

	static const int some_ops[] = { OP_PUT, OP_PUT, OP_PUT, OP_MIRROR,
	    OP_MIRROR, OP_MIRROR, OP_MIRROR, OP_GET, OP_DEL, OP_LIST, OP_TEST,
	    OP_VERIFY };

	memset(s, 0, sizeof(*s));
	s->kind = kind;
	for (int i = 0; i < FIELDS_MAX; i++) {
		const struct field *f = &kinds[kind].fields[i];

		if (f->name == NULL)
			continue;
		if (f->words == names && f->chance > 0)
			s->v[i] = focus->name;
		else if (f->words == dirs && f->chance > 50)
			s->v[i] = focus->dir;
		if (below(rng, 100) >= f->chance ||
		    ((f->words == names || f->words == dirs) &&
		    below(rng, 10) < 6))
			continue;
		s->v[i] = below(rng, f->words == ops ?
		    (int)ARRAY_LEN(some_ops) : f->count);
		if (f->words == ops)
			s->v[i] = some_ops[s->v[i]];
		else if (f->words == NULL && f->count > 10)
			s->v[i] = below(rng, s->v[i] + 1);
	}
}

static void
add_step(struct history *h, const char *name, const int v[4])
{
	struct step *s = &h->steps[h->count];

	memset(s, 0, sizeof(*s));
	s->kind = MAX(kind_number(name), 0);
	memcpy(s->v, v, 4 * sizeof(int));
	h->count++;
}

static void
draw_settings(struct rng *rng, struct setting *set)
{
	for (size_t i = 0; i < ARRAY_LEN(settings); i++)
		*field_of(set, i) = below(rng, 100) < settings[i].chance;
}

static void
draw_past(struct rng *rng, struct history *h, const struct focus foci[FOCI])
{
	if (h->count < STEPS_MAX - 1)
		draw_step(rng, &h->steps[h->count++], kind_number(
		    below(rng, 2) == 0 ? "undo" : "as_of"), foci);
}

/* Something is deleted, which may come back. */
static void
draw_deletion(struct rng *rng, struct history *h, const struct focus foci[FOCI])
{
	const struct focus *f = &foci[below(rng, FOCI)];
	bool all = below(rng, 2) == 0;

	if (!all)
		add_step(h, "remove", (const int[4]){ f->dir, f->name, 0, 0 });
	add_step(h, "run", (const int[4]){ all ? OP_DEL : OP_MIRROR,
	    below(rng, 6) == 0 ? f->dir : 0, 0, 0 });
}

/* Some files and a run first, that the rest has something to spoil. In one
 * history of seven the server has two names, in turn; one of three asks for the
 * past, again and again. */
void
history_draw(struct history *h, uint64_t seed)
{
	struct rng rng;
	struct focus foci[FOCI];
	bool turns, past;
	size_t more;

	memset(h, 0, sizeof(*h));
	snprintf(h->name, sizeof(h->name), "seed %lu", (unsigned long)seed);
	rng_seed(&rng, seed * 0x9e3779b97f4a7c15u + 1);
	for (int i = 0; i < 5; i++)
		rng_next(&rng);
	draw_settings(&rng, &h->set);
	draw_focus(&rng, foci);
	turns = below(&rng, 7) == 0;
	past = below(&rng, 3) == 0;
	for (int i = 0, n = 2 + below(&rng, 6); i < n; i++)
		add_step(h, "create", (const int[4]){
		    i < FOCI ? foci[i].dir : below(&rng, 6),
		    i < FOCI ? foci[i].name : below(&rng, 5),
		    below(&rng, 6), 0 });
	if (below(&rng, 10) < 7)
		add_step(h, "run", (const int[4]){ 0 });
	if (past && below(&rng, 3) != 0)
		draw_deletion(&rng, h, foci);
	more = 3 + (size_t)below(&rng, 14);
	for (size_t i = 0; i < more && h->count < STEPS_MAX - 1; i++) {
		struct step *s = &h->steps[h->count++];

		draw_step(&rng, s, draw_kind(&rng), foci);
		if (past && below(&rng, 3) == 0)
			draw_past(&rng, h, foci);
		else if (kinds[s->kind].type == STEP_BEND &&
		    below(&rng, 10) < 7)
			draw_step(&rng, &h->steps[h->count++],
			    kind_number("run"), foci);
		if (turns && h->count < STEPS_MAX - 1 && below(&rng, 3) == 0)
			add_step(h, "turn", (const int[4]){ 0 });
	}
}

/* --- text --- */

/* Those that say where and what are always there. */
static void
add_field(struct buf *b, const struct field *f, int v)
{
	if (v == 0 && (f->words == NULL || f->chance < 60))
		return;
	if (f->words != NULL)
		buf_addf(b, " %s=%s", f->name, f->words[v]);
	else
		buf_addf(b, " %s=%d", f->name, v);
}

void
history_text(const struct history *h, struct buf *b)
{
	struct setting set = h->set;

	buf_addstr(b, "set");
	for (size_t i = 0; i < ARRAY_LEN(settings); i++)
		add_field(b, &(struct field){ settings[i].name, 2, 0, NULL },
		    *field_of(&set, i));
	buf_addch(b, '\n');
	for (size_t i = 0; i < h->count; i++) {
		const struct step_kind *k = kind_of(&h->steps[i]);

		buf_addstr(b, k->name);
		for (int f = 0; f < FIELDS_MAX; f++)
			if (k->fields[f].name != NULL)
				add_field(b, &k->fields[f],
				    h->steps[i].v[f]);
		buf_addch(b, '\n');
	}
}

static int
read_setting(struct history *h, const char *name, int v)
{
	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		if (strcmp(settings[i].name, name) != 0)
			continue;
		*field_of(&h->set, i) = v;
		return 0;
	}
	return -1;
}

static int
field_value(const struct field *f, const char *text)
{
	char *end;
	long n;

	for (int i = 0; f->words != NULL && f->words[i] != NULL; i++)
		if (strcmp(f->words[i], text) == 0)
			return i;
	n = strtol(text, &end, 10);
	return f->words != NULL || *end != '\0' || n < 0 || n >= f->count ?
	    -1 : (int)n;
}

static int
read_field(struct step *s, const char *name, const char *text)
{
	const struct field *f = kinds[s->kind].fields;

	for (int i = 0; i < FIELDS_MAX && f[i].name != NULL; i++) {
		if (strcmp(f[i].name, name) != 0)
			continue;
		s->v[i] = field_value(&f[i], text);
		return s->v[i] == -1 ? -1 : 0;
	}
	return -1;
}

static int
read_line(struct history *h, char *line)
{
	char *save = NULL, *word = strtok_r(line, " \n", &save), *field;
	struct step *s = &h->steps[h->count];
	bool set;

	if (word == NULL || word[0] == '#')
		return 0;
	set = strcmp(word, "set") == 0;
	if (!set) {
		if (h->count == STEPS_MAX)
			return -1;
		add_step(h, word, (const int[4]){ 0 });
		if (strcmp(kinds[s->kind].name, word) != 0)
			return -1;
	}
	while ((field = strtok_r(NULL, " \n", &save)) != NULL) {
		char *value = strchr(field, '=');

		if (value == NULL)
			return -1;
		*value++ = '\0';
		if ((set ? read_setting(h, field, (int)strtol(value, NULL,
		    10)) : read_field(s, field, value)) == -1)
			return -1;
	}
	return 0;
}

int
history_read(struct history *h, const char *file)
{
	FILE *f = fopen(file, "r");
	char line[512];

	memset(h, 0, sizeof(*h));
	snprintf(h->name, sizeof(h->name), "%s", file);
	if (f == NULL) {
		perror(file);
		return -1;
	}
	while (fgets(line, sizeof(line), f) != NULL) {
		AUTOFREE char *copy = xstrdup(line);

		if (read_line(h, line) == -1) {
			fprintf(stderr, "%s: no step: %s", file, copy);
			fclose(f);
			return -1;
		}
	}
	fclose(f);
	return 0;
}
