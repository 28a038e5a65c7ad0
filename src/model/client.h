/*
 * client.h: a client of a run in the form for observers: the progress area, the
 * catalog, the metrics.
 */
#ifndef MODEL_CLIENT_H
#define MODEL_CLIENT_H

#include "base/base.h"

#define CLIENTS_SHOWN_MAX 1024	/* more are not shown */

struct client_line {
	unsigned number;	/* 0: the sum of many that are gone */
	char	 host[64];
	char	 state[16];	/* launching, joined, working, lost, failed */
	uint64_t leases;	/* in hand */
	uint64_t items;
	uint64_t moved;		/* results that counted */
	uint64_t failed;
	uint64_t bytes;		/* sent and received */
	double	 items_per_s;
	double	 bytes_per_s;
	uint64_t heard_ms;	/* ago */
	char	 reason[120];	/* lost, failed */
};

#endif
