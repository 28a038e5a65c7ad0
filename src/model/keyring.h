/*
 * keyring.h: the keys of S3 in force, for every S3 client of a process. The
 * keys may be replaced while requests are under way: each set of keys has a
 * number, and a request remembers the number of the keys that signed it.
 *
 * Keys that end have a renewer: a thread of this process (creds/creds.h), or
 * the master of a client. When the store calls keys expired, the S3 clients
 * report their number and send nothing more until the renewer has set other
 * keys or has given up.
 *
 * Life cycle: keyring_new, keyring_set, use, keyring_free. Thread: any, but the
 * owner alone makes and frees.
 */
#ifndef MODEL_KEYRING_H
#define MODEL_KEYRING_H

#include "base/err.h"

/* Limits of what is taken from outside, in bytes. */
#define KEYS_ID_MAX	256	/* access key */
#define KEYS_SECRET_MAX	512	/* secret key */
#define KEYS_TOKEN_MAX	16384	/* session token */

struct keys {
	char	*access_key;
	char	*secret_key;
	char	*session_token;	/* or NULL */
	int64_t	 expires_sec;	/* since 1970; 0: no end is known */
};

/* Free the texts and wipe the secrets. */
void	 keys_release(struct keys *);
void	 keys_copy(struct keys *to, const struct keys *from);
bool	 keys_same(const struct keys *, const struct keys *);
/* CONFIG: a text is missing, too long, or holds blanks or control characters,
 * which could end a header and begin another. */
int	 keys_check(const struct keys *, struct err *) MUST_USE;

struct keyring;

struct keyring *keyring_new(void);
void	 keyring_free(struct keyring **);

/* Put a copy of the keys in force, under this number; 0: under the next
 * number, from 1. */
void	 keyring_set(struct keyring *, const struct keys *, uint64_t number);
/* Number of the keys in force; 0: none yet. Takes no lock. */
uint64_t keyring_number(const struct keyring *);
/* Copy the keys in force; return their number. The caller releases the copy. */
uint64_t keyring_get(struct keyring *, struct keys *ret);

/* --- for those who sign --- */

/* The store calls the keys of this number expired. Return true if other keys
 * are in force or awaited; false, with the reason: no other keys will come. */
bool	 keyring_expired(struct keyring *, uint64_t number, struct err *)
	    MUST_USE;
/* Return true if the keys in force have expired and other keys are awaited:
 * send nothing. Takes no lock. */
bool	 keyring_awaits(const struct keyring *);
/* Return true if somebody renews the keys. Takes no lock. */
bool	 keyring_is_renewed(const struct keyring *);

/* --- for the renewer --- */

/* From now on somebody renews the keys. */
void	 keyring_has_renewer(struct keyring *);
/* Wait until other keys are awaited, keyring_wake is called, or the time
 * (milliseconds) is over. */
void	 keyring_wait(struct keyring *, uint64_t ms);
void	 keyring_wake(struct keyring *);
/* Give up renewing the keys of this number; err says why. Ignored if other keys
 * are in force. */
void	 keyring_give_up(struct keyring *, uint64_t number,
	    const struct err *);
/* Return true if renewing the keys of this number was given up; err gets the
 * reason. */
bool	 keyring_given_up(struct keyring *, uint64_t number, struct err *);

#endif
