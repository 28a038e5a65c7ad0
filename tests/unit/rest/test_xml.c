/* S3's XML answers: as servers send them, and as nobody should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "rest/xml.h"

#define HEAD	"<?xml version=\"1.0\" encoding=\"UTF-8\"?>"
#define NS	" xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""

static void
good(struct s3_xml *x, enum s3_xml_kind wanted, const char *text)
{
	struct err err = ERR_INIT;

	s3_xml_init(x);
	if (s3_xml_parse(x, wanted, str_of(text), &err) == -1)
		fail_msg("%s", err.msg);
}

static void
bad(enum s3_xml_kind wanted, struct str text, const char *why)
{
	struct err err = ERR_INIT;
	struct s3_xml x;

	s3_xml_init(&x);
	assert_int_equal(s3_xml_parse(&x, wanted, text, &err), -1);
	assert_int_equal(err.kind, ERR_PEER);
	if (strstr(err.msg, why) == NULL)
		fail_msg("\"%s\" lacks \"%s\"", err.msg, why);
	s3_xml_release(&x);
}

static void
is_str(struct str s, const char *want)
{
	assert_int_equal(s.len, strlen(want));
	assert_memory_equal(s.p, want, s.len);
}

static void
test_list(void **state)
{
	struct s3_xml x;

	(void)state;
	good(&x, S3_XML_LIST, HEAD "<ListBucketResult" NS ">"
	    "<Name>b</Name><Prefix>p%2F</Prefix><KeyCount>2</KeyCount>"
	    "<MaxKeys>1000</MaxKeys><EncodingType>url</EncodingType>"
	    "<IsTruncated>true</IsTruncated>"
	    "<Contents><Key>a+b%2Bc%0A%E4%25/</Key>"
	    "<LastModified>2009-10-12T17:50:30.000Z</LastModified>"
	    "<ETag>&quot;fba9dede5f27731c9771645a39863328&quot;</ETag>"
	    "<Size>434234</Size><StorageClass>STANDARD</StorageClass>"
	    "<Owner><ID>75</ID><DisplayName>x</DisplayName></Owner>"
	    "</Contents>"
	    "<Contents><Size>0</Size><Key>z</Key></Contents>"
	    "<CommonPrefixes><Prefix>p+q/</Prefix></CommonPrefixes>"
	    "<NextContinuationToken>1ueGcxLPRx1Tr/XYEx%20+=="
	    "</NextContinuationToken></ListBucketResult>");
	assert_int_equal(x.kind, S3_XML_LIST);
	assert_int_equal(x.listed_count, 2);
	is_str(x.listed[0].key, "a b+c\n\xe4%/");
	assert_int_equal(x.listed[0].size, 434234);
	assert_int_equal(x.listed[0].modified_sec, 1255369830);
	assert_string_equal(x.listed[0].etag,
	    "fba9dede5f27731c9771645a39863328");
	is_str(x.listed[1].key, "z");
	assert_string_equal(x.listed[1].etag, "");
	assert_int_equal(x.prefix_count, 1);
	is_str(x.prefixes[0], "p q/");
	assert_true(x.truncated);
	/* The token goes back as it came. */
	is_str(x.next, "1ueGcxLPRx1Tr/XYEx%20+==");
	s3_xml_release(&x);
}

/* A server that knows no encoding-type says so by leaving it out. */
static void
test_list_plain(void **state)
{
	struct s3_xml x;

	(void)state;
	good(&x, S3_XML_LIST, "<ListBucketResult>"
	    "<Contents><Key>a+b%20 &amp;&#10;</Key><Size>1</Size></Contents>"
	    "<IsTruncated>false</IsTruncated></ListBucketResult>");
	is_str(x.listed[0].key, "a+b%20 &\n");
	assert_false(x.truncated);
	s3_xml_release(&x);
}

/* radosgw puts references to control characters into tokens. */
static void
test_control_references(void **state)
{
	struct s3_xml x;

	(void)state;
	good(&x, S3_XML_LIST, "<ListBucketResult>"
	    "<Prefix>&#x01;</Prefix><EncodingType>url</EncodingType>"
	    "<Contents><Key>a%01</Key><Size>1</Size></Contents>"
	    "<IsTruncated>true</IsTruncated><NextContinuationToken>"
	    "p%25/&#x01;&#31;&#xD;&#x1F;&#xe4;&#60;\xef\xb7\xb0"
	    "</NextContinuationToken></ListBucketResult>");
	is_str(x.listed[0].key, "a\001");
	is_str(x.next, "p%25/\001\037\r\037\xc3\xa4<\xef\xb7\xb0");
	s3_xml_release(&x);
	bad(S3_XML_LIST, STR("<ListBucketResult>&#x0;</ListBucketResult>"),
	    "XML");
	bad(S3_XML_LIST, STR("<ListBucketResult>&#</ListBucketResult>"),
	    "XML");
}

