/* resume.c - a long task that survives its worker: it counts to the number in its payload, one
 * step every STEP_MS, and stores a checkpoint at every tenth. Kill it in the middle and start it
 * again: the count goes on where the newest checkpoint was, on whichever machine.
 *
 *   resume [QUEUE]      takes tasks of the queue, "count" unless named, until SIGTERM
 *   relais submit count steps 500 --keep 1h
 *
 * The result says from where the last attempt went on: "500, from 120". */
#include <relais.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { STEP_MS = 20, STEPS_PER_CHECKPOINT = 10, STEPS_MAX = 1000000 };

static struct relais_worker *worker; /* a signal handler has no other way to it */

static void end(int signal_number) {
    (void)signal_number;
    relais_drain(worker);
}

/* Payloads and checkpoints are bytes without an end mark. */
static long number_of(const void *data, size_t len) {
    char text[16] = "";
    memcpy(text, data, len < sizeof text - 1 ? len : sizeof text - 1);
    return strtol(text, NULL, 10);
}

static int store(struct relais_worker *w, struct relais_task *task, long step, long steps) {
    char text[16];
    int len = snprintf(text, sizeof text, "%ld", step);
    relais_progress(w, task, (int)(step * 100 / steps), NULL);
    /* A checkpoint that is not acknowledged in time is repeated by the library: go on. */
    int code = relais_checkpoint(w, task, "step", text, (size_t)len, 5000, NULL);
    return code == RELAIS_TIMEOUT ? RELAIS_OK : code;
}

static int count(struct relais_worker *w, struct relais_task *task, void *context) {
    long steps = number_of(task->payload, task->payload_len);
    long from = task->checkpoint ? number_of(task->checkpoint_data, task->checkpoint_len) : 0;
    char result[64];
    (void)context;
    if (steps < 1 || steps > STEPS_MAX)
        return relais_fail(w, task, RELAIS_REASON_PERMANENT, "the payload is no number of steps");
    for (long step = from + 1; step <= steps; step++) {
        nanosleep(&(struct timespec){.tv_nsec = STEP_MS * 1000000L}, NULL);
        /* Cancelled, or the lease is lost: whatever is reported now only says that we stopped. */
        if (relais_cancelled(w, task)) return relais_release(w, task);
        if (step % STEPS_PER_CHECKPOINT == 0 && store(w, task, step, steps) != RELAIS_OK)
            return relais_release(w, task);
    }
    int len = snprintf(result, sizeof result, "%ld, from %ld", steps, from);
    return relais_done(w, task, result, (size_t)len);
}

int main(int argc, char **argv) {
    const char *queues[] = {argc > 1 ? argv[1] : "count", NULL};
    struct relais_worker_options options = {.queues = queues, .slots = 2};
    int code = relais_worker_new(&worker, &options);
    if (!code) code = relais_handle(worker, NULL, count, NULL);
    if (!code) {
        signal(SIGTERM, end);
        signal(SIGINT, end);
        code = relais_run(worker);
        relais_worker_destroy(&worker);
    }
    if (code) fprintf(stderr, "resume: %s\n", relais_error_text(code));
    return code ? 1 : 0;
}
