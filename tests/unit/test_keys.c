/* Secrets and keys of a data folder: made once, found again, taken away. */
#include "broker/keys.h"
#include "broker/filter.h"
#include "broker/rows.h"
#include "proto/host/log.h"
#include "tests/unit/tap.h"
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

enum { STARTERS = 8 };

static void secrets_are_made_once(const char *data) {
    char why[512] = "";
    int pipes[2];
    if (pipe(pipes) != 0) return;
    for (int i = 0; i < STARTERS; i++) {
        if (fork() != 0) continue;
        struct secret s;
        const bool good = secret_open(&s, data, why, sizeof why);
        const ssize_t written = write(pipes[1], &s, sizeof s);
        _exit(good && written == sizeof s ? 0 : 1);
    }
    struct secret first, next;
    uint32_t read_ones = 0, same = 0, failed = 0;
    for (int i = 0; i < STARTERS; i++) {
        int status;
        read_ones += read(pipes[0], i == 0 ? &first : &next, sizeof first) == sizeof first;
        same += i == 0 || memcmp(&first, &next, sizeof first) == 0;
        wait(&status);
        failed += status != 0;
    }
    is_int(failed, 0, "eight processes may start at once on an empty folder");
    ok(read_ones == STARTERS && same == STARTERS, "and all have the same secrets");
    ok(first.token_count == 1 && strlen(first.curve_public) == 40, "which are whole");
    struct stat st;
    char path[512];
    snprintf(path, sizeof path, "%s/secret/jwt", data);
    ok(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600, "the files are the owner's alone");
    snprintf(path, sizeof path, "%s/secret", data);
    ok(stat(path, &st) == 0 && (st.st_mode & 0777) == 0700, "the folder too");
}

static void damaged_secrets_are_refused_and_named(const char *data) {
    char why[512] = "", path[512], command[1600];
    struct secret s;
    snprintf(path, sizeof path, "%s/secret/id", data);
    snprintf(command, sizeof command, "cp %s %s.old && printf 12 > %s", path, path, path);
    if (system(command) != 0) return;
    ok(!secret_open(&s, data, why, sizeof why), "a secret that is too short is refused");
    ok(strstr(why, "/secret/id") != NULL, why);
    snprintf(command, sizeof command, "mv %s.old %s", path, path);
    ok(system(command) == 0 && secret_open(&s, data, why, sizeof why), "the old one is taken");
}

static void two_secrets_may_be_live(const char *data) {
    char why[512] = "", path[512], command[1600];
    struct secret s;
    snprintf(path, sizeof path, "%s/secret/jwt", data);
    snprintf(command, sizeof command,
             "old=$(cat %s); { printf '%%064d\\n' 7; echo \"$old\"; } > %s", path, path);
    ok(system(command) == 0 && secret_open(&s, data, why, sizeof why), "a secret is put on top");
    is_int(s.token_count, 2, "both are live");
    is_int(s.tokens[0].bytes[31], 7, "the new one signs");
}

static void tickets_belong_to_a_file_and_a_folder(void) {
    const uint8_t key[ID_KEY_BYTES] = {1}, other[ID_KEY_BYTES] = {2};
    ok(ticket_of(key, 5) != 0 && ticket_of(key, 5) == ticket_of(key, 5), "a ticket is stable");
    ok(ticket_of(key, 5) != ticket_of(key, 6), "another file, another ticket");
    ok(ticket_of(key, 5) != ticket_of(other, 5), "another folder, another ticket");
}

static void curve_keys_are_registered(const char *data) {
    char path[KEYS_PATH_MAX], folder[KEYS_PATH_MAX], public_text[CURVE_TEXT_SIZE], why[512] = "";
    uint8_t key[32];
    const struct key_entry entry = {.name = "ada", .role = ROLE_WORKER, .brand = 3,
                                    .queues = "a,b"};
    struct key_entry found;
    ok(keys_make_curve(data, &entry, path, sizeof path, public_text, why, sizeof why),
       "a CURVE key is made");
    ok(access(path, R_OK) == 0, "its certificate is there");
    zmq_z85_decode(key, public_text);
    snprintf(folder, sizeof folder, "%s/keys/curve", data);
    ok(keys_find_curve(folder, key, &found), "it is found by its public key");
    is_text(found.name, "ada", "with its name");
    is_text(found.queues, "a,b", "its queues");
    ok(found.brand == 3 && found.role == ROLE_WORKER, "its brand and role");
    char hex[65];
    sodium_bin2hex(hex, sizeof hex, key, sizeof key);
    ok(keys_has_curve(data, hex), "it is registered");
    key[5] ^= 1;
    ok(!keys_find_curve(folder, key, &found), "another key is not found");
    ok(!keys_make_curve(data, &entry, path, sizeof path, public_text, why, sizeof why),
       "a name is used once");
}

