/* codec_fleet.h - the values of dialect 003's records: stations, sessions, commands. A part of the
 * codec; the rules are those of codec.h. */
#ifndef RELAIS_STORE_CODEC_FLEET_H
#define RELAIS_STORE_CODEC_FLEET_H
#include "store/codec.h"
#include "store/coding.h"

uint8_t *station_value_put(uint8_t *p, const struct station_record *s);
void station_value_get(struct reader *r, struct station_record *s);
uint8_t *session_value_put(uint8_t *p, const struct session_record *s);
void session_value_get(struct reader *r, struct session_record *s);
uint8_t *command_value_put(uint8_t *p, const struct command_record *c);
void command_value_get(struct reader *r, struct command_record *c);
/* Bytes of all their texts. */
size_t station_slices_len(const struct station_record *s);
size_t session_slices_len(const struct session_record *s);
size_t command_slices_len(const struct command_record *c);
#endif
