/* span.h - where a member of a JSON object stands in the text that was sent.
 *
 * A parsed tree forgets how a client wrote a value: its spacing, the form of its numbers, the
 * order of its keys. What a dialect only keeps for its clients (context_data, result_data,
 * checkpoint data) is therefore cut out of the request's own text. The text has been parsed
 * before, so this walk trusts its grammar and only counts brackets; it never reads past its end.
 * Pure but for span_member's fallback, which prints the parsed value into the exchange. */
#ifndef RELAIS_GATEWAY_DIALECT_SPAN_H
#define RELAIS_GATEWAY_DIALECT_SPAN_H
#include "gateway/exchange.h"

/* The text of the value under `key` in the outermost object of well-formed JSON; no data when
 * there is none, or when its key is spelled with escapes. */
struct slice span_find(struct slice object, const char *key);
/* The text of a member of the request's body, under its name or, when that is absent, its alias
 * (may be NULL); empty when both are absent or null. Lives as long as the exchange. */
struct slice span_member(struct exchange *x, const char *name, const char *alias);
#endif
