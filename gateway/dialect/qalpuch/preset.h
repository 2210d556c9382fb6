/* preset.h - predefined tasks: configs under a name, made by admins for all users of a brand.
 *
 * One is an object of kind "preset": its name is its cuid, its key "n:" and the lower-case name,
 * its owner the admin who made it. The body is a JSON object: "name", "description", "config" as
 * it was sent. */
#ifndef RELAIS_GATEWAY_DIALECT_QALPUCH_PRESET_H
#define RELAIS_GATEWAY_DIALECT_QALPUCH_PRESET_H
#include "gateway/exchange.h"
#include "proto/object.h"

/* `config` is the text of the JSON value; borrowed for the call. */
typedef void preset_then(struct exchange *x, struct slice cuid, struct slice config);

/* Reads the config of a predefined task of the caller's brand; refuses as not found. */
void preset_config(struct exchange *x, struct slice cuid, preset_then *then);
#endif
