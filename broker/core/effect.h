/* effect.h - what a step leaves behind: messages to say, records to write, needs to read.
 *
 * When memory is out the effect is dropped and the core's assertion ends the process: a broker
 * that cannot say what it did must not go on. Slices that are handed in must stay valid until the
 * next core call; note_keep copies bytes that would not. */
#ifndef RELAIS_CORE_EFFECT_H
#define RELAIS_CORE_EFFECT_H
#include "broker/core/state.h"

/* A message to a peer that leaves when the open group is durable; the caller fills its part. */
struct message *say(struct core *c, uint32_t peer, enum verb verb, uint64_t number);
/* The same, but it may leave at once. */
struct message *say_now(struct core *c, uint32_t peer, enum verb verb, uint64_t number);
/* REFUSED, SUBMITTED, VIEW, ANSWER, SETTLED …: the answer that belongs to the verb, with a code.
 * text may be empty: the code's own sentence is meant. */
void say_code(struct core *c, const struct event *e, enum code code, struct slice text);
void say_answer(struct core *c, const struct event *e, enum code code, struct slice body);

/* A record of its own in the open group; kind is set, the caller fills the rest. */
struct record *note(struct core *c, enum record_kind kind);
/* Copies bytes so that they live until the group is closed and written. */
struct slice note_keep(struct core *c, struct slice bytes);
/* Appends a record to the effects of core_close. */
struct record *record_put(struct core *c, enum record_kind kind);
/* Appends a need. */
struct need *need_put(struct core *c);
/* Forgets the notes of a closed group. */
void note_clear(struct core *c);
void note_free(struct core *c);
#endif
