/* booth.h - the program around a speech worker: its options, its connections, and its end.
 *
 * A program says which queues it serves and what it does with a task of each type; booth_main does
 * the rest. Each of its slots has a booth: a recogniser and a connection for files, of which one
 * task at a time makes use. It uses relais.h and nothing else of relais: as a program of another
 * house would.
 *
 * TERM finishes what runs and ends; a second TERM hands it back, for another worker to go on. */
#ifndef RELAIS_WORKER_SPEECH_BOOTH_H
#define RELAIS_WORKER_SPEECH_BOOTH_H
#include "worker/relais.h"
#include "worker/speech/recogniser.h"

enum { SLOTS_MAX = 16, TRADES_MAX = 4 };

struct booth {
    struct recogniser *recogniser; /* owned, as the next */
    struct relais_files *files;
    const char *language;          /* of the model */
    bool taken;
};

/* Does a task and settles it. */
typedef void booth_work(struct booth *b, struct relais_worker *w, struct relais_task *task);

struct trade {
    const char *queue, *type;
    const char *flag; /* served only with this flag; NULL = always */
    booth_work *work;
};
struct program {
    const char *name, *about; /* about: what --help says, with an end of line */
    struct trade trades[TRADES_MAX];
};

/* Runs until TERM. Returns main's status: 2 when the command line is wrong. */
int booth_main(int argc, char **argv, const struct program *program);

/* What all trades need. True when the task is over for this worker, which was told to stop: it is
 * handed back and the pointer is dead. */
bool booth_stopped(struct relais_worker *w, struct relais_task *task);
/* Settles it as failed for good. */
void booth_refuse(struct relais_worker *w, struct relais_task *task, const char *why);
/* Settles it as done; what is too large for a message goes as a file. `text` is taken; NULL: there
 * was no memory for it. */
void booth_done(struct booth *b, struct relais_worker *w, struct relais_task *task, char *text);
#endif
