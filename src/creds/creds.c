/* The order of the sources, and the thread that renews. */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "creds/creds_internal.h"

#define AHEAD_MS	300000	/* renew so long before the end, at most */
#define ENDED_MS	60000	/* ... and after it, so often */
#define APART_MS	100	/* between two renewals, at least */
#define LOOK_MS		1000	/* how often to look at the files */
#define BACKOFF_MS	200	/* before another attempt; then twice as long */
#define BACKOFF_MAX_MS	10000

/* --- the sources --- */

/* An access key in the settings without its secret: the keys of no other
 * access key will do. */
static int
if_wanted(const struct creds_ask *a, struct keys *k, int rc)
{
	const char *want = a->store->access_key;

	if (rc != 1 || want == NULL || strcmp(want, k->access_key) == 0)
		return rc;
	keys_release(k);
	return 0;
}

static int
from_settings(struct creds_ask *a, struct keys *k, struct err *err UNUSED)
{
	const struct store *s = a->store;

	if (s->access_key == NULL || s->secret_key == NULL)
		return 0;
	keys_copy(k, &(struct keys){ .access_key = s->access_key,
	    .secret_key = s->secret_key,
	    .session_token = s->session_token });
	return 1;
}

/* A profile named by the settings goes before the environment. */
static int
from_environment(struct creds_ask *a, struct keys *k, struct err *err)
{
	return a->store->profile != NULL ? 0 :
	    if_wanted(a, k, creds_from_environment(a, k, err));
}

static int
from_web_identity(struct creds_ask *a, struct keys *k, struct err *err)
{
	return a->store->profile != NULL || a->store->access_key != NULL ? 0 :
	    creds_from_web_identity(a, k, err);
}

static int
from_profile(struct creds_ask *a, struct keys *k, struct err *err)
{
	const char *name = a->store->profile;
	bool named = true;

	if (name == NULL)
		name = creds_env("AWS_PROFILE");
	if (name == NULL) {
		name = "default";
		named = false;
	}
	return if_wanted(a, k, creds_from_profile(a, name, named, k, err));
}

static int
from_container(struct creds_ask *a, struct keys *k, struct err *err)
{
	return a->store->access_key != NULL ? 0 :
	    creds_from_container(a, k, err);
}

static int
from_instance(struct creds_ask *a, struct keys *k, struct err *err)
{
	return a->store->access_key != NULL ? 0 :
	    creds_from_instance(a, k, err);
}

static const struct source {
	const char *name;	/* in the log */
	int	 (*find)(struct creds_ask *, struct keys *, struct err *);
	bool	 watched;	/* keys without an end change with the files */
} sources[] = {
	{ "settings", from_settings, false },
	{ "environment", from_environment, false },
	{ "web identity", from_web_identity, false },
	{ "profile", from_profile, true },
	{ "container", from_container, false },
	{ "instance", from_instance, false },
};

/* --- renewing --- */

/* What a change of a file shows in. */
struct stamp {
	bool	 there;
	ino_t	 ino;
	off_t	 size;
	struct timespec mtime;
};

struct creds {
	struct conf *conf;
	struct keyring *ring;
	const struct source *source;
	pthread_t thread;
	bool	 has_thread;
	_Atomic bool stop;
	/* private to the thread */
	struct keys now;	/* in force */
	struct stamp stamps[2];
	uint64_t due_ms;	/* when to renew; UINT64_MAX: on demand */
	uint64_t failing_ms;	/* since when keys are awaited in vain; or 0 */
	uint64_t backoff_ms;
	uint64_t taken_ms;	/* when the keys came */
	bool	 said;		/* a warning of the failure */
};

/* Ask one source; release what is returned. */
static int
ask(struct creds *c, const struct source *s, struct keys *k,
    char **ret_region, struct err *err)
{
	struct creds_ask a = { .store = &c->conf->s3_storage,
	    .stop = &c->stop };
	int rc = aws_files_read(&a.files, err);

	if (rc == 0)
		rc = s->find(&a, k, err);
	aws_files_release(&a.files);
	if (rc == 1)
		*ret_region = STEAL(a.region);
	free(a.region);
	if (rc == 1 && keys_check(k, err) == -1) {
		keys_release(k);
		return -1;
	}
	return rc;
}

static void
stamp(struct stamp v[2])
{
	AUTOFREE char *config = aws_config_path();
	AUTOFREE char *credentials = aws_credentials_path();
	const char *paths[] = { config, credentials };
	struct stat st;

	memset(v, 0, 2 * sizeof(*v));
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		if (paths[i] == NULL || stat(paths[i], &st) == -1)
			continue;
		v[i].there = true;
		v[i].ino = st.st_ino;
		v[i].size = st.st_size;
		v[i].mtime = st.st_mtim;
	}
}

