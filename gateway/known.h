/* known.h - small things that nearly every request names, remembered for KNOWN_MS: who a user is,
 * what a brand is called, what a type of task has for defaults.
 *
 * Each thread remembers KNOWN_SLOTS of them, that something is not there included; what was changed
 * shows everywhere within KNOWN_MS. A hit costs one look. What an exchange was told it knows until
 * its end, whatever else takes the slot meanwhile. Texts are at most KNOWN_TEXT_MAX bytes; a longer
 * one is not remembered and counts as absent. What the broker could not tell is asked for again by
 * the next. */
#ifndef RELAIS_GATEWAY_KNOWN_H
#define RELAIS_GATEWAY_KNOWN_H
#include "gateway/exchange.h"

enum { KNOWN_MS = 1000, KNOWN_SLOTS = 256, KNOWN_NAME_MAX = 128, KNOWN_TEXT_MAX = 512 };

enum known_kind {
    KNOWN_USER,  /* id; by name */
    KNOWN_BRAND, /* text: its name; by number in decimal */
    KNOWN_TYPE   /* text: the JSON body of the object task_type; by brand and name */
};
struct known { uint64_t id; struct slice text; }; /* id 0 = there is none */

struct known_slot {
    int64_t until_ms;
    uint64_t id;
    uint32_t brand;
    uint16_t text_len;
    uint8_t kind, name_len;
    char name[KNOWN_NAME_MAX];
    uint8_t text[KNOWN_TEXT_MAX];
};

/* True when it is remembered; the text lives as long as the exchange. */
bool known_get(struct exchange *x, enum known_kind kind, uint32_t brand, struct slice name,
               struct known *ret);
/* Asks the broker, then calls `then` with the caller's x->state. What the broker cannot tell right
 * now counts as absent here. */
void known_load(struct exchange *x, enum known_kind kind, uint32_t brand, struct slice name,
                void (*then)(struct exchange *x));
#endif
