#include "store/journal.h"
#include "store/segment.h"
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SPARE_MAX = 4, PATH_BYTES = 480, RANDOM_BITS = 24 };

struct journal {
    char folder[PATH_BYTES];
    uint64_t segment_bytes;
    bool read_only, replayed;
    bool last_durable; /* the last segment holds a frame on disk: those before it may go */
    uint64_t incarnation, newest, reached, sequence;
    unsigned next_file;
    pthread_mutex_t lock; /* the two lists */
    struct segment *first, *last; /* the chain, oldest first; the last takes the appends */
    struct segment *spares;       /* free: their header, if any, is of the past */
    struct segment *unknown;      /* without valid header, until the replay has looked at them */
    unsigned segment_count, spare_count;
    uint64_t bytes, cut_bytes;
};

static bool fail(char *why, size_t why_size, const char *path, const char *what) {
    snprintf(why, why_size, "%s: %s", path, what);
    return false;
}

static bool fail_errno(char *why, size_t why_size, const char *path) {
    return fail(why, why_size, path, strerror(errno));
}

static bool sync_folder(const struct journal *j) {
    int fd = open(j->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return false;
    bool ok = fsync(fd) == 0;
    close(fd);
    return ok;
}

/* ---- opening: which files make the chain ---- */

static void push(struct segment **list, struct segment *s) {
    s->next = *list;
    *list = s;
}

/* Sorted by place, newest first. */
static void insert_newest_first(struct segment **list, struct segment *s) {
    while (*list && (*list)->header.sequence > s->header.sequence) list = &(*list)->next;
    push(list, s);
}

static bool open_files(struct journal *j, struct segment **used, char *why, size_t why_size) {
    DIR *dir = opendir(j->folder);
    if (!dir) return fail_errno(why, why_size, j->folder);
    bool ok = true;
    for (struct dirent *entry; ok && (entry = readdir(dir));) {
        unsigned number;
        int end = 0;
        char path[PATH_BYTES + 32];
        if (sscanf(entry->d_name, "%u.seg%n", &number, &end) != 1 || entry->d_name[end]) continue;
        snprintf(path, sizeof path, "%s/%06u.seg", j->folder, number);
        struct segment *s = segment_open(path, j->read_only);
        if (!s) { ok = fail_errno(why, why_size, path); break; }
        if (number >= j->next_file) j->next_file = number + 1;
        if (s->used) insert_newest_first(used, s);
        else push(&j->unknown, s);
    }
    closedir(dir);
    return ok;
}

/* Moves from `used` (newest first) to the chain what replay from reached + 1 needs, and the
 * segment that holds `reached` itself where it still is one: it tells where the journal ends. */
static bool chain(struct journal *j, struct segment **used, char *why, size_t why_size) {
    struct segment *newest = *used;
    char what[160];
    if (newest && newest->header.replay_from > j->reached + 1) {
        snprintf(what, sizeof what, "begins behind group %llu, but the table ends at group %llu",
                 (unsigned long long)newest->header.replay_from - 1,
                 (unsigned long long)j->reached);
        return fail(why, why_size, newest->path, what);
    }
    while (*used && (!j->first || j->first->header.first_group > j->reached)) {
        struct segment *s = *used;
        if (j->first && s->header.sequence + 1 != j->first->header.sequence) break;
        if (j->first && !j->first->header.before_end) break;
        *used = s->next;
        s->next = j->first;
        j->first = s;
        if (!j->last) j->last = s;
        j->segment_count++;
    }
    if (j->first && *used && (*used)->header.sequence == j->first->header.sequence)
        return fail(why, why_size, (*used)->path, "another segment has the same place");
    if (!j->first || !j->first->header.before_end) return true;
    if (j->first->header.first_group <= j->reached + 1) return true;
    snprintf(what, sizeof what, "the segment before it is missing; it holds group %llu",
             (unsigned long long)j->reached + 1);
    return fail(why, why_size, j->first->path, what);
}

static void discard(struct journal *j, struct segment *s) {
    if (!j->read_only) unlink(s->path);
    segment_close(&s);
}

/* Only under the lock, or before threads are. */
static void spare(struct journal *j, struct segment *s) {
    if (s->size != j->segment_bytes || j->spare_count >= SPARE_MAX) { discard(j, s); return; }
    push(&j->spares, s);
    j->spare_count++;
}

static uint64_t fresh_incarnation(uint64_t newest) {
    uint64_t noise = 0;
    if (getrandom(&noise, sizeof noise, 0) != sizeof noise) noise = (uint64_t)clock();
    uint64_t now = (uint64_t)time(NULL) << RANDOM_BITS | (noise >> (64 - RANDOM_BITS));
    return now > newest ? now : newest + 1 + (noise & 0xffff);
}

struct journal *journal_open(const struct journal_options *o, uint64_t reached, char *why,
                             size_t why_size) {
    assert(o->segment_bytes >= 65536 && o->segment_bytes % 4096 == 0);
    assert(strlen(o->folder) < PATH_BYTES);
    struct journal *j = calloc(1, sizeof *j);
    struct segment *used = NULL;
    if (!j) { fail(why, why_size, o->folder, "memory is out"); return NULL; }
    snprintf(j->folder, sizeof j->folder, "%s", o->folder);
    j->segment_bytes = o->segment_bytes;
    j->read_only = o->read_only;
    j->reached = reached;
    j->next_file = 1;
    pthread_mutex_init(&j->lock, NULL);
    if (!o->read_only && mkdir(o->folder, 0700) != 0 && errno != EEXIST)
        fail_errno(why, why_size, o->folder);
    bool ok = open_files(j, &used, why, why_size);
    uint64_t incarnation = 0;
    for (struct segment *s = used; s; s = s->next) {
        if (s->header.incarnation > incarnation) incarnation = s->header.incarnation;
        if (s->header.sequence > j->sequence) j->sequence = s->header.sequence;
    }
    j->incarnation = fresh_incarnation(incarnation);
    ok = ok && chain(j, &used, why, why_size);
    for (struct segment *s = used, *next; s; s = next) {
        next = s->next;
        if (ok) spare(j, s);
        else segment_close(&s);
    }
    if (!ok) journal_close(&j);
    return j;
}

static void close_list(struct segment *s) {
    for (struct segment *next; s; s = next) {
        next = s->next;
        segment_close(&s);
    }
}

void journal_close(struct journal **self) {
    struct journal *j = *self;
    if (!j) return;
    close_list(j->first);
    close_list(j->spares);
    close_list(j->unknown);
    pthread_mutex_destroy(&j->lock);
    free(j);
    *self = NULL;
}

/* ---- replay ---- */

static bool damaged(char *why, size_t why_size, const struct segment *s, uint64_t offset,
                    const char *what) {
    snprintf(why, why_size, "%s: damaged at offset %llu: %s", s->path, (unsigned long long)offset,
             s->error ? strerror(s->error) : what);
    return false;
}

/* Every frame of a segment. `end`: where they must end, 0 = where they stop holding. */
static bool replay_segment(struct journal *j, struct segment *s, uint64_t end, journal_taken *taken,
                           void *context, char *why, size_t why_size) {
    struct buffer records = {0};
    struct frame_header frame;
    bool ok = true;
    uint64_t after = s->header.first_group - 1;
    if (after < j->newest)
        ok = damaged(why, why_size, s, 0, "its groups overlap the segment before");
    while (ok && (!end || s->end < end) && segment_next(s, after, &frame, &records)) {
        after = j->newest = frame.group;
        if (frame.group > j->reached && !taken(context, frame.group, buffer_slice(&records)))
            ok = damaged(why, why_size, s, s->newest_at, "its records do not decode");
    }
    buffer_free(&records);
    if (ok && s->error) ok = damaged(why, why_size, s, s->end, "");
    if (ok && end && s->end != end)
        ok = damaged(why, why_size, s, s->end, "a frame does not hold, later segments do");
    return ok;
}

/* The newest segment may end in a torn write; a frame that holds behind it says otherwise. */
static bool check_tail(struct journal *j, char *why, size_t why_size) {
    struct segment *s = j->last;
    uint64_t later = segment_find(s, j->newest);
    if (s->error) return damaged(why, why_size, s, s->end, "");
    if (later) {
        char what[96];
        snprintf(what, sizeof what, "a frame does not hold, the one at offset %llu does",
                 (unsigned long long)later);
        return damaged(why, why_size, s, s->end, what);
    }
    j->cut_bytes = segment_torn(s, j->newest);
    return true;
}

/* Segments without a header are fresh ones, or one whose header is damaged. */
static bool check_unknown(struct journal *j, char *why, size_t why_size) {
    for (struct segment *s; (s = j->unknown);) {
        uint64_t frame = segment_find(s, j->newest > j->reached ? j->newest : j->reached);
        if (s->error || frame)
            return damaged(why, why_size, s, 0, "its header does not hold, later frames do");
        j->unknown = s->next;
        spare(j, s);
    }
    return true;
}

/* Makes the tail durable beyond doubt and takes an empty newest segment out of the chain. */
static bool settle(struct journal *j, char *why, size_t why_size) {
    struct segment *s = j->last;
    if (j->read_only || !s) return true;
    if (s->newest) return segment_settle(s) || fail_errno(why, why_size, s->path);
    struct segment **at = &j->first;
    j->last = NULL;
    for (; *at != s; at = &(*at)->next) j->last = *at;
    *at = NULL;
    j->segment_count--;
    if (!segment_erase(s)) { fail_errno(why, why_size, s->path); segment_close(&s); return false; }
    spare(j, s);
    return !j->last || segment_settle(j->last) || fail_errno(why, why_size, j->last->path);
}

bool journal_replay(struct journal *j, journal_taken *taken, void *context, char *why,
                    size_t why_size) {
    assert(!j->replayed);
    for (struct segment *s = j->first; s; s = s->next) {
        uint64_t end = s->next ? s->next->header.before_end : 0;
        if (!replay_segment(j, s, end, taken, context, why, why_size)) return false;
    }
    if (j->last && !check_tail(j, why, why_size)) return false;
    if (!check_unknown(j, why, why_size)) return false;
    if (j->newest < j->reached) {
        snprintf(why, why_size, "%s: ends at group %llu, but the table holds group %llu",
                 j->last ? j->last->path : j->folder, (unsigned long long)j->newest,
                 (unsigned long long)j->reached);
        return false;
    }
    j->replayed = settle(j, why, why_size);
    return j->replayed;
}

/* ---- appending ---- */

static struct segment *make(struct journal *j, uint64_t size, char *why, size_t why_size) {
    char path[PATH_BYTES + 32];
    pthread_mutex_lock(&j->lock);
    snprintf(path, sizeof path, "%s/%06u.seg", j->folder, j->next_file++);
    pthread_mutex_unlock(&j->lock);
    struct segment *s = segment_make(path, size);
    if (s && !sync_folder(j)) {
        int error = errno;
        unlink(path);
        segment_close(&s);
        errno = error;
    }
    if (!s) fail_errno(why, why_size, path);
    return s;
}

/* A segment with room for `bytes` of frames becomes the last of the chain. */
static bool begin(struct journal *j, uint64_t group, uint64_t bytes, char *why, size_t why_size) {
    uint64_t need = (SEGMENT_HEADER_BYTES + bytes + 4095) & ~4095ull;
    struct segment *s = NULL;
    pthread_mutex_lock(&j->lock);
    if (need <= j->segment_bytes && j->spares) {
        s = j->spares;
        j->spares = s->next;
        j->spare_count--;
    }
    pthread_mutex_unlock(&j->lock);
    if (!s) s = make(j, need > j->segment_bytes ? need : j->segment_bytes, why, why_size);
    if (!s) return false;
    s->next = NULL;
    s->used = false;
    s->end = SEGMENT_HEADER_BYTES;
    s->newest = s->newest_at = 0;
    s->header = (struct segment_header){
        .sequence = j->last ? j->last->header.sequence + 1 : j->sequence + 1,
        .incarnation = j->incarnation,
        .first_group = group, .before_end = j->last ? j->last->end : 0};
    pthread_mutex_lock(&j->lock);
    s->header.replay_from = j->reached + 1;
    if (j->last) j->last->next = s;
    else j->first = s;
    j->last = s;
    j->last_durable = false;
    j->segment_count++;
    pthread_mutex_unlock(&j->lock);
    return true;
}

bool journal_append(struct journal *j, uint64_t group, struct slice records, char *why,
                    size_t why_size) {
    uint64_t bytes = FRAME_HEADER_BYTES + (uint64_t)records.len + FRAME_ALIGN;
    assert(j->replayed && !j->read_only && group > j->newest && records.len <= GROUP_BYTES_MAX);
    struct segment *s = j->last;
    bool room = s && s->header.incarnation == j->incarnation && s->end + bytes <= s->size;
    if (!room && !begin(j, group, bytes, why, why_size)) return false;
    s = j->last;
    if (!segment_append(s, group, records)) return fail_errno(why, why_size, s->path);
    if (!room) {
        pthread_mutex_lock(&j->lock);
        j->last_durable = true;
        pthread_mutex_unlock(&j->lock);
    }
    __atomic_store_n(&j->newest, group, __ATOMIC_RELEASE);
    __atomic_add_fetch(&j->bytes, bytes, __ATOMIC_RELAXED);
    return true;
}

uint64_t journal_newest(const struct journal *j) {
    return __atomic_load_n(&j->newest, __ATOMIC_ACQUIRE);
}

void journal_trim(struct journal *j, uint64_t reached) {
    pthread_mutex_lock(&j->lock);
    if (reached > j->reached) j->reached = reached;
    while (j->first != j->last && j->first->newest <= reached &&
           (j->first->next != j->last || j->last_durable)) {
        struct segment *s = j->first;
        j->first = s->next;
        j->segment_count--;
        spare(j, s);
    }
    pthread_mutex_unlock(&j->lock);
}

bool journal_prepare(struct journal *j) {
    char why[64];
    pthread_mutex_lock(&j->lock);
    bool ready = j->spares != NULL;
    pthread_mutex_unlock(&j->lock);
    if (ready) return true;
    struct segment *s = make(j, j->segment_bytes, why, sizeof why);
    if (!s) return false;
    pthread_mutex_lock(&j->lock);
    spare(j, s);
    pthread_mutex_unlock(&j->lock);
    return true;
}

void journal_stats(struct journal *j, struct journal_stats *stats) {
    pthread_mutex_lock(&j->lock);
    *stats = (struct journal_stats){j->segment_count, j->spare_count,
                                    __atomic_load_n(&j->bytes, __ATOMIC_RELAXED), j->cut_bytes};
    pthread_mutex_unlock(&j->lock);
}
