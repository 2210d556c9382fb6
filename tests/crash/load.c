/* load.c - one process of the load; see load.h. */
#include "tests/crash/load.h"
#include "proto/host/clock.h"
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { HISTORY_BYTES = 256 << 10, HISTORY_LINE = 512 };

static struct { char text[HISTORY_BYTES]; size_t len; } pending; /* one history a process */

void history_flush(struct load *l) {
    size_t at = 0;
    while (at < pending.len) {
        ssize_t n = write(l->history, pending.text + at, pending.len - at);
        if (n <= 0) {
            perror("load: the history cannot be written");
            exit(2);
        }
        at += (size_t)n;
    }
    pending.len = 0;
}

void history_add(struct load *l, const char *format, ...) {
    if (HISTORY_BYTES - pending.len < HISTORY_LINE) history_flush(l);
    char *to = pending.text + pending.len;
    int head = snprintf(to, HISTORY_LINE, "%lld ", (long long)clock_mono_us());
    va_list list;
    va_start(list, format);
    int len = vsnprintf(to + head, (size_t)(HISTORY_LINE - head - 1), format, list);
    va_end(list);
    if (len < 0 || len >= HISTORY_LINE - head - 1) {
        fprintf(stderr, "load: a line of history is too long\n");
        exit(2);
    }
    to[head + len] = '\n';
    pending.len += (size_t)(head + len + 1);
}

uint64_t board_in_flight(const struct board *b) {
    uint64_t submitted = 0, settled = 0;
    for (int i = 0; i < PLACES; i++) {
        submitted += b->submitted[i];
        settled += b->settled[i];
    }
    return submitted > settled ? submitted - settled : 0;
}

static struct board *board_map(const char *path) {
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return NULL;
    void *at = mmap(NULL, sizeof(struct board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return at == MAP_FAILED ? NULL : at;
}

static bool load_option(struct load *l, const char *name, const char *value) {
    if (strcmp(name, "--endpoint") == 0) l->endpoint = value;
    else if (strcmp(name, "--name") == 0) l->name = value;
    else if (strcmp(name, "--queue") == 0) l->queue = value;
    else if (strcmp(name, "--place") == 0) l->place = strtoull(value, NULL, 10);
    else if (strcmp(name, "--seed") == 0) l->seed = strtoull(value, NULL, 10);
    else if (strcmp(name, "--slots") == 0) l->slots = strtoull(value, NULL, 10);
    else if (strcmp(name, "--board") == 0) l->board = board_map(value);
    else if (strcmp(name, "--history") == 0)
        l->history = open(value, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    else return false;
    return true;
}

int main(int argc, char **argv) {
    struct load l = {.name = "load", .queue = "load", .slots = 64, .seed = 1, .history = -1};
    for (int i = 2; i + 1 < argc; i += 2)
        if (!load_option(&l, argv[i], argv[i + 1])) {
            fprintf(stderr, "load: %s is not known\n", argv[i]);
            return 2;
        }
    if (argc < 2 || !l.endpoint || !l.board || l.history < 0 || l.place >= PLACES) {
        fprintf(stderr, "usage: load producer|worker|library --endpoint E --history FILE "
                        "--board FILE --name NAME --place N\n");
        return 2;
    }
    l.role = argv[1];
    int code = 2;
    if (strcmp(l.role, "producer") == 0) code = produce(&l);
    else if (strcmp(l.role, "worker") == 0) code = labour(&l);
    else if (strcmp(l.role, "library") == 0) code = labour_by_library(&l);
    history_flush(&l);
    return code;
}
