/*
 * MD5 against OpenSSL's, by every engine that this processor can run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "base/backoff.h"
#include "crypto/md5_internal.h"

#define POOL ((size_t)1 << 16)
#define JOBS 40

static uint8_t pool[POOL];
static struct rng rng;

static size_t
below(size_t n)
{
	return (size_t)(rng_next(&rng) >> 16) % n;
}

static int
setup(void **state)
{
	(void)state;
	rng_seed(&rng, 20261122);
	for (size_t i = 0; i < POOL; i++)
		pool[i] = (uint8_t)(rng_next(&rng) >> 32);
	return 0;
}

static void
expect(const struct md5 *m, const void *data, size_t len)
{
	uint8_t got[MD5_LEN], want[MD5_LEN];

	md5_final(m, got);
	assert_int_equal(m->len, len);
	assert_int_equal(EVP_Digest(data, len, want, NULL, EVP_md5(), NULL),
	    1);
	assert_memory_equal(got, want, MD5_LEN);
}

/* RFC 1321, A.5. */
static void
test_rfc(void **state)
{
	static const char *const vectors[][2] = {
		{ "", "d41d8cd98f00b204e9800998ecf8427e" },
		{ "a", "0cc175b9c0f1b6a831c399e269772661" },
		{ "abc", "900150983cd24fb0d6963f7d28e17f72" },
		{ "message digest", "f96b697d7cb7938d525a2f31aaf161d0" },
		{ "1234567890123456789012345678901234567890"
		    "1234567890123456789012345678901234567890",
		    "57edf4a22be3c955ac49da2e2107b67a" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		uint8_t digest[MD5_LEN];
		struct md5 m;
		char hex[33];

		md5_init(&m);
		md5_update(&m, vectors[i][0], strlen(vectors[i][0]));
		md5_final(&m, digest);
		hex_encode(digest, sizeof(digest), hex);
		assert_string_equal(hex, vectors[i][1]);
	}
}

static void
test_lengths_and_offsets(void **state)
{
	(void)state;
	for (size_t off = 0; off < 64; off++) {
		for (size_t len = 0; len <= 300; len++) {
			struct md5 m;

			md5_init(&m);
			md5_update(&m, pool + off, len);
			expect(&m, pool + off, len);
		}
	}
}

static void
test_pieces(void **state)
{
	(void)state;
	for (int round = 0; round < 2000; round++) {
		size_t len = below(1500), off = below(64), done = 0;
		struct md5 m;

		md5_init(&m);
		while (done < len) {
			size_t n = below(200);

			n = MIN(n, len - done);
			md5_update(&m, pool + off + done, n);
			done += n;
		}
		expect(&m, pool + off, len);
	}
}

/* A copy is a fork: both go on without the other. */
static void
test_fork(void **state)
{
	struct md5 a, b;

	(void)state;
	md5_init(&a);
	md5_update(&a, pool, 100);
	b = a;
	md5_update(&b, pool + 100, 1000);
	md5_update(&a, pool + 100, 77);
	expect(&a, pool, 177);
	expect(&b, pool, 1100);
}

static size_t
random_len(void)
{
	switch (below(6)) {
	case 0:
		return below(65);
	case 1:		/* around a multiple of the block size */
		return 64 * (1 + below(20)) - 2 + below(5);
	case 2:
		return below(9000);
	case 3:
		return 4096;
	default:
		return below(700);
	}
}

/* count streams in several calls, each with its own length and alignment. */
static void
mix(const struct md5_engine *e, size_t count, bool equal)
{
	struct md5 md5[JOBS];
	struct md5_job jobs[JOBS];
	const uint8_t *start[JOBS];
	size_t done[JOBS] = { 0 }, same = random_len();

	for (size_t i = 0; i < count; i++) {
		md5_init(&md5[i]);
		start[i] = pool + below(POOL / 2);
	}
	for (size_t call = 1 + below(3); call > 0; call--) {
		for (size_t i = 0; i < count; i++) {
			jobs[i].md5 = &md5[i];
			jobs[i].data = start[i] + done[i];
			jobs[i].len = equal ? same : random_len();
			done[i] += jobs[i].len;
		}
		if (e == NULL)
			md5_update_many(jobs, count);
		else
			md5_update_using(e, jobs, count);
	}
	for (size_t i = 0; i < count; i++)
		expect(&md5[i], start[i], done[i]);
}

static void
test_mixes(void **state)
{
	const struct md5_engine *e = NULL;

	(void)state;
	for (size_t i = 0; i == 0 || e != NULL; e = md5_engine(i++)) {
		for (size_t count = 0; count <= JOBS; count++) {
			mix(e, count, true);
			for (int round = 0; round < 20; round++)
				mix(e, count, false);
		}
	}
}

/* The last lanes read no byte beyond the data: under a sanitizer a block of
 * its own on the heap proves it. */
static void
test_no_overrun(void **state)
{
	const struct md5_engine *e = NULL;

	(void)state;
	for (size_t i = 0; i == 0 || e != NULL; e = md5_engine(i++)) {
		struct md5_job jobs[JOBS];
		struct md5 md5[JOBS];

		for (size_t k = 0; k < JOBS; k++) {
			size_t len = 60 + 32 * k;

			md5_init(&md5[k]);
			jobs[k].md5 = &md5[k];
			jobs[k].data = xmemdup(pool, len);
			jobs[k].len = len;
		}
		if (e == NULL)
			md5_update_many(jobs, JOBS);
		else
			md5_update_using(e, jobs, JOBS);
		for (size_t k = 0; k < JOBS; k++) {
			expect(&md5[k], pool, jobs[k].len);
			free_ptr(&jobs[k].data);
		}
	}
}

static void
test_engines(void **state)
{
	size_t n = 0;

	(void)state;
	while (md5_engine(n) != NULL) {
		assert_in_range(md5_engine(n)->lanes, 1, MD5_LANES_MAX);
		n++;
	}
	assert_in_range(n, 1, 3);
	assert_string_equal(md5_engine(n - 1)->name, "scalar");
	assert_int_equal(md5_lanes(), md5_engine(0)->lanes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc),
		cmocka_unit_test(test_lengths_and_offsets),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_fork),
		cmocka_unit_test(test_mixes),
		cmocka_unit_test(test_no_overrun),
		cmocka_unit_test(test_engines),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
