#include "worker/speech/booth.h"
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LABELS_MAX = 8, KEY_SIZE = 41, RESULT_INLINE_MAX = 60 << 10, PAUSE_MS_MIN = 50,
       PAUSE_MS_MAX = 5000 };

struct setup { /* the command line */
    struct relais_worker_options worker;
    const char *language, *model, *curve_file;
    const char *labels[LABELS_MAX + 1], *queues[TRADES_MAX + 1];
    char language_label[64], public_key[KEY_SIZE], secret_key[KEY_SIZE];
    uint32_t pause_ms;
    bool asked[TRADES_MAX];
};

struct hall { /* all booths of the program */
    pthread_mutex_t lock;
    struct booth booths[SLOTS_MAX];
    uint32_t count;
};
struct door { struct hall *hall; const struct trade *trade; }; /* what a handler is given */

static struct relais_worker *worker; /* a signal handler has no other way to it */

static void end(int signal_number) {
    static volatile sig_atomic_t asked;
    (void)signal_number;
    if (asked++) relais_stop(worker);
    else relais_drain(worker);
}

/* ---- the command line ---- */

static void help(const struct program *p) {
    printf("usage: %s [--OPTION VALUE]…\n\n%s\n", p->name, p->about);
    for (int i = 0; i < TRADES_MAX && p->trades[i].queue; i++)
        printf("  queue %s, type %s%s%s\n", p->trades[i].queue, p->trades[i].type,
               p->trades[i].flag ? ": only with --" : "",
               p->trades[i].flag ? p->trades[i].flag : "");
    puts("\n  --broker ENDPOINT    $RELAIS_BROKER, else tcp://127.0.0.1:5555\n"
         "  --files ENDPOINT     its file endpoint; the port after the broker's\n"
         "  --broker-key KEY     its public CURVE key\n"
         "  --curve-file FILE    our certificate\n"
         "  --brand N            0 = all that the key allows\n"
         "  --name NAME          shown in lists\n"
         "  --slots N            tasks at once, 1 to 16; each holds a model in memory (1)\n"
         "  --language LL        of the model: served as label language=LL (en)\n"
         "  --label K=V          a further label served\n"
         "  --model FOLDER       of pocketsphinx: en-us/, en-us.lm.bin, cmudict-en-us.dict\n"
         "  --pause-ms N         silence that ends an utterance, 50 to 5000 (250)");
}

static bool number_read(const char *text, unsigned long min, unsigned long max, uint32_t *ret) {
    char *after;
    unsigned long value = strtoul(text, &after, 10);
    if (after == text || *after || value < min || value > max) return false;
    *ret = (uint32_t)value;
    return true;
}

static bool label_add(struct setup *s, const char *label) {
    int i = 0;
    while (s->labels[i]) i++;
    if (i == LABELS_MAX || !strchr(label, '=')) return false;
    s->labels[i] = label;
    return true;
}

/* One option; the letters are those of `longs` below. */
static bool option_take(struct setup *s, const struct program *p, int letter, const char *value) {
    struct relais_link *link = &s->worker.link;
    if (letter >= '0' && letter < '0' + TRADES_MAX) return s->asked[letter - '0'] = true;
    switch (letter) {
    case 'b': link->endpoint = value; return true;
    case 'f': link->files = value; return true;
    case 'k': link->server_key = value; return true;
    case 'c': s->curve_file = value; return true;
    case 'n': link->name = value; return true;
    case 'g': s->language = value; return strlen(value) < 40;
    case 'l': return label_add(s, value);
    case 'm': s->model = value; return true;
    case 'd': return number_read(value, 0, UINT32_MAX, &link->brand);
    case 's': return number_read(value, 1, SLOTS_MAX, &s->worker.slots);
    case 'p': return number_read(value, PAUSE_MS_MIN, PAUSE_MS_MAX, &s->pause_ms);
    case 'h': help(p); exit(0);
    default: return false;
    }
}

static bool options_read(struct setup *s, const struct program *p, int argc, char **argv) {
    struct option longs[16 + TRADES_MAX] = {
        {"broker", 1, NULL, 'b'}, {"files", 1, NULL, 'f'}, {"broker-key", 1, NULL, 'k'},
        {"curve-file", 1, NULL, 'c'}, {"name", 1, NULL, 'n'}, {"language", 1, NULL, 'g'},
        {"label", 1, NULL, 'l'}, {"model", 1, NULL, 'm'}, {"brand", 1, NULL, 'd'},
        {"slots", 1, NULL, 's'}, {"pause-ms", 1, NULL, 'p'}, {"help", 0, NULL, 'h'}};
    int letter, count = 12, queues = 0;
    for (int i = 0; i < TRADES_MAX && p->trades[i].queue; i++)
        if (p->trades[i].flag)
            longs[count++] = (struct option){p->trades[i].flag, 0, NULL, '0' + i};
    while ((letter = getopt_long(argc, argv, "h", longs, NULL)) >= 0)
        if (!option_take(s, p, letter, optarg)) return false;
    if (optind < argc) return false;
    for (int i = 0; i < TRADES_MAX && p->trades[i].queue; i++)
        if (!p->trades[i].flag || s->asked[i]) s->queues[queues++] = p->trades[i].queue;
    snprintf(s->language_label, sizeof s->language_label, "language=%s", s->language);
    return label_add(s, s->language_label);
}

