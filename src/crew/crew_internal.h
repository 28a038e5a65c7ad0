/*
 * crew_internal.h: the kinds of crew behind crew.h: each kind begins with a
 * struct crew that names its functions.
 */
#ifndef CREW_CREW_INTERNAL_H
#define CREW_CREW_INTERNAL_H

#include "crew/crew.h"

struct crew_ops {
	void	 (*free)(struct crew *);
	void	 (*lease)(struct crew *, struct lease *);
	void	 (*fetch)(struct crew *, struct fetch_item *);
	void	 (*delete)(struct crew *, struct delete_batch *);
	void	 (*noted)(struct crew *, unsigned worker, int64_t object);
	void	 (*no_more)(struct crew *);
	size_t	 (*backlog)(struct crew *);
	size_t	 (*enough)(struct crew *);
	void	 (*stats)(struct crew *, struct crew_stats *);
	size_t	 (*clients)(struct crew *, struct client_line *, size_t max);
	void	 (*stop)(struct crew *, uint64_t limit_ms);
	bool	 (*idle)(struct crew *);
	void	 (*limits)(struct crew *, uint64_t bwlimit, uint64_t tpslimit);
	/* NULL: this kind of crew has no use for the call */
	struct mail *(*fetch_back)(struct crew *, size_t most);
	void	 (*valid_until)(struct crew *, uint64_t mono_ms);
};

struct crew {
	const struct crew_ops *ops;
};

#endif
