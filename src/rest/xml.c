#include <expat.h>

#include "crypto/crypto.h"
#include "rest/meta.h"
#include "rest/xml.h"

#define DEPTH_MAX	16
#define TEXT_MAX	(16 * 1024)	/* of one element */
#define ENTRIES_MAX	20000		/* a page has at most 1,000 */
#define BLOCK_SIZE	(32 * 1024)

/* Strings live in blocks that never move. */
struct s3_xml_block {
	struct s3_xml_block *next;
	size_t	 used;
	size_t	 size;
	char	 data[];
};

/* The current place in the document, as far as the parser needs to know. */
enum place {
	PLACE_ROOT = 0,
	PLACE_LISTED,
	PLACE_PREFIX,
	PLACE_PART,
	PLACE_UPLOAD,
	PLACE_VERSION,
	PLACE_DELETED
};

struct parse {
	struct s3_xml *xml;
	XML_Parser parser;
	enum s3_xml_kind wanted;
	unsigned depth;
	enum place place;
	size_t	 entries;
	struct buf text;	/* of the innermost element */
	const char *wrong;	/* why it was given up, or NULL */
	bool	 seen_truncated;
	/* which members the entry has had */
	bool	 has_key, has_id, has_size, has_etag, has_number;
};

static const char *const roots[S3_XML__MAX] = {
	[S3_XML_LIST] = "ListBucketResult",
	[S3_XML_PARTS] = "ListPartsResult",
	[S3_XML_UPLOADS] = "ListMultipartUploadsResult",
	[S3_XML_VERSIONS] = "ListVersionsResult",
	[S3_XML_CREATE] = "InitiateMultipartUploadResult",
	[S3_XML_COMPLETE] = "CompleteMultipartUploadResult",
	[S3_XML_COPY] = "CopyObjectResult",
	[S3_XML_DELETED] = "DeleteResult",
	[S3_XML_ERROR] = "Error",
};

void
s3_xml_init(struct s3_xml *x)
{
	memset(x, 0, sizeof(*x));
	x->next = x->upload_id = x->message = x->region = STR("");
}

void
s3_xml_release(struct s3_xml *x)
{
	while (x->blocks != NULL) {
		struct s3_xml_block *b = x->blocks;

		x->blocks = b->next;
		free(b);
	}
	free(x->listed);
	free(x->prefixes);
	free(x->parts);
	free(x->uploads);
	free(x->versions);
	free(x->deleted);
	s3_xml_init(x);
}

/*
 * A reference to a control character, as radosgw writes into the token of the
 * next page, is no XML. Such a reference becomes one of the 32 noncharacters
 * from U+FDD0 on before the parser sees it, and the character itself after.
 */
#define MARK		"\357\267"	/* and 0x90 + the character */
#define MARK_BASE	0x90

/* The control character that the reference at s stands for, if XML has none
 * such; -1 otherwise. ret_len: of the reference. */
static int
control_ref(struct str s, size_t *ret_len)
{
	bool hexadecimal = s.len > 2 && s.p[2] == 'x';
	size_t i = hexadecimal ? 3 : 2;
	const char *end;
	char digits[8] = "";
	long v;

	if (s.len < 4 || s.p[0] != '&' || s.p[1] != '#')
		return -1;
	end = memchr(s.p, ';', MIN(s.len, sizeof(digits) + 2));
	if (end == NULL || (size_t)(end - s.p) <= i)
		return -1;
	memcpy(digits, s.p + i, MIN((size_t)(end - s.p) - i,
	    sizeof(digits) - 1));
	if (digits[strspn(digits, "0123456789abcdefABCDEF")] != '\0')
		return -1;
	v = strtol(digits, NULL, hexadecimal ? 16 : 10);
	*ret_len = (size_t)(end - s.p) + 1;
	if (v < 1 || v > 0x1f || v == '\t' || v == '\n' || v == '\r')
		return -1;
	return (int)v;
}

/* Return the text with marks in a buffer, or the unchanged text if no mark is
 * needed. */
