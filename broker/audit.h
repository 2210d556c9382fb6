/* audit.h - who changed what in the administration: DATA/audit.log, append-only and hash-chained.
 *
 * One line an act, TAB between: number, time, actor, role, act, kind, name, brand, outcome, hash.
 * The hash is BLAKE2b-256 of the hash before it (zeros at first) and the line up to its last TAB,
 * in hex: a line that was changed, left out or put in breaks the chain there. Who may write the
 * folder can replace the whole chain: keep the newest hash elsewhere (`relais check` prints it).
 * Blanks, control bytes and "%" in names are written as %XX. The outcome is a code's name, or
 * "unknown" when nobody could be told one. The lines of a group are on disk before its answers
 * leave.
 *
 * A file that has reached bytes_max becomes DATA/audit.log.NUMBER, named by its last line, and a
 * new one begins with a line of its own act, `continue`, whose name is the hash that it follows:
 * the chain goes on over all files, and is verified from the oldest that is left. Beyond files_max
 * the oldest goes. Take any but the newest elsewhere as you like.
 *
 * A last line without its end is what a crash left of an act that nobody was told of: it is cut.
 * When the file cannot be written the act goes on, and the log says so. */
#ifndef RELAIS_BROKER_AUDIT_H
#define RELAIS_BROKER_AUDIT_H
#include "proto/message.h"

enum { AUDIT_HASH_BYTES = 32, AUDIT_HASH_TEXT_SIZE = 65 };

struct audit_options { /* borrowed while it is open */
    const char *data;
    uint64_t bytes_max; /* of one file */
    uint32_t files_max; /* beside the newest; 0 = all are kept */
};

struct act { /* what was asked for; texts are NUL-ended */
    char actor[WHO_NAME_MAX];
    uint8_t role;
    const char *verb;
    char kind[32], name[256];
    uint32_t brand;
};

struct audit; /* owned by one thread */

/* Opens or makes the newest file and finds the end of its chain. NULL with the cause in why. */
struct audit *audit_open(const struct audit_options *options, char *why, size_t why_size);
void audit_close(struct audit **self);
void audit_put(struct audit *a, const struct act *act, const char *outcome, int64_t wall_ms);
/* What was put is on disk after this. */
void audit_sync(struct audit *a);

/* lines: from the number `first` on; files that hold them */
struct audit_sum {
    uint64_t first, lines, findings;
    uint32_t files;
    char hash[AUDIT_HASH_TEXT_SIZE];
};
/* Verifies the chain over all files; tells each finding. An absent file has no findings. */
void audit_check(const char *data, void (*tell)(void *context, const char *finding), void *context,
                 struct audit_sum *ret);
#endif
