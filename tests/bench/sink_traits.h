/*
 * sink_traits.h: how stores differ. Each trait is a row of the table, with the
 * page or thread that tells of it; without traits the sink is as AWS is with
 * AES256. Included by sink_ops.h alone.
 */
#ifndef BENCH_SINK_TRAITS_H
#define BENCH_SINK_TRAITS_H

#include <ctype.h>

#include "sink_list.h"


#define TRAITS(X) \
	X(ETAG_OPAQUE, "etag-opaque", "no ETag is a digest", \
	    "github.com/minio/minio/issues/20520") \
	X(ETAG_MULTI, "etag-multi", "an object put in parts has an ETag that " \
	    "looks like a digest and is none", \
	    "github.com/cloudflare/miniflare/pull/486") \
	X(ETAG_LONG, "etag-long", "ETags of 90 bytes", \
	    "www.rfc-editor.org/rfc/rfc9110#section-8.8.3") \
	X(PARTS_LONG, "parts-long", "parts have opaque ETags of 200 bytes", \
	    "github.com/s3fs-fuse/s3fs-fuse/issues/2095") \
	X(ETAG_UPPER, "etag-upper", "digests in upper case", \
	    "github.com/s3ql/s3ql/issues/402") \
	X(ETAG_WEAK, "etag-weak", "ETags begin with W/", \
	    "github.com/commontoolsinc/labs/pull/1751") \
	X(ETAG_DASH, "etag-dash", "the ETag of a single PUT ends in -1, and " \
	    "is no digest", "github.com/minio/minio/issues/12337") \
	X(KMS, "kms", "KMS by default: 32 digits that are no digest, of " \
	    "parts too", "github.com/rclone/rclone/issues/1824") \
	X(LIST_NO_ETAG, "list-no-etag", "listings without ETags", \
	    "github.com/NVIDIA/aistore/issues/201") \
	X(LIST_V1, "list-v1", "ListObjects of the first version alone", \
	    "github.com/gaul/s3proxy/issues/168") \
	X(LIST_RAW, "list-raw", "encoding-type is passed over", \
	    "github.com/versity/versitygw/issues/1985") \
	X(LIST_MIXED, "list-mixed", "the keys of a page in any order", \
	    "github.com/aws/aws-cli/issues/8470") \
	X(DELETE_501, "delete-501", "DeleteObjects: 501", \
	    "github.com/minio/mc/issues/4778") \
	X(DELETE_400, "delete-400", "DeleteObjects: 400 NotImplemented", \
	    "github.com/supabase/storage/issues/898") \
	X(DELETE_405, "delete-405", "DeleteObjects: 405", \
	    "github.com/basho/riak_cs/issues/549") \
	X(DELETE_403, "delete-403", "DeleteObjects wants a right on the " \
	    "bucket: 403", "radosgw 16.2, with s3:DeleteObject on keys alone") \
	X(PART_501, "part-501", "HEAD of a part: 501", \
	    "github.com/versity/versitygw/pull/1524") \
	X(PART_400, "part-400", "HEAD of a part: 400", \
	    "github.com/ceph/ceph/pull/50148") \
	X(PART_412, "part-412", "HEAD of a part: 412", \
	    "a proxy that takes the query for a condition") \
	X(PART_WHOLE, "part-whole", "HEAD of a part answers for the whole", \
	    "github.com/noobaa/noobaa-core/issues/7226") \
	X(LOCKED, "locked", "Object Lock: each write needs a checksum", \
	    "github.com/s3tools/s3cmd/issues/1436") \
	X(VERSIONED, "versioned", "versions, and delete markers", \
	    "docs.aws.amazon.com/AmazonS3/latest/userguide/Versioning.html") \
	X(SUM_REFUSED, "sum-refused", "x-amz-checksum-* is refused: 501", \
	    "github.com/f2face/cloudflare-r2/issues/12") \
	X(MD5_500, "md5-500", "a wrong Content-MD5: 500", \
	    "github.com/seaweedfs/seaweedfs/issues/7305") \
	X(MD5_IGNORED, "md5-ignored", "Content-MD5 is not looked at", \
	    "github.com/leo-project/leofs/issues/1148") \
	X(CLOSES, "closes", "a kept connection may end behind a body", \
	    "curl.se/libcurl/c/CURLOPT_SEEKFUNCTION.html")

enum trait_number {
#define TRAIT_NUMBER(id, name, text, from) TRAIT_##id##_NUMBER,
	TRAITS(TRAIT_NUMBER)
#undef TRAIT_NUMBER
	TRAIT__MAX
};
enum {
#define TRAIT_BIT(id, name, text, from) \
	TRAIT_##id = 1 << TRAIT_##id##_NUMBER,
	TRAITS(TRAIT_BIT)
#undef TRAIT_BIT
};

/* Digits that say nothing of the bytes to whoever does not know how they are
 * made. */
static void
opaque(const uint8_t md5[MD5_LEN], char *out, size_t digits)
{
	uint8_t digest[MD5_LEN];
	char hex[2 * MD5_LEN + 1];
	struct md5 m;
	size_t n = 0;

	memcpy(digest, md5, MD5_LEN);
	while (n < digits) {
		md5_init(&m);
		md5_update(&m, "opaque", 6);
		md5_update(&m, digest, MD5_LEN);
		md5_final(&m, digest);
		hex_encode(digest, MD5_LEN, hex);
		for (size_t i = 0; i < 2 * MD5_LEN && n < digits; i++)
			out[n++] = hex[i];
	}
	out[n] = '\0';
}

/* The ETag of an object; parts 0: of a single PUT. md5 is that of the bytes,
 * or of the MD5s of the parts. */
static void
object_etag(unsigned has, const uint8_t md5[MD5_LEN], unsigned parts,
    char out[ETAG_SPACE])
{
	char hex[128];

	hex_encode(md5, MD5_LEN, hex);
	if (has & TRAIT_ETAG_LONG)
		opaque(md5, hex, 90);
	else if (has & TRAIT_ETAG_OPAQUE)
		opaque(md5, hex, 40);
	else if ((has & TRAIT_KMS) != 0 || (has & (parts > 0 ?
	    TRAIT_ETAG_MULTI : TRAIT_ETAG_DASH)) != 0)
		opaque(md5, hex, 2 * MD5_LEN);
	if (has & TRAIT_ETAG_UPPER)
		for (char *p = hex; *p != '\0'; p++)
			*p = (char)toupper((unsigned char)*p);
	if (parts == 0 && (has & TRAIT_ETAG_DASH) != 0)
		snprintf(out, ETAG_SPACE, "%s-1", hex);
	else if (parts > 0 && (has & (TRAIT_ETAG_OPAQUE |
	    TRAIT_ETAG_LONG)) == 0)
		snprintf(out, ETAG_SPACE, "%s-%u", hex, parts);
	else
		snprintf(out, ETAG_SPACE, "%s", hex);
}

static void
part_etag(unsigned has, const uint8_t md5[MD5_LEN], char out[ETAG_SPACE])
{
	if (has & TRAIT_PARTS_LONG)
		opaque(md5, out, 200);
	else
		object_etag(has & ~(unsigned)TRAIT_ETAG_DASH, md5, 0, out);
}

/* As a header or a listing has it. */
static const char *
quoted_etag(unsigned has, const char *etag, char out[ETAG_SPACE + 8])
{
	snprintf(out, ETAG_SPACE + 8, "%s\"%s\"", has & TRAIT_ETAG_WEAK ?
	    "W/" : "", etag);
	return out;
}

#endif
