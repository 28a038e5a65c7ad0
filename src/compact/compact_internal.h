/*
 * compact_internal.h: one DSS target that compacts, in a thread of its own.
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
/* Could it compact? Starts nothing. *ret_count: subsystems. PEER, GONE: what
 * is there is not as it should be; else as ssh_open. */
int	 compact_target_look(const struct conf *,
	    const struct conf_dss_target *, size_t *ret_count, struct err *)
	    MUST_USE;

/* The word of {"result": "STARTED"}, which may stand between other lines. */
int	 compact_answer(struct str text, char *word, size_t len,
	    struct err *) MUST_USE;
/* Of what "nvme list-subsys" prints, the subsystems of this host: their last
 * part, after the last colon, begins with its name. */
void	 compact_find(struct str text, const char *host, struct strlist *);
/* May it stand in a command? */
bool	 compact_nqn_is_sane(const char *nqn);

#endif
