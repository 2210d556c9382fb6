/* producer.c - submits through librelais as long as fewer tasks are in flight than are wished.
 *
 * Each task has its key as payload and as idempotency key. The library says a submit again after
 * a lost link; one that is refused for the moment (BUSY, UNAVAILABLE) is submitted again here,
 * with the same key and the same bytes. */
#include "tests/crash/load.h"
#include "worker/relais.h"
#include <stdio.h>
#include <stdlib.h>

enum { UNANSWERED_MAX = 4096, BURST = 512, AGAIN_MAX = 65536, REST_MS = 10, END_MS = 120000 };

struct producer {
    struct load *l;
    struct relais_client *client;
    uint64_t next;             /* number of the next key */
    uint64_t again[AGAIN_MAX]; /* numbers whose submit was refused for the moment */
    uint32_t again_count;
    uint64_t unanswered;
};
struct asked { struct producer *p; uint64_t number; };

static bool passing(int code) {
    return code == RELAIS_BUSY || code == RELAIS_UNAVAILABLE || code == RELAIS_UNCERTAIN ||
           code == RELAIS_NOT_LINKED || code == RELAIS_TIMED_OUT || code == RELAIS_TIMEOUT;
}

static void answered(void *context, int code, uint64_t id) {
    struct asked *asked = context;
    struct producer *p = asked->p;
    struct load *l = p->l;
    p->unanswered--;
    if (code == RELAIS_OK) {
        l->board->submitted[l->place]++;
        history_add(l, "ok submit %s-%llu %llu", l->name, (unsigned long long)asked->number,
                    (unsigned long long)id);
    } else {
        history_add(l, "fail submit %s-%llu %s", l->name, (unsigned long long)asked->number,
                    relais_error_name(code));
        if (passing(code) && p->again_count < AGAIN_MAX)
            p->again[p->again_count++] = asked->number;
    }
    free(asked);
}

/* False when the library takes no more now. */
static bool submit(struct producer *p, uint64_t number) {
    struct load *l = p->l;
    char key[96];
    int len = snprintf(key, sizeof key, "%s-%llu", l->name, (unsigned long long)number);
    const struct relais_submit task = {
        .queue = l->queue, .type = "load", .payload = key, .payload_len = (size_t)len,
        .key = key, .keep_ms = 3600000, .retries = 200, .backoff_ms = 1};
    struct asked *asked = malloc(sizeof *asked);
    if (!asked) return false;
    *asked = (struct asked){.p = p, .number = number};
    history_add(l, "invoke submit %s", key);
    history_flush(l); /* the library's thread may send it at once */
    if (relais_submit_async(p->client, &task, answered, asked) != RELAIS_OK) {
        free(asked);
        return false;
    }
    p->unanswered++;
    return true;
}

static void submit_some(struct producer *p, uint64_t wanted) {
    for (uint64_t i = 0; i < wanted && p->unanswered < UNANSWERED_MAX; i++) {
        bool old = p->again_count > 0;
        if (!submit(p, old ? p->again[p->again_count - 1] : p->next)) return;
        if (old) p->again_count--;
        else p->next++;
    }
}

int produce(struct load *l) {
    static struct producer p;
    p.l = l;
    const struct relais_client_options options = {
        .link = {.endpoint = l->endpoint, .name = l->name, .brand = 1}};
    int code = relais_client_open(&p.client, &options);
    if (code) {
        fprintf(stderr, "load: %s\n", relais_error_text(code));
        return 1;
    }
    for (int waited_ms = 0; waited_ms < END_MS;) {
        uint64_t level = l->board->level, now = board_in_flight(l->board) + p.unanswered;
        uint64_t room = level > now ? level - now : 0;
        if (l->board->end) waited_ms += REST_MS;
        if (l->board->end && p.unanswered == 0 && p.again_count == 0) break;
        submit_some(&p, room > BURST ? BURST : room > p.again_count ? room : p.again_count);
        relais_poll(p.client, REST_MS);
        history_flush(l);
    }
    bool whole = p.unanswered == 0;
    relais_client_close(&p.client);
    return whole ? 0 : 3;
}
