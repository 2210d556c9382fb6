/* server.h - a relais server of the bench's own: this very binary, on a temporary folder.
 *
 * Started by fork and exec of /proc/self/exe, told apart by its process id, stopped by it, and
 * killed by the kernel should the bench die first; its folder is then removed by a process that
 * does nothing but wait for that. The folder lies on a real disk (TMPDIR, else
 * /var/tmp), for a figure from a memory disk says nothing about durability. */
#ifndef RELAIS_WORKER_COMMAND_SERVER_H
#define RELAIS_WORKER_COMMAND_SERVER_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { SERVER_ENDPOINT_MAX = 256, SERVER_TOKEN_MAX = 4200, SERVER_OPTIONS_MAX = 8 };

struct server_keys { /* CURVE, Z85; server "" = none */
    char server[41], client_public[41], client_secret[41], worker_public[41], worker_secret[41];
};

struct server {
    pid_t pid;     /* 0 = not running */
    char *folder;  /* owned; NULL = not ours */
    pid_t sweeper; /* removes the folder when this process is gone */
    int lifeline;  /* its end is what the sweeper waits for */
    int out;       /* its stdout; kept open and unread after the ready line */
    int64_t ready_ms; /* from exec to the ready line */
    struct server_keys keys;
    char native[SERVER_ENDPOINT_MAX], http[SERVER_ENDPOINT_MAX];
};

/* Makes the folder and starts `relais serve` with options (NULL-ended, "--name=value" each) on
 * free ports. False when it did not get ready; the cause has been said. */
bool server_start(struct server *s, const char *const *options);
/* Starts it again on the same folder and ports. */
bool server_restart(struct server *s, const char *const *options);
/* TERM, and wait; KILL after 20 s. */
void server_stop(struct server *s);
void server_kill(struct server *s);
/* Stops it and removes the folder. */
void server_close(struct server *s);

/* Registers a client's and a worker's CURVE key with `relais key` and reads them and the server's
 * own into s->keys; false when that failed. */
bool server_keys_make(struct server *s);
/* A token of `relais token` for bench of that brand in this role; false when that failed. */
bool server_token(const struct server *s, const char *role, uint32_t brand,
                  char token[static SERVER_TOKEN_MAX]);
/* CPU seconds used so far, and resident memory in MB; 0 when there is no such process. */
double process_cpu_s(pid_t pid);
double process_rss_mb(pid_t pid);
/* Returns when the process has done next to nothing for 3 s, its memory as it was, or after 60. */
void process_rest(pid_t pid);
#endif
