/* Ids: every spelling comes back, and nothing that was not written is read. */
#include "proto/base/random.h"
#include "proto/id.h"
#include "tests/unit/tap.h"
#include <sodium.h>

static uint64_t siphash(const void *context, const void *data, size_t len) {
    uint64_t out;
    _Static_assert(crypto_shorthash_BYTES == sizeof out, "SipHash-2-4 gives 64 bits");
    crypto_shorthash((unsigned char *)&out, data, len, context);
    return out;
}

static const unsigned char secret[crypto_shorthash_KEYBYTES] = "a test's key 16";
static const unsigned char other_secret[crypto_shorthash_KEYBYTES] = "another key 16 b";
static const struct id_key key = {siphash, secret}, other = {siphash, other_secret};

typedef void write_id(const struct id_key *key, uint64_t number, char *text);
typedef bool read_id(const struct id_key *key, struct slice text, uint64_t *number);

static void write_cuid(const struct id_key *k, uint64_t n, char *t) { cuid_write(k, n, t); }
static void write_result(const struct id_key *k, uint64_t n, char *t) {
    result_cuid_write(k, n, t);
}
static void write_uuid(const struct id_key *k, uint64_t n, char *t) { job_uuid_write(k, n, t); }
static void write_task(const struct id_key *k, uint64_t n, char *t) { task_text_write(k, n, t); }

static const struct spelling {
    const char *name;
    write_id *write;
    read_id *read;
    uint32_t len;
    unsigned forgeries_max; /* of 100,000 random texts of the right form */
} spellings[] = {{"cuid", write_cuid, cuid_read, 25, 0},
                 {"result's cuid", write_result, result_cuid_read, 25, 0},
                 {"job_uuid", write_uuid, job_uuid_read, 36, 0},
                 {"task_text", write_task, task_text_read, 17, 400}};

static bool is_form(const struct spelling *s, const char *text) {
    if (s->len == 25) {
        return text[0] == 'c' && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789") == 25;
    }
    if (s->len == 17) {
        return memcmp(text, "task_", 5) == 0 &&
               strspn(text + 5, "abcdefghijklmnopqrstuvwxyz0123456789") == 12;
    }
    return text[8] == '-' && text[13] == '-' && text[14] == '8' && text[18] == '-' &&
           strchr("89ab", text[19]) != NULL && text[23] == '-' &&
           strspn(text, "0123456789abcdef-") == 36;
}

static bool returns(const struct spelling *s, uint64_t number) {
    char text[40];
    uint64_t back = 0;
    s->write(&key, number, text);
    return strlen(text) == s->len && is_form(s, text) &&
           s->read(&key, slice_text(text), &back) && back == number;
}

static void test_returns(const struct spelling *s) {
    char fact[120];
    struct random r = random_seed(1);
    bool all = returns(s, 1) && returns(s, ID_NUMBER_MAX);
    for (unsigned bit = 0; bit < 53; bit++) {
        all = all && returns(s, UINT64_C(1) << bit) && returns(s, (UINT64_C(2) << bit) - 1);
    }
    for (unsigned i = 1; i < 50000; i++) {
        all = all && returns(s, i) && returns(s, random_below(&r, ID_NUMBER_MAX) + 1);
    }
    snprintf(fact, sizeof fact, "%s: every number comes back in its form", s->name);
    ok(all, fact);
}

/* Any one byte changed to any other, any cut and any extension. */
static void test_tampering(const struct spelling *s) {
    char fact[120], text[40], bad[42];
    uint64_t number = 42, same = 0, taken = 0, untouched = 7;
    s->write(&key, 123456789, text);
    for (uint32_t at = 0; at < s->len; at++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            memcpy(bad, text, s->len + 1);
            bad[at] = (char)byte;
            if (s->read(&key, slice_of(bad, s->len), &number)) {
                same += number == 123456789;
                taken += number != 123456789;
            }
        }
    }
    /* upper-case hex digits of a UUID name the same number */
    snprintf(fact, sizeof fact, "%s: no changed byte names another number", s->name);
    ok(taken <= (s->len == 17 ? 3 : 0), fact);
    snprintf(fact, sizeof fact, "%s: only the text itself names its number", s->name);
    ok(s->len == 36 ? same >= s->len : same == s->len, fact);
    snprintf(fact, sizeof fact, "%s: cut and extended texts are refused", s->name);
    bool refused = true;
    for (uint32_t len = 0; len < s->len; len++) {
        refused = refused && !s->read(&key, slice_of(text, len), &untouched);
    }
    snprintf(bad, sizeof bad, "%s0", text);
    ok(refused && !s->read(&key, slice_text(bad), &untouched) && untouched == 7, fact);
}

static void test_keys(const struct spelling *s) {
    char fact[120], text[40], next[40];
    uint64_t number;
    unsigned taken = 0, alike = 0;
    for (uint64_t i = 1; i <= 10000; i++) {
        s->write(&other, i, text);
        taken += s->read(&key, slice_text(text), &number);
        s->write(&key, i, text);
        s->write(&key, i + 1, next);
        unsigned equal = 0;
        for (uint32_t at = 0; at < s->len; at++) {
            equal += text[at] == next[at];
        }
        alike += equal > s->len / 2 + 4;
    }
    snprintf(fact, sizeof fact, "%s: texts of another key are refused", s->name);
    ok(taken <= s->forgeries_max / 8, fact);
    snprintf(fact, sizeof fact, "%s: neighbours do not look alike", s->name);
    is_int(alike, 0, fact);
}

static void test_forgeries(const struct spelling *s) {
    char fact[120], text[40];
    struct random r = random_seed(3);
    uint64_t number;
    unsigned taken = 0;
    s->write(&key, 77, text);
    uint32_t fixed = s->len == 25 ? 1 : s->len == 17 ? 5 : 0;
    for (unsigned i = 0; i < 100000; i++) {
        for (uint32_t at = fixed; at < s->len; at++) {
            bool hex = s->len == 36;
            if (!(hex && (text[at] == '-' || at == 14 || at == 19))) {
                text[at] = "0123456789abcdefghijklmnopqrstuvwxyz"[random_below(&r, hex ? 16 : 36)];
            }
        }
        taken += s->read(&key, slice_of(text, s->len), &number);
    }
    snprintf(fact, sizeof fact, "%s: at most %u of 100,000 guesses pass", s->name,
             s->forgeries_max);
    if (!ok(taken <= s->forgeries_max, fact)) {
        note("%u passed", taken);
    }
}

int main(void) {
    if (sodium_init() < 0) {
        return 1;
    }
    for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++) {
        test_returns(&spellings[i]);
        test_tampering(&spellings[i]);
        test_keys(&spellings[i]);
        test_forgeries(&spellings[i]);
    }
    char text[JOB_UUID_SIZE];
    uint64_t number = 0;
    job_uuid_write(&key, 99, text);
    for (char *at = text; *at; at++) {
        *at = (char)(*at >= 'a' ? *at - 32 : *at);
    }
    ok(job_uuid_read(&key, slice_text(text), &number) && number == 99,
       "job_uuid: upper case is read");
    return done();
}
