/* codec_schedule.h - the value of a schedule's record. A part of the codec. */
#ifndef RELAIS_STORE_CODEC_SCHEDULE_H
#define RELAIS_STORE_CODEC_SCHEDULE_H
#include "store/codec.h"
#include "store/coding.h"

uint8_t *schedule_value_put(uint8_t *p, const struct schedule_record *s);
void schedule_value_get(struct reader *r, struct schedule_record *s);
size_t schedule_slices_len(const struct schedule_record *s);
#endif