/* The 40 characters between the quotes behind a name, as certificates have them. */
static void key_read(const char *line, const char *name, char key[KEY_SIZE]) {
    const char *at = strstr(line, name);
    at = at ? strchr(at, '"') : NULL;
    if (at && strcspn(at + 1, "\"") == KEY_SIZE - 1) memcpy(key, at + 1, KEY_SIZE - 1);
}

static bool curve_read(struct setup *s) {
    char line[512];
    FILE *f = s->curve_file ? fopen(s->curve_file, "re") : NULL;
    if (!s->curve_file) return true;
    while (f && fgets(line, sizeof line, f)) {
        key_read(line, "public-key", s->public_key);
        key_read(line, "secret-key", s->secret_key);
    }
    if (f) fclose(f);
    s->worker.link.public_key = s->public_key;
    s->worker.link.secret_key = s->secret_key;
    return s->public_key[0] && s->secret_key[0];
}

/* ---- booths ---- */

static bool hall_open(struct hall *h, const struct setup *s) {
    pthread_mutex_init(&h->lock, NULL);
    while (h->count < s->worker.slots) {
        struct booth *b = &h->booths[h->count++];
        b->language = s->language;
        b->recogniser = recogniser_new(s->model, s->pause_ms);
        if (!b->recogniser || relais_files_open(&b->files, &s->worker.link) != RELAIS_OK)
            return false;
    }
    return true;
}

static void hall_close(struct hall *h) {
    for (uint32_t i = 0; i < h->count; i++) {
        recogniser_destroy(&h->booths[i].recogniser);
        relais_files_close(&h->booths[i].files);
    }
    pthread_mutex_destroy(&h->lock);
}

/* There is a booth for each slot, so one is free. */
static struct booth *hall_enter(struct hall *h) {
    struct booth *b = h->booths;
    pthread_mutex_lock(&h->lock);
    while (b->taken) b++;
    b->taken = true;
    pthread_mutex_unlock(&h->lock);
    return b;
}

static int handle(struct relais_worker *w, struct relais_task *task, void *context) {
    const struct door *door = context;
    struct booth *b = hall_enter(door->hall);
    door->trade->work(b, w, task);
    pthread_mutex_lock(&door->hall->lock);
    b->taken = false;
    pthread_mutex_unlock(&door->hall->lock);
    return 0;
}

static int serve(struct setup *s, const struct program *p, struct hall *hall) {
    struct door doors[TRADES_MAX];
    int code = relais_worker_new(&worker, &s->worker);
    for (int i = 0; !code && i < TRADES_MAX && p->trades[i].queue; i++) {
        doors[i] = (struct door){hall, &p->trades[i]};
        if (!p->trades[i].flag || s->asked[i])
            code = relais_handle(worker, p->trades[i].type, handle, &doors[i]);
    }
    if (!code) {
        signal(SIGTERM, end);
        signal(SIGINT, end);
        code = relais_run(worker);
    }
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    relais_worker_destroy(&worker);
    return code;
}

int booth_main(int argc, char **argv, const struct program *program) {
    struct setup s = {.language = "en", .pause_ms = PAUSE_MS, .worker = {.slots = 1}};
    struct hall hall = {.count = 0};
    int code = -1;
    if (!options_read(&s, program, argc, argv)) {
        fprintf(stderr, "%s: see %s --help\n", program->name, program->name);
        return 2;
    }
    if (!curve_read(&s)) {
        fprintf(stderr, "%s: there is no certificate in %s\n", program->name, s.curve_file);
        return 2;
    }
    s.worker.queues = s.queues;
    s.worker.labels = s.labels;
    if (!hall_open(&hall, &s))
        fprintf(stderr, "%s: pocketsphinx does not load its model\n", program->name);
    else if ((code = serve(&s, program, &hall)))
        fprintf(stderr, "%s: %s\n", program->name, relais_error_text(code));
    hall_close(&hall);
    return code ? 1 : 0;
}

/* ---- for the trades ---- */

bool booth_stopped(struct relais_worker *w, struct relais_task *task) {
    if (!relais_cancelled(w, task)) return false;
    relais_release(w, task);
    return true;
}

void booth_refuse(struct relais_worker *w, struct relais_task *task, const char *why) {
    relais_fail(w, task, RELAIS_REASON_PERMANENT, why);
}

static int file_send(struct booth *b, const char *text, struct relais_file *file) {
    size_t len = strlen(text), at = 0;
    int fd = memfd_create("result", MFD_CLOEXEC), code = fd < 0 ? RELAIS_SYSTEM : RELAIS_OK;
    while (!code && at < len) {
        ssize_t some = write(fd, text + at, len - at);
        if (some < 0) code = RELAIS_SYSTEM;
        else at += (size_t)some;
    }
    if (!code) lseek(fd, 0, SEEK_SET);
    if (!code) code = relais_upload(b->files, fd, "result.json", "application/json", file);
    if (fd >= 0) close(fd);
    return code;
}

void booth_done(struct booth *b, struct relais_worker *w, struct relais_task *task, char *text) {
    struct relais_file file;
    int code = text ? RELAIS_OK : RELAIS_MEMORY;
    if (!code && strlen(text) <= RESULT_INLINE_MAX) {
        relais_done(w, task, text, strlen(text));
        free(text);
        return;
    }
    if (!code) code = file_send(b, text, &file);
    free(text);
    if (code) relais_fail(w, task, RELAIS_REASON_FAILED, relais_error_text(code));
    else relais_done_with(w, task, NULL, 0, &(struct relais_result){.file = &file});
}
