/* key.h - the keys of the table: what stands where, in the order lists need.
 *
 * key.def is the list. A range is [from, to) in byte order; to is never part of it. Pure. */
#ifndef RELAIS_STORE_KEY_H
#define RELAIS_STORE_KEY_H
#include "store/codec.h"

enum key_kind {
#define KEY(name, letter, layout, value) KEY_##name = letter,
#include "store/key.def"
#undef KEY
};

enum { KEY_BYTES_MAX = CODEC_NAME_MAX + 32, KEY_ID_BYTES = 9 /* of key_id */ };
struct key { uint32_t len; uint8_t bytes[KEY_BYTES_MAX]; };
static inline struct slice key_slice(const struct key *k) { return slice_of(k->bytes, k->len); }

struct range { struct key from, to; };
enum { POINT_BYTES = 13 /* of a checkpoint's value: its task and seq */ };

void key_plain(struct key *k, enum key_kind kind);                  /* REACHED, META */
void key_id(struct key *k, enum key_kind kind, uint64_t id);        /* HEAD BODY RESULT FILE */
void key_number(struct key *k, enum key_kind kind, uint32_t number); /* LANE WORKER */
void key_sub(struct key *k, uint64_t id, enum record_kind kind, uint64_t number);
void key_laned(struct key *k, uint32_t lane, uint8_t priority, uint64_t order);
/* A tally's own; id 0: before all of its place. */
void key_tally(struct key *k, const struct tally_record *t);
void key_due(struct key *k, int64_t due_ms, uint64_t id);
void key_status(struct key *k, uint8_t status, uint32_t brand, struct slice type, uint64_t id);
/* QUEUE and DEDUP: brand and name; NAME: kind, brand and name. */
void key_name(struct key *k, enum key_kind kind, uint8_t object, uint32_t brand,
              struct slice name);

void key_object(struct key *k, uint8_t object, uint32_t brand, uint64_t id);
/* BRIEF, TEXT and SIGN. */
void key_block(struct key *k, enum key_kind kind, uint32_t brand, uint64_t block);
void key_point(struct key *k, uint32_t brand, uint64_t number);
/* The keys that an object has beside its own: its names, its place among its owner's, its end.
 * A cursor starts as {0}; false behind the last. */
struct object_keys { uint32_t stage, at; };
bool key_of_object(struct key *k, const struct object_record *o, struct object_keys *cursor);

/* The key that an index has for a task in this state: LANED, DUE, STATUS or HEAD. False
 * when the index has none. */
bool key_index(struct key *k, enum key_kind kind, const struct task_head *head, struct slice type);

/* Builds keys of any length from the front; for ranges. */
void key_begin(struct key *k, enum key_kind kind);
void key_u8(struct key *k, uint8_t v);
void key_u32(struct key *k, uint32_t v);
void key_u64(struct key *k, uint64_t v);
void key_type(struct key *k, struct slice type);

/* The smallest key behind every key that begins with `k`. */
void key_after_prefix(struct key *out, const struct key *k);
/* The key of a record that has one of its own (not RECORD_TASK_GONE); for _GONE kinds the key of
 * what goes. False for RECORD_NONE. */
bool key_of_record(struct key *k, const struct record *r);
/* The kind of record a key's value holds, RECORD_NONE when it holds none. */
enum record_kind key_value_kind(struct slice key);
/* The last 8 bytes: the id of HEAD, BODY, RESULT, DUE, STATUS and FILE keys. */
uint64_t key_tail_id(struct slice key);
int slice_order(struct slice a, struct slice b);
#endif
