/*
 * rule.h: what the fault proxy may do to a request, and how an order says so
 * (the list is in proxy.c). Included by proxy.c only.
 */
#ifndef FAULT_RULE_H
#define FAULT_RULE_H

#include "base/base.h"

enum action {
	PASS = 0, SLOWDOWN, DROP, DELAY, RESET_AFTER, TRUNCATE, SWALLOW,
	CORRUPT_REQUEST, CORRUPT_REPLY, CORRUPT_ETAG, REFUSE, RATE, ACTION__MAX
};
static const struct {
	const char *name;
	bool	 has_number;
} actions[ACTION__MAX] = {
	{ "pass", false }, { "503", false }, { "drop", false },
	{ "delay", true }, { "reset-after", true },
	{ "truncate-reply", true }, { "swallow-reply", false },
	{ "corrupt-request", true }, { "corrupt-reply", true },
	{ "corrupt-etag", false }, { "refuse", false }, { "rate", true }
};

struct rule {
	enum action action;
	char	 match[128];
	uint64_t number;
	int64_t	 left;			/* -1: without end */
	unsigned percent;
};

/* Each of the texts, with commas between them, stands in the line. */
static bool
rule_fits(const struct rule *r, const char *line)
{
	char texts[sizeof(r->match)], *save = NULL;

	memcpy(texts, r->match, sizeof(texts));
	for (char *t = strtok_r(texts, ",", &save); t != NULL;
	    t = strtok_r(NULL, ",", &save))
		if (strstr(line, t) == NULL)
			return false;
	return true;
}

static int
parse_rule(char *line, struct rule *r, const char **why)
{
	char *word, *save = NULL, *end;

	memset(r, 0, sizeof(*r));
	r->left = -1;
	word = strtok_r(line, " ", &save);
	if (word != NULL && strcmp(word, "match") == 0) {
		word = strtok_r(NULL, " ", &save);
		if (word == NULL)
			return *why = "match what?", -1;
		snprintf(r->match, sizeof(r->match), "%s", word);
		word = strtok_r(NULL, " ", &save);
	}
	for (int i = 1; word != NULL && i < ACTION__MAX; i++)
		if (strcmp(word, actions[i].name) == 0)
			r->action = (enum action)i;
	if (r->action == PASS)
		return *why = "unknown action", -1;
	word = strtok_r(NULL, " ", &save);
	if (actions[r->action].has_number) {
		if (word == NULL)
			return *why = "a number is missing", -1;
		r->number = strtoull(word, &end, 10);
		if (*end != '\0')
			return *why = "not a number", -1;
		word = strtok_r(NULL, " ", &save);
	}
	if (word != NULL) {
		r->left = strtoll(word, &end, 10);
		if (*end == '%') {
			r->percent = (unsigned)r->left;
			r->left = -1;
		} else if (*end != '\0') {
			return *why = "not a count", -1;
		}
	}
	return 0;
}

#endif
