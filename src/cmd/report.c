#include "cmd/cmd.h"
#include "db/view.h"
#include "report/report.h"

static int
make(const struct options *o, struct err *err)
{
	const char *format = o->format == NULL ? "text" : o->format;
	const struct report_output *output = report_output_of(format);
	struct catalog_view *view = NULL;
	AUTOFREE char *path = NULL;
	struct report r;
	int rc;

	if (output == NULL)
		return err_set(err, ERR_USAGE, 0, "--format is %s, not \"%s\"",
		    report_outputs(), format);
	if (cmd_find_catalog(o, &path, err) == -1 ||
	    catalog_view_open(&view, path, err) == -1)
		return -1;
	rc = report_collect(&r, view, path, (int64_t)o->run, err);
	if (rc == 0)
		rc = report_write(&r, output, o->output, err);
	report_release(&r);
	catalog_view_close(&view);
	return rc;
}

int
cmd_report(int argc, char **argv)
{
	return cmd_look(VERB_REPORT, make, argc, argv);
}
