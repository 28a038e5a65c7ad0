/*
 * store.c: the bucket: the benchmarks' S3 in memory, with hooks that bend
 * requests and tell the judge of every change.
 */
#include <signal.h>

#include "../bench/sink_serve.h"

#include "model.h"

#define BENDS_MAX	4

struct bend {
	int	 kind;
	int	 nth;
	int	 times;
	int	 how;
	int	 seen;
};

/* What may also become of a request (enum trouble goes before). */
enum {
	KILL_BEFORE = TROUBLE_WIDE + 1,
	KILL_AFTER,
	TERMINATE,
	KILL_LATE,		/* what is known by then is in the catalog */
	EXPIRED			/* the token ends, and another one comes */
};

static struct {
	pid_t	 pid;		/* of the run */
	bool	 kill_after;
	struct bend bends[BENDS_MAX];
	size_t	 bend_count;
	int	 during_at;	/* 0: nothing happens */
	void	 (*during)(void);
	unsigned long requests;
	unsigned long bucket_requests;
	unsigned long heads;
	uint64_t now;
	bool	 foreign;	/* what is put is not by the program */
} s;

/* What the model keeps beside an object's metadata: a line of its own at
 * their beginning. */
#define OWN_LINE	"x-model: "

static enum trouble
kill_run(int how)
{
	if (how == KILL_AFTER) {
		s.kill_after = true;
		return TROUBLE_MUTE;
	}
	if (how == KILL_LATE)
		usleep(50000);
	if (s.pid > 0)
		kill(s.pid, how == TERMINATE ? SIGTERM : SIGKILL);
	return how == TERMINATE ? TROUBLE_NONE : TROUBLE_LOST;
}

static void
on_unanswered(void)
{
	if (s.kill_after && s.pid > 0)
		kill(s.pid, SIGKILL);
}

static enum trouble
on_request(enum kind kind, const struct request *r)
{
	int t = TROUBLE_NONE;
	void (*during)(void) = NULL;

	pthread_mutex_lock(&sink.lock);
	s.requests++;
	s.bucket_requests += kind == HEAD_BUCKET || kind == LIST_OBJECTS;
	s.heads += kind == HEAD_OBJECT;
	/* No question before a deletion can see what happens while the deletion
	 * is on its way: the event waits for a request that deletes nothing. */
	if (s.during_at != 0 && s.requests >= (unsigned long)s.during_at &&
	    kind != DELETE_OBJECT && kind != POST_DELETE) {
		during = s.during;
		s.during_at = 0;
	}
	for (size_t i = 0; i < s.bend_count && t == TROUBLE_NONE; i++) {
		struct bend *b = &s.bends[i];

		if (b->kind != OTHER && b->kind != (int)kind)
			continue;
		b->seen++;
		if (b->seen >= b->nth && b->seen < b->nth + b->times)
			t = b->how;
	}
	pthread_mutex_unlock(&sink.lock);
	if (during != NULL)
		during();
	if (w.verbose)
		printf("      %s %s%s\n", kind_names[kind],
		    strlen(r->path) > strlen(w.tree) ?
		    r->path + strlen(r->path) - 6 : "",
		    t == TROUBLE_NONE ? "" : " (bent)");
	if (t == EXPIRED) {
		pthread_mutex_lock(&sink.lock);
		write_keys();
		pthread_mutex_unlock(&sink.lock);
		return TROUBLE_EXPIRED;
	}
	if (t >= KILL_BEFORE)
		return kill_run(t);
	return t == TROUBLE_WIDE && kind != LIST_OBJECTS ? TROUBLE_NONE :
	    (enum trouble)t;
}


/* Put the line before what the program gave; the hash of the bytes. */
static uint64_t
note(struct object *o)
{
	uint64_t hash = bytes_hash(o->data, o->size);
	char *old = o->meta;

	o->meta = xasprintf(OWN_LINE "%lu %d %lu\r\n%s",
	    (unsigned long)s.now, s.foreign, (unsigned long)hash,
	    old == NULL ? "" : old);
	free(old);
	return hash;
}

