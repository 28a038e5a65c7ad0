/*
 * creds.h: find the keys of S3, in the order and under the names of the AWS
 * SDKs (datamover.conf(5), CREDENTIALS), put them into the keyring of the
 * settings, and renew keys that end: ahead of their end, when the store calls
 * them expired, and when the file with the profile changes.
 *
 * Life cycle: creds_start, before any S3 client; creds_stop after the last S3
 * client. Both wait; one thread of its own renews, and never stands in the way
 * of S3 clients. The settings keep the keyring and must outlive struct creds.
 */
#ifndef CREDS_CREDS_H
#define CREDS_CREDS_H

#include "conf/conf.h"

struct creds;

/* Ask the sources in turn until one has keys. Sets the region of the profile
 * where no region is configured. CONFIG: no source is configured, or one is not
 * as it should be; DENIED: a source refuses; RETRY, UNREACHABLE: a source does
 * not answer. After an error nothing is to be stopped. */
int	 creds_start(struct creds **, struct conf *, struct err *) MUST_USE;
void	 creds_stop(struct creds **);
/* Where the keys in force come from, for people: "profile", or "instance, until
 * 2026-01-31T12:00:00Z". */
const char *creds_describe(const struct creds *, char out[80]);

#endif
