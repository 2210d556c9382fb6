/* account_flow.h - what the steps of one account function share. Internal to account*.c.
 *
 * A flow lies in the exchange's arena; the newest one is request.account. A function makes its flow
 * and every step finds it there. */
#ifndef RELAIS_GATEWAY_ACCOUNT_FLOW_H
#define RELAIS_GATEWAY_ACCOUNT_FLOW_H
#include "gateway/account.h"
#include "gateway/request.h"

enum { FAMILY_SIZE = 33, REFRESH_SECRET_BYTES = 32, REFRESH_TEXT_SIZE = FAMILY_SIZE + 44,
       GRANTS_PAGE = 200 };
/* Longer than `relais token` lets a token live: what is revoked by name stays so. */
#define REVOKED_MS_MAX (INT64_C(315400000) * 1000)

struct flow {
    login_then *login;
    account_then *found;
    account_done *done, *next; /* next: what follows the step at hand */
    account_done *after;       /* what follows the end of the families */
    struct account account;
    struct account_new new;
    struct slice password;
    const char *spared;        /* the family that stays when a user's others end */
    char family[FAMILY_SIZE], refresh[REFRESH_TEXT_SIZE], hash[ACCOUNT_HASH_SIZE];
    uint32_t version;          /* of the grant */
    uint32_t waiting;          /* answers that `next` waits for */
    bool renamed, fresh;
};

struct flow *flow_new(struct exchange *x);
static inline struct flow *flow_of(struct exchange *x) { return request_of(x)->account; }

struct message object_message(enum verb verb, const char *kind, struct slice name);
/* Packs further unique names. */
struct slice keys_pack(struct exchange *x, struct slice key);
/* True when the answer has an object; otherwise a refusal that is not "there is none" has ended the
 * exchange, or *absent is set. */
bool object_taken(struct exchange *x, const struct message *answer, struct object_row *row,
                  bool *absent);

typedef void hash_then(struct exchange *x, bool good, const char *text);
/* stored NULL = make a text. Over the bound: RATE_LIMITED. */
void password_hash(struct exchange *x, struct slice password, const char *stored, hash_then *then);

/* Ends a family and kills its access tokens; flow.waiting goes up by what flow.next waits for. */
void family_end(struct exchange *x, const char *family);
/* Counts one answer of those that flow.next waits for. */
void flow_arrived(struct exchange *x);
/* Makes room for one more family of the user, then goes on with `next`. */
void families_trim(struct exchange *x, account_done *next);
/* Ends all families of the user but flow.spared, then goes on with `next`. */
void families_end(struct exchange *x, account_done *next);
#endif
