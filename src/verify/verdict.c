#include "verify/verdict.h"

#include "crypto/crypto.h"

static void
say(struct judged *j, enum verdict v)
{
	j->verdict = v;
	j->outcome = v == VERDICT_OK || v == VERDICT_CHANGED ? OUTCOME_MOVED :
	    OUTCOME_FAILED;
	j->lost = v == VERDICT_MISSING || v == VERDICT_CORRUPT;
}

/* The object has the bytes that were put; the file may be newer by now. */
static void
say_good(struct judged *j, const struct stored *s)
{
	say(j, s->newest || s->gone ? VERDICT_OK : VERDICT_CHANGED);
	if (j->verdict == VERDICT_CHANGED)
		err_set(&j->err, ERR_GONE, 0, "the file changed since it was "
		    "put; the object is what was put");
}

static bool
is_multipart(const char *etag)
{
	return strchr(etag, '-') != NULL;
}

static bool
differs_in_size(const struct stored *s, uint64_t size, struct judged *j)
{
	if (size == s->attrs.size)
		return false;
	say(j, VERDICT_CORRUPT);
	err_set(&j->err, ERR_CORRUPT, 0, "the object has %ju bytes, %ju were "
	    "put", (uintmax_t)size, (uintmax_t)s->attrs.size);
	return true;
}

void
verdict_listed(const struct stored *s, uint64_t size, const char *etag,
    struct judged *j)
{
	*j = (struct judged){ .err = ERR_INIT };
	if (differs_in_size(s, size, j))
		return;
	if (s->etag[0] != '\0' && strcmp(etag, s->etag) == 0) {
		say_good(j, s);
		return;
	}
	/* ETags of objects with a different part size say nothing about the
	 * bytes. */
	if (is_multipart(etag) || is_multipart(s->etag) ||
	    s->etag[0] == '\0') {
		say(j, VERDICT_UNREADABLE);
		err_set(&j->err, ERR_CORRUPT, 0, "its ETag is that of other "
		    "parts (%s, put was %s): --mode full can tell whether the "
		    "bytes are the same", etag, s->etag);
		return;
	}
	say(j, VERDICT_CORRUPT);
	err_set(&j->err, ERR_CORRUPT, 0, "the object's ETag is %s, put was %s",
	    etag, s->etag);
}

void
verdict_missing(const struct stored *s, struct judged *j)
{
	*j = (struct judged){ .err = ERR_INIT };
	say(j, VERDICT_MISSING);
	err_set(&j->err, ERR_CORRUPT, 0, "the bucket does not have it%s",
	    s->gone ? ", nor has the source" : "");
}

void
verdict_doubt(struct judged *j)
{
	j->verdict = VERDICT_DOUBT;
	j->outcome = OUTCOME_EXCLUDED;
	j->lost = false;
	err_wrap(&j->err, "its file was being sent when a run was cut, or an "
	    "answer lost; the next PUT asks the store what it holds");
}

/* --- by its bytes --- */

/* The digest expected of the object's bytes, in the form of an ETag, hashed in
 * the same way as the object. */
static void
wanted(const struct fetch_item *it, char etag[72])
{
	const struct stored *s = &it->stored;

	if (it->result.hashed && s->has_md5)
		etag_single(s->md5, etag);
	else if (!it->result.hashed && s->part_md5s != NULL)
		etag_multipart(s->part_md5s, (unsigned)s->part_count, etag);
	else
		memcpy(etag, s->etag, sizeof(s->etag));
}

static bool
object_is_good(const struct fetch_item *it, struct judged *j)
{
	const struct fetch_result *r = &it->result;
	char etag[72], whole[72];

	if (differs_in_size(&it->stored, it->size, j))
		return false;
	wanted(it, etag);
	etag_single(r->md5, whole);
	if (strcmp(r->hashed ? whole : r->etag_computed, etag) == 0)
		return true;
	say(j, VERDICT_CORRUPT);
	if (r->hashed && it->stored.has_md5)
		err_set(&j->err, ERR_CORRUPT, 0, "the object's MD5 differs "
		    "from the file's, %s", etag);
	else
		err_set(&j->err, ERR_CORRUPT, 0, "the object's parts give the "
		    "ETag %s, put was %s", r->etag_computed, etag);
	return false;
}

static bool
file_changed(const struct fetch_item *it, const struct fetch_result *r,
    unsigned ignore)
{
	return r->file_torn || !attrs_same(&r->file_attrs, &it->stored.attrs,
	    ignore);
}

static bool
same_as_file(const struct fetch_item *it)
{
	const struct fetch_result *r = &it->result;

	return it->size == r->file_attrs.size && r->file_hashed &&
	    memcmp(r->md5, r->file_md5, MD5_LEN) == 0;
}

