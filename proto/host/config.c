#include "proto/host/config.h"
#include "proto/base/bytes.h"
#include "proto/host/args.h"
#include "proto/host/log.h"
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdlib.h>

enum { FILE_LINE_MAX = 8192 };

void config_init(struct config *c, unsigned sections) {
    memset(c, 0, sizeof *c);
    c->sections = sections | SECTION_BASE;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        option_set_initial(&option_table[i], c);
    }
}

void config_free(struct config *c) {
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        option_free(&option_table[i], c);
    }
    free(c->file);
    memset(c, 0, sizeof *c);
}

/* ---- the file ---- */

struct reader { /* what one run of inih carries along */
    struct config *config;
    FILE *file;
    const char *name;
    char *why;
    unsigned line;
    bool failed, too_long;
};

static char *read_line(char *text, int size, void *context) {
    struct reader *r = context;
    if (r->failed || fgets(text, size, r->file) == NULL) {
        return NULL;
    }
    r->line++;
    size_t len = strlen(text);
    r->too_long = len + 1 >= (size_t)size && text[len - 1] != '\n';
    return text;
}

__attribute__((format(printf, 2, 3))) static int fail(struct reader *r, const char *format, ...) {
    if (r->failed) {
        return 0;
    }
    r->failed = true;
    int at = snprintf(r->why, CONFIG_WHY_MAX, "%s:%u: ", r->name, r->line);
    assert(at >= 0);
    if (at < CONFIG_WHY_MAX) {
        va_list list;
        va_start(list, format);
        vsnprintf(r->why + at, (size_t)(CONFIG_WHY_MAX - at), format, list);
        va_end(list);
    }
    return 0;
}

/* inih's handler: 1 goes on, 0 stops. */
static int take_line(void *context, const char *in, const char *name, const char *value) {
    struct reader *r = context;
    char why[OPTION_WHY_MAX];
    enum section section = section_find(in);
    if (r->too_long) {
        return fail(r, "the line is longer than %d bytes", FILE_LINE_MAX - 3);
    }
    if (*in == 0) {
        return fail(r, "%.64s stands before any section; begin with [base]", name);
    }
    if (section == 0) {
        return fail(r, "there is no section [%.64s]", in);
    }
    const struct option *o = option_find(name, strlen(name), false);
    if (o == NULL) {
        return fail(r, "[%s] %.64s: there is no such option", in, name);
    }
    if (o->section != section && o->section != SECTION_BASE) {
        return fail(r, "[%s] %s: is an option of [%s]", in, name, section_name(o->section));
    }
    struct config_source *source = &r->config->source[o - option_table];
    if (source->seen & section) {
        return fail(r, "[%s] %s: was given before", in, name);
    }
    source->seen |= (uint8_t)section;
    bool used = (r->config->sections & section) && section >= source->section;
    if (!option_set(o, used ? r->config : NULL, value, why)) {
        bool secret = o->type == OPTION_SECRET;
        return fail(r, "[%s] %s = %.128s: %s", in, name, secret ? "***" : value, why);
    }
    if (used) {
        source->from = FROM_FILE;
        source->section = (uint8_t)section;
        source->line = r->line;
    }
    return 1;
}

bool config_read(struct config *c, FILE *file, const char *file_name, char *why) {
    struct reader r = {.config = c, .file = file, .name = file_name, .why = why};
    ini_use_stack = false; /* its stack buffer holds 200 bytes */
    ini_max_line = FILE_LINE_MAX;
    ini_initial_alloc = FILE_LINE_MAX;
    ini_allow_multiline = false;
    ini_stop_on_first_error = true;
    int bad_line = ini_parse_stream(read_line, &r, take_line, &r);
    if (r.too_long && !r.failed) {
        fail(&r, "the line is longer than %d bytes", FILE_LINE_MAX - 3);
    }
    if (bad_line != 0 && !r.failed) {
        fail(&r, "is neither [section], name = value nor a comment");
    }
    return !r.failed;
}

