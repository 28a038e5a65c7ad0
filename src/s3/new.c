/* Make a client from the settings, and take the client apart. */
#include "base/clock.h"
#include "s3/s3_internal.h"

#define INFLIGHT_DEFAULT	32u
#define INFLIGHT_MAX		1024u
#define RETRY_FOR_MS		300000
#define CONNECT_TIMEOUT_MS	10000
#define STALL_TIMEOUT_MS	60000
#define TIMEOUT_MAX_MS		(24ull * 3600 * 1000)

/* A control character in a setting could end a header and begin a second
 * header. */
static int
check_text(const char *name, const char *value, struct err *err)
{
	if (value == NULL)
		return 0;
	for (const char *p = value; *p != '\0'; p++)
		if ((unsigned char)*p <= 0x20 || *p == 0x7f)
			return err_set(err, ERR_CONFIG, 0,
			    "%s: blanks and control characters are not "
			    "allowed", name);
	return 0;
}

static int
check_bucket(const char *bucket, struct err *err)
{
	if (bucket == NULL || bucket[0] == '\0')
		return err_set(err, ERR_CONFIG, 0, "bucket: not set");
	for (const char *p = bucket; *p != '\0'; p++)
		if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
		    (*p >= '0' && *p <= '9') || strchr("-._", *p) != NULL))
			return err_set(err, ERR_CONFIG, 0, "bucket: letters, "
			    "digits, '-', '.' and '_' are allowed");
	return 0;
}

static int
check(const struct store *c, bool has_map, struct err *err)
{
	if (!has_map && check_bucket(c->bucket, err) == -1)
		return -1;
	if (!has_map && c->endpoints.n == 0)
		return err_set(err, ERR_CONFIG, 0, "endpoint: not set");
	if (check_text("region", c->region, err) == -1 ||
	    check_text("storage_class", c->storage_class, err) == -1 ||
	    check_text("sse", c->sse, err) == -1)
		return -1;
	if (c->sse != NULL && strcmp(c->sse, "AES256") != 0 &&
	    strcmp(c->sse, "aws:kms") != 0 &&
	    strncmp(c->sse, "aws:kms:", 8) != 0)
		return err_set(err, ERR_CONFIG, 0,
		    "sse: AES256, aws:kms or aws:kms:KEY-ID");
	return 0;
}

static void
copy_settings(struct s3 *s, const struct s3_config *c)
{
	s->store = c->store;
	s->gate = c->gate;
	s->delete_once = c->delete_once;
	s->boot_ms = c->boot_ms;
	s->retry_for_ms = c->retry_for_ms != 0 ? c->retry_for_ms :
	    RETRY_FOR_MS;
	s->connect_timeout_ms = c->connect_timeout_ms != 0 ?
	    MIN(c->connect_timeout_ms, TIMEOUT_MAX_MS) : CONNECT_TIMEOUT_MS;
	s->stall_timeout_ms = c->stall_timeout_ms != 0 ?
	    MIN(c->stall_timeout_ms, TIMEOUT_MAX_MS) : STALL_TIMEOUT_MS;
	s->unacked_ms = c->unacked_ms != 0 ? c->unacked_ms :
	    s->stall_timeout_ms;
	rng_seed(&s->rng, c->seed);
}

/* Keys in force for several clients, or those of the settings alone. */
static int
take_keys(struct s3 *s, const struct store *c, struct err *err)
{
	const struct keys own = { .access_key = c->access_key,
	    .secret_key = c->secret_key,
	    .session_token = c->session_token };
	CLEANUP(keys_release) struct keys k = { .access_key = NULL };

	if (c->keyring != NULL && keyring_number(c->keyring) > 0)
		s->keys_number = keyring_get(c->keyring, &k);
	else
		keys_copy(&k, &own);
	if (keys_check(&k, err) == -1)
		return -1;
	s3_signer_init(&s->signer, &k, c->region != NULL ? c->region :
	    "us-east-1", "s3");
	return 0;
}

static void
make_slots(struct s3 *s, unsigned count)
{
	s3_window_init(&s->window, count);
	s->slots = xcalloc(count, sizeof(*s->slots));
	for (unsigned i = count; i-- > 0;) {
		struct s3_slot *t = &s->slots[i];

		t->s3 = s;
		buf_init(&t->head, 256 * KIB);
		buf_init(&t->answer, S3_XML_MAX);
		buf_init(&t->version_id, 1024);
		buf_init(&t->etag_given, 8 * KIB);
		t->next = s->free_slots;
		s->free_slots = t;
	}
}

