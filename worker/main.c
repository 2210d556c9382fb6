/* main.c - relais work: any command is a worker. */
#include "command.h"
#include "proto/host/log.h"
#include "proto/host/signal.h"
#include "worker/crew.h"
#include "worker/reach.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WORDS_MAX = 64 };

static int help(void) {
    puts("usage: relais work --queue Q[,Q] [--OPTION VALUE]… -- COMMAND [ARG…]\n\n"
         "Runs COMMAND once for each task: the payload, or the source file's bytes, on its stdin;\n"
         "its stdout is the result. See RELAIS_* in its environment and fd 3 for progress and\n"
         "checkpoints. TERM finishes what runs and ends; a second TERM hands it back.\n");
    puts("  --type T                     one more type to take\n"
         "  --label K=V                  one more label served\n"
         "  --permanent N[,N]            exit statuses that are never retried (64,65)");
    config_help(SECTION_BASE | SECTION_WORK, stdout);
    return 0;
}

/* ---- flags of our own, beside the options: taken out of argv before those are read ---- */

struct flags {
    char types[4096 + 8], labels[1024 + 16]; /* "--types=a,b", as an option; "" = not given */
    const char *permanent;
};

static bool append(char *text, size_t size, const char *start, const char *word) {
    size_t len = strlen(text);
    int n = snprintf(text + len, size - len, "%s%s", len ? "," : start, word);
    return n > 0 && (size_t)n < size - len;
}

/* The value of --NAME VALUE or --NAME=VALUE at argv[*at]; NULL when it is another flag. */
static const char *value_of(const char *name, char **argv, int argc, int *at) {
    const char *text = argv[*at];
    size_t len = strlen(name);
    if (strncmp(text, name, len) != 0) return NULL;
    if (text[len] == '=') return text + len + 1;
    return text[len] == 0 && *at + 1 < argc ? argv[++*at] : NULL;
}

static bool flags_take(struct flags *f, int *argc, char **argv) {
    int kept = 1;
    *f = (struct flags){.permanent = "64,65"};
    for (int at = 1; at < *argc; at++) {
        const char *value;
        bool fits = true;
        if ((value = value_of("--type", argv, *argc, &at)))
            fits = append(f->types, sizeof f->types, "--types=", value);
        else if ((value = value_of("--label", argv, *argc, &at)))
            fits = append(f->labels, sizeof f->labels, "--labels=", value);
        else if ((value = value_of("--permanent", argv, *argc, &at))) f->permanent = value;
        else argv[kept++] = argv[at];
        if (!fits) return false;
    }
    if (f->types[0] && kept < *argc) argv[kept++] = f->types;
    if (f->labels[0] && kept < *argc) argv[kept++] = f->labels;
    *argc = kept;
    return true;
}

/* "64,65" to a bit each. */
static bool permanent_read(const char *text, uint64_t bits[4]) {
    memset(bits, 0, 4 * sizeof *bits);
    while (*text) {
        char *end;
        unsigned long status = strtoul(text, &end, 10);
        if (end == text || status > 255 || (*end && *end != ',')) return false;
        bits[status / 64] |= (uint64_t)1 << (status % 64);
        text = *end ? end + 1 : end;
    }
    return true;
}

/* Cuts text at its commas, in place; NULL-ended. NULL for an empty text. */
static const char *const *words_cut(char *text, const char *words[WORDS_MAX + 1]) {
    size_t count = 0;
    for (char *word; count < WORDS_MAX && (word = strsep(&text, ",")) != NULL;)
        if (word[0]) words[count++] = word;
    words[count] = NULL;
    return count ? words : NULL;
}

/* True when a command could be started at all: a typing error should not fail every task. */
static bool command_found(const char *name) {
    if (strchr(name, '/')) return access(name, X_OK) == 0;
    const char *path = getenv("PATH");
    char *dirs = strdup(path ? path : "/usr/bin:/bin"), *rest = dirs, *file = NULL;
    bool found = false;
    for (char *dir; !found && rest && (dir = strsep(&rest, ":")) != NULL;) {
        if (asprintf(&file, "%s/%s", dir[0] ? dir : ".", name) < 0) break;
        found = access(file, X_OK) == 0;
        free(file);
    }
    free(dirs);
    return found;
}

