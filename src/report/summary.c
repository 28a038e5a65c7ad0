#include "base/buf.h"
#include "base/clock.h"
#include "base/exit_status.h"
#include "base/jsontext.h"
#include "base/log.h"
#include "base/units.h"
#include "report/summary.h"
#include "report/text.h"

static void
print_count(FILE *f, const char *name, uint64_t n, const char *note)
{
	char count[32];

	fprintf(f, "  %-10s %15s%s%s\n", name, text_count(n, count),
	    note[0] != '\0' ? "   " : "", note);
}

/* "3.4 GiB, 283.1 MiB/s, 81,300 objects/s" */
static void
describe_rate(const struct summary *s, uint64_t objects, uint64_t bytes,
    char *out, size_t len)
{
	char size[16], byte_rate[32], object_rate[48];
	double seconds = MAX(s->seconds, 1e-3);

	units_format(bytes, size);
	if (s->op == OP_DEL)
		snprintf(out, len, "%s, %s%s", size,
		    text_object_rate((double)objects / seconds, object_rate),
		    s->dryrun ? " (would be deleted)" : " (deleted)");
	else if (objects == 0)
		snprintf(out, len, "%s", s->dryrun ? "nothing was read" : "");
	else
		snprintf(out, len, "%s, %s, %s%s", size,
		    text_byte_rate((double)bytes / seconds, byte_rate),
		    text_object_rate((double)objects / seconds, object_rate),
		    s->dryrun ? " (read, not uploaded)" : "");
}

static void
print_failures(FILE *f, const struct summary *s)
{
	const struct totals *t = &s->totals;
	char count[32];

	if (t->failed == 0 && s->failure_count == 0)
		return;
	fputs("failed:\n", f);
	for (size_t i = 0; i < s->failure_count; i++)
		fprintf(f, "  %-11s %s: %s\n", s->failures[i].kind,
		    s->failures[i].path, s->failures[i].reason);
	if (s->failure_count > 0 && t->failed > s->failure_count)
		fprintf(f, "  and %s more\n",
		    text_count(t->failed - s->failure_count, count));
	/* A dry run has a catalog of its own, already gone by now. */
	if (s->run == 0 || s->dryrun)
		return;
	if (s->crawl > 0 && s->crawl < s->run)
		fprintf(f, "  all: datamover sql 'SELECT * FROM failures "
		    "WHERE run BETWEEN %jd AND %jd'\n", (intmax_t)s->crawl,
		    (intmax_t)s->run);
	else
		fprintf(f, "  all: datamover sql "
		    "'SELECT * FROM failures WHERE run = %jd'\n",
		    (intmax_t)s->run);
}

static void
print_totals(FILE *f, const struct summary *s)
{
	const struct totals *t = &s->totals;
	char note[160];

	print_count(f, "found", t->found, s->broken ? "" : t->pending > 0 ?
	    "= moved + unchanged + failed + excluded + pending" :
	    "= moved + unchanged + failed + excluded");
	describe_rate(s, t->moved, t->bytes, note, sizeof(note));
	print_count(f, "moved", t->moved, note);
	print_count(f, "unchanged", t->unchanged, "");
	print_count(f, "failed", t->failed, "");
	print_count(f, "excluded", t->excluded, "");
	if (t->pending > 0)
		print_count(f, "pending", t->pending, "left for the next run");
	if (t->gone > 0)
		print_count(f, "gone", t->gone,
		    s->op == OP_PUT ? "no longer at the source; not in the "
		    "sum" : "no longer there; not in the sum");
	if (t->deleted > 0 && s->op == OP_PUT)
		print_count(f, "deleted", t->deleted, s->dryrun ?
		    "would be deleted in the bucket; not in the sum" :
		    "in the bucket; not in the sum");
	if (t->compacted > 0 || t->not_compacted > 0)
		print_count(f, "compacted", t->compacted,
		    "subsystems of DSS targets");
	if (t->not_compacted > 0)
		print_count(f, "not", t->not_compacted,
		    "compacted: why is said above, and in the report");
}

void
summary_print(FILE *f, const struct summary *s)
{
	char duration[32], note[160], since[32], kept[32];

	fprintf(f, "%s%s %s after %s", op_name(s->op),
	    s->dryrun ? " --dryrun" : "",
	    s->broken ? "was ended by an error" :
	    s->interrupted ? "was interrupted" : "finished",
	    text_duration(s->seconds, duration));
	if (s->run > 0 && !s->dryrun)
		fprintf(f, " (run %jd)", (intmax_t)s->run);
	fputc('\n', f);
	if (s->since_ns > 0) {
		clock_iso8601(s->since_ns / 1000000000, since);
		fprintf(f, "it went on with run %jd, begun %s: %s director"
		    "%s not read again\n", (intmax_t)s->crawl, since,
		    text_count(s->dirs_kept, kept),
		    s->dirs_kept == 1 ? "y was" : "ies were");
	}
	if (s->op == OP_LIST) {
		describe_rate(s, s->totals.found, s->totals.found_bytes, note,
		    sizeof(note));
		print_count(f, "found", s->totals.found, note);
		return;
	}
	print_totals(f, s);
	if (!s->closes)
		fputs("THE TOTALS DO NOT CLOSE: found is not the sum of its "
		    "parts\n", f);
	print_failures(f, s);
	if (s->interrupted && !s->broken)
		fputs("to go on, give the same command again\n", f);
}

