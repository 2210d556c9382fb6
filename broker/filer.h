/* filer.h - the file endpoint: a ROUTER of its own, served by a thread of its own.
 *
 * Bytes never pass through the task path. FILE_CREATE opens an upload at DATA/files/incoming/ID,
 * FILE_WRITE appends to it (offset = what is there already), FILE_SEAL fsyncs and answers size and
 * SHA-256. A task's SUBMIT or DONE then names the id; when the group that holds RECORD_FILE is
 * durable the file is moved to its place (filer_place), and RECORD_FILE_GONE unlinks it. The bytes
 * themselves are store/files.h's; here is who may do what with them. FILE_LINK gives the bytes of a
 * file a second id, an upload that is sealed already: each owner has a file of its own.
 *
 * An upload's id is a random number below 2^53 that no file on disk has: it cannot be guessed.
 *
 * Reading: gateways, and whoever shows the ticket that the task's delivery or view carried.
 *
 * Limits: uploads_max at once, file_bytes_max a file, file_chunk_bytes_max a chunk; an upload
 * without a chunk for upload_idle_ms is given up, sealed ones too when no task names them.
 * Refusals: STORAGE_FULL at the disk watermark, LIMIT_REACHED, PAYLOAD_TOO_LARGE, NOT_FOUND,
 * CONFLICT (wrong offset), FORBIDDEN (no ticket, someone else's upload). */
#ifndef RELAIS_BROKER_FILER_H
#define RELAIS_BROKER_FILER_H
#include "broker/router.h"
#include "store/store.h"

struct filer_setup {
    void *context;            /* ZeroMQ; borrowed */
    const char *data;
    const struct router_limits *router_limits;
    const struct secret *secret;
    uint64_t file_bytes_max, free_bytes_min, stream_bytes_max;
    uint32_t chunk_bytes_max, uploads_max, upload_idle_ms;
    uint32_t streams_max, stream_idle_ms, stream_ms_max, wait_ms_max;
};

struct filer;

struct filer *filer_new(const struct filer_setup *setup, char *why, size_t why_size);
bool filer_bind(struct filer *f, const char *endpoint, char *bound, size_t bound_size, char *why,
                size_t why_size);
/* After the binds. */
bool filer_start(struct filer *f);
void filer_destroy(struct filer **self);
/* When the store was opened. Before the binds: files whose records are in the store are moved to
 * their place, other uploads go. While it runs: uploads that were named learn what became of that.
 * Both times files whose records went shortly before are unlinked again. False with the cause in
 * why. */
bool filer_recover(struct filer *f, struct store *store, char *why, size_t why_size);
/* Any thread: a task is about to name this file. 0 with its size when it is sealed or in its
 * place, else NOT_FOUND; the upload is then kept until filer_place. */
enum code filer_name(struct filer *f, uint64_t file, uint64_t *ret_size);
/* The same for a file that may still grow (streamer.h); it need not be sealed. */
enum code filer_name_stream(struct filer *f, uint64_t file);
/* Any thread: the SHA-256 of a sealed upload that is not in its place yet; false else. */
bool filer_hash(struct filer *f, uint64_t file, uint8_t ret_hash[32]);
/* The broker's writer, through which records of files are read; NULL before it goes. */
struct writer;
void filer_serve(struct filer *f, struct writer *writer);
/* True when a task has it already. */
bool filer_placed(struct filer *f, uint64_t file);
/* Any thread, after the group is durable. */
void filer_place(struct filer *f, uint64_t file);
void filer_remove(struct filer *f, uint64_t file);
#endif