/* ---- the worker ---- */

static int refuse(const char *why) {
    fprintf(stderr, "relais work: %s\n", why);
    return 2;
}

static bool work_open(struct work *w, const struct relais_worker_options *o) {
    if (!keeper_open(&w->keeper)) { /* before the first thread */
        log_error("no keeper", field_text("cause", strerror(errno)));
        return false;
    }
    if (!folder_open(&w->folder)) {
        log_error("no temporary folder", field_text("cause", strerror(errno)));
        return false;
    }
    w->carrier = carrier_open(&o->link);
    int code = w->carrier ? relais_worker_new(&w->worker, o) : RELAIS_SYSTEM;
    if (code == RELAIS_OK) return true;
    log_error("the worker cannot start", field_text("cause", relais_error_text(code)));
    return false;
}

static int serve(const struct config *config, struct work *w, struct relais_worker_options *o) {
    struct crew crew;
    int signals = signal_open(), code = 1;
    bool opened = work_open(w, o) &&
                  crew_open(&crew, w, config->concurrency, config->prefetch > 0, signals);
    if (opened) {
        log_info("working", field_text("queues", config->queue),
                 field_text("broker", o->link.endpoint),
                 field_number("concurrency", config->concurrency));
        if (crew_run(&crew)) code = 0;
        else log_error("the broker refuses this worker",
                       field_text("code", relais_error_name(crew.refused)),
                       field_text("cause", relais_error_text(crew.refused)));
        crew_close(&crew);
    }
    relais_worker_destroy(&w->worker);
    carrier_close(&w->carrier);
    folder_close(&w->folder);
    keeper_close(&w->keeper);
    return code;
}

static int work_with(const struct config *config, const struct flags *flags, char *const *command) {
    struct reach reach;
    const char *queues[WORDS_MAX + 1], *types[WORDS_MAX + 1], *labels[WORDS_MAX + 1];
    struct work w = {.command = command, .keeper = {.pipe = -1}, .folder = {.lock = -1},
                     .input_file = strcmp(config->input, "file") == 0,
                     .kill_ms = config->kill_ms, .output_max = config->output_bytes_max};
    if (!permanent_read(flags->permanent, w.permanent))
        return refuse("--permanent takes exit statuses with a comma between");
    if (!command[0]) return refuse("the command is missing: relais work --queue Q -- COMMAND");
    if (!config->queue[0]) return refuse("--queue is missing");
    if (!command_found(command[0])) {
        fprintf(stderr, "relais work: there is no command %s\n", command[0]);
        return 2;
    }
    if (!reach_open(&reach, config)) return 2;
    char *queue_text = strdup(config->queue), *type_text = strdup(config->types);
    char *label_text = strdup(config->labels);
    reach.link.name = config->name[0] ? config->name : NULL;
    reach.link.brand = config->brand;
    struct relais_worker_options o = {
        .link = reach.link, .queues = words_cut(queue_text, queues),
        .types = words_cut(type_text, types), .labels = words_cut(label_text, labels),
        .slots = config->concurrency, .prefetch = config->prefetch,
        .on_doubt = strcmp(config->on_doubt, "stop") == 0 ? RELAIS_DOUBT_STOP : RELAIS_DOUBT_GO};
    int code = serve(config, &w, &o);
    free(queue_text);
    free(type_text);
    free(label_text);
    return code;
}

int command_work(int argc, char **argv) {
    int own = 1; /* flags, without the command */
    while (own < argc && strcmp(argv[own], "--") != 0) own++;
    char *const *command = own < argc ? argv + own + 1 : argv + argc;
    struct flags flags;
    if (config_help_asked(argc, argv)) return help();
    if (!flags_take(&flags, &own, argv)) return refuse("too many types or labels");
    struct config config;
    int code = config_start(&config, SECTION_BASE | SECTION_WORK, &own, argv);
    if (code >= 0) return code;
    if (!config_used_up(own, argv)) {
        config_free(&config);
        return 2;
    }
    code = work_with(&config, &flags, command);
    config_free(&config);
    return code;
}
