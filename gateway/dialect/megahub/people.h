/* people.h - who made a task and what its brand is called: what tasks show of accounts.
 *
 * Before tasks are written their people are loaded (gateway/known.h); the writing itself then only
 * looks. An owner without an account, as an API key, shows the number that its letters give. */
#ifndef RELAIS_GATEWAY_DIALECT_MEGAHUB_PEOPLE_H
#define RELAIS_GATEWAY_DIALECT_MEGAHUB_PEOPLE_H
#include "gateway/exchange.h"

struct person { struct slice owner; uint32_t brand; };

/* Loads what is not known of these; then calls `then` with the caller's x->state: at once when
 * everything is. The list lives until then. */
void people_load(struct exchange *x, const struct person *list, uint32_t count,
                 void (*then)(struct exchange *x));
/* The same for the tasks of an answer: VIEW or ROWS of "tasks". `write` gets the answer, or a copy
 * of it. */
void people_answer(struct exchange *x, const struct message *answer, exchange_then *write);
/* The user's number, and the brand's name. */
uint64_t people_number(struct exchange *x, struct slice owner);
struct slice people_brand(struct exchange *x, uint32_t brand);
#endif
