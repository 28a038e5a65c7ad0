#include <ctype.h>

#include "kit/fake_nfs.h"

/* fattr3 of the root (id 1) or a file. */
static void
out_attrs(const struct fake *f, struct buf *b, uint64_t id)
{
	out32(b, id == 1 || id == FAKE_NESTED ? 2 : 1);
	out32(b, 0644);
	out32(b, 1);
	out32(b, 10);
	out32(b, 20);
	out64(b, id == 1 ? 4096 : 100);
	out64(b, 4096);
	out64(b, 0);
	out64(b, id != FAKE_NESTED || f->fold ? f->fsid :
	    f->nested_fsid != 0 ? f->nested_fsid : f->fsid + 1);
	out64(b, id);
	for (uint32_t i = 0; i < 3; i++) {
		out32(b, 1000 + i);
		out32(b, i);
	}
}

static void
out_handle(const struct fake *f, struct buf *b, uint64_t id)
{
	char text[129] = "";

	if (id == 1) {
		snprintf(text, sizeof(text), "root%d", f->root_generation);
		out_opaque(b, text, strlen(text));
		return;
	}
	snprintf(text, sizeof(text), "f%d.%d", (int)id - 2, f->generation);
	out_opaque(b, text, f->huge_handle ? sizeof(text) : strlen(text));
}

/* The id of a handle; 0: stale. */
static uint64_t
in_handle(const struct fake *f, struct fake_in *in)
{
	struct str s = in_opaque(in);
	char text[128] = "";
	int k, generation;

	memcpy(text, s.p, MIN(s.len, sizeof(text) - 1));
	if (sscanf(text, "root%d", &generation) == 1)
		return f->root_stale || generation != f->root_generation ?
		    0 : 1;
	if (sscanf(text, "f%d.%d", &k, &generation) != 2 ||
	    generation != f->generation)
		return 0;
	return (uint64_t)k + 2;
}

static void
fail_with(struct buf *out, int status)
{
	out32(out, (uint32_t)status);
	out32(out, 0);		/* no attributes */
}

static bool
take(atomic_int *times)
{
	if (*times <= 0)
		return false;
	(*times)--;
	return true;
}

