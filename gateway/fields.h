/* fields.h - a small form as one object of texts: what a BODY_FIELDS route takes beside JSON.
 *
 * application/x-www-form-urlencoded, or multipart/form-data without files. Of two fields with one
 * name the last counts. Texts stay texts: whoever reads a member that is no text takes both.
 *
 * Refusals: NULL with a static sentence in *why: malformed, too many fields, a file, not UTF-8. */
#ifndef RELAIS_GATEWAY_FIELDS_H
#define RELAIS_GATEWAY_FIELDS_H
#include "gateway/exchange.h"

/* True for the media types of forms. */
bool fields_sent(const char *content_type);
/* The object, owned by the caller. The body is x->body. */
json_t *fields_parse(struct exchange *x, const char *content_type, uint32_t fields_max,
                     const char **why);
#endif
