/*
 * sts.h: the XML answers of STS (AssumeRole, AssumeRoleWithWebIdentity). Pure.
 */
#ifndef REST_STS_H
#define REST_STS_H

#include "base/buf.h"
#include "model/keyring.h"

/* Read the keys of an answer; every answer must say when the keys end. PEER: no
 * such answer. */
int	 sts_keys(struct keys *, struct str xml, struct err *) MUST_USE;
/* Read code and message of an error: "AccessDenied: ...", escaped, for people;
 * false if the answer is no error of STS. */
bool	 sts_error(struct str xml, char *out, size_t size);

#endif
