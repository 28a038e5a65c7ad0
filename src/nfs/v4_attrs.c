#include "nfs/v4_attrs.h"
#include "nfs/owner.h"

/* RFC 7530, 5.8: attribute numbers. */
enum {
	A_TYPE = 1,
	A_SIZE = 4,
	A_FSID = 8,
	A_RDATTR_ERROR = 11,
	A_FILEHANDLE = 19,
	A_FILEID = 20,
	A_MAXREAD = 30,
	A_MODE = 33,
	A_NUMLINKS = 35,
	A_OWNER = 36,
	A_OWNER_GROUP = 37,
	A_TIME_DELTA = 51,
	A_TIME_METADATA = 52,
	A_TIME_MODIFY = 53,
	A_TIME_MODIFY_SET = 54
};

#define BIT(n)		((uint32_t)1 << ((n) % 32))

const uint32_t nfs4_mask_attrs[NFS4_MASK_WORDS] = {
	BIT(A_TYPE) | BIT(A_SIZE) | BIT(A_FSID) | BIT(A_FILEID),
	BIT(A_MODE) | BIT(A_NUMLINKS) | BIT(A_OWNER) | BIT(A_OWNER_GROUP) |
	    BIT(A_TIME_METADATA) | BIT(A_TIME_MODIFY)
};
const uint32_t nfs4_mask_readdir[NFS4_MASK_WORDS] = {
	BIT(A_TYPE) | BIT(A_SIZE) | BIT(A_FSID) | BIT(A_RDATTR_ERROR) |
	    BIT(A_FILEHANDLE) | BIT(A_FILEID),
	BIT(A_MODE) | BIT(A_OWNER) | BIT(A_OWNER_GROUP) |
	    BIT(A_TIME_METADATA) | BIT(A_TIME_MODIFY)
};
const uint32_t nfs4_mask_limits[NFS4_MASK_WORDS] = { BIT(A_MAXREAD),
	BIT(A_TIME_DELTA) };

/* XDR (RFC 4506) from memory; short is remembered. */
struct in {
	const uint8_t *p;
	size_t	 left;
	bool	 bad;
};

static uint32_t
get32(struct in *in)
{
	uint32_t v;

	if (in->left < 4) {
		in->bad = true;
		return 0;
	}
	v = (uint32_t)in->p[0] << 24 | (uint32_t)in->p[1] << 16 |
	    (uint32_t)in->p[2] << 8 | in->p[3];
	in->p += 4;
	in->left -= 4;
	return v;
}

static uint64_t
get64(struct in *in)
{
	uint64_t high = get32(in);

	return high << 32 | get32(in);
}

static const uint8_t *
get_opaque(struct in *in, size_t *ret_len)
{
	uint32_t len = get32(in);
	size_t padded = ((size_t)len + 3) & ~(size_t)3;
	const uint8_t *p = in->p;

	*ret_len = 0;
	if (in->bad || padded > in->left) {
		in->bad = true;
		return NULL;
	}
	in->p += padded;
	in->left -= padded;
	*ret_len = len;
	return p;
}

static int64_t
get_time(struct in *in)
{
	uint64_t sec = get64(in);

	return attrs_time_ns((int64_t)sec, get32(in));
}

static uint32_t
get_owner(struct in *in, bool is_group)
{
	size_t len;
	const uint8_t *p = get_opaque(in, &len);

	return owner_number((struct str){ (const char *)p, len }, is_group);
}

static enum entry_kind
kind_of(uint32_t type)
{
	static const enum entry_kind kinds[] = {
		[1] = ENTRY_FILE,
		[2] = ENTRY_DIR,
		[3] = ENTRY_BLOCK,
		[4] = ENTRY_CHAR,
		[5] = ENTRY_LINK,
		[6] = ENTRY_SOCKET,
		[7] = ENTRY_FIFO,
	};

	return type < ARRAY_LEN(kinds) ? kinds[type] : ENTRY_UNKNOWN;
}

/* Decode an attribute; return false for an attribute that the client never asks
 * for, because the length is unknown. */