static struct str
mark_controls(struct s3_xml *x, struct str s, struct buf *b)
{
	const char *ref;
	size_t len;

	while ((ref = memmem(s.p, s.len, "&#", 2)) != NULL) {
		struct str at = { ref, s.len - (size_t)(ref - s.p) };
		int c = control_ref(at, &len);

		buf_add(b, s.p, (size_t)(ref - s.p));
		if (c == -1) {
			len = 2;
			buf_add(b, ref, len);
		} else {
			buf_addstr(b, MARK);
			buf_addch(b, (char)(MARK_BASE + c));
			x->marked = true;
		}
		s.len -= (size_t)(ref + len - s.p);
		s.p = ref + len;
	}
	buf_add(b, s.p, s.len);
	return buf_str(b);
}

static struct str
unmark(char *p, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (len - i > 2 && memcmp(p + i, MARK, 2) == 0 &&
		    (unsigned char)p[i + 2] >= MARK_BASE &&
		    (unsigned char)p[i + 2] < MARK_BASE + 0x20) {
			p[n++] = (char)((unsigned char)p[i + 2] - MARK_BASE);
			i += 2;
		} else {
			p[n++] = p[i];
		}
	}
	p[n] = '\0';
	return (struct str){ p, n };
}

static struct str
keep(struct s3_xml *x, struct str s)
{
	struct s3_xml_block *b = x->blocks;
	char *p;

	if (b == NULL || b->size - b->used < s.len + 1) {
		size_t size = MAX((size_t)BLOCK_SIZE, s.len + 1);

		b = xmalloc(sizeof(*b) + size);
		b->next = x->blocks;
		b->used = 0;
		b->size = size;
		x->blocks = b;
	}
	p = b->data + b->used;
	if (s.len > 0)
		memcpy(p, s.p, s.len);
	p[s.len] = '\0';
	b->used += s.len + 1;
	if (x->marked)
		return unmark(p, s.len);
	return (struct str){ p, s.len };
}

static void
give_up(struct parse *p, const char *why)
{
	if (p->wrong == NULL)
		p->wrong = why;
	XML_StopParser(p->parser, XML_FALSE);
}

/* Return the array with room for a further element, cleared: capacity doubles
 * at powers of two. */
static void *
grow(void *array, size_t count, size_t size)
{
	if ((count & (count - 1)) == 0)
		array = xreallocarray(array, count == 0 ? 1 : count * 2, size);
	memset((char *)array + count * size, 0, size);
	return array;
}

static void
open_entry(struct parse *p, const char *name)
{
	struct s3_xml *x = p->xml;

	p->has_key = p->has_id = p->has_size = p->has_etag =
	    p->has_number = false;
	if (x->kind == S3_XML_LIST && strcmp(name, "Contents") == 0) {
		x->listed = grow(x->listed, x->listed_count,
		    sizeof(*x->listed));
		p->place = PLACE_LISTED;
	} else if (x->kind == S3_XML_LIST &&
	    strcmp(name, "CommonPrefixes") == 0) {
		x->prefixes = grow(x->prefixes, x->prefix_count,
		    sizeof(*x->prefixes));
		p->place = PLACE_PREFIX;
	} else if (x->kind == S3_XML_PARTS && strcmp(name, "Part") == 0) {
		x->parts = grow(x->parts, x->part_count, sizeof(*x->parts));
		p->place = PLACE_PART;
	} else if (x->kind == S3_XML_UPLOADS &&
	    strcmp(name, "Upload") == 0) {
		x->uploads = grow(x->uploads, x->upload_count,
		    sizeof(*x->uploads));
		p->place = PLACE_UPLOAD;
	} else if (x->kind == S3_XML_VERSIONS && (strcmp(name, "Version") == 0
	    || strcmp(name, "DeleteMarker") == 0)) {
		x->versions = grow(x->versions, x->version_count,
		    sizeof(*x->versions));
		x->versions[x->version_count].marker = name[0] == 'D';
		p->place = PLACE_VERSION;
	} else if (x->kind == S3_XML_DELETED && (strcmp(name, "Deleted") == 0
	    || strcmp(name, "Error") == 0)) {
		x->deleted = grow(x->deleted, x->deleted_count,
		    sizeof(*x->deleted));
		x->deleted[x->deleted_count].failed = name[0] == 'E';
		p->place = PLACE_DELETED;
	} else {
		return;
	}
	if (++p->entries > ENTRIES_MAX)
		give_up(p, "too many entries");
}