static bool read_file(struct config *c, const char *path, char *why) {
    free(c->file);
    c->file = strdup(path);
    assert(c->file != NULL);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        snprintf(why, CONFIG_WHY_MAX, "%s: %s", path, strerror(errno));
        return false;
    }
    bool good = config_read(c, file, path, why);
    if (good && ferror(file)) {
        snprintf(why, CONFIG_WHY_MAX, "%s: cannot be read", path);
        good = false;
    }
    fclose(file);
    return good;
}

/* ---- environment and flags ---- */

static bool option_used(const struct config *c, const struct option *o) {
    return (c->sections & o->section) != 0;
}

static bool read_environment(struct config *c, char *why) {
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *o = &option_table[i];
        char name[64] = "RELAIS_", cause[OPTION_WHY_MAX];
        size_t len = strlen(name);
        for (const char *at = o->name; *at != 0; at++) {
            assert(len + 1 < sizeof name);
            name[len++] = (char)toupper((unsigned char)*at);
        }
        const char *value = option_used(c, o) ? getenv(name) : NULL;
        if (value == NULL) {
            continue;
        }
        if (!option_set(o, c, value, cause)) {
            bool secret = o->type == OPTION_SECRET;
            snprintf(why, CONFIG_WHY_MAX, "%s=%.128s: %s", name, secret ? "***" : value, cause);
            return false;
        }
        c->source[i].from = FROM_ENVIRONMENT;
    }
    return true;
}

static bool take_flag(struct config *c, struct flag *f, bool *taken, char *why) {
    char cause[OPTION_WHY_MAX];
    const struct option *o = option_find(f->name, f->len, true);
    *taken = true;
    if (flag_is(f, "print-config") || flag_is(f, "check-config")) {
        bool print = flag_is(f, "print-config");
        *(print ? &c->print : &c->check) = true;
        f->words = 1;
        return true;
    }
    if (!flag_is(f, "config") && (o == NULL || !option_used(c, o))) {
        *taken = false;
        return true;
    }
    if (f->value == NULL) {
        snprintf(why, CONFIG_WHY_MAX, "--%.64s needs a value", f->name);
        return false;
    }
    if (o == NULL) {
        return true; /* --config was read before */
    }
    if (!option_set(o, c, f->value, cause)) {
        bool secret = o->type == OPTION_SECRET;
        snprintf(why, CONFIG_WHY_MAX, "--%.*s %.128s: %s", (int)f->len, f->name,
                 secret ? "***" : f->value, cause);
        return false;
    }
    c->source[o - option_table].from = FROM_FLAG;
    return true;
}

static bool read_flags(struct config *c, int *argc, char **argv, char *why) {
    int left = 1;
    for (int at = 1; at < *argc;) {
        struct flag flag;
        bool taken = false;
        if (strcmp(argv[at], "--") == 0) {
            while (at < *argc) {
                argv[left++] = argv[at++];
            }
            break;
        }
        if (flag_at(&flag, *argc, argv, at) && !take_flag(c, &flag, &taken, why)) {
            return false;
        }
        if (taken) {
            at += flag.words;
        } else {
            argv[left++] = argv[at++];
        }
    }
    argv[left] = NULL;
    *argc = left;
    return true;
}

static const char *find_file(int argc, char **argv) {
    const char *path = getenv("RELAIS_CONFIG");
    for (int at = 1; at < argc && strcmp(argv[at], "--") != 0; at++) {
        struct flag flag;
        if (flag_at(&flag, argc, argv, at) && flag_is(&flag, "config")) {
            path = flag.value;
        }
    }
    return path;
}

/* ---- the whole ---- */

/* What no single range can say. */
static bool check_together(const struct config *c, char *why) {
    const char *cause = NULL;
    if (!(c->beat_ms < c->suspect_ms && c->suspect_ms <= c->doubt_ms &&
          c->doubt_ms < c->lost_ms)) {
        cause = "beat_ms < suspect_ms <= doubt_ms < lost_ms must hold";
    } else if (c->backoff_ms > c->backoff_ms_max) {
        cause = "backoff_ms must not be above backoff_ms_max";
    } else if ((uint64_t)c->checkpoint_max + c->payload_max + 65536 > c->frame_bytes_max) {
        cause = "frame_bytes_max must hold payload_max + checkpoint_max + 64K";
    } else if (c->segment_bytes * 2 > c->tail_bytes_max) {
        cause = "tail_bytes_max must hold two segments of segment_bytes";
    }
    if (cause != NULL) {
        snprintf(why, CONFIG_WHY_MAX, "%s", cause);
    }
    return cause == NULL;
}

