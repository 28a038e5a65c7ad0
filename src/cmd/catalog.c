/*
 * catalog: backs the catalog up, checks it, puts a copy in its place, moves it,
 * drops what is long over.
 */
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/exit_status.h"
#include "base/units.h"
#include "cmd/cmd.h"
#include "db/keep.h"
#include "db/prune.h"
#include "frame/who.h"

static int
need_file(const struct options *o, struct err *err)
{
	if (o->word_count == 2)
		return 0;
	return err_set(err, ERR_USAGE, 0, "one file is needed: datamover "
	    "catalog %s FILE", o->words[0]);
}

static int
backup(const struct options *o, const char *path, struct err *err)
{
	char shown[16];
	struct stat st;

	if (need_file(o, err) == -1 ||
	    catalog_backup(path, o->words[1], o->replace, err) == -1)
		return -1;
	if (stat(o->words[1], &st) == -1)
		return err_set(err, ERR_RESOURCE, 0, "%s is gone again",
		    o->words[1]);
	printf("%s: a copy of the catalog (%s)\n", o->words[1],
	    units_format((uint64_t)st.st_size, shown));
	return 0;
}

/* --- check --- */

static void
print_finding(void *arg UNUSED, const char *finding)
{
	char text[4096];

	puts(str_escape(str_of(finding), text, sizeof(text)));
}

static int
check(const struct options *o, const char *path, struct err *err)
{
	if (o->word_count > 2)
		return need_file(o, err);
	if (o->word_count == 2)
		path = o->words[1];
	if (catalog_verify(path, print_finding, NULL, err) == -1)
		return -1;
	printf("%s: the catalog is whole\n", path);
	return 0;
}

/* --- restore, move --- */

static bool
says_yes(void)
{
	char line[80];

	return fgets(line, sizeof(line), stdin) != NULL &&
	    strcmp(line, "yes\n") == 0;
}

static int
ask(const struct options *o, const char *path, bool *ret_declined,
    struct err *err)
{
	char copy[400], text[400];

	if (o->job.yes)
		return 0;
	if (isatty(STDIN_FILENO) == 0 || isatty(STDERR_FILENO) == 0)
		return err_set(err, ERR_USAGE, 0, "there is nobody to be "
		    "asked: --yes puts the copy in place without asking");
	fprintf(stderr, "The copy %s takes the place of the catalog %s.\n"
	    "The catalog of now stays beside it, under another name.\n"
	    "Type \"yes\" to go on: ",
	    str_escape(str_of(o->words[1]), copy, sizeof(copy)),
	    str_escape(str_of(path), text, sizeof(text)));
	fflush(stderr);
	if (says_yes())
		return 0;
	*ret_declined = true;
	return err_set(err, ERR_STOPPED, 0, "not confirmed: nothing was "
	    "changed");
}

static int
restore(const struct options *o, const char *path, struct err *err)
{
	AUTOFREE char *former = NULL;
	struct keeper keeper;
	struct who who;

	who_is_it(&who, NULL);
	keeper = (struct keeper){ who.row.user, who.row.sudo_user,
	    who.row.host };
	if (catalog_restore(path, o->words[1], &keeper, &former, err) == -1) {
		if (former != NULL)
			err_wrap(err, "the former catalog is also %s", former);
		return -1;
	}
	printf("%s: the copy %s is the catalog now\n", path, o->words[1]);
	if (former != NULL)
		printf("%s: the former catalog\n", former);
	return 0;
}

static int
move(const struct options *o, const char *path, struct err *err)
{
	if (need_file(o, err) == -1 ||
	    catalog_move(path, o->words[1], err) == -1)
		return -1;
	printf("%s: the catalog is here now; set path in [catalog] to this\n",
	    o->words[1]);
	return 0;
}

/* --- prune --- */

