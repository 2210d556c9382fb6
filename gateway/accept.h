/* accept.h - what a request's Accept header lets an answer be (RFC 9110, 12.5.1).
 *
 * Of the ranges that cover a type the most specific one decides: the whole type before one with a
 * star for its subtype, that before the one of two stars; its q=0 forbids. Other parameters do not
 * count. A part that is no range is ignored; a header without any range allows everything. Pure. */
#ifndef RELAIS_GATEWAY_ACCEPT_H
#define RELAIS_GATEWAY_ACCEPT_H
#include <stdbool.h>

/* `type` is in lower case, without parameters. */
bool accept_allows(const char *header, const char *type);
#endif
