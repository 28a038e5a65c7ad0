/* The client: requests, their attempts, and the turns of the loop. */
#include "s3/s3_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/silence.h"

#define BACKOFF_BASE_MS	100
#define BACKOFF_CAP_MS	10000
#define REST_MS		5000	/* of an endpoint that can't be reached */
#define WAIT_MAX_MS	60000
#define STALL_CHECK_MS	1000
#define BRIEF_ATTEMPTS	8	/* within about ten seconds */
#define SPARE_MAX	1024
#define KEYS_MS		20	/* how often to look for other keys */
#define NEVER		UINT64_MAX

static void
list_add(struct s3_list_of_requests *l, struct s3_request *r)
{
	r->next = NULL;
	if (l->last == NULL)
		l->first = r;
	else
		l->last->next = r;
	l->last = r;
	l->count++;
}

static void
list_push(struct s3_list_of_requests *l, struct s3_request *r)
{
	r->next = l->first;
	l->first = r;
	if (l->last == NULL)
		l->last = r;
	l->count++;
}

static struct s3_request *
list_pop(struct s3_list_of_requests *l)
{
	struct s3_request *r = l->first;

	if (r == NULL)
		return NULL;
	l->first = r->next;
	if (l->first == NULL)
		l->last = NULL;
	l->count--;
	r->next = NULL;
	return r;
}

struct s3_request *
s3_request_new(struct s3 *s, const struct s3_op *op, struct str key,
    s3_done_fn *done, void *arg)
{
	struct s3_request *r = list_pop(&s->spare);
	struct buf path, query, own_body, own_key;

	if (r == NULL) {
		r = xcalloc(1, sizeof(*r));
		buf_init(&r->key, S3_KEY_MAX);
		buf_init(&r->path, 4 * S3_KEY_MAX);
		buf_init(&r->query, 64 * KIB);
		buf_init(&r->own_body, 4 * MIB);
	}
	path = r->path;
	query = r->query;
	own_body = r->own_body;
	own_key = r->key;
	memset(r, 0, sizeof(*r));
	buf_clear(&own_key);
	buf_clear(&path);
	buf_clear(&query);
	buf_clear(&own_body);
	r->key = own_key;
	r->path = path;
	r->query = query;
	r->own_body = own_body;
	r->op = op;
	r->done = done;
	r->arg = arg;
	s->pending++;
	if (op->of_bucket)
		return r;
	if (key.len == 0) {
		err_set(&r->refused, ERR_INVALID, 0, "the key is empty");
	} else if (key.len > S3_KEY_MAX) {
		err_set(&r->refused, ERR_INVALID, 0,
		    "the key has %zu bytes, S3 takes %d", key.len,
		    S3_KEY_MAX);
	} else {
		buf_addch(&r->path, '/');
		s3_encode(&r->path, key, true);
		s3_cluster_set(s, r, key);
	}
	return r;
}

void
s3_request_refuse(struct s3 *s, struct s3_request *r, enum err_kind kind,
    const char *why)
{
	err_set(&r->refused, kind, 0, "%s", why);
	list_add(&s->refused, r);
}

void
s3_request_submit(struct s3 *s, struct s3_request *r)
{
	if (r->refused.kind == ERR_NONE && buf_overflowed(&r->query))
		err_set(&r->refused, ERR_INVALID, 0, "the query is too long");
	list_add(r->refused.kind == ERR_NONE ? &s->queue : &s->refused, r);
}

void
s3_request_resubmit(struct s3 *s, struct s3_request *r)
{
	list_push(&s->queue, r);
}

static void
request_free(struct s3_request *r)
{
	buf_release(&r->key);
	buf_release(&r->path);
	buf_release(&r->query);
	buf_release(&r->copy_query);
	buf_release(&r->own_body);
	free(r);
}

