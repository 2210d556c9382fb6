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
    {METHOD_POST, base "/login", QALPUCH_ACCOUNT_OPEN, BODY_JSON, 0, VERB_NONE, 200, \
     account_login_read, NULL, "trades a password for tokens", NULL, NULL}, \
    {METHOD_POST, base "/register", QALPUCH_ACCOUNT_OPEN, BODY_JSON, 0, VERB_NONE, 201, \
     account_register_read, NULL, "makes an account of brand 1; option register_open", NULL, \
     NULL}, \
    {METHOD_POST, base "/refresh", QALPUCH_ACCOUNT_OPEN, BODY_JSON, 0, VERB_NONE, 200, \
     account_refresh_read, NULL, "trades a refresh token for new tokens, once", NULL, NULL}, \
    {METHOD_GET, base "/logout", QALPUCH_ACCOUNT_OWN | GUARD_LIMITED, BODY_NONE, 0, VERB_NONE, \
     200, account_logout_read, NULL, "ends this login", NULL, NULL}, \
    {METHOD_POST, base "/logout", QALPUCH_ACCOUNT_OWN | GUARD_LIMITED, BODY_JSON, 0, VERB_NONE, \
     200, account_logout_read, NULL, "ends this login", NULL, NULL}, \
    {METHOD_POST, base "/change-password", QALPUCH_ACCOUNT_OWN | GUARD_LIMITED | GUARD_SLOW, \
     BODY_JSON, 0, VERB_NONE, 200, account_password_read, NULL, \
     "changes the password; other logins end", NULL, NULL}, \
    {METHOD_GET, base "/users", GUARD_ADMIN, BODY_NONE, 0, VERB_NONE, 200, \
     account_list_read, NULL, "the users, newest first", NULL, NULL}, \
    {METHOD_GET, base "/users/search", GUARD_ADMIN, BODY_NONE, 0, VERB_NONE, 200, \
     account_search_read, NULL, "users by name or address", NULL, NULL}, \
    {METHOD_GET, base "/users/{id}", GUARD_ADMIN, BODY_NONE, 0, VERB_NONE, 200, \
     account_detail_read, NULL, "a user", NULL, NULL}, \
    {METHOD_POST, base "/users", GUARD_ADMIN, BODY_JSON, 0, VERB_NONE, 201, \
     account_create_read, NULL, "makes a user; shows a one-time password", NULL, NULL}, \
    {METHOD_PUT, base "/users/{id}", QALPUCH_ACCOUNT_OWN, BODY_JSON, 0, VERB_NONE, 200, \
     account_change_read, NULL, "changes a user", NULL, NULL}, \
    {METHOD_DELETE, base "/users/me", QALPUCH_ACCOUNT_OWN, BODY_NONE, 0, VERB_NONE, 200, \
     account_delete_read, NULL, "deletes the caller's account", NULL, NULL}, \
    {METHOD_DELETE, base "/users/{id}", GUARD_ADMIN, BODY_NONE, 0, VERB_NONE, 200, \
     account_delete_read, NULL, "deletes a user; the tokens die", NULL, NULL}
#endif