static void
bucket_and_key(const struct object *o, char bucket[64], const char **ret_key)
{
	const char *slash = strchr(o->name, '/');

	snprintf(bucket, 64, "%.*s", (int)(slash - o->name), o->name);
	*ret_key = slash + 1;
}

static void
describe(const struct object *o, struct held *h)
{
	unsigned long at = 0, hash = 0;
	int foreign = 0;
	const char *line = o->meta == NULL ? "" : o->meta;

	sscanf(line, OWN_LINE "%lu %d %lu", &at, &foreign, &hash);
	*h = (struct held){ .key = strchr(o->name, '/') + 1,
	    .hash = hash, .size = o->size, .etag = o->etag,
	    .meta = line, .put_at = at, .version = o->version,
	    .foreign = foreign != 0 };
}

static void
on_stored(const struct object *o)
{
	char bucket[64];
	const char *key;
	uint64_t hash;

	s.now++;
	hash = note(store_get(&sink.store, o->name));
	past_change(o->name, !s.foreign);
	bucket_and_key(o, bucket, &key);
	if (s.foreign)
		judge_touched(o->name);
	else
		judge_stored(bucket, key, hash, o->copied);
}

/* The version stays, and its marker can be told from anything else. */
static bool
comes_back(const struct object *o)
{
	return sink.store.versioning == VERSIONING_ON ||
	    (sink.store.versioning == VERSIONING_SUSPENDED &&
	    o->version != 0 && !sink.unshown);
}

static void
on_removed(const struct object *o)
{
	char bucket[64];
	const char *key;
	struct held h;

	s.now++;
	past_change(o->name, !s.foreign);
	bucket_and_key(o, bucket, &key);
	describe(o, &h);
	if (s.foreign) {
		judge_touched(o->name);
		return;
	}
	past_deleted(o->name, h.hash, comes_back(o), h.foreign);
	judge_removed(bucket, key, o->size, h.foreign);
}

static void
on_dropped(const struct object *o)
{
	if (!o->marker && !s.foreign)
		past_dropped(o->name);
}

/* The marker that was above it went. */
static void
on_returned(const struct object *o)
{
	struct held h;

	s.now++;
	past_change(o->name, true);
	describe(o, &h);
	judge_changed(o->name);
	past_came(o->name, h.hash);
}

unsigned
store_start(void)
{
	unsigned port;
	pthread_t t;
	int fd = listen_on(0, &port);

	if (fd == -1)
		abort();
	sink.keep = true;
	sink.hooks = (struct sink_hooks){ .request = on_request,
	    .unanswered = on_unanswered, .stored = on_stored,
	    .removed = on_removed, .dropped = on_dropped,
	    .returned = on_returned };
	rng_seed(&sink.store.rng, 1);
	if (pthread_create(&t, NULL, listener, (void *)(intptr_t)fd) != 0)
		abort();
	return port;
}

/* Connections are accepted in their order: when this one has ended, all of
 * before are known. */
static void
accept_all(void)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)w.port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	CLEANUP(close_fd) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC,
	    0);
	char c;

	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == -1 ||
	    shutdown(fd, SHUT_WR) == -1)
		abort();
	while (read(fd, &c, 1) > 0)
		;
}

void
store_settle(void)
{
	accept_all();
	pthread_mutex_lock(&sink.lock);
	while (sink.open > 0)
		pthread_cond_wait(&sink.closed, &sink.lock);
	s.bend_count = 0;
	s.during_at = 0;
	pthread_mutex_unlock(&sink.lock);
}

void
store_clear(void)
{
	store_settle();
	pthread_mutex_lock(&sink.lock);
	while (sink.store.head[0] != NULL)
		store_delete(&sink.store, sink.store.head[0]->name);
	while (sink.store.earlier != NULL)
		earlier_remove(&sink.store, sink.store.earlier);
	sink.store.versioning = VERSIONING_NONE;
	while (sink.store.uploads != NULL)
		upload_delete(&sink.store, sink.store.uploads);
	pthread_mutex_unlock(&sink.lock);
}