static bool
is_changed(struct creds *c)
{
	struct stamp now[2];
	bool changed = false;

	stamp(now);
	for (size_t i = 0; i < ARRAY_LEN(now); i++)
		changed = changed || now[i].there != c->stamps[i].there ||
		    now[i].ino != c->stamps[i].ino ||
		    now[i].size != c->stamps[i].size ||
		    now[i].mtime.tv_sec != c->stamps[i].mtime.tv_sec ||
		    now[i].mtime.tv_nsec != c->stamps[i].mtime.tv_nsec;
	memcpy(c->stamps, now, sizeof(now));
	return changed;
}

/* Renew when three quarters of the time are over, or 5 minutes before the
 * end. A source may give the same keys until shortly before their end. By our
 * clock the keys may have ended long ago: then the store decides. */
static void
plan(struct creds *c)
{
	int64_t left_ms = c->now.expires_sec * 1000 -
	    clock_wall_ns() / 1000000;
	uint64_t left = left_ms > 0 ? (uint64_t)left_ms : 0;

	c->due_ms = UINT64_MAX;
	if (c->now.expires_sec != 0)
		c->due_ms = clock_mono_ms() + (left == 0 ? ENDED_MS :
		    MAX(MAX(left / 4 * 3, left > AHEAD_MS ? left - AHEAD_MS :
		    0), (uint64_t)BACKOFF_MS));
}

static void
log_renewed(const struct creds *c)
{
	char until[32] = "", text[80];

	if (c->now.expires_sec != 0)
		clock_iso8601(c->now.expires_sec, until);
	log_event(LOG_INFO, EVENT_KEYS,
	    LOG_WITH(LOG_TEXT("source", c->source->name),
		LOG_TEXT("until", until[0] == '\0' ? NULL : until)),
	    "keys of S3 from %s", creds_describe(c, text));
}

static void
take(struct creds *c, struct keys *k)
{
	keyring_set(c->ring, k, 0);
	keys_release(&c->now);
	c->now = *k;
	memset(k, 0, sizeof(*k));
	c->taken_ms = clock_mono_ms();
	c->failing_ms = 0;
	c->backoff_ms = BACKOFF_MS;
	c->said = false;
	plan(c);
	log_renewed(c);
}

/* No other keys came: try again later; give up if requests have waited for
 * retry_for. */
static void
fail(struct creds *c, const struct err *err)
{
	uint64_t now = clock_mono_ms();
	uint64_t limit = c->conf->s3_storage.retry_for * UINT64_C(1000);

	c->due_ms = now + c->backoff_ms;
	c->backoff_ms = MIN(c->backoff_ms * 2, (uint64_t)BACKOFF_MAX_MS);
	if (!c->said)
		log_event(LOG_WARN, EVENT_KEYS_FAILED,
		    LOG_WITH(LOG_TEXT("source", c->source->name),
			LOG_TEXT("reason", err->msg)),
		    "the keys of S3 were not renewed: %s", err->msg);
	c->said = true;
	if (!keyring_awaits(c->ring)) {
		c->failing_ms = 0;
		return;
	}
	if (c->failing_ms == 0)
		c->failing_ms = now;
	if (now - c->failing_ms >= limit)
		keyring_give_up(c->ring, keyring_number(c->ring), err);
}

static void
renew(struct creds *c)
{
	CLEANUP(keys_release) struct keys k = { .access_key = NULL };
	AUTOFREE char *region = NULL;
	struct err err = ERR_INIT;
	bool awaited = keyring_awaits(c->ring);
	int rc = ask(c, c->source, &k, &region, &err);

	if (atomic_load(&c->stop))
		return;
	if (rc == 1 && !keys_same(&k, &c->now)) {
		take(c, &k);
	} else if (rc == 1 && !awaited && k.expires_sec !=
	    c->now.expires_sec) {
		c->now.expires_sec = k.expires_sec;
		plan(c);
	} else if (rc == 1 && !awaited) {
		plan(c);
	} else {
		if (rc != -1)
			err_set(&err, ERR_DENIED, 0, "%s gives %s",
			    c->source->name, rc == 1 ? "the same keys still" :
			    "no keys any more");
		fail(c, &err);
	}
}

static uint64_t
wait_ms(const struct creds *c)
{
	uint64_t now = clock_mono_ms();
	uint64_t left = c->due_ms <= now ? 0 : c->due_ms - now;

	return MIN(left, (uint64_t)LOOK_MS);
}

