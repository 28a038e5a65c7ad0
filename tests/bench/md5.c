/*
 * md5.c: how fast the MD5 engines of this processor are, in MB/s of all
 * streams together, by number of streams and size of a stream; OpenSSL's for
 * comparison. The best of several short runs, as other programs disturb.
 */
#include <openssl/evp.h>

#include "base/clock.h"
#include "crypto/md5_internal.h"

#define STREAMS 64
#define RUNS 7

static void
hash(const struct md5_engine *e, const uint8_t *data, size_t size,
    size_t count)
{
	static struct md5 md5[STREAMS];
	static struct md5_job jobs[STREAMS];
	uint8_t out[MD5_LEN];

	for (size_t i = 0; i < count; i++) {
		const uint8_t *p = data + i * size;

		if (e == NULL) {
			EVP_Digest(p, size, out, NULL, EVP_md5(), NULL);
			continue;
		}
		md5_init(&md5[i]);
		jobs[i] = (struct md5_job){ &md5[i], p, size };
	}
	if (e == NULL)
		return;
	md5_update_using(e, jobs, count);
	for (size_t i = 0; i < count; i++)
		md5_final(&md5[i], out);
}

/* MB/s of the best run of a few ms. */
static double
rate(const struct md5_engine *e, const uint8_t *data, size_t size,
    size_t count)
{
	size_t rounds = 1 + (size_t)(4 * MIB) / (size * count);
	double best = 0;

	for (int run = 0; run < RUNS; run++) {
		uint64_t ns = clock_mono_ns();
		double mb = (double)(rounds * size * count) / 1e6;

		for (size_t i = 0; i < rounds; i++)
			hash(e, data, size, count);
		ns = clock_mono_ns() - ns;
		best = MAX(best, mb * 1e9 / (double)ns);
	}
	return best;
}

int
main(void)
{
	static const size_t counts[] = { 1, 2, 3, 4, 6, 8, 12, 16, 32 };
	static const size_t sizes[] = { 1024, 4096, 65536, 1048576 };
	const struct md5_engine *e = NULL;
	uint8_t *data = xmalloc(32 * sizes[3]);

	memset(data, 'x', 32 * sizes[3]);
	printf("%-8s %8s", "MB/s", "size");
	for (size_t n = 0; n < ARRAY_LEN(counts); n++)
		printf(" %6zux", counts[n]);
	for (size_t i = 0; i == 0 || e != NULL; e = md5_engine(i++)) {
		for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
			printf("\n%-8s %8zu", e == NULL ? "openssl" :
			    e->name, sizes[s]);
			for (size_t n = 0; n < ARRAY_LEN(counts); n++)
				printf(" %7.0f", rate(e, data, sizes[s],
				    counts[n]));
		}
	}
	printf("\n");
	free(data);
	return 0;
}
