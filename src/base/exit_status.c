#include <signal.h>

#include "base/exit_status.h"

int
exit_status_of(const struct err *err)
{
	switch (err->kind) {
	case ERR_NONE:
		return EXIT_DONE;
	case ERR_CONFIG:
	case ERR_USAGE:
		return EXIT_CONFIG;
	case ERR_UNREACHABLE:
	case ERR_DENIED:
	case ERR_RETRY:
	case ERR_REFUSED:
		return EXIT_UNREACHABLE;
	case ERR_CORRUPT:
		return EXIT_CORRUPT;
	case ERR_STOPPED:
		return EXIT_INTERRUPTED;
	case ERR_GONE:
	case ERR_RESOURCE:
	case ERR_PEER:
	case ERR_INVALID:
	case ERR_BUG:
	case ERR__MAX:
		break;
	}
	return EXIT_FAILED;
}

int
exit_status_signal(int number)
{
	return number == SIGINT ? EXIT_INTERRUPTED : EXIT_TERMINATED;
}