/* "13M": so many months before now; y, M, w and d. */
static int
parse_keep(const char *text, int64_t now, int64_t *ret, struct err *err)
{
	size_t digits = strspn(text, "0123456789");
	const char *unit = text + digits;
	time_t seconds = (time_t)now;
	struct tm tm;
	int n;

	if (digits == 0 || digits > 5 || unit[0] == '\0' || unit[1] != '\0' ||
	    strchr("yMwd", unit[0]) == NULL || gmtime_r(&seconds, &tm) == NULL)
		return err_set(err, ERR_USAGE, 0, "--keep is a number of "
		    "years, months, weeks or days, such as 2y, 13M, 8w, 90d, "
		    "not \"%s\"", text);
	n = (int)strtol(text, NULL, 10);
	tm.tm_year -= unit[0] == 'y' ? n : 0;
	tm.tm_mon -= unit[0] == 'M' ? n : 0;
	tm.tm_mday -= unit[0] == 'w' ? 7 * n : unit[0] == 'd' ? n : 0;
	/* No run began before 1970; nanoseconds have no place for a time long
	 * before. */
	*ret = MAX(timegm(&tm), 0);
	return 0;
}

static void
print_pruned(const struct prune *p, const char *date, const char *path)
{
	if (p->nothing) {
		printf("%s: no run began before %s; nothing is over\n", path,
		    date);
		return;
	}
	printf("%s: dropped of before %s: %ju events, %ju versions, "
	    "%ju failures, %ju verdicts\n", path, date,
	    (uintmax_t)p->events, (uintmax_t)p->versions,
	    (uintmax_t)p->failures, (uintmax_t)p->verdicts);
	if (p->kept_space)
		puts("somebody reads the catalog: the next prune makes the "
		    "file smaller");
}

static int
prune(const struct options *o, const char *path, struct err *err)
{
	struct prune p = { .horizon_ns = 0 };
	int64_t now, seconds = 0;
	struct who who;
	char date[32];

	if (o->word_count > 1)
		return err_set(err, ERR_USAGE, 0, "\"%s\" has no place here",
		    o->words[1]);
	if (o->keep == NULL)
		return err_set(err, ERR_USAGE, 0, "--keep is needed: how much "
		    "of the past stays, such as 13M");
	now = clock_wall_ns();
	if (parse_keep(o->keep, now / 1000000000, &seconds, err) == -1)
		return -1;
	who_is_it(&who, NULL);
	p.horizon_ns = seconds * 1000000000 + now % 1000000000;
	p.user = who.row.user;
	p.sudo_user = who.row.sudo_user;
	p.host = who.row.host;
	if (catalog_prune(path, &p, err) == -1)
		return -1;
	clock_iso8601(seconds, date);
	print_pruned(&p, date, path);
	return 0;
}

static const struct {
	const char *name;
	int	 (*run)(const struct options *, const char *path,
		    struct err *);
	bool	 asks;
} actions[] = {
	{ "backup", backup, false },
	{ "check", check, false },
	{ "restore", restore, true },
	{ "move", move, false },
	{ "prune", prune, false },
};

static int
keep(const struct options *o, bool *ret_declined, struct err *err)
{
	AUTOFREE char *path = NULL;

	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		if (strcmp(o->words[0], actions[i].name) != 0)
			continue;
		/* A file to be checked needs no settings. */
		if (actions[i].run == check && o->word_count == 2)
			return check(o, NULL, err);
		if (cmd_find_catalog(o, &path, err) == -1 ||
		    (actions[i].asks && (need_file(o, err) == -1 ||
		    ask(o, path, ret_declined, err) == -1)))
			return -1;
		return actions[i].run(o, path, err);
	}
	return err_set(err, ERR_USAGE, 0, "backup, check, restore, move or "
	    "prune, not \"%s\"", o->words[0]);
}

int
cmd_catalog(int argc, char **argv)
{
	struct err err = ERR_INIT;
	bool declined = false;
	struct options o;
	int status;

	if (cmd_begin(&o, VERB_CATALOG, argc, argv, &status) &&
	    keep(&o, &declined, &err) == -1) {
		status = cmd_error("catalog", &err);
		if (declined)
			status = EXIT_GUARD;
	}
	options_release(&o);
	return status;
}
