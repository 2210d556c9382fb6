/* output.h - a task's result as bytes and as a file, whoever made it, whether it is stored as a
 * file or, being small, in the task's record.
 *
 * Of an upload of dialect 000 the record of the result says more: name, MIME type and SHA-256, as
 * members among its metrics. They are its note, and no metrics. */
#ifndef RELAIS_GATEWAY_DIALECT_OUTPUT_H
#define RELAIS_GATEWAY_DIALECT_OUTPUT_H
#include "gateway/exchange.h"

enum { OUTPUT_HASH = 32 };

struct output {
    struct slice name, mime;
    uint64_t size;
    uint8_t hash[OUTPUT_HASH];
    bool hashed; /* hash is that of the bytes */
};

/* What DONE says of an upload, so that it can be shown as a file later. */
struct slice output_note(struct exchange *x, const struct upload *file);
/* True when this member of the result's metrics is its note's. */
bool output_noted(const struct view *v, const char *name);
/* Of a VIEW with WANT_RESULT; size is 0 where the view does not say it. */
void output_read(struct exchange *x, const struct view *v, struct output *ret);
/* Answers with the bytes, as a download. Only of a task that has completed. */
void output_answer(struct exchange *x, const struct view *v);
#endif
