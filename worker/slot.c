#include "worker/slot.h"
#include "proto/host/log.h"
#include "worker/descriptor.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

enum { NOTE_LINE_MAX = 6 * CHECKPOINT_MAX + 1024, VARIABLES = 11, FAILURE_MAX = 1024 };

void slot_open(struct slot *s, struct work *work) {
    *s = (struct slot){.work = work, .input = -1, .output = -1};
}

static void free_list(char ***list, size_t from) {
    for (size_t i = from; *list && (*list)[i]; i++) free((*list)[i]);
    free(*list);
    *list = NULL;
}

static size_t list_length(char *const *list) {
    size_t count = 0;
    while (list[count]) count++;
    return count;
}

/* Everything the slot held is gone; the task has been settled. */
static void slot_clear(struct slot *s) {
    run_destroy(&s->run);
    descriptor_close(&s->input);
    descriptor_close(&s->output);
    free_list(&s->argv, list_length(s->work->command));
    /* What was added to the environment stands before what we inherited. */
    for (size_t i = 0; s->environment && i < VARIABLES; i++) free(s->environment[i]);
    free(s->environment);
    folder_task_close(&s->folder);
    slot_open(s, s->work);
}

static void log_end(const struct slot *s, const char *sentence, const char *text, int64_t now_ms) {
    log_info(sentence, field_number("task", s->task->id), field_number("attempt", s->task->attempt),
             field_signed("ms", now_ms - s->started_ms), field_text("message", text));
}

static void fail(struct slot *s, int reason, const char *text, int64_t now_ms) {
    log_end(s, "task failed", text, now_ms);
    relais_fail(s->work->worker, s->task, reason, text);
    slot_clear(s);
}

/* A trouble of this worker, not of the task: the attempt may be repeated. */
static void fail_errno(struct slot *s, const char *what, int64_t now_ms) {
    char text[FAILURE_MAX];
    snprintf(text, sizeof text, "%s: %s", what, strerror(errno));
    fail(s, RELAIS_REASON_FAILED, text, now_ms);
}

/* ---- what the command is given ---- */

static int file_create(const char *folder, const char *name) {
    char *path = NULL;
    if (asprintf(&path, "%s/%s", folder, name) < 0) return -1;
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    free(path);
    return fd;
}

static bool file_fill(int fd, const void *data, size_t len) {
    return descriptor_write(fd, data, len) && lseek(fd, 0, SEEK_SET) == 0;
}

static bool file_write(const char *folder, const char *name, const void *data, size_t len) {
    int fd = file_create(folder, name);
    bool ok = fd >= 0 && file_fill(fd, data, len);
    descriptor_close(&fd);
    return ok;
}

/* A checkpoint's name as a file's; one that is not fit for that is called "checkpoint". */
static const char *checkpoint_file(const char *name) {
    bool fit = name && name[0] && name[0] != '.' && !strchr(name, '/') && strlen(name) <= NAME_MAX;
    return fit ? name : "checkpoint";
}

static bool checkpoint_write(const struct slot *s) {
    char *folder = NULL;
    const struct relais_task *t = s->task;
    if (asprintf(&folder, "%s/checkpoint", s->folder) < 0) return false;
    bool ok = mkdir(folder, 0700) == 0;
    if (ok && t->checkpoint > 0)
        ok = file_write(folder, checkpoint_file(t->checkpoint_name), t->checkpoint_data,
                        t->checkpoint_len);
    free(folder);
    return ok;
}

static char *path_of(const struct slot *s, const char *name) {
    char *path = NULL;
    return asprintf(&path, "%s/%s", s->folder, name) < 0 ? NULL : path;
}

__attribute__((format(printf, 3, 4)))
static void variable(char **list, size_t *count, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&list[*count], format, arguments) < 0) list[*count] = NULL;
    va_end(arguments);
    if (list[*count]) (*count)++;
}

static bool is_set(char *const *list, size_t count, const char *entry) {
    for (size_t i = 0; i < count; i++) {
        size_t name = (size_t)(strchr(list[i], '=') - list[i]) + 1;
        if (strncmp(list[i], entry, name) == 0) return true;
    }
    return false;
}

