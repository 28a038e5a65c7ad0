/*
 * setup.h: what the movers of a run need beside the settings (struct conf): the
 * place of the files, the task and the limits. The master makes the setup; a
 * client gets the setup over the wire, and the settings in it. The setup has
 * secrets: never log a setup.
 */
#ifndef MODEL_SETUP_H
#define MODEL_SETUP_H

#include "model/attrs.h"
#include "model/job.h"
#include "model/keyring.h"

struct setup_export {
	uint8_t	 type;		/* enum tree_type */
	char	*server;
	char	*share;
	uint32_t nfsport;	/* of --dest_path; 0: as the settings say */
	bool	 follow_links;
	uint64_t root_ino;	/* see tree_spec */
	uint64_t root_fsid;
	bool	 filled;
	/* the master's alone */
	char	*root;		/* catalog path of it; or NULL */
	struct attrs seen;	/* its root; kind UNKNOWN: not looked at, but
				   fsid, if not 0, is known */
};

struct conf;

struct setup {
	enum op	 op;
	const struct conf *conf; /* lent: the settings; in a client, those of
				   its master */
	struct setup_export *exports;	/* index: item.export */
	size_t	 export_count;
	/* The same on the wire, elsewhere NULL: the text of conf_for_clients,
	 * and what of struct store is not in the text. */
	char	*settings;
	struct keys keys;
	uint64_t keys_number;	/* see model/keyring.h */
	char	*ca_pem;	/* or NULL */
	/* the store */
	char	*cluster_map;	/* JSON, of a DSS store; or NULL */
	uint64_t unacked_ms;	/* see sock.h; 0: each its own */
	int64_t	 s3_clock_ms;	/* of S3's clock, since 1970: at the boot of
				   this machine; on the wire: at the time of
				   sending. 0: not known */
	uint32_t known;		/* of the store; see model/proved.h */
	/* the mover */
	uint32_t workers;	/* exactly so many; 0: one a processor */
	uint32_t workers_max;	/* ... but at most so many; 0: 16 */
	uint64_t memory_bytes;	/* buffers of all workers together */
	uint64_t bwlimit;	/* bytes a second, of this mover; 0: none */
	uint64_t tpslimit;	/* requests in 1,000 seconds, of this mover;
				   0: none */
	bool	 dryrun;
	bool	 adopt;		/* see --adopt */
	bool	 exact;		/* a client's own: send a file only in the
				   version that its item describes */
	bool	 only_read;	/* TEST: the master judges the bytes that are
				   read back */
	bool	 more_follows;	/* after STOP, those who joined come back */
	char	*dest_path;	/* GET: where files come back; or NULL */
	/* The server that holds dest_path, if the type of the server is NFS;
	 * share "": the client finds the share. */
	struct setup_export dest_export;
};

/* Free everything that the setup owns and wipe the secrets. */
void	 setup_release(struct setup *);

#endif
