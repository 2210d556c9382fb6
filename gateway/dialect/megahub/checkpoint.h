/* checkpoint.h - what checkpoint.c shares with the rest of the jobs. */
#ifndef RELAIS_GATEWAY_DIALECT_MEGAHUB_CHECKPOINT_H
#define RELAIS_GATEWAY_DIALECT_MEGAHUB_CHECKPOINT_H
#include "gateway/dialect/megahub/job.h"

typedef void checkpoint_then(struct exchange *x, const struct checkpoint_record *c);
struct checkpoint_find { /* while it is under way */
    checkpoint_then *then;
    void *state;
    struct checkpoint_record found;
};
/* By number, within the caller's brand; NULL = there is none. x->state is the caller's again in
 * `then`; the record lives as long as the exchange. */
void checkpoint_find(struct exchange *x, uint64_t number, checkpoint_then *then);

/* checkpoint_pack.c */
bool checkpoint_optimize_read(struct exchange *x, struct message *m);
#endif
