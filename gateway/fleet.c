#include "gateway/fleet.h"
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HASH_BYTES = 32 };

struct fleet {
    uint8_t key[crypto_generichash_KEYBYTES];
    uint32_t count;
    struct { uint32_t brand; uint8_t hash[HASH_BYTES]; } tokens[FLEET_TOKENS_MAX];
};

static void hash_of(const struct fleet *f, const char *text, size_t len, uint8_t hash[HASH_BYTES]) {
    crypto_generichash(hash, HASH_BYTES, (const uint8_t *)text, len, f->key, sizeof f->key);
}

/* "N=" before a token; 1 and nothing passed over when there is none; 0 = it is no brand. */
static uint32_t brand_of(const char **text, size_t *len) {
    const size_t digits = strspn(*text, "0123456789");
    if (digits == 0 || digits >= *len || (*text)[digits] != '=') return 1;
    const unsigned long long brand = digits <= 10 ? strtoull(*text, NULL, 10) : 0;
    *text += digits + 1;
    *len -= digits + 1;
    return brand <= UINT32_MAX ? (uint32_t)brand : 0;
}

static bool token_add(struct fleet *f, const char *text, size_t len) {
    const uint32_t brand = brand_of(&text, &len);
    if (brand == 0 || len == 0 || f->count == FLEET_TOKENS_MAX) return false;
    for (size_t i = 0; i < len; i++) /* a header's value has neither blanks nor control bytes */
        if ((unsigned char)text[i] <= 0x20 || text[i] == 0x7f) return false;
    f->tokens[f->count].brand = brand;
    hash_of(f, text, len, f->tokens[f->count++].hash);
    return true;
}

struct fleet *fleet_new(const char *list, char *why, size_t why_size) {
    struct fleet *f = calloc(1, sizeof *f);
    if (f == NULL) abort();
    randombytes_buf(f->key, sizeof f->key);
    for (const char *at = list + strspn(list, ", "); *at != '\0'; at += strspn(at, ", ")) {
        const size_t len = strcspn(at, ",");
        size_t bare = len;
        while (bare > 0 && at[bare - 1] == ' ') bare--;
        if (!token_add(f, at, bare)) {
            snprintf(why, why_size, "worker_tokens: entry %u is no TOKEN or N=TOKEN, or there are "
                     "more than %d", f->count + 1, FLEET_TOKENS_MAX);
            fleet_destroy(&f);
            return NULL;
        }
        at += len;
    }
    return f;
}

void fleet_destroy(struct fleet **self) {
    if (*self == NULL) return;
    sodium_memzero(*self, sizeof **self);
    free(*self);
    *self = NULL;
}

uint32_t fleet_find(const struct fleet *f, const char *text) {
    uint8_t hash[HASH_BYTES];
    uint32_t brand = 0;
    hash_of(f, text, strlen(text), hash);
    for (uint32_t i = 0; i < f->count; i++)
        if (sodium_memcmp(hash, f->tokens[i].hash, sizeof hash) == 0) brand = f->tokens[i].brand;
    return brand;
}

bool fleet_empty(const struct fleet *f) { return f->count == 0; }
