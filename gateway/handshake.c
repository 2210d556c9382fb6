#include "gateway/handshake.h"
#include <sodium.h>
#include <string.h>
#include <strings.h>

enum { KEY_LEN = 24, KEY_BYTES = 16, SHA1_BYTES = 20, BLOCK = 64 };

static uint32_t turned(uint32_t x, int by) { return x << by | x >> (32 - by); }

static void sha1_block(uint32_t state[5], const uint8_t block[BLOCK]) {
    uint32_t w[80], a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    for (int i = 0; i < 16; i++) {
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
               (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    }
    for (int i = 16; i < 80; i++) w[i] = turned(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (int i = 0; i < 80; i++) {
        uint32_t f = i < 20   ? (b & c) | (~b & d)
                     : i < 40 ? b ^ c ^ d
                     : i < 60 ? (b & c) | (b & d) | (c & d)
                              : b ^ c ^ d;
        static const uint32_t k[] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
        uint32_t next = turned(a, 5) + f + e + k[i / 20] + w[i];
        e = d;
        d = c;
        c = turned(b, 30);
        b = a;
        a = next;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
}

/* SHA-1 of the key and the protocol's own text: 60 bytes, padded to two blocks. It proves that a
 * WebSocket was meant, nothing more. */
static void accept_of(const char *key, char accept[ACCEPT_SIZE]) {
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    uint32_t state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    uint8_t text[2 * BLOCK] = {0}, hash[SHA1_BYTES];
    size_t len = KEY_LEN + sizeof guid - 1;
    memcpy(text, key, KEY_LEN);
    memcpy(text + KEY_LEN, guid, sizeof guid - 1);
    text[len] = 0x80;
    text[2 * BLOCK - 2] = (uint8_t)(len * 8 >> 8);
    text[2 * BLOCK - 1] = (uint8_t)(len * 8);
    sha1_block(state, text);
    sha1_block(state, text + BLOCK);
    for (int i = 0; i < SHA1_BYTES; i++) hash[i] = (uint8_t)(state[i / 4] >> (24 - i % 4 * 8));
    sodium_bin2base64(accept, ACCEPT_SIZE, hash, sizeof hash, sodium_base64_VARIANT_ORIGINAL);
}

/* The header's value; *ret_times: how often it stands there. */
static const char *value_of(const struct header *headers, uint32_t count, const char *name,
                            uint32_t *ret_times) {
    const char *value = NULL;
    *ret_times = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (strcasecmp(headers[i].name, name) != 0) continue;
        value = headers[i].value;
        ++*ret_times;
    }
    return value;
}

static bool lists_upgrade(const char *value) {
    while (*value != '\0') {
        value += strspn(value, " \t,");
        size_t len = strcspn(value, " \t,");
        if (len == 7 && strncasecmp(value, "upgrade", len) == 0) return true;
        value += len;
    }
    return false;
}

static bool key_fits(const char *key) {
    uint8_t bytes[KEY_BYTES];
    size_t len;
    return strlen(key) == KEY_LEN &&
           sodium_base642bin(bytes, sizeof bytes, key, KEY_LEN, NULL, &len, NULL,
                             sodium_base64_VARIANT_ORIGINAL) == 0 &&
           len == KEY_BYTES;
}

enum code handshake_read(const struct header *headers, uint32_t count, char accept[ACCEPT_SIZE],
                         const char **ret_why) {
    uint32_t upgrades, connections, versions, keys;
    const char *upgrade = value_of(headers, count, "Upgrade", &upgrades);
    const char *connection = value_of(headers, count, "Connection", &connections);
    const char *version = value_of(headers, count, "Sec-WebSocket-Version", &versions);
    const char *key = value_of(headers, count, "Sec-WebSocket-Key", &keys);
    *ret_why = NULL;
    if (upgrades != 1 || strcasecmp(upgrade, "websocket") != 0) return CODE_UPGRADE_REQUIRED;
    *ret_why = "Connection must list upgrade";
    if (connections != 1 || !lists_upgrade(connection)) return CODE_VALIDATION_ERROR;
    *ret_why = "Sec-WebSocket-Version must be 13";
    if (versions != 1 || strcmp(version, "13") != 0) return CODE_UPGRADE_REQUIRED;
    *ret_why = "Sec-WebSocket-Key must be 16 bytes in base64";
    if (keys != 1 || !key_fits(key)) return CODE_VALIDATION_ERROR;
    accept_of(key, accept);
    return CODE_OK;
}
