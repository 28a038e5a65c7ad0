/*
 * table.h: the table of settings and the functions for a single row. Private to
 * conf/.
 */
#ifndef CONF_TABLE_H
#define CONF_TABLE_H

#include "conf/conf.h"

#define CONF_SERVERS_MAX 1000	/* [nfs NAME] sections, and targets */
#define CONF_VALUE_MAX	4096	/* bytes of a value */
#define CONF_FILE_MAX	(1024 * 1024)

extern const struct conf_row_info conf_table[];
extern const size_t conf_table_len;

/* Where a value was found: for messages, and for "set twice". */
struct conf_place {
	const char *where;		/* "FILE:LINE", "--nfs-port" */
	enum conf_origin origin;
};

/* Give one setting a value. Section is as in a file, "nfs NAME" too. */
int	 conf_assign(struct conf *, const struct conf_place *,
	    const char *section, const char *key, struct str value,
	    struct err *) MUST_USE;

/* The row, or NULL; *ret_name is NAME for "nfs NAME", else NULL. */
const struct conf_row_info *conf_find_row(const char *section,
	    const char *key, const char **ret_name);
bool	 conf_known_section(const char *section);

/* Append the value in force of a row that is not a list; the offset of the
 * row counts from base. Return false if the value is empty. */
bool	 conf_row_text(const struct conf_row_info *, const void *base,
	    struct buf *);
/* "8MiB": exact, readable again. */
void	 conf_size_text(uint64_t, struct buf *);
const struct strlist *conf_row_list(const struct conf_row_info *,
	    const void *base);
/* The two repeated sections: what the rows of entry i count from. */
bool	 conf_row_is_named(const struct conf_row_info *);
size_t	 conf_named_count(const struct conf *, const char *section);
const void *conf_named_at(const struct conf *, const char *section, size_t i,
	    const char **ret_name);

/* What conf_load does with the text of a file; the settings have been
 * initialised. name is for messages. */
int	 conf_parse(struct conf *, struct str text, const char *name,
	    bool json, struct err *) MUST_USE;
/* Readers of the two formats. */
int	 conf_read_ini(struct conf *, struct str text, const char *name,
	    struct err *) MUST_USE;
int	 conf_read_json(struct conf *, struct str text, const char *name,
	    struct err *) MUST_USE;

/* Read the whole file, at most CONF_FILE_MAX bytes. ret_open_to_all (may be
 * NULL): set to true if other users may read or write the file. */
int	 conf_read_file(const char *path, struct buf *, bool *ret_open_to_all,
	    struct err *) MUST_USE;

/* The parts of conf_finish. */
int	 conf_credentials(struct conf *, bool required, struct err *) MUST_USE;
int	 conf_check_shares(struct conf *, struct err *) MUST_USE;
int	 conf_check_s3(struct conf *, bool required, struct err *) MUST_USE;

void	 conf_set_text(char **, const char *);

#endif
