/* fleet.h - the static tokens of dialect 003's workers, by their hashes.
 *
 * Option worker_tokens is a comma list of TOKEN or N=TOKEN (a brand's; 1 without); several at once,
 * so that they can be changed one by one. Only keyed hashes are held, with a key of this process;
 * a text is compared with all of them in constant time. There is no default token.
 *
 * Limits: FLEET_TOKENS_MAX tokens. Read-only after fleet_new: any thread. */
#ifndef RELAIS_GATEWAY_FLEET_H
#define RELAIS_GATEWAY_FLEET_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FLEET_TOKENS_MAX = 64 };

struct fleet;

/* NULL with the cause in why when the list is malformed. */
struct fleet *fleet_new(const char *list, char *why, size_t why_size);
void fleet_destroy(struct fleet **self);
/* The brand of the token, 0 = it is none. */
uint32_t fleet_find(const struct fleet *f, const char *text);
bool fleet_empty(const struct fleet *f);
#endif
