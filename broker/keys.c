/* keys.c - see keys.h. */
#include "broker/keys.h"
#include "proto/host/clock.h"
#include "proto/host/log.h"
#include <assert.h>
#include <czmq.h>
#include <dirent.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ENTRY_TEXT_MAX = 2048, HASH_TEXT_SIZE = 65, API_KEY_BYTES = 24 };

/* ---- entries ---- */

static enum role role_named(const char *name) {
    if (strcmp(name, "client") == 0) return ROLE_CLIENT;
    if (strcmp(name, "gateway") == 0) return ROLE_GATEWAY;
    return token_role(name);
}

static const char *role_text(uint8_t role) {
    if (role == ROLE_CLIENT) return "client";
    return role == ROLE_GATEWAY ? "gateway" : token_role_name(role);
}

static bool entry_from(struct key_entry *entry, const char *name, const char *role,
                       const char *brand, const char *queues) {
    *entry = (struct key_entry){0};
    if (name == NULL || role == NULL || strlen(name) >= sizeof entry->name) return false;
    if (queues != NULL && strlen(queues) >= sizeof entry->queues) return false;
    snprintf(entry->name, sizeof entry->name, "%s", name);
    snprintf(entry->queues, sizeof entry->queues, "%s", queues == NULL ? "" : queues);
    entry->role = (uint8_t)role_named(role);
    entry->brand = brand == NULL ? 0 : (uint32_t)strtoul(brand, NULL, 10);
    return entry->role != ROLE_NONE;
}

bool keys_find_curve(const char *folder, const uint8_t public_key[32], struct key_entry *entry) {
    char path[KEYS_PATH_MAX + HASH_TEXT_SIZE + 1], hex[HASH_TEXT_SIZE];
    sodium_bin2hex(hex, sizeof hex, public_key, 32);
    snprintf(path, sizeof path, "%s/%s", folder, hex);
    zcert_t *cert = zcert_load(path);
    if (cert == NULL) return false;
    const bool good = memcmp(zcert_public_key(cert), public_key, 32) == 0
        && entry_from(entry, zcert_meta(cert, "name"), zcert_meta(cert, "role"),
                      zcert_meta(cert, "brand"), zcert_meta(cert, "queues"));
    zcert_destroy(&cert);
    return good;
}

static bool registry_make(const char *data, char *why, size_t why_size) {
    static const char *const folders[] = {"", "/curve", "/api", "/own"};
    char path[KEYS_PATH_MAX];
    if (!folder_make(data, why, why_size)) return false;
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        snprintf(path, sizeof path, "%s/keys%s", data, folders[i]);
        if (!folder_make(path, why, why_size)) return false;
    }
    return true;
}

bool keys_make_curve(const char *data, const struct key_entry *entry, char *path, size_t path_size,
                     char public_text[CURVE_TEXT_SIZE], char *why, size_t why_size) {
    char folder[KEYS_PATH_MAX], hex[HASH_TEXT_SIZE], text[ENTRY_TEXT_MAX];
    if (!registry_make(data, why, why_size)) return false;
    zcert_t *cert = zcert_new();
    if (cert == NULL) {
        snprintf(why, why_size, "cannot make a CURVE key");
        return false;
    }
    snprintf(path, path_size, "%s/keys/own/%s", data, entry->name);
    struct stat st;
    bool good = stat(path, &st) != 0;
    if (!good) snprintf(why, why_size, "%s is there already", path);
    snprintf(folder, sizeof folder, "%s/keys/own", data);
    snprintf(text, sizeof text,
             "# secret CURVE key of %s\ncurve\n    public-key = \"%s\"\n    secret-key = \"%s\"\n",
             entry->name, zcert_public_txt(cert), zcert_secret_txt(cert));
    good = good && file_put(folder, entry->name, text, why, why_size);
    snprintf(folder, sizeof folder, "%s/keys/curve", data);
    sodium_bin2hex(hex, sizeof hex, zcert_public_key(cert), 32);
    snprintf(text, sizeof text,
             "metadata\n    name = \"%s\"\n    role = \"%s\"\n    brand = \"%u\"\n"
             "    queues = \"%s\"\ncurve\n    public-key = \"%s\"\n",
             entry->name, role_text(entry->role), entry->brand, entry->queues,
             zcert_public_txt(cert));
    good = good && file_put(folder, hex, text, why, why_size);
    snprintf(public_text, CURVE_TEXT_SIZE, "%s", zcert_public_txt(cert));
    sodium_memzero(text, sizeof text);
    zcert_destroy(&cert);
    return good;
}

static void api_hash(uint8_t hash[KEYRING_HASH_BYTES], const char *text,
                     const struct secret *secret) {
    crypto_generichash(hash, KEYRING_HASH_BYTES, (const uint8_t *)text, strlen(text),
                       secret->id_key, sizeof secret->id_key);
}

