/* json_plain.h - the JSON that clients mostly send, read in one pass.
 *
 * Plain: no escapes in texts, whole numbers of at most 18 digits, no key twice, nothing wrong, and
 * depth <= JSON_DEPTH_MAX. What is plain gives the very value that jansson gives; all else is left
 * to jansson, which takes ten times as long, and says what is wrong. */
#ifndef RELAIS_GATEWAY_JSON_PLAIN_H
#define RELAIS_GATEWAY_JSON_PLAIN_H
#include "proto/base/bytes.h"
#include <jansson.h>

/* NULL = not plain. Owned by the caller. */
json_t *json_plain(struct slice text);
#endif
