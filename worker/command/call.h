/* call.h - one command's conversation with the broker.
 *
 *   struct call call;
 *   int words = call_open(&call, table, COUNT(table), "ID [--json]", 1, 1, argc, argv);
 *   if (words < 0) return call_exit(&call);
 *   …
 *   return call_close(&call, relais_get(call.client, id, 0, &view));
 *
 * Reads the options every command takes (--broker, --broker-key, --curve-file, --config, --json,
 * --brand), then the command's own, and connects. What goes wrong is said on stderr in one line,
 * in words and with its code. */
#ifndef RELAIS_WORKER_COMMAND_CALL_H
#define RELAIS_WORKER_COMMAND_CALL_H
#include "proto/host/args.h"
#include "worker/reach.h"

struct call {
    struct config config;
    struct reach reach;
    struct relais_client *client;
    const char *name; /* of the command */
    uint64_t brand;
    bool json;
    int code; /* exit status when call_open failed */
};

/* The number of words in argv[1…], or negative: end with call_exit. min and max bound it. */
int call_open(struct call *c, const struct arg *table, size_t count, const char *usage, int min,
              int max, int argc, char **argv);
int call_exit(struct call *c);
/* Says what a code other than 0 means, closes all, and returns the exit status: 0 or 1. */
int call_close(struct call *c, int code);
/* A task's number from text; false when it is none, and that has been said. */
bool call_id(const struct call *c, const char *text, uint64_t *id);
#endif
