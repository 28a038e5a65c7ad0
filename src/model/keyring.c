#include "model/keyring.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

struct keyring {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	_Atomic uint64_t number;	/* written under the lock */
	_Atomic bool awaits;		/* likewise */
	_Atomic bool has_renewer;
	struct {
		struct keys keys;
		bool	 woken;
		bool	 given_up;	/* renewing the keys in force */
		struct err why;
	} locked;
};

/* --- keys --- */

void
keys_release(struct keys *k)
{
	free_secret(&k->access_key);
	free_secret(&k->secret_key);
	free_secret(&k->session_token);
	k->expires_sec = 0;
}

static char *
copy(const char *s)
{
	return s == NULL ? NULL : xstrdup(s);
}

void
keys_copy(struct keys *to, const struct keys *from)
{
	*to = (struct keys){ .access_key = copy(from->access_key),
	    .secret_key = copy(from->secret_key),
	    .session_token = copy(from->session_token),
	    .expires_sec = from->expires_sec };
}

static bool
same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool
keys_same(const struct keys *a, const struct keys *b)
{
	return same(a->access_key, b->access_key) &&
	    same(a->secret_key, b->secret_key) &&
	    same(a->session_token, b->session_token);
}

static int
check(const char *name, const char *value, size_t max, struct err *err)
{
	if (value == NULL || value[0] == '\0')
		return err_set(err, ERR_CONFIG, 0, "%s: not set", name);
	if (strlen(value) > max)
		return err_set(err, ERR_CONFIG, 0, "%s: over %zu bytes", name,
		    max);
	for (const char *p = value; *p != '\0'; p++)
		if ((unsigned char)*p <= 0x20 || *p == 0x7f)
			return err_set(err, ERR_CONFIG, 0, "%s: blanks and "
			    "control characters are not allowed", name);
	return 0;
}

int
keys_check(const struct keys *k, struct err *err)
{
	if (check("access_key", k->access_key, KEYS_ID_MAX, err) == -1 ||
	    check("secret_key", k->secret_key, KEYS_SECRET_MAX, err) == -1)
		return -1;
	return k->session_token == NULL ? 0 : check("session_token",
	    k->session_token, KEYS_TOKEN_MAX, err);
}

/* --- the ring --- */

struct keyring *
keyring_new(void)
{
	struct keyring *r = xcalloc(1, sizeof(*r));
	pthread_condattr_t attr;

	pthread_mutex_init(&r->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&r->changed, &attr);
	pthread_condattr_destroy(&attr);
	return r;
}

void
keyring_free(struct keyring **rp)
{
	struct keyring *r = STEAL(*rp);

	if (r == NULL)
		return;
	keys_release(&r->locked.keys);
	pthread_cond_destroy(&r->changed);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

void
keyring_set(struct keyring *r, const struct keys *k, uint64_t number)
{
	pthread_mutex_lock(&r->lock);
	keys_release(&r->locked.keys);
	keys_copy(&r->locked.keys, k);
	r->locked.given_up = false;
	atomic_store(&r->number, number != 0 ? number :
	    atomic_load(&r->number) + 1);
	atomic_store(&r->awaits, false);
	pthread_mutex_unlock(&r->lock);
}

uint64_t
keyring_number(const struct keyring *r)
{
	return atomic_load(&r->number);
}

uint64_t
keyring_get(struct keyring *r, struct keys *ret)
{
	uint64_t number;

	pthread_mutex_lock(&r->lock);
	keys_copy(ret, &r->locked.keys);
	number = atomic_load(&r->number);
	pthread_mutex_unlock(&r->lock);
	return number;
}

bool
keyring_expired(struct keyring *r, uint64_t number, struct err *err)
{
	bool hope = true;

	pthread_mutex_lock(&r->lock);
	if (number == atomic_load(&r->number)) {
		hope = atomic_load(&r->has_renewer) && !r->locked.given_up;
		if (hope && !atomic_exchange(&r->awaits, true))
			pthread_cond_broadcast(&r->changed);
		else if (r->locked.given_up)
			*err = r->locked.why;
		else if (!hope)
			err_set(err, ERR_DENIED, 0, "they are set once and "
			    "never renewed");
	}
	pthread_mutex_unlock(&r->lock);
	return hope;
}

bool
keyring_awaits(const struct keyring *r)
{
	return atomic_load(&r->awaits);
}

bool
keyring_is_renewed(const struct keyring *r)
{
	return atomic_load(&r->has_renewer);
}

void
keyring_has_renewer(struct keyring *r)
{
	atomic_store(&r->has_renewer, true);
}

void
keyring_wait(struct keyring *r, uint64_t ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)(ms / 1000);
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&r->lock);
	while (!r->locked.woken && !atomic_load(&r->awaits))
		if (pthread_cond_timedwait(&r->changed, &r->lock, &until) ==
		    ETIMEDOUT)
			break;
	pthread_mutex_unlock(&r->lock);
}

void
keyring_wake(struct keyring *r)
{
	pthread_mutex_lock(&r->lock);
	r->locked.woken = true;
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
}

void
keyring_give_up(struct keyring *r, uint64_t number, const struct err *err)
{
	pthread_mutex_lock(&r->lock);
	if (number == atomic_load(&r->number)) {
		r->locked.given_up = true;
		r->locked.why = *err;
		atomic_store(&r->awaits, false);
	}
	pthread_mutex_unlock(&r->lock);
}

bool
keyring_given_up(struct keyring *r, uint64_t number, struct err *err)
{
	bool is;

	pthread_mutex_lock(&r->lock);
	is = r->locked.given_up && number == atomic_load(&r->number);
	if (is)
		*err = r->locked.why;
	pthread_mutex_unlock(&r->lock);
	return is;
}
