/*
 * keys.c: keys of S3 that end in the middle of a run. The keys are renewed in
 * this process (creds/creds.h); here the clients get them.
 */
#include "team/team_internal.h"

static void
send_keys(struct team_client *c, const struct keys *k, uint64_t number)
{
	struct wire_msg msg = { .type = WIRE_KEYS, .u.keys = {
	    .number = number, .keys = *k } };

	wire_send(c->index, &msg);
	c->keys_number = number;
}

/* Tell the client, once, that the keys of this number can't be renewed. */
static void
send_given_up(struct team_client *c, uint64_t number, const struct err *why)
{
	struct wire_msg msg = { .type = WIRE_KEYS, .u.keys = {
	    .number = number, .err = *why } };

	if (c->keys_given_up == number)
		return;
	wire_send(c->index, &msg);
	c->keys_given_up = number;
}

void
team_expired(struct team_client *c, uint64_t number)
{
	struct err why = ERR_INIT;

	if (c->index != NULL && !keyring_expired(
	    c->team->conf->s3_storage.keyring, number, &why))
		send_given_up(c, number, &why);
}

void
team_keys_turn(struct team *t)
{
	struct keyring *ring = t->conf->s3_storage.keyring;
	CLEANUP(keys_release) struct keys k = { .access_key = NULL };
	uint64_t number = keyring_number(ring);
	struct err why = ERR_INIT;
	bool lost = keyring_given_up(ring, number, &why);

	for (size_t i = 0; i < t->client_count; i++) {
		struct team_client *c = t->clients[i];

		/* A client without its SETUP gets the keys with it. */
		if (c->index == NULL || c->status == NULL)
			continue;
		if (c->keys_number != number) {
			if (k.access_key == NULL)
				number = keyring_get(ring, &k);
			send_keys(c, &k, number);
		} else if (lost) {
			send_given_up(c, number, &why);
		}
	}
}