static int
add_cluster(struct s3 *s, char *const *endpoints, size_t count,
    const char *bucket, struct err *err)
{
	struct s3_cluster *k = &s->clusters[s->cluster_count++];

	k->bucket = xstrdup(bucket);
	k->first = s->endpoint_count;
	k->count = count;
	s->endpoints = xreallocarray(s->endpoints, k->first + count,
	    sizeof(*s->endpoints));
	for (size_t i = 0; i < count; i++) {
		if (s3_endpoint_init(&s->endpoints[s->endpoint_count],
		    endpoints[i], bucket, s->store.path_style, err) == -1)
			return -1;
		s->endpoint_count++;
	}
	/* Clients started at the same time begin at different endpoints. */
	k->turn = (size_t)(rng_next(&s->rng) % count);
	return 0;
}

static int
add_clusters(struct s3 *s, const struct s3_config *c, struct err *err)
{
	s->map = c->map;
	s->clusters = xcalloc(s->map == NULL ? 1 : s->map->count,
	    sizeof(*s->clusters));
	if (s->map == NULL)
		return add_cluster(s, s->store.endpoints.v,
		    s->store.endpoints.n, s->store.bucket, err);
	for (size_t i = 0; i < s->map->count; i++) {
		const struct s3_map_cluster *k = &s->map->clusters[i];

		if (add_cluster(s, k->endpoints, k->endpoint_count,
		    k->bucket, err) == -1)
			return -1;
	}
	return 0;
}

static int
make_multi(struct s3 *s, struct err *err)
{
	uint64_t connections = s->window.max * (uint64_t)s->endpoint_count;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return err_set(err, ERR_RESOURCE, 0, "curl: can't start");
	s->global = true;
	s->multi = curl_multi_init();
	if (s->multi == NULL)
		return err_set(err, ERR_RESOURCE, 0, "curl: can't start");
	/* No waiting for a connection to be shared: HTTP/1.1 shares none. */
	curl_multi_setopt(s->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
	curl_multi_setopt(s->multi, CURLMOPT_MAXCONNECTS,
	    (long)MIN(connections, (uint64_t)INFLIGHT_MAX));
	return s3_loop_init(s, err);
}

int
s3_new(struct s3 **ret, const struct s3_config *c, struct err *err)
{
	CLEANUP(s3_free) struct s3 *s = NULL;
	unsigned inflight = c->store.max_inflight != 0 ?
	    MIN(c->store.max_inflight, INFLIGHT_MAX) : INFLIGHT_DEFAULT;

	*ret = NULL;
	if (check(&c->store, c->map != NULL, err) == -1)
		return -1;
	s = xcalloc(1, sizeof(*s));
	s->loop.wakeup_fd = -1;
	copy_settings(s, c);
	s->waiting_due_ms = UINT64_MAX;
	s->now_ms = clock_mono_ms();
	make_slots(s, inflight);
	buf_init(&s->upload_id, 4096);
	if (take_keys(s, &c->store, err) == -1 ||
	    add_clusters(s, c, err) == -1 || make_multi(s, err) == -1)
		return -1;
	*ret = STEAL(s);
	return 0;
}

void
s3_free(struct s3 **sp)
{
	struct s3 *s = *sp;

	if (s == NULL)
		return;
	*sp = NULL;
	s3_stop_all(s);
	for (unsigned i = 0; i < s->window.max; i++)
		s3_slot_release(&s->slots[i]);
	free(s->slots);
	if (s->multi != NULL)
		curl_multi_cleanup(s->multi);
	s3_loop_release(s);
	if (s->global)
		curl_global_cleanup();
	for (size_t i = 0; i < s->endpoint_count; i++)
		s3_endpoint_release(&s->endpoints[i]);
	free(s->endpoints);
	for (size_t i = 0; i < s->cluster_count; i++)
		free(s->clusters[i].bucket);
	free(s->clusters);
	buf_release(&s->upload_id);
	s3_signer_release(&s->signer);
	free(s);
}

size_t
s3_pending(const struct s3 *s)
{
	return s->pending;
}

int64_t
s3_server_time(const struct s3 *s)
{
	if (s->boot_ms == 0)
		return clock_wall_ns() / 1000000000;
	return (s->boot_ms + (int64_t)clock_boot_ms()) / 1000;
}

int64_t
s3_boot_ms(const struct s3 *s)
{
	return s->boot_ms;
}

void
s3_stats(const struct s3 *s, struct s3_stats *ret)
{
	*ret = s->stats;
	ret->window = s->window.now;
}

void
s3_resume(struct s3 *s, size_t most)
{
	s->resume = most;
}
