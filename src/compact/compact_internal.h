/*
 * compact_internal.h: the compaction of a single DSS target, in a thread per
 * target.
 */
#ifndef COMPACT_COMPACT_INTERNAL_H
#define COMPACT_COMPACT_INTERNAL_H

#include <pthread.h>

#include "base/mailbox.h"
#include "compact/compact.h"
#include "model/mail.h"

struct compaction_mail {
	struct mail mail;
	struct compaction c;
};

struct compact_target {
	const struct conf *conf;
	const struct conf_dss_target *t;
	struct mailbox *up;
	const _Atomic bool *stop;
	pthread_t thread;
	bool	 started;
};
void	*compact_target_main(void *target);
/* Check whether the target could compact. Starts nothing. *ret_count: number
 * of subsystems. PEER, GONE: the installation on the target is not as required;
 * other errors as for ssh_open. */
int	 compact_target_look(const struct conf *,
	    const struct conf_dss_target *, size_t *ret_count, struct err *)
	    MUST_USE;

/* Return the word of {"result": "STARTED"}; the text may have other lines
 * around the JSON. */
int	 compact_answer(struct str text, char *word, size_t len,
	    struct err *) MUST_USE;
/* Find the subsystems of this host in the output of "nvme list-subsys": the
 * last part of the name, after the last colon, begins with the name of the
 * host. */
void	 compact_find(struct str text, const char *host, struct strlist *);
/* May it stand in a command? */
bool	 compact_nqn_is_sane(const char *nqn);

#endif
