/* job_ask.h - questions for tasks that are jobs, put together predicate by predicate. */
#ifndef RELAIS_GATEWAY_DIALECT_MEGAHUB_JOB_ASK_H
#define RELAIS_GATEWAY_DIALECT_MEGAHUB_JOB_ASK_H
#include "gateway/dialect/megahub/job.h"

struct job_ask { struct buffer predicates; uint32_t count; };

void job_ask_number(struct job_ask *ask, const char *field, const char *op, int64_t value);
/* Those of a filter that page_read made. */
void job_ask_wire(struct job_ask *ask, struct slice filter);
/* Asks for the newest `limit` with one of these statuses (0 = any), with body and result; frees
 * what was put together. A refusal ends the exchange. */
void job_ask_send(struct exchange *x, struct job_ask *ask, uint32_t statuses, uint32_t limit,
                  exchange_then *then);
/* The jobs of the answer, not gathered yet. */
struct jobs *jobs_of_rows(struct exchange *x, const struct message *answer);

extern const struct routes megahub_job_ready;
#endif
