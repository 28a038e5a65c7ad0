/*
 * A catalog and its -wal. SQLite's format of both is in
 * https://www.sqlite.org/fileformat2.html.
 *
 * The file F is what SQLite's checkpoints have made of it: the state in which
 * the -wal W began, and perhaps some pages of W in newer versions. Two things
 * of F are compared with W: the head (the first 100 bytes: change counter,
 * number of pages, schema), and the id in the mark. Each is either as the first
 * transaction of W found it, or as a frame of W holds it. The id alone would
 * not do: VACUUM copies the id and moves all the other pages.
 */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db/db_internal.h"
#include "db/guard.h"
#include "db/holder.h"
#include "db/pair.h"

#define HEAD_SIZE	100
#define WAL_HEAD_SIZE	32
#define FRAME_HEAD_SIZE	24
#define WAL_MAGIC	0x377f0682	/* the last bit: big-endian sums */
#define WAL_VERSION	3007000
#define STAMP_RUNG	13	/* older catalogs have no marks */
#define ID_SIZE		16
#define CELL_HEAD_MAX	16	/* of the mark's cell: sizes, rowid, types */

struct mark {
	char	 magic[8];
	uint8_t	 id[ID_SIZE];		/* of the state that is made */
	uint8_t	 before[ID_SIZE];	/* in the file, or 0: none */
	uint8_t	 head[HEAD_SIZE];	/* of the file */
};
static const char mark_magic[8] = { 'D', 'M', '\0', 'm', 'a', 'r', 'k', 1 };
static const uint8_t no_id[ID_SIZE];

static uint32_t
get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
}

static size_t
page_size_of(const uint8_t *head)
{
	size_t n = (size_t)head[16] << 8 | head[17];

	return n == 1 ? 65536 : n;
}

/* Return the mark on a page: the only cell of a leaf of a table. */
static const struct mark *
mark_on(const uint8_t *page, size_t size)
{
	size_t at = (size_t)page[8] << 8 | page[9];

	if (page[0] != 0x0d || page[3] != 0 || page[4] != 1)
		return NULL;
	for (size_t i = at; i < at + CELL_HEAD_MAX &&
	    i + sizeof(struct mark) <= size; i++)
		if (memcmp(page + i, mark_magic, sizeof(mark_magic)) == 0)
			return (const struct mark *)(page + i);
	return NULL;
}

/* --- writing --- */

static void
write_mark(struct db *db, struct mark *m)
{
	memcpy(m->magic, mark_magic, sizeof(m->magic));
	if (getrandom(m->id, sizeof(m->id), 0) != sizeof(m->id) &&
	    db->err.kind == ERR_NONE)
		err_errno(&db->err, ERR_RESOURCE, errno, "catalog %s: no "
		    "random number", db->path);
	DB_RUN(db, STAMP_WRITE, BLOB(m, sizeof(*m)));
}

/* What the file holds now, below all changes of the -wal. */
static void
look_at_file(struct db *db, struct mark *m)
{
	sqlite3_file *f = NULL;
	const struct mark *old;
	uint8_t *page AUTOFREE = NULL;
	size_t size;

	if (db->mark_page == 0)
		db->mark_page = db_number(db, "SELECT coalesce(max("
		    "rootpage), 0) FROM sqlite_schema WHERE name = 'stamp'");
	if (db->mark_page == 0)
		return;
	if (db_failed(db) || sqlite3_file_control(db->conn, "main",
	    SQLITE_FCNTL_FILE_POINTER, &f) != SQLITE_OK ||
	    f == NULL || f->pMethods == NULL ||
	    f->pMethods->xRead(f, m->head, HEAD_SIZE, 0) != SQLITE_OK)
		return;
	size = page_size_of(m->head);
	page = xcalloc(1, MAX(size, (size_t)HEAD_SIZE));
	/* A short file: SQLite fills with zeros, and says so. */
	f->pMethods->xRead(f, page, (int)size, (db->mark_page - 1) *
	    (int64_t)size);
	old = mark_on(page, size);
	if (old != NULL)
		memcpy(m->before, old->id, sizeof(m->before));
}

/* If the -wal begins anew with this transaction, SQLite has decided so when the
 * transaction began, as all of the -wal was in the file: so the file does not
 * change between this look and the commit. */
void
pair_mark(struct db *db)
{
	struct mark m = { .head = { 0 } };

	look_at_file(db, &m);
	if (db->mark_page != 0)
		write_mark(db, &m);
}

/* --- looking --- */

struct pair {
	int	 file;
	int	 wal;
	uint8_t	 head[HEAD_SIZE];	/* of the file */
	uint8_t	 wal_head[WAL_HEAD_SIZE];
	size_t	 page_size;
	uint8_t	*frame;		/* header and page */
	uint32_t sum[2];	/* of the frames so far */
	bool	 big_endian;
	bool	 committed;	/* a first transaction is whole */
	struct mark mark;	/* of that transaction */
	uint32_t mark_page;	/* 0: there is none */
};

static bool
read_at(int fd, void *p, size_t n, off_t at)
{
	ssize_t got;

	do
		got = pread(fd, p, n, at);
	while (got == -1 && errno == EINTR);
	return got >= 0 && (size_t)got == n;
}

static void
add_sum(struct pair *p, const uint8_t *data, size_t n)
{
	for (size_t i = 0; i + 8 <= n; i += 8) {
		uint32_t a = get32(data + i), b = get32(data + i + 4);

		if (!p->big_endian) {
			a = __builtin_bswap32(a);
			b = __builtin_bswap32(b);
		}
		p->sum[0] += a + p->sum[1];
		p->sum[1] += b + p->sum[0];
	}
}

