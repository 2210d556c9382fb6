/* upload.h - the bytes of files on disk: DATA/files/ID, and DATA/files/incoming/ID before that.
 *
 * An upload is appended to, sealed (synced, its hash known), and moved to its place once the
 * record that names it is durable. All names are decimal numbers. Functions say errno in their
 * result: 0 is good. */
#ifndef RELAIS_BROKER_UPLOAD_H
#define RELAIS_BROKER_UPLOAD_H
#include "proto/base/bytes.h"
#include <sodium.h>

enum { UPLOAD_PATH_MAX = 4300, HASH_BYTES = crypto_hash_sha256_BYTES, WRITE_BEHIND = 8 << 20 };

struct upload_file {
    int fd; /* -1 = sealed */
    uint64_t size, behind; /* behind: bytes whose writing to disk has been started */
    crypto_hash_sha256_state state;
    uint8_t hash[HASH_BYTES]; /* once sealed */
};

int upload_folders_make(const char *data);
/* A new file; EEXIST when the id is taken, there or in its place. */
int upload_begin(struct upload_file *u, const char *data, uint64_t id);
int upload_append(struct upload_file *u, struct slice bytes);
int upload_seal(struct upload_file *u);
/* Closes it, and with `drop` takes the bytes away. */
void upload_end(struct upload_file *u, const char *data, uint64_t id, bool drop);
/* Moves a sealed upload to its place; 0 too when it is there already. */
int upload_place(const char *data, uint64_t id);
int upload_remove(const char *data, uint64_t id);
/* A descriptor of the file in its place or of a sealed upload, and its size; -1 with errno. */
int upload_open(const char *data, uint64_t id, uint64_t *size);
/* Calls `found` for each upload that is in incoming/. */
typedef void upload_found(void *context, uint64_t id);
int upload_scan(const char *data, upload_found *found, void *context);
#endif
