/* Tasks are found by pieces of their words and by when they were made: all of them, and without
 * looking at the others, whatever was changed, deleted, replayed or restarted meanwhile. */
#include "proto/base/fold.h"
#include "proto/base/map.h"
#include "proto/host/ids.h"
#include "store/disk.h"
#include "tests/unit/answers.h"
#include <unistd.h>

enum { TASKS = 6000, BRANDS = 2, ROUNDS = 6 };

static const char *const words[] = {"Facture", "client", "Éclair", "weekly", "4711", "a\\\"b",
                                    "report", "x", "naïve", "retry"};
enum { WORDS = sizeof words / sizeof *words };

struct made { struct task_head head; struct was was; char text[160]; bool there; };
static struct made tasks[TASKS];
static uint32_t count;
static struct feed *dice;
static int64_t now_ms;

static struct id_key spelling(void) { return id_key_of(id_key); }

static void text_make(struct made *t) {
    snprintf(t->text, sizeof t->text, "%s %s no. %05u %s", words[feed_below(dice, WORDS)],
             words[feed_below(dice, WORDS)], feed_below(dice, 100000),
             words[feed_below(dice, WORDS)]);
}

static void body_put(struct buffer *b, const struct made *t) {
    char extra[256];
    snprintf(extra, sizeof extra, "{\"n\":{\"description\":\"inner\"}, \"description\" : \"%s\"}",
             t->text);
    struct record r = {.kind = RECORD_BODY, .body = {.id = t->head.id,
                                                     .extra = slice_text(extra)}};
    record_encode(b, &r);
}

static void head_put(struct buffer *b, struct made *t) {
    struct record r = {.kind = RECORD_TASK, .was = t->was, .task = t->head};
    record_encode(b, &r);
    t->was = (struct was){t->head.status, t->head.priority, t->head.lane, t->head.order, 0};
}

static void lanes_put(struct buffer *b) {
    for (uint32_t lane = 1; lane <= BRANDS; lane++) {
        struct record r = {.kind = RECORD_LANE, .lane = {.lane = lane, .brand = lane,
            .queue = slice_text("q"), .type = slice_text(lane == 1 ? "mail_out" : "Video")}};
        for (uint32_t i = 0; i < count; i++)
            if (tasks[i].there && tasks[i].head.lane == lane)
                r.lane.count[tasks[i].head.status][PRIORITY_NORMAL]++;
        record_encode(b, &r);
    }
}

static void make(struct buffer *b, uint32_t number) {
    for (; number > 0 && count < TASKS; number--, count++) {
        struct made *t = &tasks[count];
        const uint32_t lane = 1 + feed_below(dice, BRANDS);
        const int64_t late_ms = feed_below(dice, 64) == 0 ? feed_below(dice, 400) : 0;
        now_ms += 1 + feed_below(dice, 3);
        *t = (struct made){.there = true, .head = {
            .id = dice->next_id, .order = dice->next_id, .brand = lane, .lane = lane,
            .created_ms = now_ms - late_ms, .updated_ms = now_ms, .run = 1, .version = 1,
            .priority = PRIORITY_NORMAL, .status = STATUS_COMPLETED, .keep_ms = 1000}};
        dice->next_id += 1 + feed_below(dice, 3);
        text_make(t);
        head_put(b, t);
        body_put(b, t);
    }
}

static void change(struct buffer *b) {
    struct made *t = &tasks[feed_below(dice, count)];
    if (!t->there) return;
    if (feed_below(dice, 3) == 0) {
        struct record r = {.kind = RECORD_TASK_GONE, .was = t->was,
                           .task = {.id = t->head.id, .brand = t->head.brand}};
        record_encode(b, &r);
        t->there = false;
        return;
    }
    if (feed_below(dice, 2)) text_make(t);
    t->head.version++;
    head_put(b, t);
    body_put(b, t);
}

static void append(struct store *s, struct buffer *b) {
    lanes_put(b);
    if (store_append(s, store_next_group(s), buffer_slice(b)) != STORE_OK) abort();
    buffer_clear(b);
}

