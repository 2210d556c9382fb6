#include "proto/layout.h"
#include <assert.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
/* What tells that a field is not zero: bytes from its beginning, and how many bits there. */
#define SPAN_U8 0, 8
#define SPAN_U16 0, 16
#define SPAN_U32 0, 32
#define SPAN_U64 0, 64
#define SPAN_I64 0, 64
#define SPAN_BOOL 0, 8
#define SPAN_KIND 0, 8
#define SPAN_ORDER 0, 8
#define SPAN_STATUSES 0, 32
#define SPAN_LEN offsetof(struct slice, len), 32
#define SPAN_TEXT SPAN_LEN
#define SPAN_BIN SPAN_LEN
#define SPAN_TEXTS SPAN_LEN
#define SPAN_HELD SPAN_LEN
#define SPAN_VERDICTS SPAN_LEN
#define SPAN_ATTEMPTS SPAN_LEN
#define SPAN_LOGS SPAN_LEN
#define SPAN_SMALL 0, 0
#define SPAN_AT 0, 0
#define SPAN_DELAY 0, 0
#define SPAN_MAP 0, 0
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define BIT_OF(from, bits_) ((from) % 8 * 8)
#else
#define BIT_OF(from, bits_) ((64 - (bits_) - (from) % 8 * 8) % 64)
#endif
#define WORD_OF(from, bits_)                                                                       \
    .word = (from) / 8 * 8, .bit = BIT_OF(from, bits_), .bits = bits_
