/* codec_object.h - the values of objects; see codec.h.
 *
 * An object's value begins with what its keys are made of, which is all there is of one that is
 * gone. That begins with the id in 8 bytes: the value of each of its names. */
#ifndef RELAIS_STORE_CODEC_OBJECT_H
#define RELAIS_STORE_CODEC_OBJECT_H
#include "store/coding.h"

uint8_t *object_keys_put(uint8_t *p, const struct object_record *o); /* of one that is gone */
void object_keys_get(struct reader *r, struct object_record *o);
uint8_t *object_value_put(uint8_t *p, const struct object_record *o);
void object_value_get(struct reader *r, struct object_record *o);
#endif