/* ---- what should be found ---- */

static bool has_folded(const char *text, const char *term) {
    uint8_t a[256], b[64];
    const size_t x = strlen(text), y = strlen(term);
    memcpy(a, text, x);
    memcpy(b, term, y);
    fold(a, x);
    fold(b, y);
    return memmem(a, x, b, y) != NULL;
}

/* As it reads when the JSON is read. */
static bool holds(const struct made *t, const char *search) {
    char copy[64], text[200], id[TASK_TEXT_SIZE], *save = NULL;
    const struct id_key ids = spelling();
    uint32_t len = 0;
    for (const char *at = t->text; *at; at++)
        if (*at != '\\') text[len++] = *at;
    text[len] = 0;
    task_text_write(&ids, t->head.id, id);
    snprintf(copy, sizeof copy, "%s", search);
    for (char *term = strtok_r(copy, " ", &save); term; term = strtok_r(NULL, " ", &save))
        if (!has_folded(text, term) && !has_folded(id, term) &&
            !has_folded(t->head.lane == 1 ? "mail_out" : "Video", term))
            return false;
    return true;
}

static const struct made *task_of(uint64_t id) {
    for (uint32_t low = 0, high = count; low < high;) {
        const uint32_t middle = (low + high) / 2;
        if (tasks[middle].head.id == id) return &tasks[middle];
        if (tasks[middle].head.id < id) low = middle + 1;
        else high = middle;
    }
    return NULL;
}

/* Walks page by page, as lists do; how many answers are wrong. */
static int search_wrong(struct store *s, const char *search, uint32_t brand, bool descending) {
    struct buffer cursor = {0};
    struct record r;
    uint32_t due = 0, got = 0;
    uint64_t before = 0;
    int wrong = 0;
    for (uint32_t i = 0; i < count; i++)
        due += tasks[i].there && tasks[i].head.brand == brand && holds(&tasks[i], search);
    for (bool more = true; more;) {
        struct store_view *v = store_view_open(s, store_next_group(s) - 1, why, sizeof why);
        const struct walk walk = {.kind = WALK_TEXT, .brand = brand, .descending = descending,
                                  .terms = slice_text(search), .id_key = id_key,
                                  .cursor = buffer_slice(&cursor),
                                  .looks_max = 20 + feed_below(dice, 500)};
        struct store_walk *w = walk_open(v, &walk);
        uint32_t rows = 0;
        more = false;
        while (rows < 40 && walk_next(w, &r)) {
            const struct made *t = task_of(r.task.id);
            const bool right = t && t->there && holds(t, search) && t->head.brand == brand;
            wrong += walk_sure(w) && !right;
            wrong += before && (descending ? r.task.id >= before : r.task.id <= before);
            before = r.task.id;
            got += right;
            rows++;
        }
        more = rows == 40 || walk_spent(w);
        wrong += walk_trouble(w) != NULL;
        walk_cursor(w, &cursor);
        walk_close(&w);
        store_view_close(&v);
    }
    buffer_free(&cursor);
    if (got != due) note("\"%s\" in brand %u: %u of %u", search, brand, got, due);
    return wrong + (got != due);
}

static int searches_wrong(struct store *s) {
    static const char *const some[] = {"facture client", "ÉCLAIR", "4711 week", "a\"b", "x", "_out",
                                       "task_", "VID no", "absent", "ïve retr", "47 ct", "inner"};
    char piece[TASK_TEXT_SIZE];
    const struct id_key ids = spelling();
    int wrong = 0;
    for (size_t i = 0; i < sizeof some / sizeof *some; i++)
        wrong += search_wrong(s, some[i], 1 + feed_below(dice, BRANDS), feed_below(dice, 2));
    for (int i = 0; i < 6; i++) {
        const struct made *t = &tasks[feed_below(dice, count)];
        task_text_write(&ids, t->head.id, piece);
        piece[5 + 3 + i] = 0;
        wrong += search_wrong(s, piece + (i & 1 ? 5 : 3), t->head.brand, i & 1);
    }
    return wrong;
}

