/*
 * event.h: what can become true of a version of a file at a target. The catalog
 * has a row for each such event, which no later run changes (writer/event.c);
 * the names of the kinds stand in schema/views.sql, view events.
 */
#ifndef MODEL_EVENT_H
#define MODEL_EVENT_H

/* The numbers are stored in event.kind, and travel from clients to the master.
 * Below EVENT_GOING the target has the bytes of the version since the event;
 * below EVENT_OTHER it has them no longer. */
enum event_kind {
	EVENT_NONE = 0,		/* nothing became true */
	EVENT_KNOWN = 1,	/* the target had it when the journal began */
	EVENT_STORED,		/* sent, and acknowledged; or the answer was
				   lost, and the object was found */
	EVENT_ADOPTED,		/* found at the target, proven to be its bytes:
				   the run counts it as unchanged */
	EVENT_COPIED,		/* reserved: copied from another key */
	EVENT_REFRESHED,	/* copied onto itself, with other metadata */
	EVENT_RESTORED,		/* an earlier version came back: undo */
	EVENT_REPAIRED,		/* reserved */
	EVENT_GOING = 10,
	EVENT_DELETED = 10,	/* by a run; the version id is the marker's */
	EVENT_LOST,		/* the target was found without the object */
	EVENT_DIFFERED,		/* the object was found to have other bytes */
	EVENT_REPLACED,		/* the key has got the bytes of another
				   version, or of another file */
	EVENT_OTHER = 20,
	EVENT_VERIFIED = 20,	/* a range of objects was found to be what was
				   put */
	EVENT_METADATA,		/* reserved, as all that follow */
	EVENT_ACCEPTED,
	EVENT_PRUNED,
	EVENT_CATALOG_RESTORED,
	EVENT_KEY
};

#endif
