/*
 * sink.c: an S3 server for benchmarks: it takes what it is given, at little
 * cost, and counts requests. It knows no users, checks no signatures and
 * keeps names, sizes, ETags and metadata in memory (the data as well with
 * --keep; without it GET gives zeros). Every bucket exists.
 *
 *	sink [--port N] [--keep] [--no-md5] [--seed FILE] [--latency MS]
 *	    [--rate BYTES] [--traits NAME,NAME...] [--page KEYS]
 *	sink --list-traits
 *
 * prints the address it listens on, and its counts when it is ended by
 * SIGTERM; GET /_stats gives them at any time. With --no-md5 a Content-MD5
 * becomes the ETag unread, so that the sink costs less than it measures. A
 * seed file names objects that are there from the start, one a line: size,
 * seconds since 1970, bucket/key. Each request waits for the latency before
 * it is looked at, and a connection moves no more than the rate a second.
 * Traits make it a store of another kind: sink_traits.h.
 */
#include <signal.h>

#include "sink_serve.h"

static const struct {
	const char *name;
	const char *text;
	const char *from;
} traits[TRAIT__MAX] = {
#define TRAIT_ROW(id, name, text, from) { name, text, from },
	TRAITS(TRAIT_ROW)
#undef TRAIT_ROW
};

/* Of names with commas between them; false: no such trait. */
static bool
traits_parse(char *text, unsigned *ret)
{
	char *name;

	*ret = 0;
	while ((name = strsep(&text, ",")) != NULL) {
		size_t i = 0;

		while (i < TRAIT__MAX && strcmp(name, traits[i].name) != 0)
			i++;
		if (i == TRAIT__MAX && *name != '\0')
			return false;
		if (i < TRAIT__MAX)
			*ret |= 1U << i;
	}
	return true;
}

/* The ETag is that of an empty object, whatever the size. The time is also
 * given as rclone writes it. */
static int
seed(const char *path)
{
	FILE *f = fopen(path, "re");
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;

	if (f == NULL)
		return -1;
	while ((len = getline(&line, &cap, f)) != -1) {
		struct object *o;
		char *p = line, *size, *mtime;

		line[len - 1] = '\0';
		size = strsep(&p, " ");
		mtime = strsep(&p, " ");
		if (p == NULL)
			break;
		o = store_put(&sink.store, p);
		o->size = strtoull(size, NULL, 10);
		o->mtime = (time_t)strtoll(mtime, NULL, 10);
		o->meta = xasprintf("x-amz-meta-mtime: %s\r\n", mtime);
		snprintf(o->etag, sizeof(o->etag), "%s",
		    "d41d8cd98f00b204e9800998ecf8427e");
	}
	free(line);
	fclose(f);
	return 0;
}

static void
list_traits(void)
{
	for (size_t i = 0; i < TRAIT__MAX; i++)
		printf("%s\t%s\t%s\n", traits[i].name, traits[i].text,
		    traits[i].from);
}

int
main(int argc, char **argv)
{
	const char *seed_file = NULL;
	unsigned long port = 0;
	unsigned given;
	struct buf b;
	sigset_t set;
	pthread_t t;
	int fd, sig;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--keep") == 0) {
			sink.keep = true;
		} else if (strcmp(argv[i], "--no-md5") == 0) {
			sink.no_md5 = true;
		} else if (strcmp(argv[i], "--port") == 0 && i + 1 < argc) {
			port = strtoul(argv[++i], NULL, 10);
		} else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
			seed_file = argv[++i];
		} else if (strcmp(argv[i], "--latency") == 0 && i + 1 < argc) {
			sink.latency_ms = strtoul(argv[++i], NULL, 10);
		} else if (strcmp(argv[i], "--rate") == 0 && i + 1 < argc) {
			sink.rate = strtoull(argv[++i], NULL, 10);
		} else if (strcmp(argv[i], "--page") == 0 && i + 1 < argc) {
			sink.page = strtoul(argv[++i], NULL, 10);
		} else if (strcmp(argv[i], "--traits") == 0 && i + 1 < argc &&
		    traits_parse(argv[i + 1], &sink.traits)) {
			i++;
			if (sink.traits & TRAIT_VERSIONED)
				sink.store.versioning = VERSIONING_ON;
		} else if (strcmp(argv[i], "--list-traits") == 0) {
			list_traits();
			return 0;
		} else {
			fprintf(stderr, "usage: sink [--port N] [--keep] "
			    "[--no-md5] [--seed FILE] [--latency MS] "
			    "[--rate BYTES] [--traits NAME,...] "
			    "[--page KEYS]\n");
			return 2;
		}
	}
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	rng_seed(&sink.store.rng, 1);
	if (seed_file != NULL && seed(seed_file) == -1) {
		perror(seed_file);
		return 1;
	}
	fd = listen_on(port, &given);
	if (fd == -1) {
		perror("sink");
		return 1;
	}
	printf("http://127.0.0.1:%u\n", given);
	fflush(stdout);
	if (pthread_create(&t, NULL, listener, (void *)(intptr_t)fd) != 0)
		return 1;
	sigwait(&set, &sig);
	buf_init(&b, 4096);
	stats_text(&b);
	fputs(b.data, stdout);
	fflush(stdout);
	_exit(0);
}
