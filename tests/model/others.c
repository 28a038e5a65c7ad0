/*
 * others.c: the steps on settings, clock, catalog and bucket.
 */
#include <dirent.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model.h"

static uint64_t saved_at;
static bool saved;

void
play_conf(const int *v)
{
	w.moved |= w.conf != v[0];
	w.conf = v[0];
}

/* The server's other name, without it in the keys. */
void
play_turn(const int *v UNUSED)
{
	const int name[] = { w.conf == 1 ? 2 : 1 };

	play_conf(name);
}

/* The protocol that the server is spoken to with. */
static int
spoken(int version)
{
	return version == 1 ? 4 : 3;
}

/* little (memory), parts (larger), skip, ctime, version: of the runs from now
 * on. With little memory, parts of before that are larger have no room. */
void
play_settings(const int *v)
{
	w.memory_mib = v[0] != 0 ? 11 : 0;
	w.part_mib = v[0] == 0 && v[1] != 0 ? 6 : 5;
	w.skip = v[2] != 0;
	w.ctime = v[3] != 0;
	w.versions |= spoken(w.version) != spoken(v[4]);
	w.version = v[4];
}

/* dir: a share of its own too from now on, and no other; the top: none is. The
 * number of a file system that is mounted tells its place below the share: by
 * another share it is another one. */
void
play_inner(const int *v)
{
	w.inner = v[0];
	w.renumbered |= rel_dir(w.inner)[0] == 'v' && w.set.volume != 0 &&
	    w.set.nfs == 0;
}

/* By hours from now on: forth, a day forth, back, a day back. What times of
 * full seconds hide is found only where the clocks agree (clock_skew). */
void
play_clock(const int *v)
{
	static const long hours[] = { 20, 1, 26, -1, -26 };

	if (w.set.coarse)
		return;
	w.clock_s += hours[v[0]] * 3600;
	if (hours[v[0]] < 0)
		past_clock_back();
}

/* datamover catalog ACTION FILE must succeed, and so must the check of what
 * came of it. */
static void
keep(const char *action, const char *option, const char *file)
{
	const char *words[] = { "catalog", action, option, file, NULL };
	const char *check[] = { "catalog", "check",
	    strcmp(action, "backup") == 0 ? file : NULL, NULL };

	if (run_verb(words) != 0)
		breach(5, "catalog %s failed", action);
	else if (run_verb(check) != 0)
		breach(5, "after catalog %s it is damaged", action);
}

/* The former catalogs are not looked at. */
static void
forget_formers(void)
{
	AUTOFREE char *pattern = xasprintf("%s/cat/catalog.db.2*", w.dir);
	glob_t found;

	if (glob(pattern, 0, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc; i++)
		unlink(found.gl_pathv[i]);
	globfree(&found);
}

void
others_begin(void)
{
	saved = false;
}

void
play_save(const int *v UNUSED)
{
	AUTOFREE char *file = xasprintf("%s/saved/catalog.db", w.dir);

	if (!catalog_exists())
		return;
	keep("backup", "--replace", file);
	saved = true;
	saved_at = store_now();
}

/* Another program puts the copy in the place of the catalog, which no run
 * holds. */
static void
put_by_hand(const char *file)
{
	AUTOFREE char *command = xasprintf("cd %s/cat && "
	    "rm -f catalog.db-wal catalog.db-shm && cp %s catalog.db", w.dir,
	    file);

	catalog_close();
	if (system(command) != 0)
		breach(5, "the copy can't be put in the place of the catalog");
}

/* hand: not by the verb. The catalog is that of before; what the bucket got
 * since isn't known. */
void
play_restore(const int *v)
{
	AUTOFREE char *file = xasprintf("%s/saved/catalog.db", w.dir);

	if (!saved)
		return;
	if (v[0] != 0)
		put_by_hand(file);
	else
		keep("restore", "--yes", file);
	forget_formers();
	judge_touched_since(saved_at);
	journal_forget();
	past_forget();
	w.restored = w.unasked = true;
}

/* What was over until now is dropped: no question for the past has an answer,
 * and every run goes on as if nothing had happened. */
void
play_prune(const int *v UNUSED)
{
	if (!catalog_exists())
		return;
	keep("prune", "--keep=0d", NULL);
	journal_forget();
	past_pruned();
}

/* on: of all buckets; 0: suspended. What has had versions has them. */
void
play_versioning(const int *v)
{
	store_versioning(v[0] != 0);
}

/* Another tool puts an object, with the file's bytes or others. */
void
play_foreign(const int *v)
{
	const char *rel = rel_name(v[0], v[1]);
	AUTOFREE char *key = key_of(rel);
	AUTOFREE char *path = tree_path(rel);
	char data[8192];
	FILE *f = fopen(path, "r");
	size_t n = f == NULL ? 0 : fread(data, 1, sizeof(data), f);

	if (f != NULL)
		fclose(f);
	if (v[2] == 0 || n == sizeof(data))
		n = (size_t)snprintf(data, sizeof(data), "foreign");
	store_put_foreign(conf_bucket(w.conf), key, data, n);
}

/* Another tool removes one. */
void
play_tamper(const int *v)
{
	AUTOFREE char *key = key_of(rel_name(v[0], v[1]));

	store_remove_foreign(conf_bucket(w.conf), key);
}