void
summary_add_json(struct buf *b, const struct summary *s, const char *error)
{
	const struct totals *t = &s->totals;
	char since[32];

	buf_addf(b, "{\"operation\":\"%s\",\"found\":%ju", op_name(s->op),
	    (uintmax_t)t->found);
	if (s->op == OP_LIST)
		buf_addf(b, ",\"bytes\":%ju", (uintmax_t)t->found_bytes);
	else
		buf_addf(b, ",\"moved\":%ju,\"unchanged\":%ju,\"failed\":%ju,"
		    "\"excluded\":%ju,\"gone\":%ju,\"deleted\":%ju,"
		    "\"pending\":%ju,\"bytes\":%ju", (uintmax_t)t->moved,
		    (uintmax_t)t->unchanged, (uintmax_t)t->failed,
		    (uintmax_t)t->excluded, (uintmax_t)t->gone,
		    (uintmax_t)t->deleted, (uintmax_t)t->pending,
		    (uintmax_t)t->bytes);
	if (s->op == OP_TEST)
		buf_addf(b, ",\"verified\":%ju", (uintmax_t)t->verified);
	if (t->compacted > 0 || t->not_compacted > 0)
		buf_addf(b, ",\"compacted\":%ju,\"not_compacted\":%ju",
		    (uintmax_t)t->compacted, (uintmax_t)t->not_compacted);
	buf_addf(b, ",\"seconds\":%.3f", s->seconds > 0 ? s->seconds : 0.0);
	if (s->run > 0)
		buf_addf(b, ",\"run\":%jd", (intmax_t)s->run);
	if (s->since_ns > 0) {
		clock_iso8601(s->since_ns / 1000000000, since);
		buf_addf(b, ",\"continues\":%jd,\"continues_since\":\"%s\","
		    "\"dirs_taken_over\":%ju", (intmax_t)s->crawl, since,
		    (uintmax_t)s->dirs_kept);
	}
	buf_addf(b, ",\"exit_status\":%d", s->status);
	if (error != NULL) {
		buf_addstr(b, ",\"error\":");
		buf_add_json(b, str_of(error));
	} else if (s->reason != NULL) {
		buf_addstr(b, ",\"reason\":");
		buf_add_json(b, str_of(s->reason));
	}
	buf_addstr(b, "}\n");
}

void
summary_json(FILE *f, const struct summary *s, const char *error)
{
	CLEANUP(buf_release) struct buf b;

	buf_init(&b, 64 * KIB);
	summary_add_json(&b, s, error);
	fwrite(b.data, 1, b.len, f);
	fflush(f);
}

void
summary_take(struct summary *s, const struct run_closing *c, bool cut)
{
	s->totals = c->totals;
	s->closes = c->closes || cut;
	s->failures = c->failures;
	s->failure_count = c->failure_count;
}

void
summary_end(const struct job *job, const struct summary *s, const char *error)
{
	if (s->broken)
		log_event(LOG_ERROR, EVENT_RUN_FAILED,
		    LOG_WITH(LOG_TEXT("reason", error)), "%s", error);
	if (job->json)
		summary_json(stdout, s, error);
}

/* Must somebody act? A signal came from somebody, and what has failed alone is
 * tried again. */
static enum log_level
level_of(int status)
{
	if (status == EXIT_DONE)
		return LOG_INFO;
	return status == EXIT_FAILED || status == EXIT_INTERRUPTED ||
	    status == EXIT_TERMINATED ? LOG_WARN : LOG_ERROR;
}

void
summary_log(const struct summary *s)
{
	const struct totals *t = &s->totals;

	log_event(level_of(s->status), EVENT_RUN_END,
	    LOG_WITH(LOG_TEXT("operation", op_name(s->op)),
		LOG_NUMBER("status", s->status),
		LOG_TEXT("reason", s->reason),
		LOG_NUMBER("found", t->found), LOG_NUMBER("moved", t->moved),
		LOG_NUMBER("unchanged", t->unchanged),
		LOG_NUMBER("failed", t->failed),
		LOG_NUMBER("excluded", t->excluded),
		LOG_NUMBER("gone", t->gone),
		LOG_NUMBER("deleted", t->deleted),
		LOG_NUMBER("pending", t->pending),
		LOG_NUMBER("bytes", t->bytes),
		LOG_NUMBER("found_bytes", t->found_bytes),
		LOG_NUMBER("dirs", t->dirs),
		LOG_NUMBER("ms", s->seconds * 1000)),
	    "%s ends with status %d%s%s", op_name(s->op), s->status,
	    s->reason == NULL ? "" : ": ",
	    s->reason == NULL ? "" : s->reason);
}

void
summary_gave_up(const struct job *job, const struct err *err, int status)
{
	char text[4 * sizeof(err->msg)];

	fprintf(stderr, "datamover: %s: %s\n", op_name(job->op),
	    str_escape(str_of(err->msg), text, sizeof(text)));
	if (err->kind == ERR_USAGE)
		fprintf(stderr, "see datamover %s --help\n",
		    op_name(job->op));
	log_event(level_of(status), EVENT_NOT_BEGUN,
	    LOG_WITH(LOG_TEXT("reason", err->msg)), "%s", err->msg);
	if (job->json)
		summary_json(stdout, &(struct summary){ .op = job->op,
		    .status = status }, err->msg);
}

int
summary_error(const struct job *job, const struct err *err)
{
	int status = exit_status_of(err);

	summary_gave_up(job, err, status);
	return status;
}