static void
open_root(struct parse *p, const char *name)
{
	if (strcmp(name, roots[S3_XML_ERROR]) == 0)
		p->xml->kind = S3_XML_ERROR;
	else if (strcmp(name, roots[p->wanted]) == 0)
		p->xml->kind = p->wanted;
	else
		give_up(p, "another document than the one asked for");
}

/* Servers differ in the namespace, and some send none: expat gives the name as
 * written, and no known server uses a prefix. */
static void XMLCALL
on_start(void *arg, const char *name, const char **attributes)
{
	struct parse *p = arg;

	(void)attributes;
	buf_clear(&p->text);
	p->depth++;
	if (p->depth > DEPTH_MAX)
		give_up(p, "nested too deep");
	else if (p->depth == 1)
		open_root(p, name);
	else if (p->depth == 2)
		open_entry(p, name);
}

static bool
number(struct str s, uint64_t *ret)
{
	uint64_t v = 0;

	if (s.len == 0 || s.len > 19)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(s.p[i] - '0');
	}
	*ret = v;
	return true;
}

static bool
is(const char *name, const char *wanted)
{
	return strcmp(name, wanted) == 0;
}

static void
see_listed(struct parse *p, const char *name, struct str s)
{
	struct s3_listed *l = &p->xml->listed[p->xml->listed_count];

	if (is(name, "Key")) {
		l->key = keep(p->xml, s);
		p->has_key = true;
	} else if (is(name, "Size")) {
		p->has_size = number(s, &l->size);
	} else if (is(name, "ETag")) {
		s3_etag(s, l->etag);
	} else if (is(name, "LastModified")) {
		s3_iso_date(s, &l->modified_sec);
	}
}

static void
see_part(struct parse *p, const char *name, struct str s)
{
	struct s3_part *part = &p->xml->parts[p->xml->part_count];
	uint64_t v;

	if (is(name, "PartNumber")) {
		p->has_number = number(s, &v) && v >= 1 && v <= 10000;
		if (p->has_number)
			part->number = (unsigned)v;
	} else if (is(name, "Size")) {
		p->has_size = number(s, &part->size);
	} else if (is(name, "ETag")) {
		s3_etag(s, part->etag);
		part->given = keep(p->xml, s);
		p->has_etag = part->etag[0] != '\0';
	}
}

static void
see_upload(struct parse *p, const char *name, struct str s)
{
	struct s3_upload *u = &p->xml->uploads[p->xml->upload_count];

	if (is(name, "Key")) {
		u->key = keep(p->xml, s);
		p->has_key = true;
	} else if (is(name, "UploadId")) {
		u->upload_id = keep(p->xml, s);
		p->has_id = s.len > 0;
	} else if (is(name, "Initiated")) {
		s3_iso_date(s, &u->initiated_sec);
	}
}

static void
see_version(struct parse *p, const char *name, struct str s)
{
	struct s3_version *v = &p->xml->versions[p->xml->version_count];

	if (is(name, "Key")) {
		v->key = keep(p->xml, s);
		p->has_key = true;
	} else if (is(name, "VersionId")) {
		v->id = keep(p->xml, s);
		p->has_id = s.len > 0;
	} else if (is(name, "Size")) {
		p->has_size = number(s, &v->size);
	} else if (is(name, "ETag")) {
		s3_etag(s, v->etag);
	}
}

