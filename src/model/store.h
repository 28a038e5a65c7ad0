/*
 * store.h: the settings of the store, [s3_storage]. struct conf owns them, and
 * the S3 client borrows them; a client of a team gets them from its master as
 * text (conf_for_clients). A new setting is a member here and a row in
 * conf/table.c.
 */
#ifndef MODEL_STORE_H
#define MODEL_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/strlist.h"

/* Prefix of the objects by which the store is tried. */
#define PROBE_PREFIX ".datamover-check/"

enum client_lib { CLIENT_LIB_MINIO = 0, CLIENT_LIB_BOTO3, CLIENT_LIB_DSS };

struct keyring;

/* A text that is not set is NULL. */
struct store {
	enum client_lib client_lib;
	struct strlist endpoints;	/* "http://host:port", used in turn */
	char	*bucket;
	char	*name;			/* in the catalog; NULL: none */
	char	*access_key;
	char	*secret_key;
	char	*secret_key_file;
	char	*session_token;
	struct keyring *keyring;	/* the keys in force; NULL, or without
					   keys: the three above */
	char	*profile;
	char	*region;		/* NULL: us-east-1 */
	char	*ca_file;
	char	*ca_pem;		/* certificates in ca_file, read by
					   conf_finish; NULL: the system's */
	char	*proxy;			/* http://HOST:PORT; or NULL */
	bool	 request_payer;		/* "requester pays" is agreed to */
	bool	 path_style;
	bool	 sign_payload;		/* with the SHA-256 of the body */
	uint64_t part_size;		/* bytes, at least 5 MiB */
	unsigned max_parts;		/* of an upload; 0: 10,000 */
	uint64_t max_object_size;	/* bytes; 0: 10,000 parts of 5 GiB */
	unsigned max_inflight;		/* requests of one worker; 0: 32 */
	unsigned retry_for;		/* s */
	char	*storage_class;
	char	*sse;			/* AES256, aws:kms, aws:kms:KEY-ID */
};

#endif
