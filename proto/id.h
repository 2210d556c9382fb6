/* id.h - one 53-bit number, and how the dialects spell it.
 *
 *   cuid       c + 24 of [a-z0-9]               "c3k9…": 25 bytes
 *   job_uuid   UUIDv8 (RFC 9562), lower case     36 bytes; upper case is read too
 *   task_text  task_ + 12 of [0-9a-z]            17 bytes
 *
 * cuid and job_uuid carry the number, masked, and a 64-bit keyed tag of it; task_text is a keyed
 * permutation of the 53 bits and 9 check bits. So no spelling needs an index, neighbours do not
 * look alike, and a guess fails (2^-64, and 2^-9 per try for task_text, which never stands alone
 * as a credential). A reader takes only what the writer with the same key would have written.
 *
 * The keyed hash is handed in (the shells use SipHash with the data folder's secret), so that
 * this stays pure. Numbers are 1 .. 2^53 - 1. */
#ifndef RELAIS_PROTO_ID_H
#define RELAIS_PROTO_ID_H
#include "proto/base/bytes.h"

#define ID_NUMBER_MAX ((UINT64_C(1) << 53) - 1)
enum { CUID_SIZE = 26, JOB_UUID_SIZE = 37, TASK_TEXT_SIZE = 18 }; /* terminators included */

struct id_key {
    uint64_t (*hash)(const void *context, const void *data, size_t len); /* keyed, 64 bits */
    const void *context;                                                 /* borrowed */
};

void cuid_write(const struct id_key *key, uint64_t number, char text[static CUID_SIZE]);
/* The cuid of the result of the task with this number: another text than the task's own. */
void result_cuid_write(const struct id_key *key, uint64_t number, char text[static CUID_SIZE]);
void job_uuid_write(const struct id_key *key, uint64_t number, char text[static JOB_UUID_SIZE]);
void task_text_write(const struct id_key *key, uint64_t number, char text[static TASK_TEXT_SIZE]);

/* False and *number untouched when the text was not written with this key. */
bool cuid_read(const struct id_key *key, struct slice text, uint64_t *number);
bool result_cuid_read(const struct id_key *key, struct slice text, uint64_t *number);
bool job_uuid_read(const struct id_key *key, struct slice text, uint64_t *number);
bool task_text_read(const struct id_key *key, struct slice text, uint64_t *number);
#endif