static void
see_deleted(struct parse *p, const char *name, struct str s)
{
	struct s3_xml_deleted *d = &p->xml->deleted[p->xml->deleted_count];

	if (is(name, "Key")) {
		d->key = keep(p->xml, s);
		p->has_key = true;
	} else if (is(name, "VersionId")) {
		d->version_id = keep(p->xml, s);
	} else if (is(name, "DeleteMarkerVersionId")) {
		d->marker_id = keep(p->xml, s);
	} else if (is(name, "DeleteMarker")) {
		d->marker = str_eq(s, STR("true"));
	} else if (is(name, "Code")) {
		d->code = keep(p->xml, s);
		p->has_id = s.len > 0;
	} else if (is(name, "Message")) {
		d->message = keep(p->xml, s);
	}
}

static void
see_prefix(struct parse *p, const char *name, struct str s)
{
	if (is(name, "Prefix")) {
		p->xml->prefixes[p->xml->prefix_count] = keep(p->xml, s);
		p->has_key = true;
	}
}

static void
see_error(struct s3_xml *x, const char *name, struct str s)
{
	if (is(name, "Code") && s.len < sizeof(x->code)) {
		memcpy(x->code, s.p, s.len);
		x->code[s.len] = '\0';
	} else if (is(name, "Message")) {
		x->message = keep(x, s);
	} else if (is(name, "Region")) {
		x->region = keep(x, s);
	} else if (is(name, "Endpoint") && x->region.len == 0) {
		x->region = keep(x, s);
	}
}

static void
see_root(struct parse *p, const char *name, struct str s)
{
	struct s3_xml *x = p->xml;

	if (x->kind == S3_XML_ERROR) {
		see_error(x, name, s);
	} else if (is(name, "IsTruncated")) {
		x->truncated = str_eq(s, STR("true"));
		p->seen_truncated = true;
		if (!x->truncated && !str_eq(s, STR("false")))
			give_up(p, "IsTruncated is neither true nor false");
	} else if (is(name, "NextContinuationToken") ||
	    is(name, "NextPartNumberMarker") ||
	    is(name, "NextUploadIdMarker")) {
		x->next = keep(x, s);
	} else if (x->kind == S3_XML_LIST && is(name, "NextMarker")) {
		x->next = keep(x, s);
	} else if (x->kind == S3_XML_LIST && is(name, "Marker")) {
		x->is_v1 = true;
	} else if (is(name, "EncodingType")) {
		x->url_encoded = str_eq(s, STR("url"));
	} else if (is(name, "UploadId") && x->kind == S3_XML_CREATE) {
		x->upload_id = keep(x, s);
	} else if (is(name, "ETag")) {
		s3_etag(s, x->etag);
	}
}

/* Refuse an entry without its required fields: such an entry would be a wrong
 * listing, not a gap. */
static void
close_entry(struct parse *p)
{
	struct s3_xml *x = p->xml;
	bool whole = true;

	if (p->place == PLACE_LISTED) {
		whole = p->has_key && p->has_size;
		x->listed_count++;
	} else if (p->place == PLACE_PREFIX) {
		whole = p->has_key;
		x->prefix_count++;
	} else if (p->place == PLACE_PART) {
		whole = p->has_number && p->has_size && p->has_etag;
		x->part_count++;
	} else if (p->place == PLACE_UPLOAD) {
		whole = p->has_key && p->has_id;
		x->upload_count++;
	} else if (p->place == PLACE_VERSION) {
		whole = p->has_key && p->has_id && (p->has_size ||
		    x->versions[x->version_count].marker);
		x->version_count++;
	} else if (p->place == PLACE_DELETED) {
		whole = p->has_key && (p->has_id ||
		    !x->deleted[x->deleted_count].failed);
		x->deleted_count++;
	}
	p->place = PLACE_ROOT;
	if (!whole)
		give_up(p, "an entry is incomplete");
}