bool keys_make_api(const char *data, const struct secret *secret, const struct key_entry *entry,
                   char text[64], char *why, size_t why_size) {
    uint8_t raw[API_KEY_BYTES], hash[KEYRING_HASH_BYTES];
    char folder[KEYS_PATH_MAX], hex[HASH_TEXT_SIZE], line[ENTRY_TEXT_MAX];
    if (!registry_make(data, why, why_size)) return false;
    randombytes_buf(raw, sizeof raw);
    memcpy(text, "rk_", 3);
    sodium_bin2base64(text + 3, 61, raw, sizeof raw, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(raw, sizeof raw);
    api_hash(hash, text, secret);
    sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    snprintf(folder, sizeof folder, "%s/keys/api", data);
    snprintf(line, sizeof line, "%s\n%s\n%u\n%lld\n", entry->name, role_text(entry->role),
             entry->brand, (long long)(clock_wall_ms() / 1000));
    return file_put(folder, hex, line, why, why_size);
}

/* ---- the ring ---- */

static void api_entry_read(struct keyring *ring, const char *folder, const char *file) {
    char path[KEYS_PATH_MAX + 300], line[4][128] = {"", "", "", ""};
    struct keyring_key key = {0};
    struct key_entry entry;
    size_t len = 0;
    if (sodium_hex2bin(key.hash, sizeof key.hash, file, strlen(file), NULL, &len, NULL) != 0
        || len != sizeof key.hash)
        return;
    snprintf(path, sizeof path, "%s/%s", folder, file);
    FILE *in = fopen(path, "re");
    if (in == NULL) return;
    for (int i = 0; i < 4; i++)
        if (fgets(line[i], sizeof line[i], in) != NULL) line[i][strcspn(line[i], "\n")] = 0;
    fclose(in);
    if (!entry_from(&entry, line[0], line[1], line[2], NULL)) {
        log_warn("an API key's entry is not readable", field_text("file", path));
        return;
    }
    key.role = entry.role;
    key.brand = entry.brand;
    key.made_s = strtoll(line[3], NULL, 10);
    memcpy(key.name, entry.name, sizeof key.name);
    if (!keyring_add_key(ring, &key)) log_warn("too many API keys", field_text("file", path));
}

static void api_read(struct keyring *ring, const char *folder) {
    DIR *dir = opendir(folder);
    if (dir == NULL) return;
    for (struct dirent *d; (d = readdir(dir)) != NULL;) {
        const size_t len = strlen(d->d_name);
        if (d->d_name[0] == '.' || (len > 4 && strcmp(d->d_name + len - 4, ".new") == 0)) continue;
        api_entry_read(ring, folder, d->d_name);
    }
    closedir(dir);
}

static int64_t folder_changed(const char *folder) {
    struct stat st;
    if (stat(folder, &st) != 0) return 0;
    return (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
}

static const char *const looked_at[] = {"api", "curve"};
enum { LOOK_API, LOOK_CURVE };

static int64_t folder_look(const struct keys *k, int i) {
    char folder[KEYS_PATH_MAX + 16];
    snprintf(folder, sizeof folder, "%s/%s", k->folder, looked_at[i]);
    return folder_changed(folder);
}

static bool ring_read(struct keys *k) {
    char folder[KEYS_PATH_MAX + 16];
    k->ring.key_count = 0;
    free(k->ring.keys);
    k->ring.keys = NULL;
    k->changed[LOOK_API] = folder_look(k, LOOK_API); /* before: a change meanwhile is seen later */
    snprintf(folder, sizeof folder, "%s/%s", k->folder, looked_at[LOOK_API]);
    api_read(&k->ring, folder);
    k->old = true;
    return keys_body(k).len > 0;
}

bool keys_open(struct keys *k, const char *data, const struct secret *secret, char *why,
               size_t why_size) {
    *k = (struct keys){0};
    if (!registry_make(data, why, why_size)) return false;
    snprintf(k->folder, sizeof k->folder, "%s/keys", data);
    k->ring.token_count = secret->token_count;
    for (uint32_t i = 0; i < secret->token_count; i++)
        memcpy(k->ring.tokens[i], secret->tokens[i].bytes, KEYRING_SECRET_BYTES);
    memcpy(k->ring.id_key, secret->id_key, sizeof k->ring.id_key);
    k->changed[LOOK_CURVE] = folder_look(k, LOOK_CURVE);
    if (ring_read(k)) return true;
    snprintf(why, why_size, "out of memory");
    return false;
}

void keys_free(struct keys *k) {
    keyring_free(&k->ring);
    buffer_free(&k->body);
}

unsigned keys_look(struct keys *k, int64_t now_ms) {
    if (now_ms < k->look_at_ms) return KEYS_SAME;
    k->look_at_ms = now_ms + KEYS_LOOK_MS;
    unsigned change = KEYS_SAME;
    const int64_t curve = folder_look(k, LOOK_CURVE);
    if (curve != k->changed[LOOK_CURVE]) change |= KEYS_CURVE;
    k->changed[LOOK_CURVE] = curve;
    if (folder_look(k, LOOK_API) != k->changed[LOOK_API]) change |= KEYS_RING;
    if ((change & KEYS_RING) != 0 && !ring_read(k)) change &= ~(unsigned)KEYS_RING;
    return change;
}

struct slice keys_body(struct keys *k) {
    if (k->old) {
        buffer_clear(&k->body);
        keyring_write(&k->body, &k->ring);
        k->old = k->body.failed;
    }
    return k->old ? (struct slice){0} : buffer_slice(&k->body);
}

bool keys_add_revoked(struct keys *k, struct slice text, int64_t before_s) {
    k->old = true;
    return keyring_add_revoked(&k->ring, text, before_s);
}

void keys_set_revoked(struct keys *k, struct buffer *revoked, uint32_t count) {
    buffer_free(&k->ring.revoked);
    k->ring.revoked = *revoked;
    k->ring.revoked_count = count;
    k->old = true;
    *revoked = (struct buffer){0};
}

bool keys_has_curve(const char *data, const char *hex) {
    char path[KEYS_PATH_MAX + HASH_TEXT_SIZE];
    snprintf(path, sizeof path, "%s/keys/curve/%s", data, hex);
    return access(path, F_OK) == 0;
}