/* VARIABLES of ours, then what we inherited and did not set. */
static bool environment_make(struct slot *s, bool source, bool payload) {
    const struct relais_task *t = s->task;
    size_t count = 0, inherited = list_length(environ);
    char **list = s->environment = calloc(VARIABLES + inherited + 1, sizeof *list);
    if (!list) return false;
    const char *folder = s->folder;
    variable(list, &count, "RELAIS_TASK_ID=%" PRIu64, t->id);
    variable(list, &count, "RELAIS_ATTEMPT=%" PRIu32, t->attempt);
    variable(list, &count, "RELAIS_EPOCH=%" PRIu64, t->epoch);
    variable(list, &count, "RELAIS_TASK_QUEUE=%s", t->queue ? t->queue : "");
    variable(list, &count, "RELAIS_TASK_TYPE=%s", t->type ? t->type : "");
    variable(list, &count, "RELAIS_TASK_LABELS=%s", t->labels ? t->labels : "");
    variable(list, &count, "RELAIS_CHECKPOINT_DIR=%s/checkpoint", folder);
    variable(list, &count, "RELAIS_RESULT_FILE=%s/result", folder);
    variable(list, &count, "RELAIS_SOURCE_FILE=%s%s", source ? folder : "",
             source ? "/source" : "");
    variable(list, &count, "RELAIS_PAYLOAD_FILE=%s%s", payload ? folder : "",
             payload ? "/payload" : "");
    variable(list, &count, "TMPDIR=%s/tmp", folder);
    if (count < VARIABLES) return false;
    for (size_t i = 0; i < inherited; i++)
        if (!is_set(list, VARIABLES, environ[i])) list[count++] = environ[i];
    return true;
}

static bool argv_make(struct slot *s, const char *input) {
    size_t count = list_length(s->work->command);
    s->argv = calloc(count + 2, sizeof *s->argv);
    if (!s->argv) return false;
    memcpy(s->argv, s->work->command, count * sizeof *s->argv);
    if (input) s->argv[count] = path_of(s, input);
    return !input || s->argv[count];
}

/* Sets s->input to what stdin reads: the source file, the payload, or nothing. */
static bool input_open(struct slot *s) {
    if (s->work->input_file) {
        descriptor_close(&s->input);
        s->input = open("/dev/null", O_RDONLY | O_CLOEXEC);
        return s->input >= 0;
    }
    if (s->task->source) return lseek(s->input, 0, SEEK_SET) == 0;
    s->input = memfd_create("payload", MFD_CLOEXEC);
    return s->input >= 0 && file_fill(s->input, s->task->payload, s->task->payload_len);
}

static bool desk_make(struct slot *s) {
    const struct relais_task *t = s->task;
    bool source = t->source != 0, file = s->work->input_file;
    bool payload = (source && t->payload_len > 0) || (!source && file);
    char *temporary = path_of(s, "tmp");
    bool ok = temporary && mkdir(temporary, 0700) == 0 && checkpoint_write(s);
    free(temporary);
    if (ok && payload) ok = file_write(s->folder, "payload", t->payload, t->payload_len);
    s->output = ok ? file_create(s->folder, "stdout") : -1;
    return s->output >= 0 && environment_make(s, source, payload) &&
           argv_make(s, !file ? NULL : source ? "source" : "payload") && input_open(s);
}

/* ---- what the command says ---- */

static void progress_send(struct slot *s, int64_t now_ms) {
    relais_progress(s->work->worker, s->task, s->percent, s->text[0] ? s->text : NULL);
    s->progress_due = false;
    s->progress_ms = now_ms;
}

/* Kept until it is due; a newer one takes its place, but not with a percentage that it lacks. */
static void progress_take(struct slot *s, const struct note *note) {
    if (note->percent >= 0 || !s->progress_due) s->percent = note->percent;
    memcpy(s->text, note->text, sizeof s->text);
    s->progress_due = true;
}

/* Not waited for: the library repeats it until it is durable, and the command goes on. */
static void checkpoint_send(struct slot *s, const struct note *note) {
    if (note->data.len <= CHECKPOINT_MAX) {
        relais_checkpoint(s->work->worker, s->task, note->text, note->data.data, note->data.len, 0,
                          NULL);
    } else {
        log_warn("checkpoint too large", field_number("task", s->task->id),
                 field_number("bytes", note->data.len));
    }
}