static void XMLCALL
on_end(void *arg, const char *name)
{
	struct parse *p = arg;
	struct str s = buf_str(&p->text);

	if (p->wrong != NULL)
		return;
	if (p->depth == 2 && p->place == PLACE_ROOT)
		see_root(p, name, s);
	else if (p->depth == 2)
		close_entry(p);
	else if (p->depth == 3 && p->place == PLACE_LISTED)
		see_listed(p, name, s);
	else if (p->depth == 3 && p->place == PLACE_PREFIX)
		see_prefix(p, name, s);
	else if (p->depth == 3 && p->place == PLACE_PART)
		see_part(p, name, s);
	else if (p->depth == 3 && p->place == PLACE_UPLOAD)
		see_upload(p, name, s);
	else if (p->depth == 3 && p->place == PLACE_VERSION)
		see_version(p, name, s);
	else if (p->depth == 3 && p->place == PLACE_DELETED)
		see_deleted(p, name, s);
	buf_clear(&p->text);
	p->depth--;
}

static void XMLCALL
on_text(void *arg, const char *s, int len)
{
	struct parse *p = arg;

	if (len > 0 && buf_add(&p->text, s, (size_t)len) == -1)
		give_up(p, "a text is too long");
}

static void XMLCALL
on_doctype(void *arg, const char *name, const char *sysid, const char *pubid,
    int internal)
{
	(void)name;
	(void)sysid;
	(void)pubid;
	(void)internal;
	give_up(arg, "it has a document type");
}

/* Undo encoding-type=url in place: %xx, and '+' for a blank (AWS, MinIO;
 * servers with %20 for blanks write '+' as %2B). */
static void
decode(struct str *s)
{
	/* Kept strings are ours to write. */
	char *out = (char *)(uintptr_t)s->p;
	size_t n = 0;

	for (size_t i = 0; i < s->len; i++) {
		char c = s->p[i];

		if (c == '+') {
			c = ' ';
		} else if (c == '%' && s->len - i > 2 &&
		    hex_value(s->p[i + 1]) >= 0 &&
		    hex_value(s->p[i + 2]) >= 0) {
			c = (char)(hex_value(s->p[i + 1]) * 16 +
			    hex_value(s->p[i + 2]));
			i += 2;
		}
		out[n++] = c;
	}
	s->len = n;
	if (s->p != NULL)
		out[n] = '\0';
}

/* radosgw encodes the keys of uploads, as asked, and doesn't say so. Treat text
 * as not encoded if the encoding would have replaced a byte in the text. */
static bool
looks_encoded(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] <= 0x20 ||
		    (unsigned char)s.p[i] >= 0x7f || s.p[i] == '+')
			return false;
	return true;
}

static void
decode_all(struct s3_xml *x)
{
	for (size_t i = 0; i < x->upload_count; i++)
		if (x->url_encoded || looks_encoded(x->uploads[i].key))
			decode(&x->uploads[i].key);
	if (!x->url_encoded)
		return;
	for (size_t i = 0; i < x->listed_count; i++)
		decode(&x->listed[i].key);
	for (size_t i = 0; i < x->prefix_count; i++)
		decode(&x->prefixes[i]);
	for (size_t i = 0; i < x->version_count; i++)
		decode(&x->versions[i].key);
	if (x->is_v1 && x->next.len > 0)
		decode(&x->next);
}

/* A listing of the first version goes on behind a key: the last key, if the
 * answer names no marker. */
static void
take_marker(struct s3_xml *x)
{
	if (x->is_v1 && x->truncated && x->next.len == 0)
		x->next = x->listed[x->listed_count - 1].key;
}

/* Return the name of a required element missing from the answer; or NULL. */
static const char *
lacks(const struct parse *p)
{
	const struct s3_xml *x = p->xml;

	switch (x->kind) {
	case S3_XML_LIST:
	case S3_XML_PARTS:
	case S3_XML_UPLOADS:
		if (!p->seen_truncated)
			return "no IsTruncated";
		if (x->is_v1 && x->listed_count > 0)
			return NULL;
		return x->truncated && x->next.len == 0 ?
		    "truncated, but no marker to go on" : NULL;
	case S3_XML_VERSIONS:	/* only ever one page */
		return p->seen_truncated ? NULL : "no IsTruncated";
	case S3_XML_CREATE:
		return x->upload_id.len == 0 ? "no UploadId" : NULL;
	case S3_XML_COPY:
		return x->etag[0] == '\0' ? "no ETag" : NULL;
	case S3_XML_ERROR:
		return x->code[0] == '\0' ? "no Code" : NULL;
	default:
		return NULL;
	}
}

