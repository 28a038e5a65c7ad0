/*
 * touched.c: the objects that are not what the catalog may think, by
 * "bucket/key": somebody else has changed them, or the catalog is one of
 * before; until the program changes them itself.
 */
#include <pthread.h>

#include "model.h"

struct change {
	char	*name;
	uint64_t at;		/* store_now() */
};

static struct {
	pthread_mutex_t lock;	/* the store's threads ask too */
	struct {
		char	**v;
		size_t	 count;
		struct change *changes;	/* by the program */
		size_t	 change_count;
	} locked;
} t = { .lock = PTHREAD_MUTEX_INITIALIZER };

void
touched_forget(void)
{
	for (size_t i = 0; i < t.locked.count; i++)
		free(t.locked.v[i]);
	for (size_t i = 0; i < t.locked.change_count; i++)
		free(t.locked.changes[i].name);
	t.locked.count = t.locked.change_count = 0;
}

bool
is_touched(const char *bucket, const char *key)
{
	AUTOFREE char *name = xasprintf("%s/%s", bucket, key);

	return is_touched_name(name);
}

bool
is_touched_name(const char *name)
{
	bool found = false;

	pthread_mutex_lock(&t.lock);
	for (size_t i = 0; i < t.locked.count && !found; i++)
		found = strcmp(t.locked.v[i], name) == 0;
	pthread_mutex_unlock(&t.lock);
	return found;
}

bool
any_touched(void)
{
	return t.locked.count > 0;
}

void
touched_each(void (*fn)(void *, const char *name), void *arg)
{
	for (size_t i = 0; i < t.locked.count; i++)
		fn(arg, t.locked.v[i]);
}

static void
touch_locked(const char *name)
{
	t.locked.v = xreallocarray(t.locked.v, t.locked.count + 1,
	    sizeof(*t.locked.v));
	t.locked.v[t.locked.count++] = xstrdup(name);
}

static void
untouch_locked(const char *name)
{
	for (size_t i = 0; i < t.locked.count; i++) {
		if (strcmp(t.locked.v[i], name) != 0)
			continue;
		free(t.locked.v[i]);
		t.locked.v[i--] = t.locked.v[--t.locked.count];
	}
}

bool
ever_ours(const char *name)
{
	bool found = false;

	pthread_mutex_lock(&t.lock);
	for (size_t i = 0; i < t.locked.change_count && !found; i++)
		found = strcmp(t.locked.changes[i].name, name) == 0;
	pthread_mutex_unlock(&t.lock);
	return found;
}

void
judge_changed(const char *name)
{
	struct change c = { xstrdup(name), store_now() };

	pthread_mutex_lock(&t.lock);
	untouch_locked(name);
	t.locked.changes = xreallocarray(t.locked.changes,
	    t.locked.change_count + 1, sizeof(c));
	t.locked.changes[t.locked.change_count++] = c;
	pthread_mutex_unlock(&t.lock);
}

void
judge_touched(const char *name)
{
	pthread_mutex_lock(&t.lock);
	touch_locked(name);
	pthread_mutex_unlock(&t.lock);
}

void
judge_touched_since(uint64_t at)
{
	pthread_mutex_lock(&t.lock);
	for (size_t i = 0; i < t.locked.change_count; i++)
		if (t.locked.changes[i].at > at)
			touch_locked(t.locked.changes[i].name);
	pthread_mutex_unlock(&t.lock);
}
