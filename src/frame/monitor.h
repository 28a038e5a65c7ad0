/*
 * monitor.h: shows the progress of a run to people and programs: the progress
 * area, the client rows of the catalog, and metrics.
 *
 * Life cycle: monitor_open after signals_block (the thread of the monitor must
 * not get signals), monitor_update any number of times, monitor_clients when
 * the crew has stopped and is not yet freed, monitor_end. All functions but
 * monitor_open take NULL. Thread: one.
 */
#ifndef FRAME_MONITOR_H
#define FRAME_MONITOR_H

#include "catalog/catalog.h"
#include "conf/conf.h"
#include "crew/crew.h"
#include "model/job.h"

struct monitor;

/* Opens the port of the metrics if the settings name one: CONFIG if it can't
 * be had. Shows progress unless the job is quiet. */
int	 monitor_open(struct monitor **, const struct conf *,
	    const struct job *, struct err *) MUST_USE;
/* crew, catalog: or NULL. */
void	 monitor_update(struct monitor *, struct crew *, struct catalog *,
	    const struct totals *, bool crawl_done, uint64_t now_ms);
/* Record the work of the clients for the last time. */
void	 monitor_clients(struct monitor *, struct crew *, struct catalog *);
void	 monitor_end(struct monitor **);

#endif
