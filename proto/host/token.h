/* token.h - JSON Web Tokens of relais: signed with HS256, checked strictly.
 *
 * One form only: header {"alg":"HS256","typ":"JWT"}; `alg` is compared and never used to choose.
 * Claims: role ("admin" "user" "worker" "service"), sub (the name), brands [numbers],
 * brand_admin, typ ("access" "login" "limited" "refresh" "worker" "service"), jti, iat, exp, boot.
 * exp is required, iat and nbf may lie TOKEN_SKEW_S in the future, exp as much in the past. A
 * duplicate key, a claim of another type than named here, a longer text than TOKEN_BYTES_MAX:
 * refused. Unknown claims are ignored. Two secrets may be live at once, so that they can be
 * rotated. "login" and "limited" come from a password, and their jti names that login.
 *
 * The time is an argument. Touches no socket and no file; libsodium does the arithmetic. */
#ifndef RELAIS_PROTO_HOST_TOKEN_H
#define RELAIS_PROTO_HOST_TOKEN_H
#include "proto/base/bytes.h"
#include "proto/message.h"
#include "proto/who.h"

enum {
    TOKEN_BYTES_MAX = 4096, /* of the text */
    TOKEN_SKEW_S = 60,
    TOKEN_BRANDS_MAX = 64,
    TOKEN_JTI_MAX = 40,  /* bytes, terminator included */
    TOKEN_TYPE_MAX = 16, /* bytes, terminator included */
    TOKEN_SECRETS_MAX = 2
};

struct token_secret { uint8_t bytes[32]; };

struct token { /* what the claims say */
    uint8_t role; /* enum role: ROLE_ADMIN, ROLE_USER, ROLE_SERVICE or ROLE_WORKER */
    bool brand_admin;
    uint32_t brand_count;
    uint32_t brands[TOKEN_BRANDS_MAX]; /* none: an admin's are all, others may do nothing */
    char name[WHO_NAME_MAX];
    char type[TOKEN_TYPE_MAX];
    char jti[TOKEN_JTI_MAX];
    int64_t issued_s, expires_s; /* unix seconds */
    uint64_t boot; /* HTTP workers: the incarnation; 0 = none */
};

/* The role named so, or ROLE_NONE. And back; "?" for a role that no token has. */
enum role token_role(const char *name);
const char *token_role_name(enum role role);
/* Fills jti with fresh randomness. */
void token_stamp(struct token *token);
/* Writes the token's text and a terminator; returns its length, or 0 when it does not fit, the
 * role is none of the four, or a text in it is not UTF-8. */
size_t token_sign(const struct token *token, const struct token_secret *secret, char *text,
                  size_t size);
/* 0, or CODE_UNAUTHORIZED; ret_token is untouched on failure. `why` (may be NULL) then points to
 * a static word for the log: "size" "form" "header" "signature" "claims" "expired" "early". */
enum code token_verify(struct token *ret_token, struct slice text,
                       const struct token_secret *secrets, uint32_t secret_count, int64_t now_s,
                       const char **why);
#endif
