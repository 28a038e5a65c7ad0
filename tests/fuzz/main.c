/*
 * Run a fuzz target as an ordinary regression test: every file of every
 * directory named, and each of their prefixes up to 4 KiB.
 */
#include <dirent.h>

#include "base/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static int
run_file(const char *path)
{
	static uint8_t data[1 << 20];
	FILE *f = fopen(path, "rb");
	uint8_t *exact;
	size_t len;

	if (f == NULL) {
		perror(path);
		return -1;
	}
	len = fread(data, 1, sizeof(data), f);
	fclose(f);
	for (size_t n = len > 4096 ? len : 0; n <= len; n++) {
		/* A buffer of its own, so that a sanitizer sees the end. */
		exact = xmemdup(data, n);
		LLVMFuzzerTestOneInput(exact, n);
		free(exact);
	}
	return 0;
}

int
main(int argc, char **argv)
{
	size_t count = 0;

	for (int i = 1; i < argc; i++) {
		struct dirent *d;
		DIR *dir = opendir(argv[i]);

		if (dir == NULL) {
			perror(argv[i]);
			return 1;
		}
		while ((d = readdir(dir)) != NULL) {
			char *path = xasprintf("%s/%s", argv[i], d->d_name);

			if (d->d_name[0] != '.') {
				if (run_file(path) == -1)
					return 1;
				count++;
			}
			free(path);
		}
		closedir(dir);
	}
	printf("%zu inputs\n", count);
	return count > 0 ? 0 : 1;
}
