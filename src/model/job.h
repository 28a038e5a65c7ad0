/*
 * job.h: the order of the user for one run, beside the settings. Filled by
 * cmd/, read-only afterwards.
 */
#ifndef MODEL_JOB_H
#define MODEL_JOB_H

#include "base/buf.h"

enum op {
	OP_NONE = 0,
	OP_PUT,
	OP_LIST,
	OP_GET,
	OP_DEL,
	OP_TEST,
	OP_UNDO
};
const char *op_name(enum op);		/* "PUT" */

struct job {
	enum op	 op;
	char	*prefix;		/* of keys, ends in '/'; or NULL */
	char	*dest_path;		/* or NULL */
	uint64_t run;			/* undo: the run whose deletions are
					   undone */
	char	*as_of;			/* GET, LIST, sql: what was there then;
					   or NULL: now */
	char	*files_from;		/* or NULL; "-": standard input */
	bool	 dryrun;
	bool	 debug;
	bool	 json;
	bool	 standalone;
	bool	 all;			/* LIST, DEL: the whole bucket */
	bool	 print0;
	bool	 follow_links;		/* --links follow */
	bool	 checksum;		/* read and hash the unchanged too */
	bool	 retry_failed;		/* only what failed before */
	bool	 fresh;			/* do not continue a crawl that was
					   cut */
	bool	 adopt;		/* look first whether the bucket has it */
	bool	 quiet;
	bool	 data_integrity;	/* TEST: what there is to test */
	bool	 skip_upload;		/* TEST: no PUT before it, no NFS */
	bool	 test_head;		/* TEST: by size and ETag alone */
	bool	 new_target;		/* see --new-target */
	bool	 silent;		/* a run before the PUT: people see
					   nothing of its end */
	bool	 more_follows;		/* the PUT of a TEST */
	double	 sample_percent;	/* TEST: of the objects; 0: all */
	bool	 yes;			/* DEL: don't ask */
	bool	 mirror;		/* PUT --delete */
	uint64_t max_delete;		/* of a mirror; with percent: of the
					   objects that the target holds */
	bool	 max_delete_percent;
	bool	 delete_excluded;	/* a mirror: also delete objects of
					   files that are gone and that this run
					   leaves out */
	bool	 accept_empty;		/* exports may be empty */
	bool	 accept_filesystem;	/* another file system is right */
	bool	 no_keep;	/* no copy of a catalog of before */
	uint64_t min_size;		/* bytes */
	uint64_t max_size;		/* UINT64_MAX: none */
	unsigned threads;		/* workers of the run; 0: settings */
	struct filter *filter;		/* --include/--exclude, or NULL */
	char	*command_line;		/* for the catalog: no secrets in it */
};

/* The counts of a run; see datamover(1) for the identity of the sums. */
struct totals {
	uint64_t found;
	uint64_t moved;
	uint64_t unchanged;
	uint64_t failed;
	uint64_t excluded;
	uint64_t gone;			/* outside the sum */
	uint64_t pending;		/* left by an interrupted run */
	uint64_t bytes;			/* of what was moved */
	uint64_t found_bytes;
	uint64_t queued;		/* handed to the transfer so far */
	uint64_t queued_bytes;
	uint64_t dirs;			/* read so far */
	uint64_t deleted;		/* at the target */
	uint64_t compacted;		/* subsystems of DSS targets */
	uint64_t not_compacted;
	uint64_t lost;			/* exports that went out of reach for
					   good: some files were not tried */
	uint64_t verified;		/* TEST: compared, with any verdict */
};

#endif