int
s3_xml_parse(struct s3_xml *x, enum s3_xml_kind wanted, struct str text,
    struct err *err)
{
	struct parse p = { .xml = x, .wanted = wanted };
	enum XML_Status status;
	struct buf marked;

	/* Skip leading blanks: the server may send blanks to keep the
	 * connection alive. */
	while (text.len > 0 && strchr(" \t\r\n", text.p[0]) != NULL &&
	    text.p[0] != '\0') {
		text.p++;
		text.len--;
	}
	if (text.len > S3_XML_MAX)
		return err_set(err, ERR_PEER, 0, "XML: over %d bytes",
		    S3_XML_MAX);
	p.parser = XML_ParserCreate(NULL);
	if (p.parser == NULL)
		return err_set(err, ERR_RESOURCE, 0, "XML: no parser");
	buf_init(&p.text, TEXT_MAX);
	XML_SetUserData(p.parser, &p);
	XML_SetElementHandler(p.parser, on_start, on_end);
	XML_SetCharacterDataHandler(p.parser, on_text);
	XML_SetStartDoctypeDeclHandler(p.parser, on_doctype);
	buf_init(&marked, S3_XML_MAX);
	if (memmem(text.p, text.len, "&#", 2) != NULL)
		text = mark_controls(x, text, &marked);
	status = XML_Parse(p.parser, text.p, (int)text.len, 1);
	if (p.wrong == NULL && status != XML_STATUS_OK)
		p.wrong = XML_ErrorString(XML_GetErrorCode(p.parser));
	XML_ParserFree(p.parser);
	buf_release(&p.text);
	buf_release(&marked);
	if (p.wrong == NULL)
		p.wrong = lacks(&p);
	if (p.wrong != NULL)
		return err_set(err, ERR_PEER, 0, "XML: %s", p.wrong);
	decode_all(x);
	take_marker(x);
	return 0;
}

void
s3_xml_complete(struct buf *b, const uint8_t *md5s, char *const *given,
    unsigned count)
{
	char text[2 * MD5_LEN + 1];

	buf_addstr(b, "<CompleteMultipartUpload xmlns="
	    "\"http://s3.amazonaws.com/doc/2006-03-01/\">");
	for (unsigned i = 0; i < count; i++) {
		buf_addf(b, "<Part><PartNumber>%u</PartNumber><ETag>", i + 1);
		if (given != NULL && given[i] != NULL) {
			s3_xml_text(b, str_of(given[i]));
		} else {
			hex_encode(md5s + (size_t)i * MD5_LEN, MD5_LEN, text);
			buf_addf(b, "&quot;%s&quot;", text);
		}
		buf_addstr(b, "</ETag></Part>");
	}
	buf_addstr(b, "</CompleteMultipartUpload>");
}

void
s3_xml_text(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		switch (s.p[i]) {
		case '&':
			buf_addstr(b, "&amp;");
			break;
		case '<':
			buf_addstr(b, "&lt;");
			break;
		case '>':
			buf_addstr(b, "&gt;");
			break;
		case '\t':
		case '\n':
		case '\r':
			/* A parser would turn CR and LF into a single
			 * newline. */
			buf_addf(b, "&#%d;", s.p[i]);
			break;
		default:
			buf_addch(b, s.p[i]);
		}
	}
}

bool
s3_key_fits_xml(struct str key)
{
	while (key.len > 0) {
		unsigned char c = (unsigned char)key.p[0];
		size_t n = utf8_len(key.p, key.len);

		if (n == 0 || (c < 0x20 && c != '\t' && c != '\n' &&
		    c != '\r'))
			return false;
		/* U+FFFE and U+FFFF are no characters. */
		if (n == 3 && (memcmp(key.p, "\357\277\276", 3) == 0 ||
		    memcmp(key.p, "\357\277\277", 3) == 0))
			return false;
		key.p += n;
		key.len -= n;
	}
	return true;
}