static void *
creds_main(void *arg)
{
	struct creds *c = arg;

	while (!atomic_load(&c->stop)) {
		bool failing = keyring_awaits(c->ring) && c->failing_ms != 0;

		/* While keys are awaited in vain, keyring_wait returns at
		 * once. */
		if (failing)
			poll(NULL, 0, (int)MIN(wait_ms(c),
			    (uint64_t)BACKOFF_MS));
		else
			keyring_wait(c->ring, wait_ms(c));
		if (atomic_load(&c->stop))
			break;
		/* A store may call all keys expired, one after the other. */
		if (keyring_awaits(c->ring) &&
		    clock_mono_ms() - c->taken_ms < APART_MS)
			poll(NULL, 0, APART_MS);
		if ((keyring_awaits(c->ring) && !failing) ||
		    clock_mono_ms() >= c->due_ms ||
		    (c->source->watched && is_changed(c)))
			renew(c);
	}
	return NULL;
}

/* The thread takes no signals: they are for the main thread. */
static int
start_thread(struct creds *c, struct err *err)
{
	sigset_t all, before;
	int no;

	keyring_has_renewer(c->ring);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	no = pthread_create(&c->thread, NULL, creds_main, c);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	c->has_thread = no == 0;
	return no == 0 ? 0 : err_errno(err, ERR_RESOURCE, no, "thread for "
	    "keys");
}

/* --- life --- */

/* No source has keys. If nobody has named the metadata service, its failure is
 * no news: this machine may be in no cloud, or in one with another service at
 * that address. */
static int
none(const struct creds *c, int rc, struct err *err)
{
	const char *want = c->conf->s3_storage.access_key;
	struct err why = *err;

	if (rc == -1 && (c->source->find != from_instance ||
	    creds_env("AWS_EC2_METADATA_SERVICE_ENDPOINT") != NULL))
		return -1;
	if (want != NULL)
		return err_set(err, ERR_CONFIG, 0, "no secret key for "
		    "access_key %s; set secret_key_file in [s3_storage], or "
		    "AWS_SECRET_ACCESS_KEY", want);
	return err_set(err, ERR_CONFIG, 0, "no S3 credentials; set access_key "
	    "and secret_key_file in [s3_storage], or another source of "
	    "datamover.conf(5), CREDENTIALS%s%s", rc == 0 ? "" : "; ",
	    rc == 0 ? "" : why.msg);
}

static int
find(struct creds *c, struct keys *k, struct err *err)
{
	struct store *s = &c->conf->s3_storage;
	CLEANUP(free_ptr) char *region = NULL;
	int rc = 0;

	stamp(c->stamps);
	for (size_t i = 0; i < ARRAY_LEN(sources) && rc == 0; i++) {
		c->source = &sources[i];
		rc = ask(c, c->source, k, &region, err);
	}
	if (rc != 1)
		return none(c, rc, err);
	if (region != NULL && creds_env("AWS_REGION") == NULL &&
	    creds_env("AWS_DEFAULT_REGION") == NULL && conf_origin_of(c->conf,
	    "s3_storage", "region") == CONF_DEFAULT) {
		free(s->region);
		s->region = STEAL(region);
	}
	return 0;
}

const char *
creds_describe(const struct creds *c, char out[80])
{
	CLEANUP(keys_release) struct keys k = { .access_key = NULL };
	char until[32] = "";

	keyring_get(c->ring, &k);
	if (k.expires_sec != 0)
		clock_iso8601(k.expires_sec, until);
	snprintf(out, 80, "%s%s%s", c->source->name, until[0] == '\0' ? "" :
	    ", until ", until);
	return out;
}

int
creds_start(struct creds **ret, struct conf *conf, struct err *err)
{
	CLEANUP(keys_release) struct keys k = { .access_key = NULL };
	struct creds *c = xcalloc(1, sizeof(*c));

	*ret = NULL;
	c->conf = conf;
	c->ring = conf->s3_storage.keyring;
	if (find(c, &k, err) == -1) {
		creds_stop(&c);
		return -1;
	}
	take(c, &k);
	if ((c->now.expires_sec != 0 || c->source->watched) &&
	    start_thread(c, err) == -1) {
		creds_stop(&c);
		return -1;
	}
	*ret = c;
	return 0;
}

void
creds_stop(struct creds **cp)
{
	struct creds *c = STEAL(*cp);

	if (c == NULL)
		return;
	atomic_store(&c->stop, true);
	if (c->has_thread) {
		keyring_wake(c->ring);
		pthread_join(c->thread, NULL);
	}
	keys_release(&c->now);
	free(c);
}
