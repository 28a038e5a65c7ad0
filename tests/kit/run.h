/*
 * run.h: settings that name a fake S3, and a run that deletes.
 */
#ifndef KIT_RUN_H
#define KIT_RUN_H

#include "kit/fake_s3.h"

#include "base/mailbox.h"
#include "conf/conf.h"
#include "run/deleter.h"

void conf_of_fake(struct conf *c, const struct fake_s3 *f);

/* The frame around deletions, until run_end_kit: before the catalog closes. */
void run_of_kit(struct run *r, const struct conf *conf, const struct job *job,
    struct catalog *catalog);

void run_end_kit(struct run *r);

#endif