static void the_ring_follows_the_folder(const char *data) {
    char why[512] = "", text[64], text2[64];
    struct secret secret;
    struct keys keys;
    struct keyring ring = {0};
    secret_open(&secret, data, why, sizeof why);
    const struct key_entry entry = {.name = "svc", .role = ROLE_SERVICE, .brand = 2};
    ok(keys_make_api(data, &secret, &entry, text, why, sizeof why), "an API key is made");
    ok(keys_open(&keys, data, &secret, why, sizeof why), "the registry is read");
    ok(keyring_take(&ring, keys_body(&keys)), "the ring can be read as it goes out");
    is_int(ring.key_count, 1, "it has the key");
    uint8_t hash[KEYRING_HASH_BYTES];
    crypto_generichash(hash, sizeof hash, (const uint8_t *)text, strlen(text), ring.id_key,
                       sizeof ring.id_key);
    const struct keyring_key *key = keyring_find(&ring, hash);
    ok(key != NULL && key->brand == 2 && strcmp(key->name, "svc") == 0, "under its hash");
    hash[0] ^= 1;
    ok(keyring_find(&ring, hash) == NULL, "and no other");
    is_int(keys_look(&keys, 1), KEYS_SAME, "nothing has changed");
    keys_make_api(data, &secret, &entry, text2, why, sizeof why);
    is_int(keys_look(&keys, 2), KEYS_SAME, "it looks once a second");
    is_int(keys_look(&keys, 1 + KEYS_LOOK_MS), KEYS_RING, "then it sees the change");
    is_int(keys.ring.key_count, 2, "the second key");
    keyring_free(&ring);
    keys_free(&keys);
}

static void revocations_reach_who_holds_the_ring(const char *data) {
    char why[512] = "";
    struct secret secret;
    struct keys keys;
    struct keyring ring = {0}, more = {0};
    struct buffer one = {0};
    secret_open(&secret, data, why, sizeof why);
    ok(keys_open(&keys, data, &secret, why, sizeof why), "the registry is read");
    ok(keyring_take(&ring, keys_body(&keys)), "a gateway takes the ring");
    ok(keys_add_revoked(&keys, slice_text("user:eve"), 1000), "a user is revoked");
    keyring_write_revoked(&one, slice_text("user:eve"), 1000);
    ok(!keyring_take(&more, buffer_slice(&one)), "an addition alone is no ring");
    ok(keyring_take(&ring, buffer_slice(&one)), "it adds to one");
    is_int(ring.key_count, keys.ring.key_count, "which keeps its keys");
    is_int(keyring_revoked_before(&ring, "user", "eve"), 1000, "tokens issued up to then are dead");
    ok(keyring_revoked_before(&ring, "user", "ev") == INT64_MIN, "a part of the name is another");
    ok(keyring_revoked_before(&ring, "worker", "eve") == INT64_MIN, "another kind is another");
    ok(keyring_add_revoked(&ring, slice_text("user:eve"), 0), "all of hers are revoked");
    ok(keyring_revoked_before(&ring, "user", "eve") == INT64_MAX, "then none is alive");
    ok(keyring_take(&more, keys_body(&keys)) && more.revoked_count == 1,
       "a gateway that comes later gets them with the ring");
    keys_set_revoked(&keys, &more.revoked, 0);
    ok(keyring_take(&ring, keys_body(&keys)) && ring.revoked_count == 0,
       "and a new ring replaces them");
    buffer_free(&one);
    keyring_free(&ring);
    keyring_free(&more);
    keys_free(&keys);
}

static void damaged_rings_are_refused(void) {
    struct keyring k = {.token_count = 1}, ret = {0};
    struct buffer b = {0};
    keyring_add_revoked(&k, slice_text("worker:w"), 0);
    keyring_add_revoked(&k, slice_text("user:u"), 7);
    keyring_write(&b, &k);
    uint32_t taken = 0;
    for (size_t len = 0; len < b.len; len++)
        if (keyring_take(&ret, slice_of(b.data, len))) taken++;
    is_int(taken, 0, "no ring that was cut off is taken");
    ok(keyring_take(&ret, buffer_slice(&b)) && ret.revoked_count == 2, "the whole one is");
    keyring_free(&ret);
    keyring_free(&k);
    buffer_free(&b);
}

static bool search(const char *words, const char *text) {
    const struct slice texts[] = {slice_text(text), slice_text("video transcode")};
    return search_matches(slice_text(words), texts, 2);
}

static void search_takes_all_words_as_prefixes(void) {
    ok(search("quart", "Quarterly report"), "a word's beginning, in either case");
    ok(!search("uarter", "Quarterly report"), "not its middle");
    ok(search("rep quar", "Quarterly report"), "all words, in any order");
    ok(!search("rep missing", "Quarterly report"), "all of them");
    ok(search("trans rep", "report"), "in any of the texts");
    ok(search("", "x") && search("  -- ", "x"), "no word matches all");
    ok(search("\xc3\xa9t\xc3\xa9", "un \xc3\xa9t\xc3\xa9 chaud"), "bytes beyond ASCII are letters");
}

int main(void) {
    char data[] = "/tmp/relais-keys-XXXXXX", command[64];
    if (sodium_init() < 0 || mkdtemp(data) == NULL) return 1;
    log_open("test", LEVEL_ERROR, 2);
    secrets_are_made_once(data);
    damaged_secrets_are_refused_and_named(data);
    two_secrets_may_be_live(data);
    tickets_belong_to_a_file_and_a_folder();
    curve_keys_are_registered(data);
    the_ring_follows_the_folder(data);
    revocations_reach_who_holds_the_ring(data);
    damaged_rings_are_refused();
    search_takes_all_words_as_prefixes();
    snprintf(command, sizeof command, "rm -rf %s", data);
    return system(command) != 0 || done();
}
