/* outcode.h - the codes that the dialects print, and their HTTP status.
 *
 * The broker knows more refusals than the documents name; what they do not
 * name goes out as the nearest one they do. Pure. */
#ifndef RELAIS_GATEWAY_DIALECT_OUTCODE_H
#define RELAIS_GATEWAY_DIALECT_OUTCODE_H
#include "proto/message.h"

struct outcode { const char *name; int status; };

struct outcode outcode_of(enum code code);
#endif
