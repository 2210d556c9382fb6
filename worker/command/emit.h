/* emit.h - JSON on stdout, a member at a time, one object a line.
 *
 * Text that is UTF-8 is a string; other bytes are written under NAME_base64. Times are RFC 3339;
 * a time of 0 is null. */
#ifndef RELAIS_WORKER_COMMAND_EMIT_H
#define RELAIS_WORKER_COMMAND_EMIT_H
#include "proto/base/bytes.h"
#include "proto/decode.h"
#include <stdio.h>

struct emit { FILE *out; bool some; };

struct emit emit_open(FILE *out);
void emit_close(struct emit *e);
void emit_number(struct emit *e, const char *name, int64_t number);
void emit_time(struct emit *e, const char *name, int64_t ms);
void emit_string(struct emit *e, const char *name, const char *text); /* NULL = null */
void emit_bytes(struct emit *e, const char *name, struct slice bytes);
/* A member whose value the caller writes. */
void emit_name(struct emit *e, const char *name);
/* A string with its quotes; bytes that are not UTF-8 become U+FFFD. */
void emit_quoted(FILE *out, struct slice text);
/* The next value of msgpack as JSON; false when it is malformed. */
bool emit_msgpack(FILE *out, struct decode *d);
#endif
