/* audit.c - see audit.h. */
#include "broker/audit.h"
#include "proto/base/date.h"
#include "proto/host/log.h"
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { AUDIT_LINE_MAX = 2048, PATH_SIZE = 4300 };

struct audit {
    int fd;
    uint64_t number; /* of the newest line */
    uint8_t hash[AUDIT_HASH_BYTES];
    bool dirty;
};

/* ---- lines ---- */

static void hash_next(uint8_t hash[AUDIT_HASH_BYTES], const char *text, size_t len) {
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, AUDIT_HASH_BYTES);
    crypto_generichash_update(&state, hash, AUDIT_HASH_BYTES);
    crypto_generichash_update(&state, (const uint8_t *)text, len);
    crypto_generichash_final(&state, hash, AUDIT_HASH_BYTES);
}

static const char *role_text(uint8_t role) {
    switch ((enum role)role) {
    case ROLE_ADMIN: return "admin";
    case ROLE_USER: return "user";
    case ROLE_SERVICE: return "service";
    case ROLE_WORKER: return "worker";
    case ROLE_CLIENT: return "client";
    case ROLE_GATEWAY: return "gateway";
    case ROLE_LOCAL: return "local";
    case ROLE_FLEET: return "fleet";
    case ROLE_NONE: break;
    }
    return "";
}

/* A word: never empty, never with anything that ends a word. */
static void word_put(char *line, size_t *len, const char *text) {
    static const char digits[] = "0123456789ABCDEF";
    if (text[0] == 0) text = "-";
    for (; *text != 0 && *len < AUDIT_LINE_MAX - 200; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c > 0x20 && c != 0x7f && c != '%') {
            line[(*len)++] = (char)c;
            continue;
        }
        line[(*len)++] = '%';
        line[(*len)++] = digits[c >> 4];
        line[(*len)++] = digits[c & 15];
    }
    line[(*len)++] = '\t';
}

/* True when the line continues the chain, which moves on; `line` has no line end. */
static bool line_fits(uint64_t number, uint8_t hash[AUDIT_HASH_BYTES], const char *line) {
    char hex[AUDIT_HASH_TEXT_SIZE];
    uint8_t next[AUDIT_HASH_BYTES];
    const char *tab = strrchr(line, '\t');
    if (tab == NULL || strtoull(line, NULL, 10) != number) return false;
    memcpy(next, hash, sizeof next);
    hash_next(next, line, (size_t)(tab - line));
    sodium_bin2hex(hex, sizeof hex, next, sizeof next);
    if (strcmp(tab + 1, hex) != 0) return false;
    memcpy(hash, next, sizeof next);
    return true;
}

/* ---- the file ---- */

static FILE *file_open(const char *data, char path[PATH_SIZE]) {
    snprintf(path, PATH_SIZE, "%s/audit.log", data);
    return fopen(path, "re");
}

/* Reads the whole chain once: what follows must hang on its true end. */
static bool chain_read(struct audit *a, FILE *file, off_t *good) {
    char line[AUDIT_LINE_MAX];
    *good = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        const size_t len = strlen(line);
        if (len == 0 || line[len - 1] != '\n') return feof(file) != 0;
        line[len - 1] = 0;
        if (!line_fits(a->number + 1, a->hash, line)) return false;
        a->number++;
        *good += (off_t)len;
    }
    return true;
}

struct audit *audit_open(const char *data, char *why, size_t why_size) {
    char path[PATH_SIZE];
    off_t good = 0;
    struct stat st;
    struct audit *a = calloc(1, sizeof *a);
    snprintf(why, why_size, "out of memory");
    if (a == NULL) return NULL;
    FILE *file = file_open(data, path);
    const bool whole = file == NULL || chain_read(a, file, &good);
    if (file != NULL) fclose(file);
    a->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (a->fd < 0 || fstat(a->fd, &st) != 0) {
        snprintf(why, why_size, "cannot open %s: %s", path, strerror(errno));
    } else if (!whole) {
        snprintf(why, why_size, "%s is damaged after line %llu: `relais check` says more; move it "
                 "away to begin a new one", path, (unsigned long long)a->number);
    } else if (st.st_size > good && ftruncate(a->fd, good) != 0) {
        snprintf(why, why_size, "cannot cut the end of %s: %s", path, strerror(errno));
    } else {
        return a;
    }
    audit_close(&a);
    return NULL;
}

void audit_close(struct audit **self) {
    if (*self == NULL) return;
    if ((*self)->fd >= 0) {
        audit_sync(*self);
        close((*self)->fd);
    }
    free(*self);
    *self = NULL;
}

void audit_put(struct audit *a, const struct act *act, const char *outcome, int64_t wall_ms) {
    char line[AUDIT_LINE_MAX + 1], text[DATE_TEXT_MAX];
    uint8_t hash[AUDIT_HASH_BYTES];
    date_format_ms(wall_ms, text);
    size_t len = (size_t)snprintf(line, sizeof line, "%llu\t%s\t",
                                  (unsigned long long)a->number + 1, text);
    word_put(line, &len, act->actor);
    word_put(line, &len, role_text(act->role));
    word_put(line, &len, act->verb);
    word_put(line, &len, act->kind);
    word_put(line, &len, act->name);
    len += (size_t)snprintf(line + len, sizeof line - len, "%u\t%s", act->brand, outcome);
    memcpy(hash, a->hash, sizeof hash);
    hash_next(hash, line, len);
    line[len++] = '\t';
    sodium_bin2hex(line + len, sizeof line - len, hash, sizeof hash);
    len += AUDIT_HASH_TEXT_SIZE - 1;
    line[len++] = '\n';
    if (write(a->fd, line, len) != (ssize_t)len) {
        log_error("the audit log cannot be written", field_text("why", strerror(errno)),
                  field_text("actor", act->actor), field_text("act", act->verb),
                  field_text("name", act->name));
        return;
    }
    memcpy(a->hash, hash, sizeof hash);
    a->number++;
    a->dirty = true;
}

void audit_sync(struct audit *a) {
    if (!a->dirty) return;
    a->dirty = false;
    if (fdatasync(a->fd) != 0)
        log_error("the audit log cannot be synced", field_text("why", strerror(errno)));
}

void audit_check(const char *data, void (*tell)(void *context, const char *finding), void *context,
                 struct audit_sum *ret) {
    char path[PATH_SIZE], line[AUDIT_LINE_MAX], finding[PATH_SIZE + 64];
    uint8_t hash[AUDIT_HASH_BYTES] = {0};
    *ret = (struct audit_sum){0};
    FILE *file = file_open(data, path);
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        const size_t len = strlen(line);
        const bool ended = len > 0 && line[len - 1] == '\n';
        if (!ended && feof(file)) break; /* a torn end */
        if (ended) line[len - 1] = 0;
        if (ended && line_fits(ret->lines + 1, hash, line)) {
            ret->lines++;
            continue;
        }
        snprintf(finding, sizeof finding, "%s: line %llu does not continue the chain", path,
                 (unsigned long long)ret->lines + 1);
        tell(context, finding);
        ret->findings++;
        break; /* nothing behind it can be judged */
    }
    if (file != NULL) fclose(file);
    sodium_bin2hex(ret->hash, sizeof ret->hash, hash, sizeof hash);
}
