/*
 * filter.c: the filters that runs are drawn with, each with what it leaves
 * out, said a second time and by itself.
 */
#include "model.h"

static bool
hides_tmp(const char *rel, uint64_t size UNUSED)
{
	return str_ends(str_of(rel), STR(".tmp")) ||
	    strstr(rel, ".tmp/") != NULL;
}

static bool
hides_a(const char *rel, uint64_t size UNUSED)
{
	return strncmp(rel, "a/", 2) == 0 || strstr(rel, "/a/") != NULL;
}

static bool
hides_below_c(const char *rel, uint64_t size UNUSED)
{
	return strncmp(rel, "c/", 2) == 0 || strcmp(rel, "c") == 0;
}

static bool
hides_small(const char *rel UNUSED, uint64_t size)
{
	return size < 5;
}

static bool
hides_large(const char *rel UNUSED, uint64_t size)
{
	return size > 4000;
}

/* Directories too. */
static bool
hides_all_but_f(const char *rel, uint64_t size UNUSED)
{
	return strchr(rel, '/') != NULL || rel[0] != 'f';
}

static const struct {
	const char *options[6];
	bool	 (*hides)(const char *rel, uint64_t size);
} filters[] = {
	{ { NULL }, NULL },
	{ { "--exclude", "*.tmp", NULL }, hides_tmp },
	{ { "--exclude", "a/", NULL }, hides_a },
	{ { "--exclude", "/c/***", "--exclude", "/c", NULL }, hides_below_c },
	{ { "--min-size", "5", NULL }, hides_small },
	{ { "--max-size", "4000", NULL }, hides_large },
	{ { "--include", "f*", "--exclude", "*", NULL }, hides_all_but_f },
};

int
filter_count(void)
{
	return (int)ARRAY_LEN(filters);
}

const char *const *
filter_options(int filter)
{
	return filters[filter].options;
}

/* Below a share inside the other one, paths begin there. */
static const char *
in_share(const char *rel)
{
	const char *inner = rel_dir(w.inner);
	size_t len = strlen(inner);

	return w.inner != 0 && strncmp(rel, inner, len) == 0 &&
	    rel[len] == '/' ? rel + len + 1 : rel;
}

bool
filter_hides(int filter, const char *rel, uint64_t size)
{
	rel = in_share(rel);
	if (w.skip && (strncmp(rel, "b/", 2) == 0 ||
	    strstr(rel, "/b/") != NULL))
		return true;
	return filters[filter].hides != NULL &&
	    filters[filter].hides(rel, size);
}
