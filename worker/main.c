/* main.c - relais work: any command is a worker. */
#include "command.h"
#include "proto/host/args.h"
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

static int help_print(enum help help) {
    puts("usage: relais work --queue Q[,Q] [--OPTION VALUE]… -- COMMAND [ARG…]\n\n"
         "Runs COMMAND once for each task: the payload, or the source file's bytes, on its stdin;\n"
         "its stdout is the result. See RELAIS_* in its environment and fd 3 for progress and\n"
         "checkpoints. TERM finishes what runs and ends; a second TERM hands it back.\n");
    puts("  --type T                     one more type to take\n"
         "  --label K=V                  one more label served\n"
         "  --permanent N[,N]            exit statuses that are never retried (64,65)");
    config_help(SECTION_BASE | SECTION_WORK, help, stdout);
    return 0;
}

/* ---- flags of our own, beside the options ---- */

struct flags {
    struct arg_list type, label;
    const char *permanent;
    char types[4096], labels[4096]; /* those and the options, comma between */
};

static bool join(char *text, size_t size, const char *option, const struct arg_list *more) {
    size_t len = (size_t)snprintf(text, size, "%s", option);
    for (size_t i = 0; i < more->count && len < size; i++)
        len += (size_t)snprintf(text + len, size - len, "%s%s", len ? "," : "", more->at[i]);
    return len < size;
}

/* -1 = go on, else the exit status. */
static int flags_take(struct flags *f, const struct config *config, int argc, char **argv) {
    const struct arg table[] = {
        {"type", ARG_LIST, &f->type, "one more type to take"},
        {"label", ARG_LIST, &f->label, "one more label served"},
        {"permanent", ARG_TEXT, &f->permanent, "exit statuses that are never retried"}};
    *f = (struct flags){.permanent = "64,65"};
    int words = args_read(table, COUNT(table), "--queue Q[,Q] -- COMMAND [ARG...]", argc, argv);
    if (words < 0) return args_exit(words);
    if (words > 0) {
        fprintf(stderr, "relais work: %.128s is not understood\n", argv[1]);
        return 2;
    }
    if (join(f->types, sizeof f->types, config->types, &f->type) &&
        join(f->labels, sizeof f->labels, config->labels, &f->label))
        return -1;
    fputs("relais work: too many types or labels\n", stderr);
    return 2;
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
    char *queue_text = strdup(config->queue), *type_text = strdup(flags->types);
    char *label_text = strdup(flags->labels);
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
    const enum help help = config_help_asked(argc, argv);
    if (help != HELP_NONE) return help_print(help);
    struct config config;
    int code = config_start(&config, SECTION_BASE | SECTION_WORK, &own, argv);
    if (code >= 0) return code;
    code = flags_take(&flags, &config, own, argv);
    if (code >= 0) {
        config_free(&config);
        return code;
    }
    code = work_with(&config, &flags, command);
    config_free(&config);
    return code;
}
