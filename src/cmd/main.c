/*
 * main.c: find the verb.
 */
#include <strings.h>

#include "cmd/cmd.h"
#include "cmd/cmd_conf.h"

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int	 (*fn)(int, char **);
	} verbs[] = {
		{ "PUT", cmd_put },
		{ "LIST", cmd_list },
		{ "conf", cmd_conf },
	};

	for (size_t i = 0; argc > 1 && i < ARRAY_LEN(verbs); i++)
		if (strcasecmp(argv[1], verbs[i].name) == 0)
			return verbs[i].fn(argc - 1, argv + 1);
	fputs("usage: datamover PUT|LIST|conf [options]\n", stderr);
	return 2;
}
