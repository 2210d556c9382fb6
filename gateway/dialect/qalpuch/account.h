/* account.h - the account rows of dialect 000: login, registration, users.
 *
 * QALPUCH_ACCOUNT_ROUTES(base) gives them for one base path. A user JSON has id (a number), name,
 * username (the principal's name), email, role, brands, brandAdmin, disabled, mustChangePassword,
 * createdAt, updatedAt; an admin's PUT may set brands, brandAdmin and disabled, too.
 * A user whose password was made for him must change it first: login answers
 * mustChangePassword true, and its token opens change-password and logout only (403 elsewhere). */
#ifndef RELAIS_GATEWAY_DIALECT_QALPUCH_ACCOUNT_H
#define RELAIS_GATEWAY_DIALECT_QALPUCH_ACCOUNT_H
#include "gateway/account.h"
#include "gateway/route.h"

bool account_login_read(struct exchange *x, struct message *m);
bool account_register_read(struct exchange *x, struct message *m);
bool account_refresh_read(struct exchange *x, struct message *m);
bool account_logout_read(struct exchange *x, struct message *m);
bool account_password_read(struct exchange *x, struct message *m);
bool account_list_read(struct exchange *x, struct message *m);
bool account_search_read(struct exchange *x, struct message *m);
bool account_detail_read(struct exchange *x, struct message *m);
bool account_create_read(struct exchange *x, struct message *m);
bool account_change_read(struct exchange *x, struct message *m);
bool account_delete_read(struct exchange *x, struct message *m);

#define QALPUCH_ACCOUNT_OPEN (GUARD_OPEN | GUARD_SLOW)
#define QALPUCH_ACCOUNT_OWN (GUARD_USER | GUARD_ADMIN)
#define QALPUCH_ACCOUNT_ROUTES(base) \
    ROUTE(POST, JSON, base "/login", QALPUCH_ACCOUNT_OPEN, 200, account_login_read, \
          "trades a password for tokens"), \
    ROUTE(POST, JSON, base "/register", QALPUCH_ACCOUNT_OPEN, 201, account_register_read, \
          "makes an account of brand 1; option register_open"), \
    ROUTE(POST, JSON, base "/refresh", QALPUCH_ACCOUNT_OPEN, 200, account_refresh_read, \
          "trades a refresh token for new tokens, once"), \
    ROUTE(GET, NONE, base "/logout", QALPUCH_ACCOUNT_OWN | GUARD_LIMITED, 200, \
          account_logout_read, "ends this login"), \
    ROUTE(POST, JSON, base "/logout", QALPUCH_ACCOUNT_OWN | GUARD_LIMITED, 200, \
          account_logout_read, "ends this login"), \
    ROUTE(POST, JSON, base "/change-password", QALPUCH_ACCOUNT_OWN | GUARD_LIMITED | GUARD_SLOW, \
          200, account_password_read, "changes the password; other logins end"), \
    ROUTE(GET, NONE, base "/users", GUARD_ADMIN, 200, account_list_read, \
          "the users, newest first"), \
    ROUTE(GET, NONE, base "/users/search", GUARD_ADMIN, 200, account_search_read, \
          "users by name or address"), \
    ROUTE(GET, NONE, base "/users/{id}", GUARD_ADMIN, 200, account_detail_read, "a user"), \
    ROUTE(POST, JSON, base "/users", GUARD_ADMIN, 201, account_create_read, \
          "makes a user; shows a one-time password"), \
    ROUTE(PUT, JSON, base "/users/{id}", QALPUCH_ACCOUNT_OWN, 200, account_change_read, \
          "changes a user"), \
    ROUTE(DELETE, NONE, base "/users/me", QALPUCH_ACCOUNT_OWN, 200, account_delete_read, \
          "deletes the caller's account"), \
    ROUTE(DELETE, NONE, base "/users/{id}", GUARD_ADMIN, 200, account_delete_read, \
          "deletes a user; the tokens die")
#endif
