#include "base/clock.h"
#include "base/log.h"
#include "client/client_internal.h"
#include "dest/dest.h"

#define FETCHED_MAX	500	/* rows of a message */
#define FETCHED_MS	200	/* longest time that a row waits */
#define RESULTS_BYTES	(1U << 20) /* bytes of a message, about */
#define BYTES_MIN	(1024 * MIB) /* bytes in hand, if enough work exists */

/* Lease and id of a fetch item or a batch of keys. All origins are in a list of
 * the session, because the crew does not return items that the crew drops at
 * its end. */
struct origin {
	struct origin *next, *prev;
	int64_t	 lease;
	int64_t	 id;
};

static struct origin *
origin_new(struct session *s, int64_t lease, int64_t id)
{
	struct origin *o = xcalloc(1, sizeof(*o));

	o->lease = lease;
	o->id = id;
	o->next = s->origins;
	if (o->next != NULL)
		o->next->prev = o;
	s->origins = o;
	return o;
}

static void
origin_free(struct session *s, struct origin *o)
{
	if (o->next != NULL)
		o->next->prev = o->prev;
	if (o->prev != NULL)
		o->prev->next = o->next;
	else
		s->origins = o->next;
	free(o);
}

/* --- leases in hand --- */

static struct held *
find(struct session *s, int64_t lease)
{
	for (size_t i = 0; i < s->held_count; i++)
		if (s->held[i].lease == lease)
			return &s->held[i];
	return NULL;
}

static void
hold(struct session *s, int64_t lease, size_t items, uint64_t bytes)
{
	struct held *h = find(s, lease);

	if (h == NULL) {
		s->held = xreallocarray(s->held, s->held_count + 1,
		    sizeof(*s->held));
		h = &s->held[s->held_count++];
		*h = (struct held){ .lease = lease };
	}
	h->items += items;
	h->bytes += bytes;
	s->items += items;
	s->bytes += bytes;
	s->largest_items = MAX(s->largest_items, h->items);
	s->largest_bytes = MAX(s->largest_bytes, h->bytes);
}

/* So many items have results. Return true if the lease has no items left. */
static bool
let_go(struct session *s, int64_t lease, size_t items)
{
	struct held *h = find(s, lease);
	uint64_t bytes;

	if (h == NULL)
		return true;
	items = MIN(items, h->items);
	if (items == 0)
		return false;
	/* Sizes of single items are not kept: subtract the average size. */
	bytes = items == h->items ? h->bytes : h->bytes / h->items * items;
	h->items -= items;
	h->bytes -= bytes;
	s->items -= items;
	s->bytes -= bytes;
	if (h->items > 0)
		return false;
	*h = s->held[--s->held_count];
	return true;
}

void
session_want(struct session *s, bool anyway)
{
	size_t most = MAX((size_t)s->capacity, 2 * s->largest_items);
	uint64_t most_bytes = MAX((uint64_t)BYTES_MIN, 2 * s->largest_bytes);
	size_t room = most > s->items ? most - s->items : 0;
	uint64_t bytes = most_bytes > s->bytes ? most_bytes - s->bytes : 0;
	struct wire_msg m = { .type = WIRE_WANT };

	if (s->stopping || bytes == 0)
		room = 0;
	if (!anyway && room < s->wanted + MAX(most / 4, (size_t)1))
		return;
	s->wanted = room;
	m.u.want = (struct wire_want){ .items = (uint32_t)MIN(room,
	    (size_t)UINT32_MAX), .bytes = room == 0 ? 0 : bytes };
	wire_send(s->peer[CHANNEL_INDEX], &m);
}

/* --- work from the master --- */

static bool
bad(struct session *s, const char *what)
{
	err_set(&s->err, ERR_PEER, 0, "the master gave %s", what);
	return false;
}