static void
test_parts(void **state)
{
	struct s3_xml x;

	(void)state;
	good(&x, S3_XML_PARTS, HEAD "<ListPartsResult" NS ">"
	    "<Bucket>b</Bucket><Key>k</Key><UploadId>u</UploadId>"
	    "<Initiator><ID>i</ID></Initiator>"
	    "<PartNumberMarker>1</PartNumberMarker>"
	    "<NextPartNumberMarker>3</NextPartNumberMarker>"
	    "<MaxParts>2</MaxParts><IsTruncated>true</IsTruncated>"
	    "<Part><PartNumber>2</PartNumber>"
	    "<LastModified>2010-11-10T20:48:34.000Z</LastModified>"
	    "<ETag>\"7778aef83f66abc1fa1e8477f296d394\"</ETag>"
	    "<Size>10485760</Size></Part>"
	    "<Part><PartNumber>3</PartNumber><ETag>e</ETag>"
	    "<Size>18446744</Size></Part></ListPartsResult>");
	assert_int_equal(x.part_count, 2);
	assert_int_equal(x.parts[0].number, 2);
	assert_int_equal(x.parts[0].size, 10485760);
	assert_string_equal(x.parts[0].etag,
	    "7778aef83f66abc1fa1e8477f296d394");
	is_str(x.next, "3");
	s3_xml_release(&x);
}

static void
test_uploads(void **state)
{
	struct s3_xml x;

	(void)state;
	/* radosgw: encoded, without saying so. */
	good(&x, S3_XML_UPLOADS, HEAD "<ListMultipartUploadsResult" NS ">"
	    "<NextKeyMarker>a b</NextKeyMarker>"
	    "<NextUploadIdMarker>2~x</NextUploadIdMarker>"
	    "<IsTruncated>false</IsTruncated>"
	    "<Upload><Key>a%20b%2Bc</Key><UploadId>2~x</UploadId>"
	    "<Initiator><ID>test</ID></Initiator>"
	    "<Initiated>2010-11-10T20:48:33.000Z</Initiated></Upload>"
	    "<Upload><Key>a b%20+</Key><UploadId>2~y</UploadId></Upload>"
	    "</ListMultipartUploadsResult>");
	assert_int_equal(x.upload_count, 2);
	is_str(x.uploads[0].key, "a b+c");
	is_str(x.uploads[0].upload_id, "2~x");
	assert_int_equal(x.uploads[0].initiated_sec, 1289422113);
	is_str(x.uploads[1].key, "a b%20+");
	s3_xml_release(&x);
}

static void
test_others(void **state)
{
	struct s3_xml x;

	(void)state;
	good(&x, S3_XML_CREATE, HEAD "<InitiateMultipartUploadResult" NS ">"
	    "<Bucket>b</Bucket><Key>k</Key><UploadId>VXBsb2FkIElE</UploadId>"
	    "</InitiateMultipartUploadResult>");
	is_str(x.upload_id, "VXBsb2FkIElE");
	s3_xml_release(&x);
	/* Blanks that kept the connection alive; radosgw's empty ETag. */
	good(&x, S3_XML_COMPLETE, "\n \n" HEAD
	    "\n<CompleteMultipartUploadResult><ETag></ETag>"
	    "</CompleteMultipartUploadResult>");
	assert_int_equal(x.kind, S3_XML_COMPLETE);
	assert_string_equal(x.etag, "");
	s3_xml_release(&x);
	good(&x, S3_XML_COMPLETE, "<CompleteMultipartUploadResult><ETag>"
	    "\"17fbc0a106abbb6f381aac6e331f2a19-1\"</ETag>"
	    "</CompleteMultipartUploadResult>");
	assert_string_equal(x.etag, "17fbc0a106abbb6f381aac6e331f2a19-1");
	s3_xml_release(&x);
	good(&x, S3_XML_COPY, "<CopyObjectResult>"
	    "<LastModified>2009-10-28T22:32:00</LastModified>"
	    "<ETag>\"9b\"</ETag></CopyObjectResult>");
	assert_string_equal(x.etag, "9b");
	s3_xml_release(&x);
}

