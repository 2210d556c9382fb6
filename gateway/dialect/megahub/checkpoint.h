/* checkpoint.h - what checkpoint.c shares with the rest of the jobs. */
#ifndef RELAIS_GATEWAY_DIALECT_MEGAHUB_CHECKPOINT_H
#define RELAIS_GATEWAY_DIALECT_MEGAHUB_CHECKPOINT_H
#include "gateway/dialect/megahub/job.h"

bool checkpoint_optimize_read(struct exchange *x, struct message *m); /* checkpoint_pack.c */
#endif