static int findings;
static void finding(void *context, const char *text) {
    (void)context;
    if (findings++ < 5) note("%s", text);
}

static void all_are_found(void) {
    struct buffer b = {0};
    int wrong = 0;
    wipe();
    struct store *s = open_or_die();
    for (int round = 0; round < ROUNDS; round++) {
        for (int group = 0; group < 20; group++) {
            make(&b, TASKS / ROUNDS / 20);
            for (uint32_t i = feed_below(dice, 12); i > 0; i--) change(&b);
            append(s, &b);
        }
        wrong += searches_wrong(s);
        if (round % 2 && !store_settle(s)) abort();
        wrong += searches_wrong(s);
        if (round % 3 == 1) disk_down((struct disk *)s, "the test ends it like a crash");
        if (round % 3 != 2) {
            store_close(&s);
            s = open_or_die();
            wrong += searches_wrong(s);
        }
    }
    is_int(wrong, 0, "a search finds every task that has its terms, once, in order, and no other");
    if (!store_settle(s)) abort();
    store_audit(s, finding, NULL);
    is_int(findings, 0, "the audit finds nothing amiss");
    store_close(&s);
    buffer_free(&b);
}

/* ---- what is in memory ---- */

/* All that a walk gives, its first rows alone and counting the rest, in one number. */
static uint64_t walked(struct store_view *v, const struct walk *walk, uint32_t rows) {
    struct store_walk *w = walk_open(v, walk);
    const bool counts = walk->brief && walk->kind == WALK_TASKS;
    struct record r;
    uint64_t hash = UINT64_MAX; /* 0 is a failure */
    for (uint32_t i = 0; (!counts || i < rows) && walk_next(w, &r); i++)
        hash = hash_number(hash ^ r.task.id << 8 ^ r.task.status ^ (uint64_t)walk_sure(w) << 7);
    if (counts) hash = hash_number(hash ^ walk_count(w));
    if (walk_trouble(w)) note("%s", walk_trouble(w));
    hash = walk_trouble(w) ? 0 : hash;
    walk_close(&w);
    return hash;
}

/* context: one bit a status, of one lane or all. */
struct taste { uint32_t statuses, lane; };
static bool tastes(void *context, uint32_t lane, uint8_t status, uint8_t priority) {
    const struct taste *t = context;
    (void)priority;
    return (t->statuses >> status & 1) != 0 && (t->lane == 0 || t->lane == lane);
}

/* With blocks that are remembered, and with those of the table alone. */
static int walks_differ(struct store_view *v) {
    static const char *const some[] = {"facture", "4711 week", "x", "task_", "47 ct"};
    struct taste taste = {feed_below(dice, 1 << STATUS_COUNT), feed_below(dice, 3)};
    const int64_t from = tasks[feed_below(dice, count)].head.created_ms;
    const int64_t to = tasks[feed_below(dice, count)].head.created_ms;
    struct walk walks[] = {
        {.kind = WALK_TASKS, .descending = true, .brief = true, .wanted = tastes,
         .context = &taste, .from_id = tasks[feed_below(dice, count)].head.id},
        {.kind = WALK_TASKS, .brief = true, .wanted = tastes, .context = &taste,
         .from_ms = from, .to_ms = feed_below(dice, 2) ? to : 0},
        {.kind = WALK_TEXT, .descending = true, .id_key = id_key, .terms = slice_text("x"),
         .wanted = tastes, .context = &taste, .to_ms = to},
        {.kind = WALK_TASKS, .descending = true, .brief = true},
        {.kind = WALK_TASKS, .brief = true},
        {.kind = WALK_TASKS, .descending = true, .to_id = tasks[feed_below(dice, count)].head.id},
        {.kind = WALK_TEXT, .descending = feed_below(dice, 4) > 0, .id_key = id_key,
         .terms = slice_text(some[feed_below(dice, sizeof some / sizeof *some)])}};
    struct block_cache *cache = v->cache;
    int wrong = 0;
    for (size_t i = 0; i < sizeof walks / sizeof *walks; i++) {
        walks[i].brand = 1 + feed_below(dice, BRANDS);
        const uint32_t rows = feed_below(dice, 2) * feed_below(dice, 1000);
        const uint64_t with = walked(v, &walks[i], rows);
        v->cache = NULL;
        wrong += !with || with != walked(v, &walks[i], rows);
        v->cache = cache;
    }
    return wrong;
}

