/* echo.c - the smallest worker: answers each task with its own payload.
 *
 *   echo [QUEUE]        takes tasks of the queue, "default" unless named, until SIGTERM
 *   relais submit default echo hello --keep 1h --wait 5s
 *
 * The broker is where RELAIS_BROKER says, tcp://127.0.0.1:5555 unless set. */
#include <relais.h>
#include <signal.h>
#include <stdio.h>

static struct relais_worker *worker; /* a signal handler has no other way to it */

static void end(int signal_number) {
    (void)signal_number;
    relais_drain(worker); /* what runs is finished and acknowledged first */
}

static int echo(struct relais_worker *w, struct relais_task *task, void *context) {
    (void)context;
    return relais_done(w, task, task->payload, task->payload_len);
}

int main(int argc, char **argv) {
    const char *queues[] = {argc > 1 ? argv[1] : "default", NULL};
    struct relais_worker_options options = {.queues = queues, .slots = 4};
    int code = relais_worker_new(&worker, &options);
    if (!code) code = relais_handle(worker, NULL, echo, NULL);
    if (!code) {
        signal(SIGTERM, end);
        signal(SIGINT, end);
        code = relais_run(worker);
        relais_worker_destroy(&worker);
    }
    if (code) fprintf(stderr, "echo: %s\n", relais_error_text(code));
    return code ? 1 : 0;
}
