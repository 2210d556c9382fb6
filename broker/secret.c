/* secret.c - see secret.h. */
#include "broker/secret.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

enum { PATH_SIZE = 4200, TEXT_SIZE = 512 };

bool folder_make(const char *path, char *why, size_t why_size) {
    struct stat st;
    if (mkdir(path, 0700) == 0) return true;
    if (errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode)) return true;
    snprintf(why, why_size, "cannot make the folder %s: %s", path, strerror(errno));
    return false;
}

/* The file's content, NUL-ended; -1 when it cannot be read (errno), longer texts are cut. */
static ssize_t text_read(const char *path, char *text, size_t size) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    const ssize_t len = read(fd, text, size - 1);
    close(fd);
    if (len >= 0) text[len] = 0;
    return len;
}

void folder_sync(const char *folder) {
    const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    fsync(fd);
    close(fd);
}

bool file_put(const char *folder, const char *name, const char *text, char *why,
              size_t why_size) {
    char path[PATH_SIZE + 300], temporary[PATH_SIZE + 308];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    snprintf(temporary, sizeof temporary, "%s.new", path);
    const int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool good = fd >= 0;
    const size_t len = strlen(text);
    good = good && write(fd, text, len) == (ssize_t)len && fsync(fd) == 0;
    if (fd >= 0) good = close(fd) == 0 && good;
    good = good && rename(temporary, path) == 0;
    if (!good) snprintf(why, why_size, "cannot write %s: %s", path, strerror(errno));
    if (good) folder_sync(folder);
    return good;
}

/* ---- the three secrets ---- */

static bool hex_line(const char **text, uint8_t *out, size_t len) {
    size_t got = 0;
    const char *end = NULL;
    const size_t line = strcspn(*text, "\n");
    if (sodium_hex2bin(out, len, *text, line, NULL, &got, &end) != 0 || got != len
        || end != *text + line)
        return false;
    *text += line + ((*text)[line] == '\n');
    return true;
}

static bool jwt_read(struct secret *s, const char *text) {
    while (*text != 0) {
        if (s->token_count == TOKEN_SECRETS_MAX) return false;
        if (!hex_line(&text, s->tokens[s->token_count].bytes, sizeof s->tokens[0].bytes))
            return false;
        s->token_count++;
    }
    return s->token_count > 0;
}

static bool id_read(struct secret *s, const char *text) {
    return hex_line(&text, s->id_key, sizeof s->id_key) && *text == 0;
}

static bool curve_read(struct secret *s, const char *text) {
    char public_text[CURVE_TEXT_SIZE], secret_text[CURVE_TEXT_SIZE];
    if (sscanf(text, "public-key = \"%40[^\"]\"\nsecret-key = \"%40[^\"]\"", public_text,
               secret_text) != 2)
        return false;
    memcpy(s->curve_public, public_text, CURVE_TEXT_SIZE);
    memcpy(s->curve_secret, secret_text, CURVE_TEXT_SIZE);
    sodium_memzero(secret_text, sizeof secret_text);
    return strlen(s->curve_public) == CURVE_TEXT_SIZE - 1
        && strlen(s->curve_secret) == CURVE_TEXT_SIZE - 1;
}

static void random_hex(char *text, size_t size, size_t bytes) {
    uint8_t raw[32];
    assert(bytes <= sizeof raw && size > 2 * bytes + 1);
    randombytes_buf(raw, bytes);
    sodium_bin2hex(text, size, raw, bytes);
    sodium_memzero(raw, sizeof raw);
    memcpy(text + 2 * bytes, "\n", 2);
}

static bool jwt_make(char *text, size_t size) {
    random_hex(text, size, 32);
    return true;
}

static bool id_make(char *text, size_t size) {
    random_hex(text, size, ID_KEY_BYTES);
    return true;
}

static bool curve_make(char *text, size_t size) {
    char public_text[CURVE_TEXT_SIZE], secret_text[CURVE_TEXT_SIZE];
    if (zmq_curve_keypair(public_text, secret_text) != 0) return false;
    snprintf(text, size, "public-key = \"%s\"\nsecret-key = \"%s\"\n", public_text, secret_text);
    sodium_memzero(secret_text, sizeof secret_text);
    return true;
}

static const struct {
    const char *name;
    bool (*read)(struct secret *s, const char *text);
    bool (*make)(char *text, size_t size);
} secret_files[] = {
    {"jwt", jwt_read, jwt_make}, {"id", id_read, id_make}, {"curve", curve_read, curve_make}};
enum { SECRET_FILES = sizeof secret_files / sizeof secret_files[0] };

static bool secret_file(struct secret *s, int i, const char *folder, char *why, size_t why_size) {
    char path[PATH_SIZE + 16], text[TEXT_SIZE];
    snprintf(path, sizeof path, "%s/%s", folder, secret_files[i].name);
    if (text_read(path, text, sizeof text) < 0) {
        if (errno != ENOENT) {
            snprintf(why, why_size, "cannot read %s: %s", path, strerror(errno));
            return false;
        }
        if (!secret_files[i].make(text, sizeof text)) {
            snprintf(why, why_size, "cannot make %s", path);
            return false;
        }
        if (!file_put(folder, secret_files[i].name, text, why, why_size)) return false;
    }
    const bool good = secret_files[i].read(s, text);
    sodium_memzero(text, sizeof text);
    if (!good) snprintf(why, why_size, "%s is not what it should be", path);
    return good;
}

bool secret_open(struct secret *s, const char *data, char *why, size_t why_size) {
    char folder[PATH_SIZE], line[CURVE_TEXT_SIZE + 1];
    *s = (struct secret){0};
    if (sodium_init() < 0) {
        snprintf(why, why_size, "libsodium does not start");
        return false;
    }
    snprintf(folder, sizeof folder, "%s/secret", data);
    if (!folder_make(data, why, why_size) || !folder_make(folder, why, why_size)) return false;
    const int lock = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock < 0 || flock(lock, LOCK_EX) != 0) {
        snprintf(why, why_size, "cannot lock %s: %s", folder, strerror(errno));
        if (lock >= 0) close(lock);
        return false;
    }
    bool good = true;
    for (int i = 0; good && i < SECRET_FILES; i++) good = secret_file(s, i, folder, why, why_size);
    snprintf(line, sizeof line, "%s\n", s->curve_public);
    char path[PATH_SIZE + 16], there[CURVE_TEXT_SIZE + 1] = "";
    snprintf(path, sizeof path, "%s/server.key", data);
    if (good && (text_read(path, there, sizeof there) < 0 || strcmp(there, line) != 0))
        good = file_put(data, "server.key", line, why, why_size);
    close(lock);
    if (!good) secret_wipe(s);
    return good;
}

void secret_wipe(struct secret *s) { sodium_memzero(s, sizeof *s); }

uint64_t ticket_of(const uint8_t id_key[ID_KEY_BYTES], uint64_t file) {
    static_assert(ID_KEY_BYTES == crypto_shorthash_KEYBYTES, "the id key is a SipHash key");
    uint8_t text[16] = "ticket:", mac[crypto_shorthash_BYTES];
    for (int i = 0; i < 8; i++) text[8 + i] = (uint8_t)(file >> (8 * i));
    crypto_shorthash(mac, text, sizeof text, id_key);
    uint64_t ticket = 0;
    for (int i = 0; i < 8; i++) ticket |= (uint64_t)mac[i] << (8 * i);
    return ticket == 0 ? 1 : ticket;
}