static bool
is_sum(const struct pair *p, const uint8_t *at)
{
	return get32(at) == p->sum[0] && get32(at + 4) == p->sum[1];
}

/* True if SQLite would take the -wal's header for right. */
static bool
read_wal_head(struct pair *p)
{
	const uint8_t *h = p->wal_head;

	if (!read_at(p->wal, p->wal_head, WAL_HEAD_SIZE, 0) ||
	    (get32(h) & ~1U) != WAL_MAGIC || get32(h + 4) != WAL_VERSION)
		return false;
	p->page_size = get32(h + 8);
	if (p->page_size < 512 || p->page_size > 65536 ||
	    (p->page_size & (p->page_size - 1)) != 0)
		return false;
	p->big_endian = (h[3] & 1) != 0;
	add_sum(p, h, 24);
	return is_sum(p, h + 24);
}

/* Read the next frame; false at the end, or if the frame is an old one. */
static bool
read_frame(struct pair *p, size_t number, bool whole)
{
	const size_t size = FRAME_HEAD_SIZE + p->page_size;

	return read_at(p->wal, p->frame, whole ? size : FRAME_HEAD_SIZE,
	    (off_t)(WAL_HEAD_SIZE + number * size)) &&
	    memcmp(p->frame + 8, p->wal_head + 16, 8) == 0;
}

static void
read_first_transaction(struct pair *p)
{
	const uint8_t *page = p->frame + FRAME_HEAD_SIZE;

	for (size_t i = 0; !p->committed && read_frame(p, i, true); i++) {
		const struct mark *m = mark_on(page, p->page_size);

		add_sum(p, p->frame, 8);
		add_sum(p, page, p->page_size);
		if (!is_sum(p, p->frame + 16))
			return;
		if (m != NULL) {
			p->mark = *m;
			p->mark_page = get32(p->frame);
		}
		p->committed = get32(p->frame + 4) != 0;
	}
}

/* Copy the id that the file has in the place of the mark. */
static void
read_file_id(const struct pair *p, uint8_t id[ID_SIZE])
{
	uint8_t *page AUTOFREE = xcalloc(1, p->page_size);
	const struct mark *m = NULL;

	memset(id, 0, ID_SIZE);
	if (read_at(p->file, page, p->page_size,
	    (off_t)(p->mark_page - 1) * (off_t)p->page_size))
		m = mark_on(page, p->page_size);
	if (m != NULL)
		memcpy(id, m->id, ID_SIZE);
}

/* Is the file what the -wal began with, perhaps with pages of the -wal? */
static bool
belongs(struct pair *p)
{
	const uint8_t *page = p->frame + FRAME_HEAD_SIZE;
	uint8_t id[ID_SIZE];
	bool head, mark;

	read_file_id(p, id);
	head = memcmp(p->head, p->mark.head, HEAD_SIZE) == 0;
	mark = memcmp(id, p->mark.before, ID_SIZE) == 0;
	for (size_t i = 0; !(head && mark) && read_frame(p, i, false); i++) {
		uint32_t number = get32(p->frame);
		const struct mark *m;

		if (number != 1 && number != p->mark_page)
			continue;
		if (!read_frame(p, i, true))
			break;
		m = mark_on(page, p->page_size);
		if (number == 1)
			head |= memcmp(p->head, page, HEAD_SIZE) == 0;
		else if (m != NULL && memcmp(id, no_id, ID_SIZE) != 0)
			mark |= memcmp(id, m->id, ID_SIZE) == 0;
	}
	return head && mark;
}

/* SQLite takes nothing from a -wal without a whole transaction. A -wal without
 * a mark is of a program that wrote none: so is the file then. */
static bool
is_pair(struct pair *p)
{
	if (!read_at(p->file, p->head, HEAD_SIZE, 0) || !read_wal_head(p))
		return true;
	p->frame = xcalloc(1, FRAME_HEAD_SIZE + p->page_size);
	read_first_transaction(p);
	if (!p->committed)
		return true;
	if (p->mark_page == 0)
		return get32(p->head + 60) < STAMP_RUNG;
	return belongs(p);
}

static bool
look(const char *path)
{
	char *real AUTOFREE = realpath(path, NULL);
	char *wal AUTOFREE = xasprintf("%s-wal", real == NULL ? path : real);
	struct pair p = { .file = -1, .wal = -1 };
	bool is = true;

	p.wal = open(wal, O_RDONLY | O_CLOEXEC);
	if (p.wal != -1)
		p.file = open(path, O_RDONLY | O_CLOEXEC);
	if (p.file != -1)
		is = is_pair(&p);
	close_fd(&p.file);
	close_fd(&p.wal);
	free(p.frame);
	return is;
}

int
pair_check_locked(const char *path, struct err *err)
{
	if (look(path))
		return 0;
	return err_set(err, ERR_CONFIG, 0, "catalog %s: the -wal beside it "
	    "belongs to another state (a copy was put in its place?): put the "
	    "copy there with datamover catalog restore; if this is the copy, "
	    "move the -wal away", path);
}

/* A master that begins or ends between two looks changes both files. */
int
pair_check(const char *path, struct err *err)
{
	int64_t pid;

	for (int i = 0; i < 2; i++)
		if (catalog_in_use(path, &pid) || look(path) ||
		    catalog_in_use(path, &pid))
			return 0;
	return pair_check_locked(path, err);
}
