/*
 * The first byte says what the rest is: 'i' an INI file, 'j' a config.json.
 * What is accepted can be printed, and read again with the same meaning.
 */
#include "conf/table.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static char *
printed(const struct conf *c, bool comments, size_t *ret_len)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, ret_len);

	if (f == NULL)
		abort();
	conf_print(c, f, comments, true);
	if (fclose(f) != 0)
		abort();
	return text;
}

static void
read_again(const struct conf *c)
{
	CLEANUP(conf_release) struct conf again;
	AUTOFREE char *ini = NULL, *before = NULL, *after = NULL;
	struct err err = ERR_INIT;
	size_t len;

	conf_init(&again);
	ini = printed(c, true, &len);
	if (conf_parse(&again, (struct str){ ini, len }, "again", false,
	    &err) == -1) {
		fprintf(stderr, "%s\n%s", err.msg, ini);
		abort();
	}
	before = printed(c, false, &len);
	after = printed(&again, false, &len);
	if (strcmp(before, after) != 0) {
		fprintf(stderr, "before:\n%s\nafter:\n%s", before, after);
		abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	CLEANUP(conf_release) struct conf c;
	struct err err = ERR_INIT;
	struct str text;

	conf_init(&c);
	if (len == 0)
		return 0;
	text = (struct str){ (const char *)data + 1, len - 1 };
	if (conf_parse(&c, text, "fuzz", data[0] == 'j', &err) == -1) {
		if (err.kind != ERR_CONFIG || err.msg[0] == '\0')
			abort();
		return 0;
	}
	read_again(&c);
	if (conf_check_shares(&c, &err) == 0 &&
	    conf_check_s3(&c, false, &err) == 0)
		free(printed(&c, false, &len));
	return 0;
}