uint64_t
store_now(void)
{
	return s.now;
}

void
store_begin_run(void)
{
	s.pid = 0;
	s.kill_after = false;
	s.requests = 0;
	s.bucket_requests = 0;
	s.heads = 0;
}

void
store_set_run(pid_t pid)
{
	pthread_mutex_lock(&sink.lock);
	s.pid = pid;
	pthread_mutex_unlock(&sink.lock);
}

unsigned long
store_requests(void)
{
	return s.requests;
}

unsigned long
store_heads(void)
{
	return s.heads;
}

void
store_versioning(bool on)
{
	sink.store.versioning = on ? VERSIONING_ON : VERSIONING_SUSPENDED;
}

void
store_show_markers(bool show)
{
	sink.unshown = !show;
}

unsigned long
store_bucket_requests(void)
{
	return s.bucket_requests;
}

size_t
store_uploads(const char *bucket)
{
	size_t n = 0, len = strlen(bucket);

	for (struct upload *u = sink.store.uploads; u != NULL; u = u->next)
		n += strncmp(u->name, bucket, len) == 0 &&
		    u->name[len] == '/';
	return n;
}

void
store_each(const char *bucket, void (*fn)(void *, const struct held *),
    void *arg)
{
	size_t len = strlen(bucket);

	for (struct object *o = sink.store.head[0]; o != NULL;
	    o = o->next[0]) {
		struct held h;

		if (strncmp(o->name, bucket, len) != 0 || o->name[len] != '/')
			continue;
		describe(o, &h);
		fn(arg, &h);
	}
}

bool
store_find(const char *bucket, const char *key, struct held *ret)
{
	AUTOFREE char *name = xasprintf("%s/%s", bucket, key);
	struct object *o = store_get(&sink.store, name);

	if (o != NULL)
		describe(o, ret);
	return o != NULL;
}

bool
store_holds_below(const char *bucket, const char *start)
{
	AUTOFREE char *name = xasprintf("%s/%s", bucket, start);

	for (struct object *o = store_from(&sink.store, name); o != NULL &&
	    strncmp(o->name, name, strlen(name)) == 0; o = o->next[0]) {
		struct held h;

		describe(o, &h);
		if (!h.foreign)
			return true;
	}
	return false;
}

void
store_put_foreign(const char *bucket, const char *key, const void *p,
    size_t len)
{
	AUTOFREE char *name = xasprintf("%s/%s", bucket, key);
	struct object *o;
	struct md5 m;
	uint8_t md5[MD5_LEN];

	md5_init(&m);
	md5_update(&m, p, len);
	md5_final(&m, md5);
	pthread_mutex_lock(&sink.lock);
	s.foreign = true;
	o = store_put(&sink.store, name);
	o->data = xmalloc(len + 1);
	memcpy(o->data, p, len);
	o->size = len;
	etag_single(md5, o->etag);
	stored_locked(o);
	s.foreign = false;
	pthread_mutex_unlock(&sink.lock);
}

void
store_remove_foreign(const char *bucket, const char *key)
{
	AUTOFREE char *name = xasprintf("%s/%s", bucket, key);

	pthread_mutex_lock(&sink.lock);
	s.foreign = true;
	/* A deletion of what isn't there leaves a marker too. */
	s.now++;
	past_change(name, false);
	remove_locked(name);
	s.foreign = false;
	pthread_mutex_unlock(&sink.lock);
}

void
store_bend(int kind, int nth, int times, int how)
{
	if (s.bend_count < BENDS_MAX)
		s.bends[s.bend_count++] = (struct bend){ .kind = kind,
		    .nth = nth, .times = times, .how = how };
}

void
store_during(int nth, void (*fn)(void))
{
	s.during_at = nth;
	s.during = fn;
}