bool
verdict_file_differs(const struct fetch_item *it, const struct fetch_item *got,
    unsigned ignore)
{
	const struct fetch_result *r = &got->result;

	if (it->raw == NULL || r->outcome > OUTCOME_UNCHANGED)
		return false;
	if (r->file_err.kind != ERR_NONE)
		return r->file_err.kind == ERR_GONE;
	return it->has_stored ? file_changed(it, r, ignore) :
	    r->file_torn || !same_as_file(got);
}

/* Have the file's bytes changed since the file was put? */
static bool
file_is_rotten(const struct fetch_item *it)
{
	char was[72], is[72];

	if (!it->result.file_hashed)
		return false;
	wanted(it, was);
	etag_single(it->result.file_md5, is);
	return strncmp(was, is, strlen(is)) != 0;
}

static void
with_file(const struct fetch_item *it, unsigned ignore, bool good,
    struct judged *j)
{
	const struct fetch_result *r = &it->result;

	if (r->file_err.kind == ERR_GONE) {
		if (good)
			say(j, VERDICT_OK);
		return;
	}
	if (r->file_err.kind != ERR_NONE) {
		if (!good)
			return;
		say(j, VERDICT_UNREADABLE);
		j->err = r->file_err;
		err_wrap(&j->err, "the object is good, its file can't be "
		    "read");
		return;
	}
	if (file_changed(it, r, ignore)) {
		if (!good)
			return;
		say(j, VERDICT_CHANGED);
		err_set(&j->err, ERR_GONE, 0, "the file changed since it was "
		    "put; the object is what was put");
		return;
	}
	if (good && !same_as_file(it)) {
		if (it->stored.fresh) {
			say(j, VERDICT_CHANGED);
			err_set(&j->err, ERR_GONE, 0, "the file was put so "
			    "shortly after a change that its times may hide "
			    "another; its bytes are not what was put: the "
			    "next PUT takes them");
			return;
		}
		say(j, VERDICT_BITROT);
		err_set(&j->err, ERR_CORRUPT, 0, "bit rot at the source: size "
		    "and times of the file are as they were, its bytes are "
		    "not; the object is good");
	} else if (!good && !it->stored.fresh && file_is_rotten(it)) {
		/* The source holds no good bytes for a new PUT. */
		j->lost = false;
		err_wrap(&j->err, "the file has bit rot, too");
	}
}

/* The catalog does not know the object: only the object's file can prove the
 * object. */
static void
by_file_alone(const struct fetch_item *it, struct judged *j)
{
	const struct fetch_result *r = &it->result;

	/* INVALID: no file can have the object's name, such as "dir/", with
	 * which foreign tools mark a directory. */
	if (r->file_err.kind == ERR_GONE ||
	    r->file_err.kind == ERR_INVALID || it->raw == NULL) {
		j->outcome = OUTCOME_EXCLUDED;	/* not of these exports */
		return;
	}
	if (r->file_err.kind != ERR_NONE) {
		say(j, VERDICT_UNREADABLE);
		j->err = r->file_err;
		err_wrap(&j->err, "the catalog does not know the object, and "
		    "its file can't be read");
	} else if (!r->file_torn && same_as_file(it)) {
		say(j, VERDICT_OK);
	} else if (r->file_torn ||
	    r->file_attrs.mtime_ns / 1000000000 > it->modified_sec) {
		/* A file time later than the object's proves only that a change
		 * is possible. */
		say(j, VERDICT_CHANGED);
		j->outcome = OUTCOME_FAILED;
		err_set(&j->err, ERR_GONE, 0, "the catalog does not know the "
		    "object; it differs from its file, which changed since");
	} else {
		say(j, VERDICT_CORRUPT);
		j->lost = false;
		err_set(&j->err, ERR_CORRUPT, 0, "the catalog does not know "
		    "the object; it differs from its file");
	}
}

void
verdict_read(const struct fetch_item *it, unsigned ignore,
    struct judged *j)
{
	const struct fetch_result *r = &it->result;
	bool good;

	*j = (struct judged){ .err = ERR_INIT };
	if (r->outcome == OUTCOME_GONE && it->has_stored) {
		verdict_missing(&it->stored, j);
		return;
	}
	if (r->outcome == OUTCOME_GONE) {
		j->outcome = OUTCOME_GONE;	/* deleted after the listing */
		return;
	}
	if (r->outcome == OUTCOME_FAILED) {
		say(j, VERDICT_UNREADABLE);
		j->err = r->err;
		return;
	}
	if (!it->has_stored) {
		by_file_alone(it, j);
		return;
	}
	good = object_is_good(it, j);
	if (good)
		say_good(j, &it->stored);
	if (it->raw != NULL)
		with_file(it, ignore, good, j);
}