static void
test_error(void **state)
{
	struct s3_xml x;

	(void)state;
	good(&x, S3_XML_COMPLETE, HEAD "\n\n<Error><Code>InternalError</Code>"
	    "<Message>We encountered an internal error. Please try again."
	    "</Message><RequestId>656c76696e6727732072657175657374"
	    "</RequestId></Error>");
	assert_int_equal(x.kind, S3_XML_ERROR);
	assert_string_equal(x.code, "InternalError");
	assert_true(str_starts(x.message, STR("We encountered")));
	s3_xml_release(&x);
	good(&x, S3_XML_ERROR, "<Error><Code>AuthorizationHeaderMalformed"
	    "</Code><Region>eu-west-1</Region></Error>");
	is_str(x.region, "eu-west-1");
	s3_xml_release(&x);
}

static void
test_refused(void **state)
{
	struct buf b;

	(void)state;
	bad(S3_XML_LIST, STR(""), "XML");
	bad(S3_XML_LIST, STR("garbage"), "XML");
	bad(S3_XML_LIST, STR("<html><body>Please log in</body></html>"),
	    "another document");
	bad(S3_XML_LIST, STR("<ListBucketResult><IsTruncated>false"), "XML");
	bad(S3_XML_LIST, STR("<ListBucketResult></ListBucketResult>"),
	    "no IsTruncated");
	bad(S3_XML_LIST, STR("<ListBucketResult><IsTruncated>maybe"
	    "</IsTruncated></ListBucketResult>"), "neither");
	bad(S3_XML_LIST, STR("<ListBucketResult><IsTruncated>true"
	    "</IsTruncated></ListBucketResult>"), "no marker");
	bad(S3_XML_LIST, STR("<ListBucketResult><Contents><Key>a</Key>"
	    "</Contents><IsTruncated>false</IsTruncated></ListBucketResult>"),
	    "incomplete");
	bad(S3_XML_LIST, STR("<ListBucketResult><Contents><Key>a</Key>"
	    "<Size>-1</Size></Contents><IsTruncated>false</IsTruncated>"
	    "</ListBucketResult>"), "incomplete");
	bad(S3_XML_PARTS, STR("<ListPartsResult><Part><PartNumber>10001"
	    "</PartNumber><Size>1</Size><ETag>e</ETag></Part>"
	    "</ListPartsResult>"), "incomplete");
	bad(S3_XML_CREATE, STR("<InitiateMultipartUploadResult>"
	    "</InitiateMultipartUploadResult>"), "no UploadId");
	bad(S3_XML_COPY, STR("<CopyObjectResult></CopyObjectResult>"),
	    "no ETag");
	bad(S3_XML_COMPLETE, STR("<Error></Error>"), "no Code");
	bad(S3_XML_CREATE, STR("<!DOCTYPE a [<!ENTITY b \"cccc\">]>"
	    "<InitiateMultipartUploadResult><UploadId>&b;</UploadId>"
	    "</InitiateMultipartUploadResult>"), "document type");
	buf_init(&b, S3_XML_MAX + 100);
	for (int i = 0; i < 100; i++)
		buf_addstr(&b, i == 0 ? "<ListBucketResult>" : "<a>");
	bad(S3_XML_LIST, buf_str(&b), "nested too deep");
	buf_clear(&b);
	buf_addstr(&b, "<ListBucketResult><Prefix>");
	for (int i = 0; i < 20000; i++)
		buf_addch(&b, 'p');
	bad(S3_XML_LIST, buf_str(&b), "too long");
	buf_clear(&b);
	buf_addstr(&b, "<ListBucketResult>");
	for (int i = 0; i < 20001; i++)
		buf_addstr(&b, "<Contents><Key>k</Key><Size>1</Size>"
		    "</Contents>");
	bad(S3_XML_LIST, buf_str(&b), "too many");
	while (b.len <= S3_XML_MAX)
		buf_addstr(&b, "                                        ");
	bad(S3_XML_LIST, buf_str(&b), "over");
	buf_release(&b);
}