static void forget_oldest(struct buffer *b, uint32_t number) {
    for (uint32_t i = 0; i < number; i++) {
        struct made *t = &tasks[i];
        struct record r = {.kind = RECORD_TASK_GONE, .was = t->was,
                           .task = {.id = t->head.id, .brand = t->head.brand}};
        if (t->there) record_encode(b, &r);
        t->there = false;
    }
}

static void views_open(struct store *s, struct store_view **views, size_t number) {
    struct store_view **one = &views[feed_below(dice, (uint32_t)number)];
    store_view_close(one);
    *one = store_view_open(s, store_next_group(s) - 1, why, sizeof why);
    if (!*one) abort();
}

/* Views of different ages are walked while the table changes. */
static void what_is_remembered_is_what_the_table_has(uint64_t cache_bytes) {
    struct store_options o = options();
    struct store_view *views[3] = {0};
    struct buffer b = {0};
    int wrong = 0;
    wipe();
    count = 0;
    o.list_cache_bytes = cache_bytes;
    struct store *s = store_open(&o, why, sizeof why);
    for (int group = 0; group < 120; group++) {
        make(&b, TASKS / 120);
        for (uint32_t i = feed_below(dice, 6); i > 0; i--) change(&b);
        if (group % 40 == 39) forget_oldest(&b, (uint32_t)group * 30);
        append(s, &b);
        if (feed_below(dice, 3) == 0 && !store_settle(s)) abort();
        views_open(s, views, 3);
        for (int i = 0; i < 3; i++)
            if (views[i]) wrong += walks_differ(views[i]);
    }
    is_int(wrong, 0, "walks over what is remembered and over the table give the same");
    ok(block_cache_bytes(((struct disk *)s)->cache) <= cache_bytes + 4096, "within its memory");
    for (int i = 0; i < 3; i++) store_view_close(&views[i]);
    store_close(&s);
    buffer_free(&b);
}

/* ---- what is looked at ---- */

static uint64_t looked(struct store *s, struct walk walk, uint32_t *rows) {
    struct store_view *v = store_view_open(s, store_next_group(s) - 1, why, sizeof why);
    struct record r;
    *rows = 0;
    struct store_walk *w = walk_open(v, &walk);
    while (walk_next(w, &r)) {
        const int64_t at = r.task.created_ms;
        *rows += (!walk.from_ms || at >= walk.from_ms) && (!walk.to_ms || at <= walk.to_ms);
    }
    const uint64_t sum = walk_looked(w);
    walk_close(&w);
    store_view_close(&v);
    return sum;
}

static uint32_t made_between(int64_t from_ms, int64_t to_ms, uint32_t brand) {
    uint32_t sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += tasks[i].there && tasks[i].head.brand == brand &&
               tasks[i].head.created_ms >= from_ms && tasks[i].head.created_ms <= to_ms;
    return sum;
}

static void ranges_seek(void) {
    struct store *s = open_or_die();
    const int64_t from = tasks[count / 3].head.created_ms, to = from + 100;
    const uint32_t due = made_between(from, to, 1);
    for (int i = 0; i < 2; i++) {
        uint32_t rows;
        const uint64_t looks = looked(s, (struct walk){
            .kind = WALK_TASKS, .brand = 1, .from_ms = from, .to_ms = to,
            .descending = i & 1}, &rows);
        note("%u tasks, %llu looks", rows, (unsigned long long)looks);
        ok(rows == due && due > 0, "a range of time has all that was made in it");
        ok(looks < 300, "without looking at what was made before or after");
    }
    uint32_t rows;
    const uint64_t looks = looked(s, (struct walk){
        .kind = WALK_TEXT, .brand = 1, .terms = slice_text("nowhere to be found"),
        .id_key = id_key}, &rows);
    ok(rows == 0 && looks < 20, "what no task has is not found without looking at tasks");
    store_close(&s);
}

