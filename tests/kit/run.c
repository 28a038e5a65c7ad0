#include "kit/run.h"

void
conf_of_fake(struct conf *c, const struct fake_s3 *f)
{
	conf_init(c);
	strlist_add(&c->s3_storage.endpoints, f->url);
	c->s3_storage.bucket = xstrdup("bkt");
	c->s3_storage.access_key = xstrdup("a");
	c->s3_storage.secret_key = xstrdup("s");
	c->s3_storage.path_style = true;
	c->fs_config.server_as_prefix = true;
}

void
run_of_kit(struct run *r, const struct conf *conf, const struct job *job,
    struct catalog *catalog)
{
	static const struct run_ops ops = { .mail = deleter_mail };

	*r = (struct run){ .conf = conf, .job = job, .ops = &ops,
	    .catalog = catalog, .signals = -1, .in = mailbox_new(0) };
}

void
run_end_kit(struct run *r)
{
	catalog_reader_close(&r->reader);
	s3_free(&r->s3);
	mailbox_free(&r->in);
}
