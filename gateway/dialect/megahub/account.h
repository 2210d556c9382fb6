/* account.h - the rows of dialect 002 that lie outside /tasks/: /auth/ and /brands/.
 *
 * A user JSON has id, username, email, name, role, brand_admin, must_change_password and brands
 * [{id, name}]. A user whose password was made for him must change it first: login answers
 * must_change_password true, and its token opens /auth/ only (403 elsewhere).
 *
 * Brands are listed to everybody as far as the token names them; an admin whose token names none
 * has all, and may make, rename and delete them. */
#ifndef RELAIS_GATEWAY_DIALECT_MEGAHUB_ACCOUNT_H
#define RELAIS_GATEWAY_DIALECT_MEGAHUB_ACCOUNT_H
#include "gateway/account.h"
#include "gateway/route.h"

enum { BRAND_NAME_MAX = 100 };

/* ---- brand.c ---- */

struct brand_names { /* of up to BRANDS_MAX brands, in the order asked for */
    uint32_t count, waiting;
    uint32_t brands[BRANDS_MAX];
    const char *names[BRANDS_MAX];
    void (*then)(struct exchange *x);
};
/* Fills in the names; x->state is a struct that begins with them. */
void brand_names_load(struct exchange *x, const uint32_t *brands, uint32_t count,
                      void (*then)(struct exchange *x));
/* The list of {id, name}. */
void brand_names_write(struct exchange *x, const struct brand_names *names);
void brand_write_out(struct exchange *x, uint32_t brand, const char *name);

bool brand_list_read(struct exchange *x, struct message *m);
bool brand_detail_read(struct exchange *x, struct message *m);
bool brand_create_read(struct exchange *x, struct message *m);
bool brand_change_read(struct exchange *x, struct message *m);
bool brand_delete_read(struct exchange *x, struct message *m);

/* ---- account.c ---- */

bool auth_login_read(struct exchange *x, struct message *m);
bool auth_refresh_read(struct exchange *x, struct message *m);
bool auth_logout_read(struct exchange *x, struct message *m);
bool auth_me_read(struct exchange *x, struct message *m);
bool auth_change_read(struct exchange *x, struct message *m);
bool auth_password_read(struct exchange *x, struct message *m);

#define MEGAHUB_OPEN (GUARD_OPEN | GUARD_SLOW)
#define MEGAHUB_OWN (GUARD_USER | GUARD_ADMIN | GUARD_LIMITED)
#define MEGAHUB_ACCOUNT_ROUTES \
    ROUTE(POST, FIELDS, "/auth/login", MEGAHUB_OPEN, 200, auth_login_read, \
          "trades a password for tokens"), \
    ROUTE(POST, FIELDS, "/auth/refresh", MEGAHUB_OPEN, 200, auth_refresh_read, \
          "trades a refresh token for new tokens, once"), \
    ROUTE(POST, FIELDS, "/auth/logout", MEGAHUB_OWN, 200, auth_logout_read, "ends this login"), \
    ROUTE(GET, NONE, "/auth/me", MEGAHUB_OWN, 200, auth_me_read, "who the caller is"), \
    ROUTE(PATCH, JSON, "/auth/me", MEGAHUB_OWN, 200, auth_change_read, \
          "changes the caller's name or address"), \
    ROUTE(PATCH, JSON, "/auth/update-profile", MEGAHUB_OWN, 200, auth_change_read, "the same"), \
    ROUTE(PUT, JSON, "/auth/update-profile", MEGAHUB_OWN, 200, auth_change_read, "the same"), \
    ROUTE(POST, FIELDS, "/auth/change-password", MEGAHUB_OWN | GUARD_SLOW, 200, \
          auth_password_read, "changes the password; other logins end"), \
    ROUTE(GET, NONE, "/brands", GUARD_USER | GUARD_ADMIN, 200, brand_list_read, \
          "the caller's brands"), \
    ROUTE(POST, JSON, "/brands", GUARD_ADMIN, 201, brand_create_read, "makes a brand"), \
    ROUTE(GET, NONE, "/brands/{id}", GUARD_USER | GUARD_ADMIN, 200, brand_detail_read, "a brand"), \
    ROUTE(PUT, JSON, "/brands/{id}", GUARD_ADMIN, 200, brand_change_read, "renames a brand"), \
    ROUTE(PATCH, JSON, "/brands/{id}", GUARD_ADMIN, 200, brand_change_read, "renames a brand"), \
    ROUTE(DELETE, NONE, "/brands/{id}", GUARD_ADMIN, 204, brand_delete_read, \
          "deletes a brand's name")
#endif