/* Checkpoints have numbers of their own, which may be above all ids of tasks. */
static void times_of_checkpoints_are_not_sought_among_tasks(void) {
    struct store *s = open_or_die();
    struct buffer b = {0};
    uint32_t last = count - 1, rows = 0;
    while (!tasks[last].there) last--;
    const struct made *t = &tasks[last];
    struct record r = {.kind = RECORD_CHECKPOINT, .checkpoint = {
        .id = t->head.id, .brand = t->head.brand, .number = dice->next_id + 1000, .seq = 1,
        .time_ms = now_ms, .name = slice_text("a")}};
    record_encode(&b, &r);
    append(s, &b);
    if (!store_settle(s)) abort();
    struct store_view *v = store_view_open(s, store_next_group(s) - 1, why, sizeof why);
    const struct walk walk = {.kind = WALK_POINTS, .brand = t->head.brand, .from_ms = 1};
    struct store_walk *w = walk_open(v, &walk);
    while (walk_next(w, &r)) rows += r.checkpoint.number == dice->next_id + 1000;
    is_int(rows, 1, "a checkpoint is in the list of all that are newer than something");
    walk_close(&w);
    store_view_close(&v);
    store_close(&s);
    buffer_free(&b);
}

static void a_clock_that_was_set_back_hides_nothing(void) {
    struct buffer b = {0};
    struct store *s = open_or_die();
    wipe();
    store_close(&s);
    wipe();
    s = open_or_die();
    count = 0;
    make(&b, 500);
    append(s, &b);
    const int64_t noon = now_ms;
    now_ms -= 3 * 3600000; /* three hours */
    make(&b, 500);
    append(s, &b);
    if (!store_settle(s)) abort();
    now_ms -= 3 * 3600000; /* and again, of what is not in the table yet */
    make(&b, 50);
    append(s, &b);
    int wrong = 0;
    for (int i = 0; i < 40; i++) {
        const int64_t from = tasks[feed_below(dice, count)].head.created_ms, to = from + 200;
        uint32_t rows;
        looked(s, (struct walk){.kind = WALK_TASKS, .brand = 1, .from_ms = from, .to_ms = to,
                                .descending = i & 1}, &rows);
        wrong += rows != made_between(from, to, 1);
    }
    is_int(wrong, 0, "ranges of time are whole after the clock was set back");
    ok(now_ms < noon, "it was");
    store_close(&s);
    buffer_free(&b);
}

/* ---- older tables ---- */

static void kind_drop(struct table *t, struct table_batch *b, enum key_kind kind) {
    struct range range;
    struct key prefix;
    key_begin(&prefix, kind);
    range_prefix(&range, &prefix);
    struct table_scan *scan = table_scan_open(t, NULL, &range, false);
    for (; table_scan_valid(scan); table_scan_next(scan))
        table_batch_delete(b, table_scan_key(scan));
    table_scan_close(&scan);
}

