/* Any bytes as the answer to each kind of request. */
#include "rest/xml.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str text = { (const char *)data, len };

	for (unsigned kind = 0; kind < S3_XML__MAX; kind++) {
		struct err err = ERR_INIT;
		struct s3_xml x;
		size_t sum = 0;

		s3_xml_init(&x);
		if (s3_xml_parse(&x, (enum s3_xml_kind)kind, text,
		    &err) == 0) {
			for (size_t i = 0; i < x.listed_count; i++)
				sum += x.listed[i].key.len;
			for (size_t i = 0; i < x.prefix_count; i++)
				sum += x.prefixes[i].len;
			for (size_t i = 0; i < x.upload_count; i++)
				sum += x.uploads[i].key.len +
				    x.uploads[i].upload_id.len;
			for (size_t i = 0; i < x.deleted_count; i++)
				sum += x.deleted[i].key.len +
				    x.deleted[i].code.len +
				    x.deleted[i].message.len +
				    x.deleted[i].version_id.len +
				    x.deleted[i].marker_id.len;
			/* Nothing comes out that didn't go in. */
			if (sum > len || x.listed_count > len)
				abort();
		} else if (err.kind != ERR_PEER) {
			abort();
		}
		s3_xml_release(&x);
	}
	return 0;
}