static void
test_complete_body(void **state)
{
	static const uint8_t md5s[32] = { [0] = 0xab, [31] = 0x01 };
	struct buf b;

	(void)state;
	buf_init(&b, 10000);
	s3_xml_complete(&b, md5s, NULL, 2);
	assert_string_equal(b.data, "<CompleteMultipartUpload" NS ">"
	    "<Part><PartNumber>1</PartNumber><ETag>&quot;"
	    "ab000000000000000000000000000000&quot;</ETag></Part>"
	    "<Part><PartNumber>2</PartNumber><ETag>&quot;"
	    "00000000000000000000000000000001&quot;</ETag></Part>"
	    "</CompleteMultipartUpload>");
	buf_release(&b);
}

static void
test_versions(void **state)
{
	struct s3_xml x;

	(void)state;
	good(&x, S3_XML_VERSIONS, HEAD "<ListVersionsResult" NS ">"
	    "<IsTruncated>false</IsTruncated><EncodingType>url</EncodingType>"
	    "<DeleteMarker><Key>a+b%2Bc</Key><VersionId>m1</VersionId>"
	    "<IsLatest>true</IsLatest></DeleteMarker>"
	    "<Version><Key>a+b%2Bc</Key><VersionId>v+1</VersionId>"
	    "<Size>5</Size><ETag>&quot;e1&quot;</ETag></Version>"
	    "</ListVersionsResult>");
	assert_int_equal(x.version_count, 2);
	assert_true(x.versions[0].marker);
	is_str(x.versions[0].key, "a b+c");
	is_str(x.versions[0].id, "m1");
	assert_false(x.versions[1].marker);
	is_str(x.versions[1].id, "v+1");
	assert_int_equal(x.versions[1].size, 5);
	assert_string_equal(x.versions[1].etag, "e1");
	s3_xml_release(&x);
	bad(S3_XML_VERSIONS, STR("<ListVersionsResult><IsTruncated>false"
	    "</IsTruncated><Version><Key>a</Key><Size>1</Size></Version>"
	    "</ListVersionsResult>"), "incomplete");
	bad(S3_XML_VERSIONS, STR("<ListVersionsResult><IsTruncated>false"
	    "</IsTruncated><DeleteMarker><VersionId>m</VersionId>"
	    "</DeleteMarker></ListVersionsResult>"), "incomplete");
	bad(S3_XML_VERSIONS, STR("<ListVersionsResult>"
	    "</ListVersionsResult>"), "no IsTruncated");
}

static void
test_complete_with_given(void **state UNUSED)
{
	static const uint8_t md5s[32] = { [31] = 0x01 };
	char opaque[] = "W/\"a&b\"";
	char *const given[] = { opaque, NULL };
	struct buf b;

	buf_init(&b, 10000);
	s3_xml_complete(&b, md5s, given, 2);
	assert_non_null(strstr(b.data, "<ETag>W/\"a&amp;b\"</ETag>"));
	assert_non_null(strstr(b.data, "<ETag>&quot;00000000000000000000000"
	    "000000001&quot;</ETag>"));
	buf_release(&b);
}

/* ListObjects: the page goes on behind its last key, as encoded, if the answer
 * names no marker. */
static void
test_list_v1(void **state UNUSED)
{
	struct s3_xml x;
	struct err err;

	s3_xml_init(&x);
	assert_int_equal(s3_xml_parse(&x, S3_XML_LIST, STR(
	    "<ListBucketResult><Marker></Marker><IsTruncated>true"
	    "</IsTruncated><EncodingType>url</EncodingType><Contents><Key>a%20b"
	    "</Key><Size>1</Size></Contents></ListBucketResult>"), &err), 0);
	assert_true(x.is_v1);
	assert_true(str_eq(x.next, STR("a b")));
	s3_xml_release(&x);
	assert_int_equal(s3_xml_parse(&x, S3_XML_LIST, STR(
	    "<ListBucketResult><Marker></Marker><IsTruncated>true"
	    "</IsTruncated><NextMarker>c%20d</NextMarker>"
	    "<EncodingType>url</EncodingType></ListBucketResult>"), &err), 0);
	assert_true(str_eq(x.next, STR("c d")));
	s3_xml_release(&x);
	assert_int_equal(s3_xml_parse(&x, S3_XML_LIST, STR(
	    "<ListBucketResult><Marker></Marker><IsTruncated>true"
	    "</IsTruncated></ListBucketResult>"), &err), -1);
	s3_xml_release(&x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_list_plain),
		cmocka_unit_test(test_control_references),
		cmocka_unit_test(test_complete_with_given),
		cmocka_unit_test(test_list_v1),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_uploads),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_error),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_complete_body),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
