/*
 * Preloaded into datamover: FAULT_ERRNO holds the rules of errno_shim.h, as
 * "call path errno times", separated by semicolons. Errno 0 stops the process
 * before the call, until somebody lets it go on; errno -2 lets the call wait
 * until the file FAULT_HANG is gone.
 */
#include <signal.h>

#include "fault/errno_shim.h"

static void
stop_here(void)
{
	raise(SIGSTOP);
}

__attribute__((constructor)) static void
read_rules(void)
{
	const char *text = getenv("FAULT_ERRNO");

	shim_hook = stop_here;
	while (text != NULL && shim_count < SHIM_RULES) {
		char call[8], path[200];
		int code, times;

		if (sscanf(text, "%7s %199s %d %d", call, path, &code,
		    &times) == 4)
			shim_add(call, path, code, times);
		text = strchr(text, ';');
		if (text != NULL)
			text++;
	}
}