/* The callback, once; then the request is over. */
static void
finish(struct s3 *s, struct s3_request *r, struct s3_reply *reply,
    struct err *err)
{
	s->pending--;
	s->finished++;
	reply->attempts = r->attempts;
	if (err != NULL)
		err_wrap(err, "%s", r->op->name);
	r->done(r->arg, reply, err);
	/* Do not keep the buffer of thousands of parts for small bodies. */
	if (s->spare.count < SPARE_MAX && r->own_body.cap < 4096)
		list_push(&s->spare, r);
	else
		request_free(r);
}

static struct s3_reply
empty_reply(void)
{
	return (struct s3_reply){ .version_id = STR(""),
	    .etag_given = STR(""), .upload_id = STR(""), .next = STR("") };
}

static void
finish_with(struct s3 *s, struct s3_request *r, struct err *err)
{
	struct s3_reply reply = empty_reply();

	finish(s, r, &reply, err);
}

static void
log_retry(const struct s3_request *r, const struct err *err, uint64_t ms)
{
	log_event(LOG_DEBUG, EVENT_RETRY,
	    LOG_WITH(LOG_TEXT("request", r->op->name),
		LOG_TEXT("path", r->path.len > 0 ? r->path.data : NULL),
		LOG_TEXT("reason", err->msg),
		LOG_NUMBER("attempts", r->attempts), LOG_NUMBER("ms", ms)),
	    "%s %s in %ju ms: %s", r->op->name,
	    r->path.len > 0 ? r->path.data : "", (uintmax_t)ms, err->msg);
}

/* Wait for the next attempt, or false: the time is over. */
static bool
schedule(struct s3 *s, struct s3_request *r, const struct err *err)
{
	uint64_t over, delay;

	if (r->first_failure_ms == 0)
		r->first_failure_ms = s->now_ms;
	over = r->first_failure_ms + s->retry_for_ms;
	if (s->now_ms >= over)
		return false;
	delay = backoff_ms(r->attempts, BACKOFF_BASE_MS, BACKOFF_CAP_MS,
	    rng_next(&s->rng));
	r->due_ms = MIN(s->now_ms + delay, over);
	s->waiting_due_ms = MIN(s->waiting_due_ms, r->due_ms);
	list_add(&s->waiting, r);
	s->stats.retries++;
	log_retry(r, err, r->due_ms - s->now_ms);
	return true;
}

/* Go by the server's clock from now on, once for a request. */
static bool
adopt_clock(struct s3_slot *t)
{
	struct s3 *s = t->s3;
	struct s3_request *r = t->req;

	if (!t->has_date || r->skew_adopted)
		return false;
	r->skew_adopted = true;
	s->skew_sec = t->date_sec - clock_wall_ns() / 1000000000;
	list_push(&s->queue, r);
	s->stats.retries++;
	return true;
}

/* Return true if the server may have done the requested work. */
static bool
may_be_done(const struct s3_slot *t, CURLcode code)
{
	if (code == CURLE_OK)
		return t->status == 500 || t->status == 502 ||
		    t->status == 504;
	return code != CURLE_COULDNT_RESOLVE_HOST &&
	    code != CURLE_COULDNT_CONNECT && code != CURLE_SSL_CONNECT_ERROR;
}

/* Handle a failed attempt. Return true if another attempt will follow. */
static bool
try_again(struct s3_slot *t, CURLcode code, unsigned flags, struct err *err)
{
	struct s3 *s = t->s3;
	struct s3_request *r = t->req;

	if (flags & S3_FAULT_SLOW) {
		s3_window_slow(&s->window, s->now_ms);
		s->stats.slowdowns++;
	}
	if (flags & S3_FAULT_ENDPOINT)
		s->endpoints[t->endpoint].rest_until_ms = s->now_ms + REST_MS;
	if ((flags & S3_FAULT_EXPIRED) && s3_keys_expired(t, err)) {
		list_push(&s->queue, r);
		s->stats.retries++;
		return true;
	}
	if ((flags & S3_FAULT_SKEW) && adopt_clock(t))
		return true;
	if ((flags & S3_FAULT_REGION) && s3_region_take(t)) {
		list_push(&s->queue, r);
		s->stats.retries++;
		return true;
	}
	if (flags & S3_FAULT_WHY) {
		r->ask_why = r->asked_why = true;
		list_push(&s->queue, r);
		return true;
	}
	if (!(flags & S3_FAULT_RETRY) || r->op->once)
		return false;
	if ((flags & S3_FAULT_BRIEF) && r->attempts >= BRIEF_ATTEMPTS)
		return false;
	if (r->op->deletes && s->delete_once && may_be_done(t, code)) {
		err->kind = ERR_RETRY;
		return false;
	}
	if (schedule(s, r, err))
		return true;
	if (!(flags & S3_FAULT_BRIEF))
		err->kind = ERR_RETRY;
	err_wrap(err, "gave up after %u attempts", r->attempts);
	return false;
}

