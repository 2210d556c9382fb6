/* files.h - the bytes of files that tasks name: audio, video, results. Never in the task path.
 *
 * An upload grows in DATA/files/incoming/ID by appends in order, is hashed on the way, and sealed:
 * on disk, with its size and SHA-256. Then the group that names the file commits, then files_place
 * moves it to DATA/files/ID. When a record is gone files_remove unlinks. Start-up looks only at
 * incoming/: what has a record is placed, the rest is unlinked.
 *
 * What grows is written to disk in steps of FILE_BEHIND_BYTES on the way, so that a seal has little
 * left to wait for.
 *
 * Limits: uploads (open and sealed ones that are not placed yet) and bytes of a file. An upload
 * that nobody touched for idle_ms_max is dropped by files_expire; one that a task is about to name
 * is kept for named_ms_max; one whose record is durable is kept.
 *
 * Threads: any; calls for one id come from one thread at a time, but files_name, files_read and
 * files_each_named from any.
 *
 * DIAGNOSTICS: enum file_result, and errno with FILE_FAILED. FILE_FULL and FILE_FAILED leave an
 * upload as it was before the call, so an append may be tried again; after a sync that failed
 * nobody knows what is on disk, and the upload can only be dropped. */
#ifndef RELAIS_STORE_FILES_H
#define RELAIS_STORE_FILES_H
#include "proto/base/bytes.h"

enum file_result {
    FILE_OK = 0,
    FILE_UNKNOWN = 1, /* no such file or upload */
    FILE_EXISTS = 2,  /* the id is taken */
    FILE_ORDER = 3,   /* not at the upload's end, or it is sealed or named, or not yet */
    FILE_LIMIT = 4,   /* too many uploads */
    FILE_LARGE = 5,   /* over the size limit */
    FILE_FULL = 6,    /* no space */
    FILE_FAILED = 7   /* the disk failed */
};

enum { FILE_HASH_BYTES = 32, FILE_READ_MAX = 4 << 20, FILE_BEHIND_BYTES = 8 << 20 };

struct files_options {
    const char *folder; /* DATA */
    uint32_t uploads_max;
    uint64_t file_bytes_max;
    int64_t idle_ms_max, named_ms_max;
};

struct files;
/* Owned by the caller; NULL with a line in `why`. Makes the folders. */
struct files *files_open(const struct files_options *options, char *why, size_t why_size);
void files_close(struct files **self);

/* 1 when a record names the file, 0 when none does, -1 when that cannot be told. */
typedef int files_named(void *context, uint64_t id);
/* Start-up: places or unlinks everything in incoming/. Returns how many that was, -1 on error; what
 * cannot be told is left as it is. */
int64_t files_recover(struct files *f, files_named *named, void *context, char *why,
                      size_t why_size);

enum file_result files_create(struct files *f, uint64_t id, int64_t now_ms);
/* Bytes that lie before the end were said again after a lost answer: FILE_OK, nothing changes. */
enum file_result files_append(struct files *f, uint64_t id, uint64_t offset, struct slice bytes,
                              int64_t now_ms);
/* Sealing again gives the same answer. Outputs are untouched on failure. */
enum file_result files_seal(struct files *f, uint64_t id, int64_t now_ms, uint64_t *ret_size,
                            uint8_t ret_hash[FILE_HASH_BYTES]);
/* The bytes of `from`, a placed file or a sealed upload, get the new id: a sealed upload, by a hard
 * link. hash: of a placed file, whose record has it; NULL = not known, then only an upload can be
 * linked. Outputs are untouched on failure. */
enum file_result files_link(struct files *f, uint64_t from, uint64_t id, int64_t now_ms,
                            const uint8_t *hash, uint64_t *ret_size,
                            uint8_t ret_hash[FILE_HASH_BYTES]);
/* Gives an upload up, unless it is named: FILE_ORDER. */
enum file_result files_drop(struct files *f, uint64_t id);
typedef void files_found(void *context, uint64_t id);
/* Drops uploads that are idle, and calls `dropped` for each; returns how many. */
uint32_t files_expire(struct files *f, int64_t now_ms, files_found *dropped, void *context);

/* A task is about to name the file: FILE_OK with its size when it is sealed or placed. A sealed
 * upload is then named until files_place or files_unname: nobody drops it. */
enum file_result files_name(struct files *f, uint64_t id, int64_t now_ms, uint64_t *ret_size);
/* The hash of a sealed upload that is not placed yet; false when there is none. */
bool files_hash(struct files *f, uint64_t id, uint8_t ret_hash[FILE_HASH_BYTES]);
/* True when it has its place: the record of some task names it. */
bool files_placed(struct files *f, uint64_t id);
/* Of a file that has its place; else FILE_UNKNOWN. */
enum file_result files_size(struct files *f, uint64_t id, uint64_t *ret_size);
/* The task did not come to be. */
void files_unname(struct files *f, uint64_t id, int64_t now_ms);
/* The named uploads. `found` calls nothing of this module. */
void files_each_named(struct files *f, files_found *found, void *context);

/* The record is durable: the sealed upload gets its place. Doing it twice is fine. When it cannot
 * be moved now the next start does it. */
enum file_result files_place(struct files *f, uint64_t id);
/* The record is gone: the bytes go, wherever they are. */
enum file_result files_remove(struct files *f, uint64_t id);
/* Appends up to `len` (at most FILE_READ_MAX) bytes from `offset` to `bytes`; fewer at the end.
 * Reads placed files, and sealed ones on their way there. */
enum file_result files_read(struct files *f, uint64_t id, uint64_t offset, uint32_t len,
                            struct buffer *bytes, uint64_t *ret_size);
#endif
