/* people.h - what `relais user`, `relais brand` and `relais key revoke` share: they ask the server
 * that runs on the data folder, as its administrator.
 *
 * Exit codes: 0 done, 1 refused or no server (said on stderr), 2 usage. */
#ifndef RELAIS_BROKER_COMMAND_PEOPLE_H
#define RELAIS_BROKER_COMMAND_PEOPLE_H
#include "broker/caller.h"
#include "proto/account.h"
#include "proto/object.h"

struct person { /* a user object */
    struct object_row row;  /* borrowed from the newest answer */
    char name[WHO_NAME_MAX];
    struct account_body body;
};

/* NULL, and the cause on stderr under the command's name. */
struct caller *people_open(const struct config *config, const char *command);
/* Says a refusal on stderr and returns 1. */
int people_refused(const char *command, const struct message *answer);
/* A message for an object. */
struct message people_message(enum verb verb, const char *kind, const char *name);
/* Says a message; true when it was done, else the refusal is on stderr. */
bool people_ask(struct caller *c, const char *command, struct message *m,
                const struct message **answer);
/* Asks for the next page of a kind, in order of creation; *next is the cursor and must be {0} at
 * first (freed at the end). False at the end, or with *failed. */
bool people_page(struct caller *c, const char *command, const char *kind, const char *owner,
                 struct buffer *next, struct slice *rows, bool *failed);
bool person_read(struct person *p, const struct object_row *row);
/* Revokes KIND:NAME: what was issued up to now; all, whenever issued, until that is lifted; or what
 * was issued up to now, and lifts that. */
enum revoke { REVOKE_NOW, REVOKE_ALL, REVOKE_LIFT };
bool people_revoke(struct caller *c, const char *command, const char *name, enum revoke how);
#endif