static void
fake_lookup(struct fake *f, struct fake_in *in, struct buf *out)
{
	uint64_t dir = in_handle(f, in);
	struct str name = in_opaque(in);
	char text[300];
	bool sub;
	int k;

	f->lookups++;
	snprintf(text, sizeof(text), "%.*s", (int)name.len, name.p);
	for (char *p = text; f->fold && *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	sub = f->fold && strcmp(text, "sub") == 0;
	if (f->first_name != NULL && strcmp(text, f->first_name) == 0)
		strcpy(text, "f0");
	if (dir != 1 && dir != FAKE_NESTED) {
		fail_with(out, 70);
	} else if (!sub && (sscanf(text, "f%d", &k) != 1 ||
	    k >= (int)f->files)) {
		fail_with(out, 2);
	} else if (!sub && k == 3 && f->lookup_status != 0) {
		fail_with(out, f->lookup_status);
	} else {
		uint64_t id = sub ? FAKE_NESTED : (uint64_t)k + 2;

		out32(out, 0);
		out_handle(f, out, id);
		out32(out, f->lookup_no_attrs ? 0 : 1);
		if (!f->lookup_no_attrs)
			out_attrs(f, out, id);
		out32(out, 0);
	}
}

static void
fake_entry(struct fake *f, struct buf *out, const char *name, size_t len,
    uint64_t id, uint64_t cookie, bool plus)
{
	bool full = plus && !f->no_attrs;

	out32(out, 1);
	out64(out, id);
	out_opaque(out, name, len);
	out64(out, f->stuck ? 5 : f->circle ? 5 + cookie % 30 : cookie);
	if (!plus)
		return;
	out32(out, full);
	if (full)
		out_attrs(f, out, id);
	out32(out, full);
	if (full)
		out_handle(f, out, id);
}

static enum fake_how
fake_list(struct fake *f, struct fake_in *in, struct buf *out, bool plus)
{
	uint64_t dir = in_handle(f, in);
	uint64_t cookie = in64(in);
	uint64_t files = dir == FAKE_NESTED && f->nested_empty ? 0 : f->files;
	uint64_t end;

	f->lists++;
	if (plus && f->no_plus_proc)
		return FAKE_PROC_UNAVAIL;
	if ((dir != 1 && dir != FAKE_NESTED) || (plus && f->no_plus)) {
		fail_with(out, dir == 1 || dir == FAKE_NESTED ? 10004 : 70);
		return FAKE_REPLY;
	}
	if (cookie != 0 && take(&f->bad_cookie_times)) {
		fail_with(out, 10003);
		return FAKE_REPLY;
	}
	if (cookie != 0 && take(&f->list_times)) {
		fail_with(out, f->list_status);
		return FAKE_REPLY;
	}
	out32(out, 0);
	out32(out, !f->no_dir_attrs);
	if (!f->no_dir_attrs)
		out_attrs(f, out, dir);
	out64(out, 0x1122334455667788U);
	if (f->circle || f->stuck)
		cookie = cookie < 5 ? 0 : cookie - 5;
	end = MIN(cookie + FAKE_PAGE, files);
	if (f->empty_pages)
		end = cookie;
	if (cookie == 0 && !f->empty_pages) {
		fake_entry(f, out, ".", 1, 1, 1, plus);
		fake_entry(f, out, "..", 2, 1, 1, plus);
	}
	for (uint64_t i = cookie; i < end; i++) {
		char name[32];

		snprintf(name, sizeof(name), "f%d", (int)i);
		fake_entry(f, out, name, strlen(name), i + 2, i + 1, plus);
	}
	if (f->fold && dir == 1)
		fake_entry(f, out, "sub", 3, FAKE_NESTED, end, plus);
	if (f->bad_name != NULL)
		fake_entry(f, out, f->bad_name, f->bad_name_len, 99, end,
		    plus);
	out32(out, 0);
	out32(out, end == files && !f->circle && !f->stuck);
	return FAKE_REPLY;
}

static enum fake_how
fake_read(struct fake *f, struct fake_in *in, struct buf *out)
{
	static const char data[4096];
	uint64_t id = in_handle(f, in);
	uint64_t off = in64(in);
	uint32_t len = in32(in);
	uint32_t left = off >= 100 ? 0 : (uint32_t)(100 - off);
	uint32_t n = MIN(len, left);

	f->reads++;
	if (take(&f->drop_times))
		return FAKE_DROP;
	if (take(&f->close_times))
		return FAKE_CLOSE;
	if (take(&f->jukebox_times) || id == 0) {
		fail_with(out, id == 0 ? 70 : 10008);
		return FAKE_REPLY;
	}
	if (f->max_reply != 0)
		n = MIN(n, f->max_reply);
	if (f->no_progress)
		n = 0;
	if (f->too_many)
		n = len + 4;
	out32(out, 0);
	out32(out, 1);
	out_attrs(f, out, id);
	out32(out, n);
	out32(out, n == left && !f->no_progress && !f->too_many);
	out_opaque(out, data, n);
	return FAKE_REPLY;
}

static enum fake_how
fake_mount(struct fake *f, uint32_t proc, struct fake_in *in, struct buf *out)
{
	AUTOFREE char *below = xasprintf("/export/%s",
	    f->nested == NULL ? "" : f->nested);
	bool nested = proc == 1 && str_eq(in_opaque(in), str_of(below));
	int status = nested ? f->nested_status : f->mnt_status;

	if (proc == 5) {	/* EXPORT: without groups */
		out32(out, 1);
		out_opaque(out, "/export", 7);
		out32(out, 0);
		out32(out, f->nested != NULL);
		if (f->nested != NULL) {
			out_opaque(out, below, strlen(below));
			out32(out, 0);
			out32(out, 0);
		}
		return FAKE_REPLY;
	}
	out32(out, (uint32_t)status);
	if (status != 0)
		return FAKE_REPLY;
	out_handle(f, out, nested ? FAKE_NESTED : 1);
	out32(out, 1);
	out32(out, f->kerberos ? 390003 : 1);
	return FAKE_REPLY;
}

static enum fake_how
fake_proc(struct fake *f, uint32_t prog, uint32_t proc, struct fake_in *in,
    struct buf *out)
{
	uint64_t id;

	if (prog == 100005)
		return fake_mount(f, proc, in, out);
	if (f->prog_unavail)
		return FAKE_PROG_UNAVAIL;
	switch (proc) {
	case 1:
		f->getattrs++;
		id = in_handle(f, in);
		if (id > 1 && take(&f->getattr_stale))
			id = 0;
		if (id == 0 || f->getattr_status != 0) {
			out32(out, id == 0 ? 70 :
			    (uint32_t)f->getattr_status);
			return FAKE_REPLY;
		}
		out32(out, 0);
		out_attrs(f, out, id);
		return FAKE_REPLY;
	case 3:
		fake_lookup(f, in, out);
		return FAKE_REPLY;
	case 6:
		return fake_read(f, in, out);
	case 16:
	case 17:
		return fake_list(f, in, out, proc == 17);
	case 19:
		out32(out, 0);
		out32(out, 0);
		for (int i = 0; i < 7; i++)
			out32(out, f->rtmax);
		out64(out, 1 << 30);
		out64(out, 1);
		out32(out, 0);
		return FAKE_REPLY;
	case 21:	/* COMMIT */
		f->commits++;
		out32(out, 0);
		out64(out, 0);	/* no attributes before and after it */
		out64(out, 1);
		return FAKE_REPLY;
	default:
		return FAKE_PROC_UNAVAIL;
	}
}

static enum fake_how
fake_on_call(void *arg, const struct fake_call *call, struct fake_in *in,
    struct buf *out)
{
	return fake_proc(arg, call->prog, call->proc, in, out);
}

static void *
fake_main(void *arg)
{
	struct fake *f = arg;
	struct pollfd fds[2 + FAKE_CONNS];
	nfds_t n = 2;

	fds[0] = (struct pollfd){ .fd = f->stop[0], .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = f->listener, .events = POLLIN };
	for (;;) {
		poll(fds, n, -1);
		if (fds[0].revents != 0)
			break;
		for (nfds_t i = 2; i < n; i++) {
			if (fds[i].revents != 0 &&
			    !fake_rpc(fds[i].fd, fake_on_call, f)) {
				close(fds[i].fd);
				fds[i--] = fds[--n];
			}
		}
		if (fds[1].revents != 0 && n < ARRAY_LEN(fds)) {
			int fd = accept(f->listener, NULL, NULL);

			f->conns++;
			fds[n++] = (struct pollfd){ .fd = fd,
			    .events = POLLIN };
		}
	}
	while (n > 2)
		close(fds[--n].fd);
	return NULL;
}

void
fake_nfs_start(struct fake *f)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
	    .sin_addr.s_addr = f->address != 0 ? f->address :
	    htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)f->port) };
	socklen_t len = sizeof(sin);
	int on = 1;

	f->listener = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(f->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(f->listener, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    listen(f->listener, 16) == -1 || pipe(f->stop) == -1 ||
	    getsockname(f->listener, (struct sockaddr *)&sin, &len) == -1)
		abort();
	f->port = ntohs(sin.sin_port);
	if (pthread_create(&f->thread, NULL, fake_main, f) != 0)
		abort();
}

void
fake_nfs_stop(struct fake *f)
{
	if (write(f->stop[1], "", 1) != 1)
		abort();
	pthread_join(f->thread, NULL);
	close(f->listener);
	close(f->stop[0]);
	close(f->stop[1]);
}