/* As layouts 2 and 3 had it: a key a task by creation and by status, and no briefs. */
static void make_older(uint32_t version) {
    char path[128];
    struct key key;
    snprintf(path, sizeof path, "%s/table", folder);
    const struct table_options o = {.folder = path, .memory_bytes = 1 << 20,
                                    .cache_bytes = 1 << 20};
    struct table *t = table_open(&o, why, sizeof why);
    struct table_batch *b = table_batch_new();
    struct buffer value = {0};
    if (!t || !b) abort();
    kind_drop(t, b, KEY_BRIEF);
    kind_drop(t, b, KEY_SIGN);
    for (uint32_t i = 0; i < count; i++) {
        const struct task_head *head = &tasks[i].head;
        if (!tasks[i].there) continue;
        key_number(&key, (enum key_kind)'b', head->brand);
        key_u64(&key, head->id);
        table_batch_put(b, key_slice(&key), (struct slice){0});
        key_status(&key, head->status, head->brand, slice_text("a"), head->id);
        table_batch_put(b, key_slice(&key), (struct slice){0});
    }
    key_plain(&key, KEY_REACHED);
    if (table_get(t, NULL, key_slice(&key), &value, why, sizeof why) != 1) abort();
    value.data[8] = (uint8_t)version;
    value.len = version == 2 ? 12 : value.len;
    for (int i = 0; version == 3 && i < 8; i++) buffer_byte(&value, 0);
    table_batch_put(b, key_slice(&key), buffer_slice(&value));
    if (!table_write(t, b, why, sizeof why) || !table_flush(t, why, sizeof why)) abort();
    while (table_flushing(t)) continue;
    table_batch_free(&b);
    table_close(&t);
    buffer_free(&value);
}

static void older_tables_are_brought_up_to_date(void) {
    struct buffer b = {0};
    for (uint32_t version = 2; version < LAYOUT_VERSION; version++) {
        wipe();
        count = 0;
        struct store *s = open_or_die();
        make(&b, 3000);
        append(s, &b);
        if (!store_settle(s)) abort();
        store_close(&s);
        make_older(version);
        struct store_options o = options();
        o.read_only = true;
        ok(store_open(&o, why, sizeof why) == NULL && strstr(why, "start the broker once"),
           "an audit of an older table says what to do");
        s = open_or_die();
        make(&b, 100);
        append(s, &b);
        is_int(searches_wrong(s), 0, "what an older table has is found, and what comes after");
        findings = 0;
        if (!store_settle(s)) abort();
        store_audit(s, finding, NULL);
        is_int(findings, 0, "the audit finds nothing amiss");
        store_close(&s);
    }
    struct store_options o = options();
    o.id_key = (const uint8_t *)"another spelling";
    struct store *s = store_open(&o, why, sizeof why);
    store_close(&s);
    s = open_or_die();
    is_int(searches_wrong(s), 0, "nor is anything lost by another key of spelling");
    store_close(&s);
    buffer_free(&b);
}

/* ---- damage ---- */

static void a_wrong_brief_is_a_finding(void) {
    struct store *s = open_or_die();
    struct disk *d = (struct disk *)s;
    struct table_batch *b = table_batch_new();
    struct buffer value = {0};
    struct key key;
    const struct made *t = &tasks[count / 2];
    struct brief brief = brief_of(&t->head);
    brief.priority = PRIORITY_LOW;
    brief_put(&value, &brief);
    key_block(&key, KEY_BRIEF, t->head.brand, block_of(t->head.id));
    if (!store_settle(s)) abort();
    table_batch_merge(b, key_slice(&key), buffer_slice(&value));
    if (!table_write(d->table, b, why, sizeof why)) abort();
    findings = 0;
    store_audit(s, finding, NULL);
    is_int(findings, 1, "a brief that says another thing than its task is found");
    buffer_clear(&value);
    brief.status = STATUS_NONE;
    brief_put(&value, &brief);
    table_batch_merge(b, key_slice(&key), buffer_slice(&value));
    if (!table_write(d->table, b, why, sizeof why)) abort();
    findings = 0;
    store_audit(s, finding, NULL);
    is_int(findings, 1, "and one that is missing");
    table_batch_free(&b);
    buffer_free(&value);
    store_close(&s);
}

int main(void) {
    if (!mkdtemp(folder)) return 1;
    dice = feed_new(5);
    now_ms = dice->now_ms;
    all_are_found();
    ranges_seek();
    times_of_checkpoints_are_not_sought_among_tasks();
    a_clock_that_was_set_back_hides_nothing();
    what_is_remembered_is_what_the_table_has(64 << 10);
    what_is_remembered_is_what_the_table_has(64 << 20);
    older_tables_are_brought_up_to_date();
    a_wrong_brief_is_a_finding();
    wipe();
    rmdir(folder);
    free(dice);
    return done();
}