static void take_note(void *context, struct slice line, bool cut) {
    struct slot *s = context;
    struct note note = {.kind = NOTE_NONE};
    uint32_t shown = line.len < 200 ? line.len : 200;
    if (!cut) note_read(&note, line);
    if (note.kind == NOTE_PROGRESS) progress_take(s, &note);
    else if (note.kind == NOTE_CHECKPOINT) checkpoint_send(s, &note);
    else if (note.kind == NOTE_NONE && s->bad_notes++ == 0)
        log_warn("not understood on fd 3", field_number("task", s->task->id),
                 field_slice("line", slice_of(line.data, shown)));
    note_close(&note);
}

/* ---- how it ends ---- */

static bool is_permanent(const struct work *w, int status) {
    return status >= 0 && status < 256 && (w->permanent[status / 64] >> (status % 64) & 1);
}

static void fail_end(struct slot *s, const struct run_end *end, int64_t now_ms) {
    char text[FAILURE_MAX];
    const char *line = end->last_line, *colon = line[0] ? ": " : "";
    int reason = RELAIS_REASON_FAILED;
    switch (end->how) {
    case RUN_EXITED:
        if (is_permanent(s->work, end->status)) reason = RELAIS_REASON_PERMANENT;
        snprintf(text, sizeof text, "exit %d%s%s", end->status, colon, line);
        break;
    case RUN_SIGNALLED:
        reason = RELAIS_REASON_CRASHED;
        snprintf(text, sizeof text, "signal %d (%s)%s%s", end->status, strsignal(end->status),
                 colon, line);
        break;
    case RUN_OOM:
        reason = RELAIS_REASON_CRASHED;
        snprintf(text, sizeof text, "out of memory: killed by the kernel%s%s", colon, line);
        break;
    case RUN_STOPPED:
        snprintf(text, sizeof text, "stopped");
        break;
    case RUN_OVERSIZE:
        reason = RELAIS_REASON_PERMANENT;
        snprintf(text, sizeof text, "output over %" PRIu64 " bytes", s->work->output_max);
        break;
    }
    fail(s, reason, text, now_ms);
}

static void hand_back(struct slot *s, const char *sentence, int64_t now_ms) {
    log_end(s, sentence, s->stopping ? relais_reason_name(s->stopping) : NULL, now_ms);
    relais_release(s->work->worker, s->task);
    slot_clear(s);
}

/* The result file when the command wrote one, else what it printed; s->output is open on it. */
static bool result_open(struct slot *s, off_t *size) {
    struct stat st;
    char *path = path_of(s, "result");
    if (!path) return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    free(path);
    bool written = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0;
    if (written) {
        descriptor_close(&s->output);
        s->output = fd;
    } else {
        descriptor_close(&fd);
    }
    if (fstat(s->output, &st) < 0) return false;
    *size = st.st_size;
    return lseek(s->output, 0, SEEK_SET) == 0;
}

static void finish(struct slot *s, const struct run_end *end, int64_t now_ms) {
    run_destroy(&s->run);
    if (s->stopping) {
        hand_back(s, "task stopped", now_ms);
        return;
    }
    bool well = end->how == RUN_EXITED && end->status == 0;
    if (!well) {
        if (s->releasing && end->how == RUN_STOPPED) hand_back(s, "task handed back", now_ms);
        else fail_end(s, end, now_ms);
        return;
    }
    if (s->progress_due) progress_send(s, now_ms);
    off_t size;
    uint8_t result[RESULT_INLINE_MAX];
    if (!result_open(s, &size)) {
        fail_errno(s, "the result cannot be read", now_ms);
    } else if ((uint64_t)size > s->work->output_max) {
        fail_end(s, &(struct run_end){.how = RUN_OVERSIZE}, now_ms);
    } else if (size > RESULT_INLINE_MAX) {
        s->load = (struct load){.up = true, .fd = s->output, .name = "result"};
        s->state = SLOT_STORING;
        carrier_ask(s->work->carrier, &s->load);
    } else if (!descriptor_read(s->output, result, (size_t)size)) {
        fail_errno(s, "the result cannot be read", now_ms);
    } else {
        log_end(s, "task done", NULL, now_ms);
        relais_done(s->work->worker, s->task, result, (size_t)size);
        slot_clear(s);
    }
}

/* ---- the way of a task ---- */