bool config_load(struct config *c, unsigned sections, int *argc, char **argv, char *why) {
    config_init(c, sections);
    const char *path = find_file(*argc, argv);
    if ((path == NULL || *path == 0 || read_file(c, path, why)) && read_environment(c, why) &&
        read_flags(c, argc, argv, why) && check_together(c, why)) {
        return true;
    }
    config_free(c);
    return false;
}

int config_start(struct config *c, unsigned sections, int *argc, char **argv) {
    char why[CONFIG_WHY_MAX];
    if (!config_load(c, sections, argc, argv, why)) {
        fprintf(stderr, "relais %s: %s\n", argv[0], why);
        return 2;
    }
    if (!c->print && !c->check) {
        enum log_level level = LEVEL_INFO;
        bool known = log_level_parse(c->log_level, &level);
        assert(known); /* option.def lists the same words */
        log_open(argv[0], level, 2);
        return -1;
    }
    bool known = config_used_up(*argc, argv);
    if (known && c->print) {
        config_print(c, stdout);
    }
    config_free(c);
    return known ? 0 : 2;
}

bool config_used_up(int argc, char **argv) {
    if (argc <= 1) {
        return true;
    }
    struct flag flag;
    const struct option *o = NULL;
    if (flag_at(&flag, argc, argv, 1)) {
        o = option_find(flag.name, flag.len, true);
    }
    fprintf(stderr, "relais %s: %.128s is not understood", argv[0], argv[1]);
    if (o != NULL) {
        fprintf(stderr, ": it is an option of [%s]", section_name(o->section));
    }
    fputc('\n', stderr);
    return false;
}

static void print_option(const struct config *c, const struct option *o, FILE *out) {
    const struct config_source *source = &c->source[o - option_table];
    char value[5000];
    option_print(o, c, value, sizeof value);
    fprintf(out, "; %s", o->sentence);
    if (strchr(o->unit, '|') != NULL || strcmp(o->unit, "bytes") == 0) {
        fprintf(out, " (%s)", o->unit);
    }
    switch ((enum config_from)source->from) {
    case FROM_DEFAULT: break;
    case FROM_FILE: fprintf(out, "; from %s:%u", c->file, (unsigned)source->line); break;
    case FROM_ENVIRONMENT: fputs("; from the environment", out); break;
    case FROM_FLAG: fputs("; from the command line", out); break;
    }
    fprintf(out, "\n%s = %s\n", o->name, value);
}

static const enum section sections_ordered[] = {SECTION_BASE, SECTION_BROKER, SECTION_GATEWAY,
                                                SECTION_WORK};

void config_print(const struct config *c, FILE *out) {
    for (size_t i = 0; i < sizeof sections_ordered / sizeof sections_ordered[0]; i++) {
        const enum section section = sections_ordered[i];
        if (!(c->sections & section)) {
            continue;
        }
        fprintf(out, "[%s]\n", section_name(section));
        for (size_t at = 0; at < OPTION_COUNT; at++) {
            if (option_table[at].section == section) {
                print_option(c, &option_table[at], out);
            }
        }
    }
}

static void help_option(const struct config *defaults, const struct option *o, FILE *out) {
    char value[5000], flag[64];
    size_t len = 0;
    for (; o->name[len] != 0 && len + 1 < sizeof flag; len++) {
        flag[len] = o->name[len] == '_' ? '-' : o->name[len];
    }
    flag[len] = 0;
    option_print(o, defaults, value, sizeof value);
    fprintf(out, "  --%-26s %s", flag, o->sentence);
    fprintf(out, value[0] != 0 ? " (%s)\n" : "\n", value);
}

