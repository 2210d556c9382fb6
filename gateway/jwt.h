/* jwt.h - from the text of a credential to who it stands for, with a memory of those seen lately.
 *
 * A JSON Web Token is checked by proto/host/token.h (signature, times, form); a refresh token is
 * no credential here; one whose jti, worker or user is revoked is refused. Any other text is an
 * API key and is looked up by its keyed hash; what revokes the tokens of its name and role that are
 * as old as the key revokes the key. What was found sound is remembered until it expires or the
 * keyring changes, by the whole text: the next request with it costs no signature.
 *
 * Threads: a jwt_cache belongs to one. Limits: JWT_CACHE_MAX texts. */
#ifndef RELAIS_GATEWAY_JWT_H
#define RELAIS_GATEWAY_JWT_H
#include "proto/host/token.h"
#include "proto/keyring.h"

enum { JWT_CACHE_MAX = 512 };

struct credential {
    uint8_t role;
    bool brand_admin;
    bool limited;       /* a user who must change the password first */
    bool login;         /* came from a login, not from the command line */
    uint32_t brand_count;
    uint32_t brands[TOKEN_BRANDS_MAX];
    char name[WHO_NAME_MAX];
    char jti[TOKEN_JTI_MAX]; /* "" = an API key, or a token without */
    uint64_t boot;
    int64_t expires_s;
};

struct jwt_cache;

struct jwt_cache *jwt_cache_new(void);
void jwt_cache_destroy(struct jwt_cache **self);
/* NULL = refused, with a static word for the log in *why. What is returned lives until the next
 * call. ring_version: raised by the caller with each new keyring. *place is the bringer's own, 0 at
 * first: where what was sound the last time is remembered, so that the same text costs no hash. */
const struct credential *jwt_check(struct jwt_cache *c, const struct keyring *ring,
                                   uint64_t ring_version, const char *text, int64_t now_s,
                                   uint64_t *place, const char **why);
#endif
