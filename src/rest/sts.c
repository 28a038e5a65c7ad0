#include <expat.h>

#include "rest/meta.h"
#include "rest/sts.h"

#define DEPTH_MAX	16
#define TEXT_MAX	((size_t)(32 * KIB))	/* of one element */

/* The elements that matter; each at most once. */
enum element {
	E_ACCESS_KEY = 0,
	E_SECRET_KEY,
	E_TOKEN,
	E_EXPIRATION,
	E_CODE,
	E_MESSAGE,
	E__MAX
};
static const char *const names[E__MAX] = { "AccessKeyId", "SecretAccessKey",
    "SessionToken", "Expiration", "Code", "Message" };

struct parse {
	XML_Parser parser;
	unsigned depth;
	struct buf text;	/* of the innermost element */
	char	*found[E__MAX];
};

static void
release(struct parse *p)
{
	if (p->text.data != NULL)
		explicit_bzero(p->text.data, p->text.cap);
	buf_release(&p->text);
	for (size_t i = 0; i < E__MAX; i++)
		free_secret(&p->found[i]);
}

static void
on_start(void *arg, const char *name UNUSED, const char **atts UNUSED)
{
	struct parse *p = arg;

	buf_clear(&p->text);
	if (++p->depth > DEPTH_MAX)
		XML_StopParser(p->parser, XML_FALSE);
}

static void
on_end(void *arg, const char *name)
{
	struct parse *p = arg;
	/* Elements may have the prefix of a name space. */
	const char *colon = strrchr(name, ':');

	p->depth--;
	for (size_t i = 0; i < E__MAX; i++)
		if (strcmp(colon == NULL ? name : colon + 1, names[i]) == 0 &&
		    p->found[i] == NULL && p->text.data != NULL)
			p->found[i] = xstrdup(p->text.data);
	buf_clear(&p->text);
}

static void
on_text(void *arg, const char *s, int len)
{
	struct parse *p = arg;

	if (buf_add(&p->text, s, (size_t)len) == -1)
		XML_StopParser(p->parser, XML_FALSE);
}

/* Document types, and so entities, are refused. */
static void
on_doctype(void *arg, const char *name UNUSED, const char *system UNUSED,
    const char *public UNUSED, int internal UNUSED)
{
	const struct parse *p = arg;

	XML_StopParser(p->parser, XML_FALSE);
}

static bool
parse(struct parse *p, struct str xml)
{
	bool ok = false;

	memset(p, 0, sizeof(*p));
	buf_init(&p->text, TEXT_MAX);
	p->parser = XML_ParserCreate(NULL);
	if (p->parser == NULL)
		return false;
	XML_SetUserData(p->parser, p);
	XML_SetElementHandler(p->parser, on_start, on_end);
	XML_SetCharacterDataHandler(p->parser, on_text);
	XML_SetStartDoctypeDeclHandler(p->parser, on_doctype);
	ok = XML_Parse(p->parser, xml.p, (int)xml.len, 1) == XML_STATUS_OK;
	XML_ParserFree(p->parser);
	return ok;
}

int
sts_keys(struct keys *k, struct str xml, struct err *err)
{
	CLEANUP(release) struct parse p;

	if (!parse(&p, xml))
		return err_set(err, ERR_PEER, 0, "the answer is no XML");
	if (p.found[E_EXPIRATION] == NULL || !s3_iso_date(
	    str_of(p.found[E_EXPIRATION]), &k->expires_sec))
		return err_set(err, ERR_PEER, 0, "the answer does not say when "
		    "the keys end");
	k->access_key = STEAL(p.found[E_ACCESS_KEY]);
	k->secret_key = STEAL(p.found[E_SECRET_KEY]);
	k->session_token = STEAL(p.found[E_TOKEN]);
	return 0;
}

bool
sts_error(struct str xml, char *out, size_t size)
{
	CLEANUP(release) struct parse p;
	AUTOFREE char *text = NULL;

	if (!parse(&p, xml) || p.found[E_CODE] == NULL)
		return false;
	text = xasprintf("%s: %s", p.found[E_CODE], p.found[E_MESSAGE] == NULL ?
	    "" : p.found[E_MESSAGE]);
	str_escape(str_of(text), out, size);
	return true;
}
