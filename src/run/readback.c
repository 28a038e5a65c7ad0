#include "run/readback_int.h"

#include <time.h>

#include "base/clock.h"

#define ACTIVE_MAX	32
#define FILE_BUFFER	(256 * KIB)
#define TREE_FDS	2
#define TURN_MS		1000
#define RETRY_TURN_MS	100

void
readback_item_free(struct readback_item **pp)
{
	struct readback_item *it = *pp;

	if (it == NULL)
		return;
	free(it->key);
	free(it->raw);
	stored_release(&it->stored);
	free(it);
	*pp = NULL;
}

/* --- the object --- */

static void
end_part(struct reading *g)
{
	g->parts = xreallocarray(g->parts, g->part_count + 1, MD5_LEN);
	md5_final(&g->part, g->parts + g->part_count * (size_t)MD5_LEN);
	g->part_count++;
	md5_init(&g->part);
}

static void
hash_parts(struct reading *g, const uint8_t *p, size_t len)
{
	uint64_t part = g->item->stored.part_size, at = g->size;

	while (part > 0 && len > 0) {
		size_t n = (size_t)MIN(len, part - at % part);

		md5_update(&g->part, p, n);
		p += n;
		len -= n;
		at += n;
		if (at % part == 0)
			end_part(g);
	}
}

/* The whole worker waits for --bwlimit: its other objects are under the same
 * limit. */
static void
pay(struct readback *rb, size_t len)
{
	while (len > 0 && !atomic_load(&rb->stopping)) {
		size_t n = rate_take(&rb->rate, len, clock_mono_ms() *
		    1000000);
		struct timespec ts = { .tv_nsec = 2000000 };

		len -= n;
		if (n == 0)
			nanosleep(&ts, NULL);
	}
}

static bool
data(void *arg, const void *p, size_t len)
{
	struct reading *g = arg;
	struct readback *rb = g->r->rb;

	if (rb->c.bwlimit > 0)
		pay(rb, len);
	md5_update(&g->md5, p, len);
	hash_parts(g, p, len);
	g->size += len;
	return !atomic_load(&rb->stopping);
}

static void
object_done(void *arg, const struct s3_reply *reply UNUSED,
    const struct err *err)
{
	struct reading *g = arg;
	struct readback_item *it = g->item;
	uint64_t part = it->stored.part_size;

	g->object_done = true;
	if (err != NULL) {
		it->object_err = *err;
		return;
	}
	it->object_size = g->size;
	md5_final(&g->md5, it->object_md5);
	if (part > 0 && (g->size % part > 0 || g->part_count == 0))
		end_part(g);
	if (part > 0)
		etag_multipart(g->parts, g->part_count, it->object_etag);
	else
		etag_single(it->object_md5, it->object_etag);
}

/* --- one worker --- */

static void
begin(struct reader *r, struct readback_item *it)
{
	struct reading *g = xcalloc(1, sizeof(*g));

	g->r = r;
	g->item = it;
	g->file_done = it->raw == NULL;
	md5_init(&g->md5);
	md5_init(&g->part);
	g->next = r->active;
	r->active = g;
	r->active_count++;
	s3_get(r->s3, str_of(it->key), 0, 0, data, object_done, g);
}

static void
end(struct reading *g)
{
	struct readback *rb = g->r->rb;
	struct readback_item *it = g->item;

	readback_file_end(g);
	free(g->parts);
	free(g);
	if (!mailbox_put(rb->c.up, &it->mail))
		readback_item_free(&it);
}

/* A message without a key says that no more come. */
static void
read_mail(struct reader *r)
{
	struct mail *mail = mailbox_take(r->in), *next;

	for (; mail != NULL; mail = next) {
		void *msg = mail;
		struct readback_item *it = msg;

		next = mail->next;
		if (it->key == NULL) {
			r->closing = true;
			free(it);
			continue;
		}
		mail->next = NULL;
		*r->queue_end = it;
		r->queue_end = (struct readback_item **)&mail->next;
	}
}

static void
start_new(struct reader *r)
{
	while (r->queue != NULL && r->active_count < r->rb->active_max) {
		struct readback_item *it = r->queue;
		void *next = it->mail.next;

		r->queue = next;
		if (r->queue == NULL)
			r->queue_end = &r->queue;
		begin(r, it);
	}
}

/* True if one waits for its time to try again. */
static bool
step_all(struct reader *r)
{
	struct reading **at = &r->active;
	uint64_t now = clock_mono_ms();
	bool waits = false;

	while (*at != NULL) {
		struct reading *g = *at;

		readback_file_step(g, now);
		if (g->object_done && g->file_done) {
			*at = g->next;
			r->active_count--;
			end(g);
			continue;
		}
		waits = waits || (!g->file_done && !g->file_begun);
		at = &g->next;
	}
	return waits;
}