/* Return the bytes added since the last call. Curl counts from 0 again when
 * curl resends on another connection. */
static uint64_t
more_bytes(uint64_t *counted, curl_off_t now)
{
	uint64_t was = (uint64_t)now < *counted ? 0 : *counted;

	*counted = (uint64_t)now;
	return (uint64_t)now - was;
}

/* Add the bytes moved since the last call to the statistics; return their
 * number. */
static uint64_t
count_bytes(struct s3_slot *t)
{
	curl_off_t up = 0, down = 0;
	uint64_t sent, received;

	curl_easy_getinfo(t->easy, CURLINFO_SIZE_UPLOAD_T, &up);
	curl_easy_getinfo(t->easy, CURLINFO_SIZE_DOWNLOAD_T, &down);
	sent = more_bytes(&t->sent_counted, up);
	received = more_bytes(&t->received_counted, down);
	t->s3->stats.bytes_sent += sent;
	t->s3->stats.bytes_received += received;
	return sent + received;
}

static struct silence *
silence_of_slot(const struct s3_slot *t)
{
	return t->s3->endpoints[t->endpoint].silence;
}

static void
log_attempt(const struct s3_slot *t, CURLcode code)
{
	const struct s3_request *r = t->req;

	if (!log_enabled(LOG_DEBUG))
		return;
	log_event(LOG_DEBUG, EVENT_REQUEST,
	    LOG_WITH(LOG_TEXT("endpoint", t->s3->endpoints[t->endpoint].name),
		LOG_TEXT("request", r->op->name),
		LOG_TEXT("path", r->path.len > 0 ? r->path.data : NULL),
		LOG_NUMBER("status", code == CURLE_OK ? t->status : 0),
		LOG_NUMBER("attempts", r->attempts)),
	    "%s %s: %d", r->op->name, r->path.len > 0 ? r->path.data : "",
	    code == CURLE_OK ? t->status : 0);
}

/* The attempt in a slot is over. Free the slot only after the callback: the
 * callback reads the answer in the slot. */
static void
end_attempt(struct s3_slot *t, CURLcode code)
{
	struct s3 *s = t->s3;
	struct s3_request *r = t->req;
	struct s3_reply reply = empty_reply();
	struct err err = ERR_INIT;
	struct s3_xml xml;
	unsigned flags;

	count_bytes(t);
	curl_multi_remove_handle(s->multi, t->easy);
	s->on_wire--;
	silence_end(silence_of_slot(t), t->held || code == CURLE_OK,
	    s->now_ms);
	log_attempt(t, code);
	if (t->held) {
		list_push(&s->queue, STEAL(t->req));
		t->next = s->free_slots;
		s->free_slots = t;
		return;
	}
	s3_xml_init(&xml);
	if (s3_answer_judge(t, code, &xml, &flags, &err) == 0) {
		s3_window_ok(&s->window);
		s3_answer_reply(t, &xml, &reply);
		s3_cluster_found(s, r);
		if (reply.upload_id.len > 0)
			s3_cluster_tag(s, r->cluster, &reply.upload_id);
		finish(s, r, &reply, NULL);
	} else if (!s3_cluster_follow(t, &err) &&
	    !try_again(t, code, flags, &err)) {
		reply.status = t->status;
		reply.delete_marker = t->delete_marker;
		reply.version_id = buf_str(&t->version_id);
		finish(s, r, &reply, &err);
	}
	s3_xml_release(&xml);
	t->req = NULL;
	t->next = s->free_slots;
	s->free_slots = t;
}