static bool
decode_one(unsigned attr, struct in *in, struct nfs4_attrs *out)
{
	switch (attr) {
	case A_TYPE:
		out->attrs.kind = kind_of(get32(in));
		return true;
	case A_SIZE:
		out->attrs.size = get64(in);
		return true;
	case A_FSID:
		/* Two numbers; mostly the second is 0. */
		out->attrs.fsid = get64(in);
		out->attrs.fsid ^= get64(in) * 0x9e3779b97f4a7c15U;
		return true;
	case A_RDATTR_ERROR:
		out->rdattr_error = (int)get32(in);
		return true;
	case A_FILEHANDLE:
		out->fh = get_opaque(in, &out->fh_len);
		return true;
	case A_FILEID:
		out->attrs.ino = get64(in);
		return true;
	case A_MAXREAD:
		out->max_read = get64(in);
		return true;
	case A_MODE:
		out->attrs.mode = get32(in) & 07777;
		return true;
	case A_NUMLINKS:
		out->nlink = get32(in);
		return true;
	case A_OWNER:
		out->attrs.uid = get_owner(in, false);
		return true;
	case A_OWNER_GROUP:
		out->attrs.gid = get_owner(in, true);
		return true;
	case A_TIME_DELTA:
		out->time_delta_ns = get_time(in);
		if (out->time_delta_ns == MTIME_NONE)
			out->time_delta_ns = 0;
		return true;
	case A_TIME_METADATA:
		out->attrs.ctime_ns = get_time(in);
		return true;
	case A_TIME_MODIFY:
		out->attrs.mtime_ns = get_time(in);
		return true;
	default:
		return false;
	}
}

int
nfs4_attrs_decode(const uint32_t *mask, size_t words, const void *values,
    size_t len, struct nfs4_attrs *out, struct err *err)
{
	struct in in = { .p = values, .left = len };

	*out = (struct nfs4_attrs){ .attrs.kind = ENTRY_UNKNOWN,
	    .attrs.uid = OWNER_NONE, .attrs.gid = OWNER_NONE,
	    .attrs.mtime_ns = MTIME_NONE };
	for (size_t w = 0; w < words; w++) {
		for (unsigned b = 0; b < 32; b++) {
			unsigned attr = (unsigned)w * 32 + b;

			if ((mask[w] & (uint32_t)1 << b) == 0)
				continue;
			if (!decode_one(attr, &in, out))
				return err_set(err, ERR_PEER, 0, "the server "
				    "gave attribute %u unasked", attr);
			if (in.bad)
				return err_set(err, ERR_PEER, 0,
				    "attributes end early");
		}
	}
	return 0;
}

/* --- setting --- */

struct out {
	uint8_t	*p;
	size_t	 len;
};

static void
put32(struct out *out, uint32_t v)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		out->p[out->len++] = (uint8_t)(v >> shift);
}

static void
put64(struct out *out, uint64_t v)
{
	put32(out, (uint32_t)(v >> 32));
	put32(out, (uint32_t)v);
}

static void
put_owner(struct out *out, uint32_t id)
{
	char text[16];
	uint32_t len = (uint32_t)snprintf(text, sizeof(text), "%u", id);

	put32(out, len);
	memcpy(out->p + out->len, text, len);
	out->len += len;
	while (out->len % 4 != 0)
		out->p[out->len++] = 0;
}

/* Before 1970 the division would round the wrong way. */
static void
to_time(int64_t ns, int64_t *ret_sec, uint32_t *ret_nsec)
{
	int64_t rest = ns % 1000000000;

	*ret_sec = ns / 1000000000 - (rest < 0);
	*ret_nsec = (uint32_t)(rest + (rest < 0 ? 1000000000 : 0));
}

size_t
nfs4_attrs_encode(const struct attrs_set *set,
    uint32_t mask[NFS4_MASK_WORDS], uint8_t values[NFS4_SET_MAX])
{
	struct out out = { .p = values };
	int64_t sec;
	uint32_t nsec;

	mask[0] = mask[1] = 0;
	/* In the order of their numbers. */
	if (set->has_size) {
		mask[0] |= BIT(A_SIZE);
		put64(&out, set->size);
	}
	if (set->has_mode) {
		mask[1] |= BIT(A_MODE);
		put32(&out, set->mode);
	}
	if (set->has_owner) {
		mask[1] |= BIT(A_OWNER) | BIT(A_OWNER_GROUP);
		put_owner(&out, set->uid);
		put_owner(&out, set->gid);
	}
	if (set->has_mtime) {
		mask[1] |= BIT(A_TIME_MODIFY_SET);
		to_time(set->mtime_ns, &sec, &nsec);
		put32(&out, 1);		/* SET_TO_CLIENT_TIME4 */
		put64(&out, (uint64_t)sec);
		put32(&out, nsec);
	}
	return out.len;
}