static bool
take_put(struct session *s, struct wire_lease_put *p)
{
	struct lease *l = xcalloc(1, sizeof(*l));

	l->id = p->lease;
	l->count = p->count;
	l->items = STEAL(p->items);
	p->count = 0;
	for (size_t i = 0; i < l->count; i++) {
		if (l->items[i].export >= s->export_count ||
		    l->items[i].path == NULL || l->items[i].raw == NULL) {
			lease_free(&l);
			return bad(s, "a file that is in no export");
		}
		l->bytes += l->items[i].attrs.size;
	}
	hold(s, l->id, l->count, l->bytes);
	crew_lease(s->crew, l);
	return true;
}

static bool
check_fetch(struct session *s, const struct fetch_item *it)
{
	struct err err = ERR_INIT;

	if (it->key == NULL)
		return bad(s, "an object without a key");
	if (it->raw != NULL && it->export >= s->export_count)
		return bad(s, "an object of an export that is not there");
	if (it->path != NULL && dest_path_check(str_of(it->path), &err) == -1)
		return bad(s, "a path that leads elsewhere");
	if (!fetch_step_is_sound(it))
		return bad(s, "a step of an object that can't be");
	return true;
}

static bool
take_fetch(struct session *s, struct wire_lease_fetch *f)
{
	for (size_t i = 0; i < f->count; i++) {
		struct fetch_item *it = f->v[i].item;

		if (!check_fetch(s, it))
			return false;
		f->v[i].item = NULL;
		it->user = origin_new(s, f->lease, f->v[i].id);
		hold(s, f->lease, 1, fetch_item_bytes(it));
		crew_fetch(s->crew, it);
	}
	return true;
}

static bool
take_delete(struct session *s, struct wire_lease_delete *e)
{
	struct delete_batch *b = STEAL(e->batch);

	b->user = origin_new(s, e->lease, e->id);
	hold(s, e->lease, 1, 0);
	crew_delete(s->crew, b);
	return true;
}

bool
session_work(struct session *s, struct wire_msg *m)
{
	bool ok;

	if (s->crew == NULL)
		return bad(s, "work before SETUP");
	/* Begin nothing new; the work stays with the master. */
	if (s->stopping)
		return true;
	if (m->type == WIRE_LEASE_PUT)
		ok = take_put(s, &m->u.lease_put);
	else if (m->type == WIRE_LEASE_FETCH)
		ok = take_fetch(s, &m->u.lease_fetch);
	else
		ok = take_delete(s, &m->u.lease_delete);
	s->wanted = 0;
	session_want(s, true);
	return ok;
}

/* Return to the master tasks that the crew has not begun. */
void
session_give_back(struct session *s, size_t most)
{
	struct mail *m = s->crew == NULL ? NULL :
	    crew_fetch_back(s->crew, most), *next;

	for (; m != NULL; m = next) {
		struct fetch_item *it = (struct fetch_item *)(void *)m;
		struct origin *o = it->user;
		struct wire_task_id id = { .id = o->id };
		struct wire_msg msg = { .type = WIRE_RETURNED,
		    .u.returned = { .lease = o->lease, .v = &id,
		    .count = 1 } };

		next = m->next;
		if (s->peer[CHANNEL_STATUS] != NULL)
			wire_send(s->peer[CHANNEL_STATUS], &msg);
		let_go(s, o->lease, 1);
		origin_free(s, o);
		it->user = NULL;
		fetch_item_free(&it);
	}
}

/* --- results --- */

static void
send_status(struct session *s, const struct wire_msg *m)
{
	/* Without a connection the results are lost: the master does the work
	 * again. */
	if (s->peer[CHANNEL_STATUS] != NULL)
		wire_send(s->peer[CHANNEL_STATUS], m);
}

/* Send the results in pieces: proofs of large files make messages large. */
/* Report OUTCOME_LEFT as FAILED: the master finds out whether the export is out
 * of reach for all clients. */
