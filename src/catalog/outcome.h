/*
 * outcome.h: what GET, DEL and TEST write into the catalog, and PUT --delete.
 *
 * A run with run_spec.no_backlog has a row with counters and nothing else:
 * frontier, backlog and leases of a cut PUT stay as they are, and the next
 * PUT continues it. Its items come from a lister or from stored.h.
 *
 * Its totals: each outcome adds to the counters of the run's row, in the
 * transaction that writes its other rows. catalog_end_run reads that row
 * again, counts the run's failure rows, and says "closes" if
 *	found = moved + unchanged + failed + excluded
 * and failed is the number of failure rows. DELETED counts as moved (and as
 * deleted), GONE is outside the sum. A killed run is not continued: state
 * dead, its counters as of its last commit.
 *
 * In a PUT run only deletions are meant: DELETED counts as deleted and is
 * outside the sum, FAILED is one found, one failed.
 *
 * Rows by outcome:
 *	FAILED		a failure row
 *	verdict		a verification row, and the last verdict on the object
 *	lost		the result becomes failed: a later PUT uploads again.
 *			Of an object that was to be deleted the row says that
 *			the answer was lost
 *	DELETED		the result becomes deleted, whichever version the
 *			target held; likewise. A key that the catalog does
 *			not know only counts.
 */
#ifndef CATALOG_OUTCOME_H
#define CATALOG_OUTCOME_H

#include "catalog/catalog.h"
#include "model/outcome.h"

/* Takes the batch. Any thread; waits while the catalog is behind. */
void	 catalog_put_outcomes(struct catalog *, struct outcomes *);

/* Call before sending a DeleteObjects: write rows for the objects perhaps about
 * to vanish, so that after a kill between request and outcome the catalog does
 * not take the objects for held. The batch comes back to reply as mail
 * MAIL_DELETE_NOTED when the rows are on disk; afterwards fill in outcome, err
 * and version_id of each row and call catalog_put_outcomes. A row without an
 * outcome, or with FAILED and lost, stays to be deleted; the result of its
 * deletion is unknown (catalog/doubt.h). A failed catalog sends the batch back
 * too, with intended false: delete nothing then. */
void	 catalog_intend_delete(struct catalog *, struct outcomes *,
	    struct mailbox *reply);

#endif
