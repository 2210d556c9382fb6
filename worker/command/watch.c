#include "worker/command/watch.h"
#include "proto/decode.h"
#include "proto/host/clock.h"
#include <poll.h>
#include <stdio.h>
#include <string.h>

enum { LOOK_MS = 50 };

/* A counter of the answer to STATS; false when it is not there. */
static bool counter(const struct relais_bytes *body, const char *wanted, uint64_t *ret) {
    struct decode d = decode_of(body->data, body->len);
    uint32_t count;
    struct slice name;
    if (!decode_map(&d, &count)) return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!decode_slice(&d, &name)) return false;
        bool here = name.len == strlen(wanted) && memcmp(name.data, wanted, name.len) == 0;
        if (here) return decode_uint(&d, ret);
        if (!decode_skip(&d, 0)) return false;
    }
    return false;
}

/* Groups up to `reached` are in the table. */
static void behind(struct watch *w, int64_t now_us, uint64_t groups, uint64_t reached) {
    if (w->count - w->oldest == WATCH_LOOKS) w->oldest++;
    w->looks[w->count++ % WATCH_LOOKS] = (struct watch_look){now_us, groups};
    while (w->oldest + 1 < w->count && w->looks[(w->oldest + 1) % WATCH_LOOKS].groups <= reached)
        w->oldest++;
    if (groups <= reached) return;
    double s = (double)(now_us - w->looks[w->oldest % WATCH_LOOKS].at_us) / 1e6;
    if (s > w->behind_max_s) w->behind_max_s = s;
}

static bool look(struct watch *w) {
    struct relais_bytes body = {.data = NULL};
    double mb = process_rss_mb(w->b->server.pid);
    uint64_t groups, reached;
    if (mb > w->rss_peak_mb) w->rss_peak_mb = mb;
    int code = relais_stats(w->client, &body);
    bool ok = code == RELAIS_OK && counter(&body, "journal_groups", &groups) &&
              counter(&body, "reached", &reached);
    if (ok) behind(w, clock_mono_us(), groups, reached);
    else fprintf(stderr, "relais bench: STATS: %s\n", relais_error_text(code));
    relais_bytes_free(&body);
    return ok;
}

static void *run(void *context) {
    struct watch *w = context;
    while (!atomic_load(&w->ending) && !w->failed) {
        w->failed = !look(w);
        poll(NULL, 0, LOOK_MS);
    }
    return NULL;
}

bool watch_open(struct watch *w, const struct bench *b) {
    struct relais_client_options options = {.link = bench_link(b)};
    *w = (struct watch){.b = b};
    int code = relais_client_open(&w->client, &options);
    if (code != RELAIS_OK) {
        fprintf(stderr, "relais bench: a watching client: %s\n", relais_error_text(code));
        return false;
    }
    if (pthread_create(&w->thread, NULL, run, w) == 0) return true;
    relais_client_close(&w->client);
    return false;
}

bool watch_close(struct watch *w) {
    atomic_store(&w->ending, true);
    pthread_join(w->thread, NULL);
    relais_client_close(&w->client);
    return !w->failed;
}