static void
send_results(struct session *s, struct results *r)
{
	size_t begin = 0, bytes = 0;

	for (size_t i = 0; i < r->count; i++) {
		struct wire_msg m = { .type = WIRE_RESULTS };

		if (r->v[i].outcome == OUTCOME_LEFT)
			r->v[i].outcome = OUTCOME_FAILED;
		bytes += sizeof(r->v[i]) + r->v[i].part_count * 16UL;
		if (bytes < RESULTS_BYTES && i + 1 < r->count)
			continue;
		m.u.results = (struct wire_results){ .lease = r->lease,
		    .v = r->v + begin, .count = i + 1 - begin };
		send_status(s, &m);
		begin = i + 1;
		bytes = 0;
	}
	let_go(s, r->lease, r->count);
	results_free(&r);
}

static void
send_fetched(struct session *s, struct fetched **at)
{
	struct fetched *f = *at;
	struct wire_msg m = { .type = WIRE_FETCHED };

	*at = f->next;
	m.u.fetched = (struct wire_fetched){ .lease = f->lease, .v = f->v,
	    .count = f->count };
	send_status(s, &m);
	for (size_t i = 0; i < f->count; i++)
		fetch_item_free(&f->v[i].item);
	free(f->v);
	free(f);
}

static void
take_fetched(struct session *s, struct fetch_item *it)
{
	struct origin *o = it->user;
	struct fetched **at = &s->fetched, *f;

	it->user = NULL;
	while (*at != NULL && (*at)->lease != o->lease)
		at = &(*at)->next;
	f = *at;
	if (f == NULL) {
		f = *at = xcalloc(1, sizeof(*f));
		f->lease = o->lease;
		f->v = xcalloc(FETCHED_MAX, sizeof(*f->v));
		f->since_ms = clock_mono_ms();
	}
	f->v[f->count++] = (struct wire_fetch){ .id = o->id, .item = it };
	if (let_go(s, o->lease, 1) || f->count == FETCHED_MAX)
		send_fetched(s, at);
	origin_free(s, o);
}

static void
take_deleted(struct session *s, struct delete_batch *b)
{
	struct origin *o = b->user;
	struct wire_msg m = { .type = WIRE_DELETED };

	m.u.deleted = (struct wire_deleted){ .lease = o->lease, .id = o->id,
	    .batch = b };
	send_status(s, &m);
	let_go(s, o->lease, 1);
	origin_free(s, o);
	delete_batch_free(&b);
}

static void
take_note(struct session *s, struct upload_note *n)
{
	struct wire_msg m = { .type = WIRE_NOTE };

	m.u.note = (struct wire_note){ .lease = n->lease, .note = n };
	send_status(s, &m);
	upload_note_free(&n);
}

static void
take_failure(struct session *s, struct crew_failure *f)
{
	if (s->end == SESSION_GOES_ON) {
		s->end = SESSION_FAILED;
		s->err = f->err;
	}
	free(f);
}

void
session_take_mail(struct session *s)
{
	struct mail *mail = mailbox_take(s->in), *next;

	for (; mail != NULL; mail = next) {
		void *msg = mail;

		next = mail->next;
		switch (mail->type) {
		case MAIL_RESULTS:
			send_results(s, msg);
			break;
		case MAIL_FETCHED:
			take_fetched(s, msg);
			break;
		case MAIL_DELETED:
			take_deleted(s, msg);
			break;
		case MAIL_UPLOAD:
			take_note(s, msg);
			break;
		case MAIL_CREW_FAILED:
			take_failure(s, msg);
			break;
		}
	}
}

void
session_flush(struct session *s, bool all)
{
	struct fetched **at = &s->fetched;
	uint64_t now = clock_mono_ms();

	while (*at != NULL) {
		if (all || now - (*at)->since_ms >= FETCHED_MS)
			send_fetched(s, at);
		else
			at = &(*at)->next;
	}
}

void
session_work_release(struct session *s)
{
	session_flush(s, true);
	while (s->origins != NULL)
		origin_free(s, s->origins);
	free(s->held);
	s->held = NULL;
	s->held_count = 0;
}
