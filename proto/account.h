/* account.h - what the bodies of the objects user, brand, grant and revocation say.
 *
 *   user        name = the principal's name (JWT sub, who.name, owner of tasks); key "email:…" in
 *               lower case; owner = the number of its first brand, 0 = none; body: a map with
 *               role, email, shown (the name that people read), hash (argon2id text; absent = no
 *               login by password), brands [numbers], brand_admin, disabled, limited (the password
 *               must be changed first)
 *   brand       name = its number in decimal; key "name:…" in lower case; body: {"name": text}
 *   grant       one per login: a family of refresh tokens. name = 32 hex digits, owner = the
 *               user, until = when it ends; body: {"hash": 32 bytes of the current secret}
 *   revocation  name = "jti:ID", "worker:NAME" or "user:NAME"; until = when the last token that it
 *               hits has expired; body: {"before_s": unix seconds}, tokens issued up to then are
 *               refused (absent = all)
 *
 * Unknown keys are passed over, so that a later version may add some. Texts are checked by those
 * who make them; what is read back longer than its limit is refused as a whole. Pure. */
#ifndef RELAIS_PROTO_ACCOUNT_H
#define RELAIS_PROTO_ACCOUNT_H
#include "proto/base/bytes.h"
#include "proto/who.h"

enum {
    ACCOUNT_EMAIL_MAX = 120,  /* bytes; with "email:" it is an object's key */
    ACCOUNT_SHOWN_MAX = 120,
    ACCOUNT_HASH_SIZE = 128,  /* of argon2id's text, terminator included */
    ACCOUNT_BRANDS_MAX = 32,
    ACCOUNT_KEY_SIZE = ACCOUNT_EMAIL_MAX + 8,
    ACCOUNT_PASSWORD_MAX = 1024,
    GRANT_HASH_BYTES = 32,
    REVOCATION_NAME_SIZE = WHO_NAME_MAX + 8
};

struct account_body {
    uint8_t role; /* ROLE_ADMIN or ROLE_USER */
    bool brand_admin, disabled, limited;
    char email[ACCOUNT_EMAIL_MAX + 1]; /* as it was given; "" = none */
    char shown[ACCOUNT_SHOWN_MAX + 1]; /* "" = the user's name */
    char hash[ACCOUNT_HASH_SIZE];      /* "" = none */
    uint32_t brand_count;
    uint32_t brands[ACCOUNT_BRANDS_MAX]; /* none: an admin's are all */
};

/* The first brand, 0 = none: the object's owner, in decimal. */
static inline uint32_t account_home(const struct account_body *a) {
    return a->brand_count > 0 ? a->brands[0] : 0;
}
void account_write(struct buffer *b, const struct account_body *a);
/* False when it is malformed; *ret is untouched then. */
bool account_read(struct account_body *ret, struct slice body);

void brand_write(struct buffer *b, struct slice name);
/* Borrowed from the body; empty when it is malformed. */
struct slice brand_read(struct slice body);

void grant_write(struct buffer *b, const uint8_t hash[GRANT_HASH_BYTES]);
bool grant_read(uint8_t ret_hash[GRANT_HASH_BYTES], struct slice body);

void revocation_write(struct buffer *b, int64_t before_s); /* 0 = all tokens */
int64_t revocation_read(struct slice body);

/* A name that people may choose: 1 to 63 bytes of UTF-8, no control bytes, no "/", ":" or "@", no
 * blank at either end. Tokens of the command line may carry others. */
bool account_name_good(struct slice name);
/* One "@" with something on both sides, a dot behind it, no blanks or control bytes. */
bool account_email_good(struct slice email);
/* "email:ADDRESS" or "name:BRAND" with ASCII letters in lower case: the key that is unique. */
void account_key(char key[ACCOUNT_KEY_SIZE], const char *kind, struct slice text);
#endif
