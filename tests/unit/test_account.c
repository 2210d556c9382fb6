/* The bodies of users, brands, grants and revocations, and what may be called so. */
#include "proto/account.h"
#include "tests/unit/tap.h"

static void users_come_back(void) {
    struct account_body a = {.role = ROLE_USER, .brand_admin = true, .limited = true,
                             .email = "Bob@Example.org", .shown = "Bob", .hash = "$argon2id$x",
                             .brand_count = 2, .brands = {7, 4294967295u}}, b;
    struct buffer out = {0};
    account_write(&out, &a);
    ok(account_read(&b, buffer_slice(&out)), "a user is read back");
    ok(memcmp(&a, &b, sizeof a) == 0, "as it was written");
    uint32_t taken = 0;
    for (size_t len = 0; len < out.len; len++) taken += account_read(&b, slice_of(out.data, len));
    is_int(taken, 0, "one that was cut off is refused");
    out.data[0] ^= 0x10; /* an array in place of the map */
    ok(!account_read(&b, buffer_slice(&out)), "another kind of value is refused");
    buffer_clear(&out);
    a.role = ROLE_WORKER;
    account_write(&out, &a);
    ok(!account_read(&b, buffer_slice(&out)), "a user is no worker");
    is_int(account_home(&a), 7, "the first brand is home");
    buffer_free(&out);
}

static void the_others_come_back(void) {
    struct buffer out = {0};
    uint8_t hash[GRANT_HASH_BYTES], got[GRANT_HASH_BYTES] = {0};
    memset(hash, 0xab, sizeof hash);
    brand_write(&out, slice_text("Ac\xc3\xa9me"));
    ok(slice_equal(brand_read(buffer_slice(&out)), slice_text("Ac\xc3\xa9me")), "a brand's name");
    buffer_clear(&out);
    grant_write(&out, hash);
    ok(grant_read(got, buffer_slice(&out)) && memcmp(hash, got, sizeof hash) == 0,
       "a grant's hash");
    ok(!grant_read(got, slice_of(out.data, out.len - 1)), "cut off it is none");
    buffer_clear(&out);
    revocation_write(&out, 1800000000);
    is_int(revocation_read(buffer_slice(&out)), 1800000000, "a revocation's second");
    is_int(revocation_read((struct slice){0}), 0, "none means all tokens");
    buffer_free(&out);
}

static void names_are_checked(void) {
    static const char *const good[] = {"bob", "Jean Dupont", "a", "\xc3\xa9lo\xc3\xafse",
                                       "x.y-z_1"};
    static const char *const bad[] = {"", " bob", "bob ", "a/b", "../x", "a:b", "a@b", "a\nb",
                                      "a\x7f" "b", "\xff", "\xed\xa0\x80"};
    char name[WHO_NAME_MAX + 1];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        ok(account_name_good(slice_text(good[i])), good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ok(!account_name_good(slice_text(bad[i])), "a bad name is refused");
    memset(name, 'n', sizeof name);
    ok(account_name_good(slice_of(name, WHO_NAME_MAX - 1)), "63 bytes are a name");
    ok(!account_name_good(slice_of(name, WHO_NAME_MAX)), "64 are not");
    ok(!account_name_good(slice_of("a\0b", 3)), "nor is one with NUL");
}

static void addresses_are_checked(void) {
    static const char *const good[] = {"a@b.c", "Bob.Smith+tag@mail.example.org", "x@y.zz"};
    static const char *const bad[] = {"", "a", "@b.c", "a@", "a@b", "a@.c", "a@b.", "a@b@c.d",
                                      "a b@c.d", "a@b c.d", "a@b.c\n", "a@b.c\r\nBcc: d@e.f",
                                      "<a@b.c>", "a,b@c.d"};
    char text[ACCOUNT_EMAIL_MAX + 2], key[ACCOUNT_KEY_SIZE];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        ok(account_email_good(slice_text(good[i])), good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ok(!account_email_good(slice_text(bad[i])), "a bad address is refused");
    memset(text, 'a', sizeof text);
    memcpy(text, "x@", 2);
    memcpy(text + ACCOUNT_EMAIL_MAX - 2, ".b", 2);
    ok(account_email_good(slice_of(text, ACCOUNT_EMAIL_MAX)), "120 bytes are an address");
    account_key(key, "email", slice_of(text, ACCOUNT_EMAIL_MAX));
    is_int((int64_t)strlen(key), ACCOUNT_EMAIL_MAX + 6, "and a key");
    ok(!account_email_good(slice_of(text, ACCOUNT_EMAIL_MAX + 1)), "121 are not");
    account_key(key, "email", slice_text("Bob@EXAMPLE.org"));
    is_text(key, "email:bob@example.org", "an address counts in lower case");
}

int main(void) {
    users_come_back();
    the_others_come_back();
    names_are_checked();
    addresses_are_checked();
    return done();
}
