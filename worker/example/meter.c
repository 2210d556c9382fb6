/* meter.c - a worker on a recording that is still being made: each second of sound (16 kHz, 16
 * bits, mono) becomes a part of the result as soon as it is there, its loudest sample.
 *
 *   meter [QUEUE]       takes jobs of the queue, "streaming_queue" unless named, until SIGTERM
 *
 * Part N is about second N and nothing else, so the number of parts that the task has already says
 * where to go on: no checkpoint is needed. */
#include <relais.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { SECOND = 32000 /* bytes */, WAIT_MS = 500, ANSWER_MS = 10000 };

static struct relais_worker *worker; /* a signal handler has no other way to it */

static void end(int signal_number) {
    (void)signal_number;
    relais_drain(worker);
}

static int loudest(const uint8_t *bytes, size_t len) {
    int most = 0;
    for (size_t i = 0; i + 1 < len; i += 2) {
        int sample = (int16_t)(bytes[i] | bytes[i + 1] << 8);
        if (abs(sample) > most) most = abs(sample);
    }
    return most;
}

/* A whole second, or what is left of one at the end. RELAIS_CLOSED: told to stop. */
static int second_read(struct relais_files *files, struct relais_worker *w,
                       struct relais_task *task, uint32_t number, uint8_t *bytes, size_t *ret_len,
                       bool *ret_end) {
    *ret_len = 0;
    for (*ret_end = false; *ret_len < SECOND && !*ret_end;) {
        size_t some = 0;
        uint64_t offset = (uint64_t)number * SECOND + *ret_len;
        int code = relais_read(files, task->source, task->source_ticket, offset, bytes + *ret_len,
                               SECOND - *ret_len, WAIT_MS, &some, ret_end);
        if (relais_cancelled(w, task)) return RELAIS_CLOSED;
        if (code && code != RELAIS_TIMEOUT) return code;
        *ret_len += code ? 0 : some;
    }
    return RELAIS_OK;
}

static int measure(struct relais_worker *w, struct relais_task *task, void *context) {
    struct relais_files *files = context;
    uint8_t bytes[SECOND];
    uint32_t number = task->parts;
    char text[64];
    bool over = false;
    int code = RELAIS_OK;
    while (!code && !over) {
        size_t len;
        code = second_read(files, w, task, number, bytes, &len, &over);
        if (code || len == 0) break;
        int size = snprintf(text, sizeof text, "{\"id\":%u,\"text\":\"%d\"}", number,
                            loudest(bytes, len));
        code = relais_part(w, task, ++number, text, (size_t)size, ANSWER_MS);
    }
    if (relais_cancelled(w, task)) return relais_release(w, task);
    if (code) return relais_fail(w, task, RELAIS_REASON_FAILED, relais_error_text(code));
    int size = snprintf(text, sizeof text, "{\"full_text\":\"%u seconds\"}", number);
    return relais_done(w, task, text, (size_t)size);
}

int main(int argc, char **argv) {
    const char *queues[] = {argc > 1 ? argv[1] : "streaming_queue", NULL};
    struct relais_worker_options options = {.queues = queues}; /* one task at a time: one file */
    struct relais_files *files = NULL;
    int code = relais_files_open(&files, &options.link);
    if (!code) code = relais_worker_new(&worker, &options);
    if (!code) code = relais_handle(worker, "streaming", measure, files);
    if (!code) {
        signal(SIGTERM, end);
        signal(SIGINT, end);
        code = relais_run(worker);
        relais_worker_destroy(&worker);
    }
    relais_files_close(&files);
    if (code) fprintf(stderr, "meter: %s\n", relais_error_text(code));
    return code ? 1 : 0;
}