/* What is set every day; of `relais work` that is all. */
static bool is_common(const struct option *o) {
    static const char *const common[] = {
        "data", "broker", "log_level", "listen", "curve", "http", "worker_tokens", "hook_allow",
        "smtp_url", "cors_origins", "open", "keep_ms", "dialect_keep", "claim_lease_ms",
        "default_timeout_ms", "free_bytes_min", "file_bytes_max", "upload_bytes_max",
        "connections_max", "rate_per_min", "register_open"};
    for (size_t i = 0; i < sizeof common / sizeof *common; i++)
        if (strcmp(common[i], o->name) == 0) return true;
    return o->section == SECTION_WORK;
}

/* How many of the section were left out. */
static unsigned help_section(const struct config *defaults, enum section section, enum help help,
                             FILE *out) {
    unsigned left = 0;
    for (size_t at = 0; at < OPTION_COUNT; at++) {
        const struct option *o = &option_table[at];
        if (o->section != section) continue;
        if (help == HELP_ALL || is_common(o)) help_option(defaults, o, out);
        else left++;
    }
    return left;
}

void config_help(unsigned sections, enum help help, FILE *out) {
    struct config defaults;
    unsigned left = 0;
    config_init(&defaults, sections);
    for (size_t i = 0; i < sizeof sections_ordered / sizeof sections_ordered[0]; i++) {
        if (!(sections & sections_ordered[i])) continue;
        if (help == HELP_ALL) fprintf(out, "%s[%s]\n", i > 0 ? "\n" : "",
                                      section_name(sections_ordered[i]));
        left += help_section(&defaults, sections_ordered[i], help, out);
    }
    config_free(&defaults);
    fputs("\n  --config FILE, --print-config, --check-config; the environment: RELAIS_NAME\n", out);
    if (left > 0) fprintf(out, "  --help all lists %u more\n", left);
}

enum help config_help_asked(int argc, char **argv) {
    for (int at = 1; at < argc && strcmp(argv[at], "--") != 0; at++) {
        if (strcmp(argv[at], "--help") != 0 && strcmp(argv[at], "-h") != 0) continue;
        return at + 1 < argc && strcmp(argv[at + 1], "all") == 0 ? HELP_ALL : HELP_SHORT;
    }
    return HELP_NONE;
}

/* ---- endpoints ---- */

bool config_address(const char *text, char host[static CONFIG_HOST_MAX], uint16_t *port) {
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon == text) {
        return false;
    }
    size_t len = (size_t)(colon - text);
    const char *start = text;
    if (text[0] == '[') {
        if (text[len - 1] != ']') {
            return false;
        }
        start++;
        len -= 2;
    } else if (memchr(text, ':', len) != NULL) {
        return false; /* IPv6 needs its brackets */
    }
    unsigned long number = 0;
    size_t digits = strspn(colon + 1, "0123456789");
    if (digits == 0 || digits > 5 || colon[1 + digits] != 0 || len == 0 ||
        len >= CONFIG_HOST_MAX || (number = strtoul(colon + 1, NULL, 10)) > 65535) {
        return false;
    }
    memcpy(host, start, len);
    host[len] = 0;
    *port = (uint16_t)number;
    return true;
}

void config_ipc_endpoint(const struct config *c, char *endpoint) {
    snprintf(endpoint, CONFIG_ENDPOINT_MAX, "ipc://%s/broker.ipc", c->data);
}

void config_broker_endpoint(const struct config *c, char *endpoint) {
    if (*c->broker != 0) {
        snprintf(endpoint, CONFIG_ENDPOINT_MAX, "%s", c->broker);
    } else if (c->sections & SECTION_GATEWAY) {
        config_ipc_endpoint(c, endpoint);
    } else {
        snprintf(endpoint, CONFIG_ENDPOINT_MAX, "tcp://127.0.0.1:5555");
    }
}

void config_files_endpoint(const char *endpoint, char *files) {
    char host[CONFIG_HOST_MAX];
    uint16_t port;
    if (strncmp(endpoint, "tcp://", 6) == 0 && config_address(endpoint + 6, host, &port)) {
        bool six = strchr(host, ':') != NULL;
        snprintf(files, CONFIG_ENDPOINT_MAX, "tcp://%s%s%s:%u", six ? "[" : "", host,
                 six ? "]" : "", port == 0 || port == 65535 ? 0u : port + 1u);
    } else {
        snprintf(files, CONFIG_ENDPOINT_MAX, "%s-files", endpoint);
    }
}