static void
wait_turn(struct reader *r, struct pollfd *fds, size_t *first, int timeout)
{
	size_t n = r->rb->c.export_count, count = 0;

	fds[count++] = (struct pollfd){ .fd = mailbox_fd(r->in),
	    .events = POLLIN };
	for (size_t i = 0; i < n; i++) {
		int ms;

		first[i] = count;
		if (r->trees[i] == NULL)
			continue;
		count += (size_t)tree_fds(r->trees[i], fds + count, TREE_FDS);
		ms = tree_timeout_ms(r->trees[i]);
		if (ms >= 0)
			timeout = MIN(timeout, ms);
	}
	first[n] = count;
	s3_wait(r->s3, fds, (unsigned)count, timeout);
	for (size_t i = 0; i < n; i++)
		if (r->trees[i] != NULL)
			tree_service(r->trees[i], fds + first[i],
			    (int)(first[i + 1] - first[i]));
}

static void *
reader_main(void *arg)
{
	struct reader *r = arg;
	size_t n = r->rb->c.export_count;
	AUTOFREE struct pollfd *fds = xcalloc(1 + n * TREE_FDS, sizeof(*fds));
	AUTOFREE size_t *first = xcalloc(n + 1, sizeof(*first));

	while (!atomic_load(&r->rb->stopping)) {
		bool waits;

		read_mail(r);
		start_new(r);
		waits = step_all(r);
		start_new(r);
		if (r->closing && r->active_count == 0 && r->queue == NULL)
			break;
		wait_turn(r, fds, first, waits ? RETRY_TURN_MS : TURN_MS);
	}
	return NULL;
}

/* --- all workers --- */

static int
reader_start(struct readback *rb, struct reader *r, struct err *err)
{
	int no;

	r->rb = rb;
	r->in = mailbox_new(0);
	r->queue_end = &r->queue;
	r->trees = xcalloc(rb->c.export_count, sizeof(*r->trees));
	r->tree_errs = xcalloc(rb->c.export_count, sizeof(*r->tree_errs));
	if (s3_new(&r->s3, &rb->c.s3, err) == -1)
		return -1;
	no = pthread_create(&r->thread, NULL, reader_main, r);
	if (no != 0)
		return err_errno(err, ERR_RESOURCE, no, "thread");
	r->started = true;
	return 0;
}

int
readback_start(struct readback **ret, const struct readback_config *c,
    struct err *err)
{
	struct readback *rb = xcalloc(1, sizeof(*rb));
	uint64_t room = c->memory_bytes / c->workers / FILE_BUFFER;

	rb->c = *c;
	rb->rate.bytes_per_s = c->bwlimit;
	rb->active_max = (unsigned)MAX(MIN(room, (uint64_t)ACTIVE_MAX),
	    (uint64_t)1);
	rb->readers = xcalloc(c->workers, sizeof(*rb->readers));
	for (unsigned i = 0; i < c->workers; i++) {
		if (reader_start(rb, &rb->readers[i], err) == -1) {
			readback_stop(rb);
			readback_free(&rb);
			return -1;
		}
	}
	*ret = rb;
	return 0;
}

static void
post(struct reader *r, struct readback_item *it)
{
	if (!mailbox_put(r->in, &it->mail))
		readback_item_free(&it);
}

void
readback_give(struct readback *rb, struct readback_item *it)
{
	it->mail.type = MAIL_READBACK;
	atomic_fetch_add(&rb->backlog, 1);
	post(&rb->readers[rb->turn], it);
	rb->turn = (rb->turn + 1) % rb->c.workers;
}

void
readback_taken(struct readback *rb)
{
	atomic_fetch_sub(&rb->backlog, 1);
}

size_t
readback_backlog(const struct readback *rb)
{
	return atomic_load(&rb->backlog);
}

size_t
readback_enough(const struct readback *rb)
{
	return (size_t)rb->c.workers * rb->active_max * 4;
}

void
readback_stop(struct readback *rb)
{
	atomic_store(&rb->stopping, true);
	for (unsigned i = 0; i < rb->c.workers; i++)
		if (rb->readers[i].started)
			s3_wakeup(rb->readers[i].s3);
}

static void
reader_free(struct reader *r)
{
	size_t n = r->rb == NULL ? 0 : r->rb->c.export_count;

	if (r->rb == NULL)
		return;
	/* Their last callbacks come from here. */
	s3_free(&r->s3);
	for (size_t i = 0; i < n; i++)
		tree_free(&r->trees[i]);
	for (struct reading *g = r->active, *next; g != NULL; g = next) {
		next = g->next;
		readback_file_end(g);
		readback_item_free(&g->item);
		free(g->parts);
		free(g);
	}
	read_mail(r);
	while (r->queue != NULL) {
		struct readback_item *it = r->queue;
		void *next = it->mail.next;

		r->queue = next;
		readback_item_free(&it);
	}
	mailbox_free(&r->in);
	free(r->trees);
	free(r->tree_errs);
}

void
readback_free(struct readback **rbp)
{
	struct readback *rb = *rbp;

	if (rb == NULL)
		return;
	for (unsigned i = 0; i < rb->c.workers; i++)
		if (rb->readers[i].started)
			post(&rb->readers[i], xcalloc(1,
			    sizeof(struct readback_item)));
	for (unsigned i = 0; i < rb->c.workers; i++)
		if (rb->readers[i].started)
			pthread_join(rb->readers[i].thread, NULL);
	for (unsigned i = 0; i < rb->c.workers; i++)
		reader_free(&rb->readers[i]);
	free(rb->readers);
	free(rb);
	*rbp = NULL;
}