static void
start(struct s3 *s, struct s3_request *r)
{
	struct s3_slot *t = s->free_slots;
	struct err err = ERR_INIT;

	s->free_slots = t->next;
	r->attempts++;
	if (s3_slot_start(t, r, &err) == -1) {
		t->next = s->free_slots;
		s->free_slots = t;
		finish_with(s, r, &err);
		return;
	}
	s->on_wire++;
	s->stats.requests++;
	silence_begin(silence_of_slot(t), s->now_ms);
}

/* Put waiting requests at their due time before requests never sent. */
static void
take_due(struct s3 *s)
{
	struct s3_list_of_requests all = s->waiting;
	struct s3_request *r;

	if (s->now_ms < s->waiting_due_ms)
		return;
	memset(&s->waiting, 0, sizeof(s->waiting));
	s->waiting_due_ms = NEVER;
	while ((r = list_pop(&all)) != NULL) {
		if (r->due_ms <= s->now_ms) {
			list_push(&s->queue, r);
			continue;
		}
		s->waiting_due_ms = MIN(s->waiting_due_ms, r->due_ms);
		list_add(&s->waiting, r);
	}
}

/* Return true if only the gate could keep the next request back. */
static bool
has_next(const struct s3 *s)
{
	return s->queue.count > 0 && s->on_wire < s->window.now &&
	    s->free_slots != NULL;
}

static void
start_queued(struct s3 *s)
{
	take_due(s);
	if (s3_keys_awaited(s))
		return;
	while (has_next(s) && (s->gate == NULL ||
	    s3_gate_pass(s->gate, clock_mono_ns())))
		start(s, list_pop(&s->queue));
}

/* Check each transfer for moved bytes. A check once in a while costs less than
 * curl's own progress calls. */
static void
check_stalls(struct s3 *s)
{
	if (s->now_ms < s->stall_check_ms)
		return;
	s->stall_check_ms = s->now_ms + MIN((uint64_t)STALL_CHECK_MS,
	    s->stall_timeout_ms / 4 + 1);
	for (unsigned i = 0; i < s->window.max; i++) {
		struct s3_slot *t = &s->slots[i];

		if (t->req == NULL)
			continue;
		if (count_bytes(t) > 0 || t->paused) {
			t->moved_ms = s->now_ms;
			silence_heard(silence_of_slot(t), s->now_ms);
		} else if (s->now_ms - t->moved_ms > s->stall_timeout_ms) {
			snprintf(t->curl_text, sizeof(t->curl_text),
			    "nothing moved for %ju ms",
			    (uintmax_t)s->stall_timeout_ms);
			end_attempt(t, CURLE_OPERATION_TIMEDOUT);
		}
	}
	for (size_t i = 0; i < s->endpoint_count && (s->on_wire > 0 ||
	    s->waiting.count > 0) && !s3_held(s); i++)
		silence_look(s->endpoints[i].silence, s->now_ms);
}

/* Reset the connections of requests with an effect on the store: bytes in the
 * kernel of such a connection could arrive when another client has done the
 * work again. The requests begin anew if the gate opens again. */
static void
take_back(struct s3 *s)
{
	if (s->on_wire == 0 || !s3_held(s))
		return;
	for (unsigned i = 0; i < s->window.max; i++) {
		struct s3_slot *t = &s->slots[i];

		if (t->req == NULL || t->mode == S3_MODE_HEAD ||
		    strcmp(t->method, "GET") == 0)
			continue;
		t->held = true;
		end_attempt(t, CURLE_ABORTED_BY_CALLBACK);
	}
}

/* Resume transfers in turn, lest any transfer starve while few may go on at a
 * time. */
