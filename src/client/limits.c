/*
 * limits.c: checks that the limits of the host allow the client's work. If the
 * limits are too low, the client reports RESOURCE at once, here and to the
 * master. Otherwise a thread without a stack, or a request without a
 * descriptor, would fail later with an error that hides the cause.
 */
#include <sys/resource.h>
#include <unistd.h>

#include "client/client_internal.h"
#include "crew/setup.h"

#define FILES_OWN	24	/* connections to the master, log, pipes */
#define FILES_WORKER	6	/* wake-ups, file servers and files of a
				   worker */
#define INFLIGHT_LEAST	32	/* requests; fewer requests are only slower */
#define WORKER_BYTES	(16 * MIB)	/* stack of a worker, and memory of
					   libraries */

/* Return the address space in use, in bytes. */
static uint64_t
in_use_bytes(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	char text[32] = "";

	if (f == NULL)
		return 0;
	if (fgets(text, sizeof(text), f) == NULL)
		text[0] = '\0';
	fclose(f);
	return strtoul(text, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static int
check_memory(const struct setup *s, struct err *err)
{
	unsigned workers = setup_workers(s);
	uint64_t need = in_use_bytes() + workers * (uint64_t)WORKER_BYTES +
	    (s->op == OP_PUT ? s->conf->s3_storage.part_size : 0);
	struct rlimit r;

	if (getrlimit(RLIMIT_AS, &r) == -1 || r.rlim_cur == RLIM_INFINITY ||
	    r.rlim_cur >= need)
		return 0;
	return err_set(err, ERR_RESOURCE, 0, "this client may have %ju MiB of "
	    "address space (ulimit -v), and %u workers need %ju MiB",
	    (uintmax_t)(r.rlim_cur / MIB), workers, (uintmax_t)(need / MIB));
}

static int
check_files(const struct setup *s, struct err *err)
{
	unsigned workers = setup_workers(s);
	unsigned inflight = MIN(MAX(s->conf->s3_storage.max_inflight, 1U),
	    (unsigned)INFLIGHT_LEAST);
	rlim_t need = FILES_OWN + (rlim_t)workers * (inflight + FILES_WORKER);
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == -1)
		return 0;
	/* Raise the soft limit to the hard limit: this needs no privilege. */
	if (r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &r);
	}
	if (r.rlim_cur == RLIM_INFINITY || r.rlim_cur >= need)
		return 0;
	return err_set(err, ERR_RESOURCE, 0, "this client may have %ju open "
	    "files (ulimit -n), and %u workers with %u requests each need %ju",
	    (uintmax_t)r.rlim_cur, workers, inflight, (uintmax_t)need);
}

int
client_limits_check(const struct setup *s, struct err *err)
{
	return check_memory(s, err) == -1 ? -1 : check_files(s, err);
}
