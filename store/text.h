/* text.h - what tasks are searched by, in blocks: words by pieces, without an index key for each.
 *
 * A brand's tasks whose numbers agree but for the last BLOCK_BITS (brief.h) share a block. It has
 * two values, both built by appending (the table merges what is written with what is there):
 *   TEXT  the words of type and description, folded, with the tasks that have them (lexicon.h)
 *   SIGN  which groups of three letters occur in any of them, a set of bits
 * A search looks at the signs, reads the texts of blocks that have every group of every term, and
 * finds candidates; whoever asks verifies them against the task itself. So what is changed or gone
 * leaves a superset that costs time and nothing else.
 *
 * SIGN: bits 0..ID_GROUPS-1 are the groups of three of the twelve characters behind "task_"
 * (exact), the others those of the texts (hashed). Its value is of parts, whose bits are all meant:
 * 0, a byte for each SIGN_BUCKETS of 256 bits with how many are set, and the last byte of each of
 * these; or 1 and all bits. So one bit is found without reading the others.
 *
 * An entry whose description cannot be read here is marked `any`: it is a candidate of each search.
 * Pure. */
#ifndef RELAIS_STORE_TEXT_H
#define RELAIS_STORE_TEXT_H
#include "proto/id.h"
#include "store/brief.h"
#include "store/key.h"

enum {
    ID_GROUPS = 36 * 36 * 36, TEXT_GROUPS = 1 << 15,
    SIGN_BITS = ID_GROUPS + TEXT_GROUPS, SIGN_BYTES = SIGN_BITS / 8,
    SIGN_BUCKETS = (SIGN_BITS + 255) / 256, SIGN_SPARSE_MAX = SIGN_BYTES - SIGN_BUCKETS,
    SIGN_PARTS_MAX = 8, /* of a value; more become one */
    TERMS_MAX = 16, GROUPS_MAX = 32 /* of a term; of a longer one the first */
};

/* Appends what a task is searched by; false when it cannot be told (`any`). */
bool text_of_task(struct slice type, const struct task_body *body, struct buffer *out);

struct text_entry { uint64_t id; bool any; struct slice text; };

struct sign { uint8_t bits[SIGN_BYTES]; };
/* Adds the groups of an entry's text; sign_add also those of its id. */
void sign_add_text(struct sign *s, const struct text_entry *e);
void sign_add(struct sign *s, const struct text_entry *e, const struct id_key *ids);
void sign_put(struct buffer *b, const struct sign *s);
bool sign_sound(struct slice value);
/* Adds the bits of a value that is sound. */
void sign_read(struct sign *s, struct slice value);

/* The terms of a search: what stands between blanks, folded; their text is owned. */
struct term {
    struct slice text;
    bool in_every_id, in_ids; /* part of "task_"; may be part of an id */
    uint16_t group_count, id_group_count;
    uint32_t groups[GROUPS_MAX], id_groups[GROUPS_MAX]; /* bits */
};
struct terms { struct term list[TERMS_MAX]; uint32_t count; struct buffer text; };
bool terms_read(struct terms *t, struct slice search);
void terms_free(struct terms *t);
/* By the value of a sign that is sound. */
bool sign_may_hold(struct slice sign, const struct terms *t);
/* Terms, a bit each, that may be in the spelling of some task of the block. */
uint32_t sign_terms_in_ids(struct slice sign, const struct terms *t);
/* Whether each term is in the entry's text or the task's spelling. */
bool terms_hold(const struct terms *t, const struct text_entry *e, const struct id_key *ids);

/* What the table does with the parts of a sign, oldest first: appends the result to `out`. */
bool sign_merge(const struct slice *parts, size_t count, struct buffer *out);
#endif
