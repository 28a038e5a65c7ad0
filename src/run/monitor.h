/*
 * monitor.h: tells those who look on what a run is doing: the progress area,
 * the catalog's rows of the clients, and metrics.
 *
 * Life cycle: monitor_open after signals_block (its thread must not get
 * them), monitor_update as often as one likes, monitor_clients when the crew
 * has stopped and is not yet freed, monitor_end. All but monitor_open take
 * NULL. Thread: one.
 */
#ifndef RUN_MONITOR_H
#define RUN_MONITOR_H

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
/* What the clients did, for the last time. */
void	 monitor_clients(struct monitor *, struct crew *, struct catalog *);
void	 monitor_end(struct monitor **);

#endif