static void
resume_paused(struct s3 *s)
{
	unsigned first = s->resume_turn;

	for (unsigned i = 0; i < s->window.max && s->resume > 0; i++) {
		unsigned at = (first + i) % s->window.max;
		struct s3_slot *t = &s->slots[at];

		if (t->req == NULL || !t->paused)
			continue;
		t->paused = false;
		t->moved_ms = s->now_ms;
		curl_easy_pause(t->easy, CURLPAUSE_CONT);
		s->resume_turn = at + 1;
		s->resume--;
	}
	s->resume = 0;
}

/* End only the requests refused before this turn began: a callback may begin
 * another bad request, and must not keep the loop here. */
static void
run_refused(struct s3 *s)
{
	size_t count = s->refused.count;

	for (size_t i = 0; i < count; i++) {
		struct s3_request *r = list_pop(&s->refused);

		finish_with(s, r, &r->refused);
	}
}

static void
reap(struct s3 *s)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(s->multi, &left)) != NULL) {
		struct s3_slot *t = NULL;
		CURLcode code = m->data.result;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &t);
		end_attempt(t, code);
	}
}

static int
wait_ms(const struct s3 *s, int timeout_ms)
{
	uint64_t ms = timeout_ms < 0 ? WAIT_MAX_MS : (uint64_t)timeout_ms;

	ms = MIN(ms, (uint64_t)WAIT_MAX_MS);
	if (s->resume > 0 || s->paused_now || s->refused.count > 0)
		return 0;
	if (s->waiting.count > 0)
		ms = MIN(ms, s->waiting_due_ms <= s->now_ms ? 0 :
		    s->waiting_due_ms - s->now_ms);
	if (s->gate != NULL && has_next(s)) {
		uint64_t next = s3_gate_next_ms(s->gate, s->now_ms);

		ms = MIN(ms, next <= s->now_ms ? 0 : next - s->now_ms);
	}
	if (s->queue.count > 0 && s3_keys_awaited(s))
		return (int)MIN(ms, (uint64_t)KEYS_MS);
	if (s->gate != NULL && s->on_wire > 0 && !s3_held(s))
		ms = MIN(ms, s3_gate_left_ms(s->gate, s->now_ms));
	if (s->on_wire > 0)
		ms = MIN(ms, s->stall_check_ms <= s->now_ms ? 1 :
		    s->stall_check_ms - s->now_ms);
	return (int)ms;
}

void
s3_wait(struct s3 *s, struct pollfd *extra, unsigned extra_count,
    int timeout_ms)
{
	uint64_t finished = s->finished;

	s->now_ms = clock_mono_ms();
	s->paused_now = false;
	resume_paused(s);
	run_refused(s);
	start_queued(s);
	take_back(s);
	s3_loop_run_timer(s);
	reap(s);
	check_stalls(s);
	/* Send the requests begun by the callbacks in the same turn. */
	start_queued(s);
	s3_loop_run_timer(s);
	/* After a callback the caller has things to do. */
	if (s->finished != finished)
		timeout_ms = 0;
	s3_loop_poll(s, extra, extra_count, wait_ms(s, timeout_ms));
	s->now_ms = clock_mono_ms();
	reap(s);
}

void
s3_cut(struct s3 *s)
{
	for (unsigned i = 0; i < s->window.max; i++) {
		struct s3_slot *t = &s->slots[i];

		if (t->req == NULL)
			continue;
		curl_multi_remove_handle(s->multi, t->easy);
		s->on_wire--;
		silence_end(silence_of_slot(t), false, s->now_ms);
		list_add(&s->queue, STEAL(t->req));
	}
}

void
s3_stop_all(struct s3 *s)
{
	struct s3_list_of_requests *lists[] = {
	    &s->refused, &s->waiting, &s->queue };
	struct s3_request *r;

	s3_cut(s);
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		while ((r = list_pop(lists[i])) != NULL) {
			struct err err = ERR_INIT;

			err_set(&err, ERR_STOPPED, 0, "stopped");
			finish_with(s, r, &err);
		}
	}
	while ((r = list_pop(&s->spare)) != NULL)
		request_free(r);
}
