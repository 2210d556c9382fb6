/* account.h - people: who may log in, with which password, and what they are given for it.
 *
 * What lies behind the account rows of the dialects: each function here is a chain of questions to
 * the broker and to the hasher, and ends in the caller's `then`, or through the dialect's fail. An
 * exchange runs one of them at a time. The objects are described in proto/account.h.
 *
 *   login     the same time is spent on a user that is not there as on a wrong password. It opens a
 *             family: one grant, whose name is the jti of every access token that comes from it
 *   refresh   the family's secret is exchanged for the next by compare-and-set: of two at once one
 *             wins. A secret that is not the newest was used before, or stolen: the family ends,
 *             and the access tokens that it gave die
 *   limited   who must change the password first gets tokens that open GUARD_LIMITED routes only
 *   revoked   tokens die when their user is deleted or disabled, or gets other rights; the broker
 *             tells every gateway
 *   sight     `relais token` knows no accounts: the user and the brands that a token of its names
 *             are made when a gateway first sees it, beside the request
 *
 * Passwords have password_len_min bytes at least and ACCOUNT_PASSWORD_MAX at most, any but NUL.
 * More than HASH_WAITING_MAX waiting for the hasher, and more than logins_per_min for one account:
 * RATE_LIMITED. */
#ifndef RELAIS_GATEWAY_ACCOUNT_H
#define RELAIS_GATEWAY_ACCOUNT_H
#include "gateway/exchange.h"
#include "proto/account.h"
#include "proto/host/token.h"
#include "proto/object.h"

struct server;
struct credential;

enum { ACCOUNT_ID_MAX_DIGITS = 16 };

/* The gateway itself, as an administrator of all brands. */
extern const struct who account_house;
/* The same reach, but the broker's audit log names the caller. */
struct who account_actor(const struct exchange *x);

struct account {
    uint64_t id;
    uint32_t version;
    char name[WHO_NAME_MAX];
    struct account_body body;
    int64_t created_ms, updated_ms;
    const char *password; /* made for a new account: shown once; NULL = none was made */
};

/* False when the object's body cannot be read. */
bool account_of(const struct object_row *row, struct account *ret);
/* What people read: the shown name, or the principal's. */
const char *account_shown(const struct account *a);
/* "admin" or "user". */
const char *account_role(const struct account *a);
/* True when the caller may see it: everybody himself, an admin of all brands everyone, one of some
 * brands those whose first brand is among them. That brand is the object's owner, in decimal. */
bool account_visible(const struct exchange *x, const struct account *a);
/* True when the caller may change it: as above, but no brand of it may be another admin's. */
bool account_governed(const struct exchange *x, const struct account *a);

struct login {
    const struct account *account;
    const char *access, *refresh;
    int64_t access_s; /* until the access token expires */
};

typedef void account_then(struct exchange *x, const struct account *a); /* NULL = there is none */
typedef void login_then(struct exchange *x, const struct login *login); /* NULL = not accepted */
typedef void account_done(struct exchange *x);

/* ---- account_login.c ---- */

/* handle: the principal's name or the e-mail address. */
void account_login(struct exchange *x, struct slice handle, struct slice password,
                   login_then *then);
/* A login without a password, for an account that was made in this very exchange. */
void account_open(struct exchange *x, const struct account *a, login_then *then);
void account_refresh(struct exchange *x, struct slice refresh, login_then *then);
/* Ends the caller's login, and the one of `refresh` when it is his. */
void account_logout(struct exchange *x, struct slice refresh, account_done *then);

/* ---- account.c ---- */

/* By number; 0 = by the caller's own name. */
void account_find(struct exchange *x, uint64_t id, account_then *then);
/* Signs a token with the installation's newest secret. */
const char *account_sign(struct exchange *x, const struct token *token);
/* Revokes "KIND:NAME": all tokens when before_s is 0, else those issued up to then. A refusal ends
 * the exchange. */
void account_revoke(struct exchange *x, const char *kind, const char *name, int64_t before_s,
                    int64_t until_ms, account_done *then);
/* Notes a password that is too short or too long under `name`. */
void account_password_check(struct exchange *x, const char *name, struct slice password);
/* Hands finished passwords to their exchanges; the loop of a thread calls it. */
void account_hashed(struct server *s);

/* ---- account_edit.c ---- */

struct account_new {
    struct slice name;     /* the principal's */
    struct slice shown, email, password; /* no password: one is made, and must be changed */
    uint8_t role;
    uint32_t brand;
    bool renamed_ok;       /* a name that is taken gets a suffix */
};
/* A name or an address that is taken is refused as CONFLICT, and so is the name of a user who was
 * deleted: tasks and files still bear it. `relais user add` gives it out again. */
void account_create(struct exchange *x, const struct account_new *new, account_then *then);

enum { EDIT_SHOWN = 1, EDIT_EMAIL = 2, EDIT_ROLE = 4, EDIT_DISABLED = 8, EDIT_BRANDS = 16,
       EDIT_BRAND_ADMIN = 32 };
struct account_edit {
    uint32_t set;
    struct slice shown, email;
    uint8_t role;
    bool disabled, brand_admin;
    uint32_t brand_count;
    const uint32_t *brands;
};
void account_change(struct exchange *x, const struct account *a, const struct account_edit *edit,
                    account_then *then);
/* NULL in `then` = the old password is wrong. The caller's other logins end. */
void account_change_password(struct exchange *x, struct slice old, struct slice password,
                             account_then *then);
void account_delete(struct exchange *x, const struct account *a, account_done *then);

/* ---- account_sight.c ---- */

void account_sight(struct exchange *x, const struct credential *c);
#endif
