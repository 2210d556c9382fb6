/* password.c - see password.h. */
#include "broker/password.h"
#include <assert.h>
#include <sodium.h>

void password_make(char text[PASSWORD_SIZE]) {
    static const char letters[] = "abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    for (int i = 0; i < PASSWORD_SIZE - 1; i++)
        text[i] = letters[randombytes_uniform(sizeof letters - 1)];
    text[PASSWORD_SIZE - 1] = 0;
}

bool password_text(char hash[ACCOUNT_HASH_SIZE], const char *password) {
    static_assert((int)ACCOUNT_HASH_SIZE >= (int)crypto_pwhash_STRBYTES, "argon2id's text fits");
    return crypto_pwhash_str(hash, password, strlen(password), crypto_pwhash_OPSLIMIT_INTERACTIVE,
                             crypto_pwhash_MEMLIMIT_INTERACTIVE) == 0;
}
