/*
 * mail.h: the numbers of all mail, each with the type of the message. A mailbox
 * takes mail of several rooms, so a number has a single meaning in the whole
 * program: no other header gives a number to a MAIL_. Types that a thread sends
 * only to itself, or that only a single mailbox knows, begin at MAIL__OWN.
 */
#ifndef MODEL_MAIL_H
#define MODEL_MAIL_H

enum mail_type {
	/* catalog */
	MAIL_DIRS = 1,		/* struct dir_batch */
	MAIL_LEASE,		/* struct lease */
	MAIL_UPLOAD_NOTED,	/* struct upload_note: its row is on disk */
	MAIL_DELETE_NOTED,	/* struct outcomes: their rows are on disk */
	MAIL_CATALOG_FAILED,	/* struct catalog_failure */
	/* crawl */
	MAIL_CRAWLED,		/* struct mail alone: one thread has ended */
	/* workers and clients */
	MAIL_RESULTS,		/* struct results */
	MAIL_UPLOAD,		/* struct upload_note */
	MAIL_FETCHED,		/* struct fetch_item */
	MAIL_DELETED,		/* struct delete_batch */
	MAIL_CREW_FAILED,	/* struct crew_failure */
	/* launch */
	MAIL_LAUNCH,		/* struct launch_mail */
	/* run */
	MAIL_SOURCE_PAGE,	/* struct source_page */
	MAIL_COMPACTION,	/* struct compaction_mail */
	MAIL_COMPACTED,		/* struct mail alone: a target has ended */
	MAIL__OWN
};

#endif