#define WORD(at_, span) WORD_(at_, span)
#define WORD_(at_, from, bits_) WORD_OF((at_) + (from), bits_)
#define FIELD(key, type, member, form_, ...)                                                       \
    {.name = key, .len = sizeof(key) - 1, .form = FORM_##form_, .at = offsetof(type, member),      \
     WORD(offsetof(type, member), SPAN_##form_), ##__VA_ARGS__}
/* Whole words: reading one never leaves the struct. */
static_assert(sizeof(struct message) % 8 == 0 && sizeof(struct options) % 8 == 0, "whole words");
static_assert(_Alignof(struct message) == 8 && _Alignof(struct options) == 8, "aligned words");
#define M(key, member, form, ...) FIELD(key, struct message, member, form, ##__VA_ARGS__)
#define O(key, member, form, ...) FIELD(key, struct options, member, form, ##__VA_ARGS__)
/* fields of a map or group that lie in the struct message itself */
#define INNER(key, form_, sub_)                                                                    \
    {.name = key, .len = sizeof(key) - 1, .form = FORM_##form_, .sub = &sub_}
#define PART(fields_, required_)                                                                   \
    {.fields = fields_, .count = COUNT(fields_), .required = required_, .written = required_}
#define LIST(member, count_, max_) .count_at = offsetof(struct message, member.count_), .max = max_

static const struct field option_fields[] = {
    O("accepted", accepted, BOOL),
    O("watch", watch, BOOL),
    O("keep", keep_ms, I64, .set = SET_KEEP),
    O("priority", priority, U8, .set = SET_PRIORITY),
    O("key", key, TEXT),
    O("brand", brand, U32, .set = SET_BRAND),
    O("labels", labels, TEXT),
    O("extra", extra, BIN, .set = SET_EXTRA),
    O("dialect", dialect, U8),
    O("at", due_ms, AT, .set = SET_DUE),
    O("delay", due_ms, DELAY, .set = SET_DUE),
    O("retries", retries, U16, .set = SET_RETRIES),
    O("timeout", timeout_ms, U32, .set = SET_TIMEOUT),
    O("progress_timeout", progress_ms, U32, .set = SET_PROGRESS),
    O("backoff", backoff_ms, U32, .set = SET_BACKOFF),
    O("resume", resume, U32, .set = SET_RESUME),
    O("reset_progress", reset_progress, BOOL),
    O("payload", payload, BIN, .set = SET_PAYLOAD),
    O("source", source_file, U64),
    O("source_size", source_size, U64),
    O("source_name", source_name, TEXT),
    O("source_mime", source_mime, TEXT),
    O("source_hash", source_hash, BIN),
    O("stream", stream, BOOL),
    O("hook", hook, BOOL),
    O("metrics", metrics, BIN, .set = SET_METRICS),
    O("numbers", numbers, BIN),
    O("numbers_before", numbers_before, BIN),
    O("taken", taken_ms, I64),
    O("version", version, U32, .set = SET_VERSION),
};
static const struct layout options_layout = {
    .fields = option_fields, .count = COUNT(option_fields),
    .set_at = offsetof(struct options, set), .set_bytes = 4};

static const struct field hello_keys[] = {
    M("version", hello.version, U32),
    M("kind", hello.kind, KIND),
    M("name", hello.name, TEXT),
    M("boot", hello.boot, U64),
    M("queues", hello.serves.queues, TEXTS, LIST(hello.serves, queue_count, QUEUES_MAX)),
    M("types", hello.serves.types, TEXTS, LIST(hello.serves, type_count, QUEUES_MAX)),
    M("labels", hello.serves.labels, TEXTS, LIST(hello.serves, label_count, LABELS_MAX)),
    M("slots", hello.slots, U32),
    M("prefetch", hello.prefetch, U32),
    M("implied", hello.implied, BOOL),
    M("brand", hello.brand, U32),
    M("held", hello.held, HELD, LIST(hello, held_count, HELD_MAX)),
};
static const struct layout hello_map = PART(hello_keys, 0);

static const struct field question_keys[] = {
    M("brand", question.brand, U32),
    M("status", question.status_mask, STATUSES),
    M("queue", question.queue, TEXT),
    M("type", question.type, TEXT),
    M("priority", question.priority, SMALL),
    M("owner", question.owner, TEXT),
    M("worker", question.worker, TEXT),
    M("dialect", question.dialect, SMALL),
    M("from_ms", question.from_ms, I64),
    M("to_ms", question.to_ms, I64),
    M("order", question.descending, ORDER),
    M("limit", question.limit, U32),
    M("cursor", question.cursor, BIN),
    M("offset", question.offset, U32),
    M("count", question.count, BOOL),
    M("object", question.object, TEXT),
    M("search", question.search, TEXT),
    M("id", question.id, U64),
    M("filter", question.filter, BIN),
    M("sort", question.sort, TEXT),
    M("want", question.want, U32),
    M("looks", question.looks, U32),
    M("number", question.number, U64),
};
static const struct layout question_map = PART(question_keys, 0);

static const struct field queue_keys[] = {
    M("paused", queue.paused, BOOL, .set = SET_QUEUE_PAUSED),
    M("running_max", queue.running_max, U32, .set = SET_QUEUE_RUNNING),
    M("rate_per_min", queue.rate_per_min, U32, .set = SET_QUEUE_RATE),
    M("weight", queue.weight, U32, .set = SET_QUEUE_WEIGHT),
    M("keep", queue.keep_ms, I64, .set = SET_QUEUE_KEEP),
    M("brand", queue.brand, U32, .set = SET_QUEUE_BRAND),
    M("hooks", queue.hooks, U8, .set = SET_QUEUE_HOOKS),
};
static const struct layout queue_map = {
    .fields = queue_keys, .count = COUNT(queue_keys),
    .set_at = offsetof(struct message, queue.set), .set_bytes = 1};

static const struct field object_keys[] = {
    M("version", object.options.version, U32),
    M("owner", object.options.owner, TEXT),
    M("keys", object.options.keys, TEXTS, LIST(object.options, key_count, OBJECT_KEYS_MAX)),
    M("until", object.options.until_ms, I64),
    M("clear", object.options.clear, U8),
    M("id", object.options.id, U64),
    M("event", object.options.event, TEXT),
    M("data", object.options.data, BIN),
    M("file", object.options.file, U64),
    M("file_size", object.options.file_size, U64),
    M("file_name", object.options.file_name, TEXT),
    M("file_mime", object.options.file_mime, TEXT),
    M("file_hash", object.options.file_hash, BIN),
};
static const struct layout object_map = PART(object_keys, 0);

static const struct field feed_keys[] = {
    M("brand", feed.brand, U32),
    M("after", feed.after, U64),
    M("wait_ms", feed.wait_ms, U32),
    M("limit", feed.limit, U32),
    M("topics", feed.topics, TEXTS, LIST(feed, topic_count, TOPICS_MAX)),
    M("key", feed.key, TEXT),
};
static const struct layout feed_map = PART(feed_keys, 0);

static const struct field schedule_keys[] = {
    M("brand", schedule.record.brand, U32),
    M("version", schedule.record.version, U32),
    M("dialect", schedule.record.dialect, U8),
    M("kind", schedule.record.kind, U8, .set = SET_SCHEDULE_KIND),
    M("name", schedule.record.name, TEXT, .set = SET_SCHEDULE_NAME),
    M("expression", schedule.record.expression, TEXT, .set = SET_SCHEDULE_EXPRESSION),
    M("zone", schedule.record.zone, TEXT, .set = SET_SCHEDULE_ZONE),
    M("start_ms", schedule.record.start_ms, I64, .set = SET_SCHEDULE_START),
    M("end_ms", schedule.record.end_ms, I64, .set = SET_SCHEDULE_END),
    M("active", schedule.record.active, BOOL, .set = SET_SCHEDULE_ACTIVE),
    M("max", schedule.record.executions_max, U32, .set = SET_SCHEDULE_MAX),
    M("misfire", schedule.record.misfire, U8, .set = SET_SCHEDULE_MISFIRE),
    M("queue", schedule.record.queue, TEXT, .set = SET_SCHEDULE_QUEUE),
    M("type", schedule.record.type, TEXT, .set = SET_SCHEDULE_TYPE),
    M("payload", schedule.record.payload, BIN, .set = SET_SCHEDULE_PAYLOAD),
    M("extra", schedule.record.extra, BIN, .set = SET_SCHEDULE_EXTRA),
    M("priority", schedule.record.priority, U8, .set = SET_SCHEDULE_PRIORITY),
    M("retries", schedule.record.retries, U16, .set = SET_SCHEDULE_RETRIES),
    M("timeout_ms", schedule.record.timeout_ms, U32, .set = SET_SCHEDULE_TIMEOUT),
    M("keep_ms", schedule.record.keep_ms, I64, .set = SET_SCHEDULE_KEEP),
    M("body", schedule.record.body, BIN, .set = SET_SCHEDULE_BODY),
    M("stamp", schedule.record.stamp, U32, .set = SET_SCHEDULE_STAMP),
};
static const struct layout schedule_map = {
    .fields = schedule_keys, .count = COUNT(schedule_keys),
    .set_at = offsetof(struct message, schedule.set), .set_bytes = 4};

static const struct field station_keys[] = {
    M("brand", station.brand, U32),
    M("mode", station.mode, U8),
    M("status", station.status, U8, .set = SET_STATION_STATUS),
    M("sessions_max", station.sessions_max, U32, .set = SET_STATION_MAX),
    M("draining", station.draining, BOOL, .set = SET_STATION_DRAINING),
    M("endpoint", station.endpoint, TEXT, .set = SET_STATION_ENDPOINT),
    M("description", station.description, TEXT, .set = SET_STATION_DESCRIPTION),
    M("version", station.version, TEXT, .set = SET_STATION_VERSION),
    M("environment", station.environment, U8, .set = SET_STATION_ENVIRONMENT),
    M("beat", station.beat, BIN),
    M("sessions", station.sessions, BIN, .set = SET_STATION_SESSIONS),
    M("whole", station.whole, BOOL),
    M("time_ms", station.time_ms, I64),
    M("commands", station.commands, U32),
    M("remove", station.remove, BOOL),
};
static const struct layout station_map = {
    .fields = station_keys, .count = COUNT(station_keys),
    .set_at = offsetof(struct message, station.set), .set_bytes = 1};

static const struct field stations_keys[] = {
    M("brand", stations.brand, U32),
    M("status", stations.status_mask, STATUSES),
    M("environment", stations.environment, U8),
    M("search", stations.search, TEXT),
    M("room", stations.room, BOOL),
    M("limit", stations.limit, U32),
    M("offset", stations.offset, U32),
};
static const struct layout stations_map = PART(stations_keys, 0);

static const struct field session_keys[] = {
    M("brand", session.brand, U32),
    M("owner", session.owner, TEXT),
    M("title", session.title, TEXT),
    M("act", session.act, U8),
    M("payload", session.payload, BIN),
    M("key", session.key, TEXT),
    M("station", session.station, TEXT),
    M("status", session.status, U8),
    M("phone", session.phone, TEXT),
    M("display", session.display, TEXT),
    M("reason", session.reason, TEXT),
    M("time_ms", session.time_ms, I64),
    M("gone", session.gone, BOOL),
};
static const struct layout session_map = PART(session_keys, 0);

static const struct field commands_keys[] = {
    M("brand", commands.brand, U32),
    M("ack", commands.ack, U64),
    M("key", commands.key, TEXT),
    M("limit", commands.limit, U32),
    M("wait_ms", commands.wait_ms, U32),
};
static const struct layout commands_map = PART(commands_keys, 0);

static const struct field done_keys[] = {
    M("file", report.file, U64),
    M("file_size", report.file_size, U64),
    M("file_hash", report.file_hash, BIN),
    M("file_name", report.file_name, TEXT),
    M("file_mime", report.file_mime, TEXT),
    M("metrics", report.metrics, BIN),
    M("numbers", report.numbers, BIN),
    M("message", report.text, TEXT),
};
static const struct layout done_map = PART(done_keys, 0);

static const struct field claim_keys[] = {
    M("worker", claim.worker, TEXT),
    M("boot", claim.boot, U64),
    M("queues", claim.serves.queues, TEXTS, LIST(claim.serves, queue_count, QUEUES_MAX)),
    M("types", claim.serves.types, TEXTS, LIST(claim.serves, type_count, QUEUES_MAX)),
    M("labels", claim.serves.labels, TEXTS, LIST(claim.serves, label_count, LABELS_MAX)),
    M("brand", claim.brand, U32),
    M("limit", claim.limit, U32),
    M("wait_ms", claim.wait_ms, U32),
    M("lease_ms", claim.lease_ms, U32),
    M("again", claim.again, BOOL),
    M("oldest", claim.oldest, BOOL),
    M("max", claim.held_max, U32),
};
static const struct layout claim_map = PART(claim_keys, 0);

static const struct field welcome_keys[] = {
    M("link", welcome.link, U32),
    M("incarnation", welcome.incarnation, U64),
    M("beat_ms", welcome.beat_ms, U32),
    M("suspect_ms", welcome.suspect_ms, U32),
    M("doubt_ms", welcome.doubt_ms, U32),
    M("lost_ms", welcome.lost_ms, U32),
    M("time_ms", welcome.time_ms, I64),
    M("payload_max", welcome.payload_max, U32),
    M("batch_max", welcome.batch_max, U32),
    M("frame_max", welcome.frame_max, U32),
    M("verdicts", welcome.verdicts, VERDICTS, LIST(welcome, verdict_count, HELD_MAX)),
};
static const struct layout welcome_map = PART(welcome_keys, 0);

static const struct field checkpoint_part[] = {
    M("seq", task.checkpoint, U32),
    M("name", task.checkpoint_name, TEXT),
    M("data", task.checkpoint_data, BIN),
};
static const struct layout checkpoint_group = PART(checkpoint_part, 1);

static const struct field task_keys[] = {
    M("brand", task.brand, U32),
    M("run", task.run, U32),
    M("created", task.created_ms, I64),
    M("labels", task.labels, TEXT),
    M("extra", task.extra, BIN),
    M("timeout", task.timeout_ms, U32),
    M("lease", task.lease_ms, U32),
    M("source", task.source_file, U64),
    M("source_size", task.source_size, U64),
    M("source_name", task.source_name, TEXT),
    M("source_mime", task.source_mime, TEXT),
    M("ticket", task.ticket, U64),
    M("stream", task.stream, BOOL),
    M("parts", task.parts, U32),
    INNER("checkpoint", GROUP, checkpoint_group),
};
static const struct layout task_map = PART(task_keys, 0);

static const struct field body_part[] = {
    M("id", view.body.id, U64),
    M("payload", view.body.payload, BIN),
    M("extra", view.body.extra, BIN),
    M("owner", view.body.owner, TEXT),
    M("key", view.body.key, TEXT),
    M("progress_timeout", view.body.progress_ms, U32),
    M("source", view.body.source_file, U64),
    M("source_size", view.source_size, U64),
    M("source_name", view.source_name, TEXT),
    M("source_mime", view.source_mime, TEXT),
    M("source_ticket", view.source_ticket, U64),
};
static const struct layout body_group = PART(body_part, 1);

static const struct field result_part[] = {
    M("id", view.result.id, U64),
    M("result", view.result.result, BIN),
    M("message", view.result.message, TEXT),
    M("metrics", view.result.metrics, BIN),
    M("worker", view.result.worker, TEXT),
    M("file", view.result.result_file, U64),
    M("file_size", view.result_size, U64),
    M("file_name", view.result_name, TEXT),
    M("file_mime", view.result_mime, TEXT),
    M("file_ticket", view.result_ticket, U64),
};
static const struct layout result_group = PART(result_part, 1);

static const struct field view_part[] = {
    M("id", view.head.id, U64),
    M("status", view.head.status, U8),
    M("brand", view.head.brand, U32),
    M("queue", view.queue, TEXT),
    M("type", view.type, TEXT),
    M("labels", view.labels, TEXT),
    M("priority", view.head.priority, U8),
    M("created_ms", view.head.created_ms, I64),
    M("updated_ms", view.head.updated_ms, I64),
    M("started_ms", view.head.started_ms, I64),
    M("finished_ms", view.head.finished_ms, I64),
    M("due_ms", view.head.due_ms, I64),
    M("run", view.head.run, U16),
    M("attempt", view.head.attempt, U16),
    M("retry_count", view.head.retry_count, U16),
    M("max_retries", view.head.max_retries, U16),
    M("progress", view.head.progress, U8),
    M("progress_text", view.progress_text, TEXT),
    M("reason", view.head.reason, U8),
    M("version", view.head.version, U32),
    M("worker", view.worker, TEXT),
    M("epoch", view.head.epoch, U64),
    M("checkpoint", view.head.checkpoint, U32),
    M("resume", view.head.resume, U32),
    M("timeout_ms", view.head.timeout_ms, U32),
    M("keep_ms", view.head.keep_ms, I64),
    M("dialect", view.head.dialect, U8),
    M("flags", view.head.flags, U8),
    M("place", view.place, U64),
    M("lease_until_ms", view.lease_until_ms, I64),
    M("payload_len", view.head.payload_len, U32),
    M("result_len", view.head.result_len, U32),
    M("backoff_ms", view.head.backoff_ms, U32),
    M("crashes", view.head.crashes, U8),
    M("lane", view.head.lane, U32),
    M("order", view.head.order, U64),
    INNER("body", GROUP, body_group),
    INNER("result", GROUP, result_group),
    M("attempts", view.attempts, ATTEMPTS, LIST(view, attempt_count, 1024)),
    M("logs", view.logs, LOGS, LIST(view, log_count, 10000)),
    M("part_count", view.head.parts, U32),
    M("parts", view.parts, LOGS, LIST(view, part_count, 10000)),
    M("schedule", view.head.schedule, U64),
};
const struct layout view_layout = PART(view_part, 3);

/* The items themselves: ITEM(name, member of the union, required fields, fields …). A field whose
 * default is not zero cannot be left out as "zero": ITEM_FULL always writes all fields. */
#define ITEM_OF(name, member, required_, written_, ...)                                            \
    static const struct field name##_fields[] = {__VA_ARGS__};                                     \
    static const struct layout name##_item = {                                                     \
        .fields = name##_fields, .count = COUNT(name##_fields), .required = required_,             \
        .written = written_, .size = sizeof(((struct message *)0)->member)}
#define ITEM(name, member, required_, ...)                                                         \
    ITEM_OF(name, member, required_, required_, __VA_ARGS__)
#define ITEM_FULL(name, member, required_, ...)                                                    \
    ITEM_OF(name, member, required_, COUNT(name##_fields), __VA_ARGS__)
static const struct layout empty_item = {.fields = NULL};
ITEM(hello, hello, 1, INNER("hello", MAP, hello_map));
ITEM(credit, credit, 1, M("slots", credit.slots, U32), M("prefetch", credit.prefetch, U32));
ITEM(submit, submit, 3, M("queue", submit.queue, TEXT), M("type", submit.type, TEXT),
     M("payload", submit.payload, BIN), M("options", submit.options, MAP, .sub = &options_layout));
ITEM(get, ref, 1, M("id", ref.id, U64), M("want", ref.want, U32), M("after", ref.after, U32));
ITEM(watch, ref, 1, M("id", ref.id, U64), M("want", ref.want, U32),
     M("version", ref.version, U32), M("wait_ms", ref.wait_ms, U32),
     M("after", ref.after, U32));
ITEM(cancel, ref, 1, M("id", ref.id, U64), M("reason", ref.text, TEXT));
ITEM(retry, ref, 1, M("id", ref.id, U64), M("options", ref.options, MAP, .sub = &options_layout));
ITEM(one, ref, 1, M("id", ref.id, U64));
ITEM(ask, question, 1, M("kind", question.kind, TEXT),
     INNER("options", MAP, question_map));
ITEM(queue, queue, 1, M("queue", queue.queue, TEXT), INNER("settings", MAP, queue_map));
ITEM(put, object, 3, M("kind", object.kind, TEXT), M("name", object.name, TEXT),
     M("body", object.body, BIN), M("mode", object.mode, U8), M("brand", object.brand, U32),
     INNER("options", MAP, object_map));
ITEM(fetch, object, 2, M("kind", object.kind, TEXT), M("name", object.name, TEXT),
     M("brand", object.brand, U32), INNER("options", MAP, object_map));
ITEM(feed, feed, 1, INNER("feed", MAP, feed_map));
ITEM(schedule, schedule, 2, M("id", schedule.id, U64), M("op", schedule.op, U8),
     INNER("record", MAP, schedule_map));
ITEM(station, station, 1, M("name", station.name, TEXT), INNER("options", MAP, station_map));
ITEM(stations, stations, 1, INNER("filters", MAP, stations_map));
ITEM(session, session, 1, M("name", session.name, TEXT), INNER("options", MAP, session_map));
ITEM(commands, commands, 1, M("station", commands.station, TEXT),
     INNER("options", MAP, commands_map));
ITEM(fleet, fleet, 0, M("brand", fleet.brand, U32));
ITEM(start, report, 2, M("task", report.task, U64), M("epoch", report.epoch, U64));
ITEM(progress, report, 2, M("task", report.task, U64), M("epoch", report.epoch, U64),
     M("percent", report.percent, SMALL), M("text", report.text, TEXT));
ITEM(checkpoint, report, 5, M("task", report.task, U64), M("epoch", report.epoch, U64),
     M("seq", report.seq, U32), M("name", report.name, TEXT), M("data", report.data, BIN),
     M("mark", report.mark, BOOL));
ITEM(checkpoint_put, checkpoint, 4, M("task", checkpoint.task, U64),
     M("seq", checkpoint.seq, U32), M("name", checkpoint.name, TEXT),
     M("data", checkpoint.data, BIN), M("flags", checkpoint.flags, U8));
ITEM(checkpoint_drop, checkpoint, 2, M("task", checkpoint.task, U64),
     M("seq", checkpoint.seq, U32));
ITEM(done, report, 3, M("task", report.task, U64), M("epoch", report.epoch, U64),
     M("result", report.data, BIN), INNER("more", MAP, done_map));
ITEM_FULL(fail, report, 4, M("task", report.task, U64), M("epoch", report.epoch, U64),
     M("reason", report.reason, U8), M("text", report.text, TEXT),
     M("retryable", report.retryable, BOOL), M("metrics", report.metrics, BIN),
    M("numbers", report.numbers, BIN));
ITEM(log, report, 4, M("task", report.task, U64), M("epoch", report.epoch, U64),
     M("level", report.level, U8), M("text", report.text, TEXT), M("number", report.seq, U32));
ITEM(claim, claim, 1, INNER("claim", MAP, claim_map));
ITEM(unwatch, unwatch, 1, M("number", unwatch.number, U64));
ITEM(file_create, file, 1, M("name", file.name, TEXT), M("size", file.size, U64),
     M("stream", file.stream, BOOL));
ITEM_FULL(file_append, file, 2, M("id", file.id, U64), M("bytes", file.bytes, BIN),
     M("seq", file.seq, I64));
ITEM(file_link, file, 2, M("id", file.id, U64), M("ticket", file.ticket, U64));
ITEM(file_write, file, 3, M("id", file.id, U64), M("offset", file.offset, U64),
     M("bytes", file.bytes, BIN));
ITEM(file_one, file, 1, M("id", file.id, U64));
ITEM(file_read, file, 3, M("id", file.id, U64), M("offset", file.offset, U64),
     M("length", file.size, U64), M("ticket", file.ticket, U64), M("wait_ms", file.wait_ms, U32));
ITEM(welcome, welcome, 1, INNER("welcome", MAP, welcome_map));
ITEM(submitted, submitted, 3, M("number", submitted.number, U64), M("code", submitted.code, U32),
     M("id", submitted.id, U64), M("text", submitted.text, TEXT));
ITEM(task, task, 7, M("task", task.task, U64), M("epoch", task.epoch, U64),
     M("queue", task.queue, TEXT), M("type", task.type, TEXT), M("attempt", task.attempt, U32),
     M("payload", task.payload, BIN), INNER("more", MAP, task_map),
     M("number", task.number, U64));
ITEM(settled, settled, 3, M("task", settled.task, U64), M("epoch", settled.epoch, U64),
     M("code", settled.code, U32), M("number", settled.number, U64));
ITEM(checkpoint_ok, checkpoint_ok, 4, M("task", checkpoint_ok.task, U64),
     M("epoch", checkpoint_ok.epoch, U64), M("seq", checkpoint_ok.seq, U32),
     M("code", checkpoint_ok.code, U32), M("number", checkpoint_ok.number, U64));
ITEM(stop, stop, 2, M("task", stop.task, U64), M("epoch", stop.epoch, U64),
     M("reason", stop.reason, U8));
ITEM(view, view, 3, M("number", view.number, U64), M("code", view.code, U32),
     INNER("view", VIEW, view_layout));
ITEM(answer, answer, 2, M("number", answer.number, U64), M("code", answer.code, U32),
     M("body", answer.body, BIN));
ITEM_FULL(rows, rows, 2, M("number", rows.number, U64), M("code", rows.code, U32),
     M("rows", rows.rows, BIN), M("count", rows.row_count, U32), M("next", rows.next, BIN),
     M("incomplete", rows.incomplete, BOOL), M("total", rows.total, I64),
     M("total_exact", rows.total_exact, BOOL), M("text", rows.text, TEXT));
ITEM(outcome, outcome, 3, M("task", outcome.task, U64), M("status", outcome.status, U8),
     M("reason", outcome.reason, U8), M("result", outcome.result, BIN),
     M("message", outcome.message, TEXT), M("file", outcome.result_file, U64));
ITEM(refused, refused, 2, M("number", refused.number, U64), M("code", refused.code, U32),
     M("text", refused.text, TEXT), M("retry_ms", refused.retry_ms, U32));
ITEM(file_bytes, file_bytes, 4, M("number", file_bytes.number, U64),
     M("code", file_bytes.code, U32), M("offset", file_bytes.offset, U64),
     M("bytes", file_bytes.bytes, BIN), M("end", file_bytes.end, BOOL));

enum { VERB_MAX = 128 };
static const struct layout *const layouts[VERB_MAX] = {
    [VERB_HELLO] = &hello_item, [VERB_BEAT] = &empty_item, [VERB_BYE] = &empty_item,
    [VERB_CREDIT] = &credit_item, [VERB_DRAIN] = &empty_item, [VERB_SUBMIT] = &submit_item,
    [VERB_GET] = &get_item, [VERB_WATCH] = &watch_item, [VERB_CANCEL] = &cancel_item,
    [VERB_RETRY] = &retry_item, [VERB_UPDATE] = &retry_item, [VERB_REMOVE] = &one_item,
    [VERB_EXPLAIN] = &one_item, [VERB_ASK] = &ask_item, [VERB_QUEUE] = &queue_item,
    [VERB_PUT] = &put_item, [VERB_FETCH] = &fetch_item, [VERB_DROP] = &fetch_item,
    [VERB_FEED] = &feed_item, [VERB_FILE_LINK] = &file_link_item,
    [VERB_START] = &start_item, [VERB_PROGRESS] = &progress_item,
    [VERB_CHECKPOINT] = &checkpoint_item, [VERB_DONE] = &done_item, [VERB_FAIL] = &fail_item,
    [VERB_RELEASE] = &start_item, [VERB_LOG] = &log_item, [VERB_CLAIM] = &claim_item,
    [VERB_STOPPED] = &start_item, [VERB_STATS] = &empty_item, [VERB_UNWATCH] = &unwatch_item,
    [VERB_SCHEDULE] = &schedule_item, [VERB_PAUSE] = &one_item,
    [VERB_CHECKPOINT_PUT] = &checkpoint_put_item, [VERB_CHECKPOINT_DROP] = &checkpoint_drop_item,
    [VERB_STATION_PUT] = &station_item, [VERB_STATION_BEAT] = &station_item,
    [VERB_STATION_LEAVE] = &station_item, [VERB_STATION_GET] = &station_item,
    [VERB_STATION_LIST] = &stations_item, [VERB_SESSION_PUT] = &session_item,
    [VERB_SESSION_REPORT] = &session_item, [VERB_SESSION_DO] = &session_item,
    [VERB_SESSION_GET] = &session_item, [VERB_COMMANDS] = &commands_item,
    [VERB_WORKERS] = &fleet_item,
    [VERB_FLEET_STATS] = &fleet_item, [VERB_FILE_CREATE] = &file_create_item,
    [VERB_FILE_WRITE] = &file_write_item,
    [VERB_FILE_SEAL] = &file_one_item, [VERB_FILE_READ] = &file_read_item,
    [VERB_FILE_DROP] = &file_one_item, [VERB_FILE_APPEND] = &file_append_item,
    [VERB_FILE_END] = &file_one_item, [VERB_FILE_STAT] = &file_one_item,
    [VERB_WELCOME] = &welcome_item,
    [VERB_RESYNC] = &empty_item, [VERB_SUBMITTED] = &submitted_item, [VERB_TASK] = &task_item,
    [VERB_SETTLED] = &settled_item, [VERB_CHECKPOINT_OK] = &checkpoint_ok_item,
    [VERB_STOP] = &stop_item, [VERB_RECALL] = &stop_item, [VERB_VIEW] = &view_item,
    [VERB_ANSWER] = &answer_item, [VERB_ROWS] = &rows_item, [VERB_OUTCOME] = &outcome_item,
    [VERB_REFUSED] = &refused_item, [VERB_FILE_BYTES] = &file_bytes_item,
    [VERB_KEYRING] = &answer_item,
};

const struct layout *layout_of(uint64_t verb) { return verb < VERB_MAX ? layouts[verb] : NULL; }

void item_default(struct message *m) {
    if (m->verb == VERB_FAIL) m->report.retryable = true;
    if (m->verb == VERB_PROGRESS) m->report.percent = -1;
    if (m->verb == VERB_ROWS) m->rows.total = -1;
    if (m->verb == VERB_FILE_APPEND) m->file.seq = -1;
    if (m->verb == VERB_ASK) {
        m->question.priority = -1;
        m->question.dialect = -1;
    }
}