static void command_start(struct slot *s, int64_t now_ms) {
    if (!desk_make(s)) {
        fail_errno(s, "the task's folder cannot be filled", now_ms);
        return;
    }
    struct run_spec spec = {
        .argv = s->argv, .environment = s->environment, .input = s->input, .output = s->output,
        .echo = STDERR_FILENO, .keeper = s->work->keeper.pipe,
        .output_max = s->work->output_max, .note_max = NOTE_LINE_MAX,
        .grace_ms = s->work->kill_ms, .note = take_note, .context = s};
    s->run = run_start(&spec, now_ms);
    descriptor_close(&s->input);
    if (!s->run) {
        fail_errno(s, s->argv[0], now_ms);
        return;
    }
    s->state = SLOT_RUNNING;
}

static void source_fetch(struct slot *s, int64_t now_ms) {
    s->input = file_create(s->folder, "source");
    if (s->input < 0) {
        fail_errno(s, "the task's folder cannot be filled", now_ms);
        return;
    }
    const struct relais_task *t = s->task;
    s->load = (struct load){.fd = s->input, .file = t->source, .ticket = t->source_ticket,
                            .grows = t->growing};
    s->state = SLOT_FETCHING;
    carrier_ask(s->work->carrier, &s->load);
}

void slot_take(struct slot *s, struct relais_task *task, int64_t now_ms) {
    assert(s->state == SLOT_FREE);
    s->task = task;
    s->started_ms = now_ms;
    log_info("task started", field_number("task", task->id), field_text("queue", task->queue),
             field_number("attempt", task->attempt), field_number("checkpoint", task->checkpoint));
    s->folder = folder_task_open(&s->work->folder, task->id, task->epoch);
    if (!s->folder) fail_errno(s, "no folder for the task", now_ms);
    else if (task->source) source_fetch(s, now_ms);
    else command_start(s, now_ms);
}

void slot_loaded(struct slot *s, int64_t now_ms) {
    assert(s->state == SLOT_FETCHING || s->state == SLOT_STORING);
    char text[FAILURE_MAX];
    if (s->stopping || s->releasing) {
        hand_back(s, s->stopping ? "task stopped" : "task handed back", now_ms);
    } else if (s->load.code != RELAIS_OK) {
        snprintf(text, sizeof text, "%s: %s",
                 s->load.up ? "the result was not stored" : "the source file did not come",
                 relais_error_text(s->load.code));
        fail(s, RELAIS_REASON_FAILED, text, now_ms);
    } else if (s->state == SLOT_FETCHING) {
        command_start(s, now_ms);
    } else {
        struct relais_result more = {.file = &s->load.sent};
        log_end(s, "task done", NULL, now_ms);
        relais_done_with(s->work->worker, s->task, NULL, 0, &more);
        slot_clear(s);
    }
}

void slot_step(struct slot *s, int64_t now_ms) {
    if (s->state == SLOT_FREE) return;
    if (!s->stopping) s->stopping = relais_cancelled(s->work->worker, s->task);
    if (s->stopping) atomic_store(&s->load.given_up, true);
    if (s->state != SLOT_RUNNING) return; /* a transfer ends first */
    if (s->stopping) run_stop(s->run, now_ms);
    struct run_end end;
    bool ended = run_step(s->run, now_ms, &end);
    bool due = s->progress_due && now_ms >= s->progress_ms + PROGRESS_MS_MIN;
    if (ended) finish(s, &end, now_ms);
    else if (due) progress_send(s, now_ms);
}

void slot_release(struct slot *s, int64_t now_ms) {
    s->releasing = true;
    atomic_store(&s->load.given_up, true);
    if (s->state == SLOT_RUNNING) run_stop(s->run, now_ms);
}

void slot_fds(const struct slot *s, struct pollfd fds[RUN_FDS]) {
    if (s->state == SLOT_RUNNING) run_fds(s->run, fds);
    else for (int i = 0; i < RUN_FDS; i++) fds[i] = (struct pollfd){.fd = -1};
}

int64_t slot_wake_ms(const struct slot *s) {
    if (s->state != SLOT_RUNNING) return INT64_MAX;
    int64_t run_ms = run_wake_ms(s->run), note_ms = s->progress_ms + PROGRESS_MS_MIN;
    return s->progress_due && note_ms < run_ms ? note_ms : run_ms;
}
