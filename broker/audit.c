/* audit.c - see audit.h. */
#include "broker/audit.h"
#include "broker/secret.h"
#include "proto/base/date.h"
#include "proto/host/log.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { AUDIT_LINE_MAX = 2048, PATH_SIZE = 4300, WORD_VERB = 4 };

static const char ended_name[] = "audit.log."; /* and the number of its last line */
#define CONTINUE "continue"

struct audit {
    struct audit_options options;
    int fd;
    uint64_t bytes, turn_at; /* of the newest file; at which it is full */
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

/* ---- the files ---- */

static void path_current(const char *data, char path[PATH_SIZE]) {
    snprintf(path, PATH_SIZE, "%s/audit.log", data);
}

static void path_ended(const char *data, uint64_t number, char path[PATH_SIZE]) {
    snprintf(path, PATH_SIZE, "%s/audit.log.%llu", data, (unsigned long long)number);
}

static int by_number(const void *a, const void *b) {
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The numbers of the files that ended, oldest first; the caller owns it. NULL: memory is out. */
static uint64_t *files_list(const char *data, size_t *count) {
    size_t cap = 16;
    uint64_t *list = malloc(cap * sizeof *list);
    DIR *dir = opendir(data);
    *count = 0;
    for (struct dirent *d; list != NULL && dir != NULL && (d = readdir(dir)) != NULL;) {
        const char *text = d->d_name + strlen(ended_name);
        if (strncmp(d->d_name, ended_name, strlen(ended_name)) != 0 || *text < '1' || *text > '9' ||
            strlen(text) > 18 || strspn(text, "0123456789") != strlen(text))
            continue;
        if (*count == cap) {
            uint64_t *more = realloc(list, (cap *= 2) * sizeof *list);
            if (more == NULL) free(list);
            list = more;
            if (list == NULL) break;
        }
        list[(*count)++] = strtoull(text, NULL, 10);
    }
    if (dir != NULL) closedir(dir);
    if (list != NULL) qsort(list, *count, sizeof *list, by_number);
    return list;
}

/* Of a file that continues another: what its first line says it follows, which the chain of that
 * line then proves. False: it is the beginning, or no such line. */
static bool line_continues(const char *line, uint64_t *number, uint8_t hash[AUDIT_HASH_BYTES]) {
    const char *word = line;
    size_t len = 0;
    for (int i = 0; i < WORD_VERB && word != NULL; i++)
        if ((word = strchr(word, '\t')) != NULL) word++;
    if (word == NULL || strncmp(word, CONTINUE "\taudit\t", strlen(CONTINUE "\taudit\t")) != 0)
        return false;
    word += strlen(CONTINUE "\taudit\t");
    *number = strtoull(line, NULL, 10) - 1;
    return sodium_hex2bin(hash, AUDIT_HASH_BYTES, word, strcspn(word, "\t"), NULL, &len, NULL) == 0
        && len == AUDIT_HASH_BYTES;
}

/* Reads a file's lines on from *number and *hash, which move to the last that fits; `begins`: it
 * may also follow a file that is not here. *good: the bytes of those lines.
 * False: one does not fit. */
static bool file_read(const char *path, bool begins, uint64_t *number,
                      uint8_t hash[AUDIT_HASH_BYTES], off_t *good) {
    char line[AUDIT_LINE_MAX];
    bool fits = true;
    FILE *file = fopen(path, "re");
    *good = 0;
    while (file != NULL && fits && fgets(line, sizeof line, file) != NULL) {
        const size_t len = strlen(line);
        const bool ended = len > 0 && line[len - 1] == '\n';
        if (!ended && feof(file)) break; /* a torn end */
        if (ended) line[len - 1] = 0;
        if (begins && *good == 0) line_continues(line, number, hash);
        fits = ended && line_fits(*number + 1, hash, line);
        if (fits) (*number)++, *good += (off_t)len;
    }
    if (file != NULL) fclose(file);
    return fits;
}

/* The end of the chain before the newest file, where that one has no line yet: a stop fell between
 * its beginning and its first line. */
static bool newest_ended(struct audit *a, char path[PATH_SIZE]) {
    size_t count;
    off_t good;
    uint64_t *list = files_list(a->options.data, &count);
    bool whole = list != NULL;
    if (whole && count > 0) {
        path_ended(a->options.data, list[count - 1], path);
        whole = file_read(path, true, &a->number, a->hash, &good);
    }
    free(list);
    return whole;
}

static bool current_open(struct audit *a) {
    char path[PATH_SIZE];
    path_current(a->options.data, path);
    a->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    return a->fd >= 0;
}

static bool chain_find(struct audit *a, char *why, size_t why_size) {
    char path[PATH_SIZE];
    off_t good = 0;
    struct stat st;
    path_current(a->options.data, path);
    bool whole = file_read(path, true, &a->number, a->hash, &good);
    if (whole && good == 0) whole = newest_ended(a, path);
    if (!whole) {
        snprintf(why, why_size, "%s is damaged after line %llu: `relais check` says more; move it "
                 "away to begin a new one", path, (unsigned long long)a->number);
        return false;
    }
    path_current(a->options.data, path);
    if (!current_open(a) || fstat(a->fd, &st) != 0) {
        snprintf(why, why_size, "cannot open %s: %s", path, strerror(errno));
        return false;
    }
    a->bytes = (uint64_t)good;
    if (st.st_size == good || ftruncate(a->fd, good) == 0) return true;
    snprintf(why, why_size, "cannot cut the end of %s: %s", path, strerror(errno));
    return false;
}

struct audit *audit_open(const struct audit_options *options, char *why, size_t why_size) {
    struct audit *a = calloc(1, sizeof *a);
    snprintf(why, why_size, "out of memory");
    if (a == NULL) return NULL;
    a->options = *options;
    a->fd = -1;
    a->turn_at = options->bytes_max;
    if (!chain_find(a, why, why_size)) audit_close(&a);
    return a;
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

/* ---- writing ---- */

static bool line_put(struct audit *a, const struct act *act, const char *outcome,
                     int64_t wall_ms) {
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
        if (ftruncate(a->fd, (off_t)a->bytes) != 0) a->turn_at = 0; /* half a line: no more here */
        return false;
    }
    memcpy(a->hash, hash, sizeof hash);
    a->number++;
    a->bytes += len;
    a->dirty = true;
    return true;
}

static void oldest_drop(const struct audit *a) {
    char path[PATH_SIZE];
    size_t count;
    uint64_t *list = a->options.files_max > 0 ? files_list(a->options.data, &count) : NULL;
    for (size_t i = 0; list != NULL && i + a->options.files_max < count; i++) {
        path_ended(a->options.data, list[i], path);
        if (unlink(path) == 0) log_info("the oldest audit log is gone", field_text("file", path));
    }
    free(list);
}

/* The first line of a file that is not the first. */
static void continue_put(struct audit *a, int64_t wall_ms) {
    struct act act = {.actor = "relais", .role = ROLE_LOCAL, .verb = CONTINUE, .kind = "audit"};
    sodium_bin2hex(act.name, sizeof act.name, a->hash, sizeof a->hash);
    line_put(a, &act, code_name(CODE_OK), wall_ms);
}

/* The file that is full gets its number, and a new one takes its place. When it cannot, the old one
 * grows on and it is tried again later. */
static void turn_over(struct audit *a) {
    char from[PATH_SIZE], to[PATH_SIZE];
    const int old = a->fd;
    path_current(a->options.data, from);
    path_ended(a->options.data, a->number, to);
    audit_sync(a);
    if (rename(from, to) != 0 || !current_open(a)) {
        log_error("the audit log cannot begin a new file", field_text("why", strerror(errno)));
        if (rename(to, from) != 0) errno = 0;
        a->fd = old;
        a->turn_at = a->bytes + a->options.bytes_max / 8;
        return;
    }
    close(old);
    a->bytes = 0;
    a->turn_at = a->options.bytes_max;
    folder_sync(a->options.data);
    oldest_drop(a);
}

void audit_put(struct audit *a, const struct act *act, const char *outcome, int64_t wall_ms) {
    if (a->bytes >= a->turn_at && a->bytes > 0) turn_over(a);
    if (a->bytes == 0 && a->number > 0) continue_put(a, wall_ms);
    line_put(a, act, outcome, wall_ms);
}

void audit_sync(struct audit *a) {
    if (!a->dirty) return;
    a->dirty = false;
    if (fdatasync(a->fd) != 0)
        log_error("the audit log cannot be synced", field_text("why", strerror(errno)));
}

/* ---- checking ---- */

static uint64_t first_of(const char *path) {
    char line[32] = "";
    FILE *file = fopen(path, "re");
    if (file != NULL && fgets(line, sizeof line, file) == NULL) line[0] = 0;
    if (file != NULL) fclose(file);
    return strtoull(line, NULL, 10);
}

void audit_check(const char *data, void (*tell)(void *context, const char *finding), void *context,
                 struct audit_sum *ret) {
    char path[PATH_SIZE], finding[PATH_SIZE + 64];
    uint8_t hash[AUDIT_HASH_BYTES] = {0};
    uint64_t number = 0;
    size_t count;
    uint64_t *list = files_list(data, &count);
    *ret = (struct audit_sum){0};
    for (size_t i = 0; list != NULL && i <= count && ret->findings == 0; i++) {
        off_t good;
        const uint64_t before = number;
        if (i < count) path_ended(data, list[i], path);
        else path_current(data, path);
        const bool fits = file_read(path, ret->files == 0, &number, hash, &good);
        if (good > 0 && ret->files == 0) ret->first = first_of(path);
        ret->files += good > 0;
        if (fits && (i == count || number == list[i])) continue;
        snprintf(finding, sizeof finding, "%s: line %llu does not continue the chain", path,
                 (unsigned long long)(good > 0 ? number : before) + 1);
        tell(context, finding);
        ret->findings++; /* nothing behind it can be judged */
    }
    free(list);
    ret->lines = ret->files > 0 ? number - ret->first + 1 : 0;
    sodium_bin2hex(ret->hash, sizeof ret->hash, hash, sizeof hash);
}
