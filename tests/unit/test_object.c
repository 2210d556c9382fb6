/* Rows of objects and events, as answers carry them: what is written is read, and nothing else. */
#include "proto/encode.h"
#include "proto/object.h"
#include "tests/unit/tap.h"
#include <stdlib.h>

static const uint8_t hash[32] = {1, 2, 3};

static struct object_row full(void) {
    return (struct object_row){
        .id = UINT64_C(1) << 52, .kind = 200, .brand = UINT32_MAX, .version = 7, .created_ms = 5,
        .updated_ms = 6, .until_ms = INT64_MAX, .name = slice_text("n"), .body = slice_text("b"),
        .owner = slice_text("o"), .file = 9, .file_size = 10, .ticket = UINT64_MAX,
        .file_name = slice_text("a.wav"), .file_mime = slice_text("audio/wav"),
        .file_hash = slice_of(hash, sizeof hash)};
}

static bool same(const struct object_row *a, const struct object_row *b) {
    return a->id == b->id && a->kind == b->kind && a->brand == b->brand &&
           a->version == b->version && a->created_ms == b->created_ms &&
           a->updated_ms == b->updated_ms && a->until_ms == b->until_ms &&
           slice_equal(a->name, b->name) && slice_equal(a->body, b->body) &&
           slice_equal(a->owner, b->owner) && a->file == b->file &&
           a->file_size == b->file_size && a->ticket == b->ticket &&
           slice_equal(a->file_name, b->file_name) && slice_equal(a->file_mime, b->file_mime) &&
           slice_equal(a->file_hash, b->file_hash);
}

static void an_object_comes_back(void) {
    struct object_row rows[2] = {full(), {.id = 1, .version = 1}}, got;
    struct buffer b = {0};
    object_row_put(&b, &rows[0]);
    ok(object_row_read(buffer_slice(&b), &got) && same(&rows[0], &got), "a row comes back whole");
    object_row_put(&b, &rows[1]);
    ok(!object_row_read(buffer_slice(&b), &got), "two rows are not one");
    uint32_t at = 0, count = 0;
    while (object_row_next(buffer_slice(&b), &at, &got)) {
        ok(same(&rows[count], &got), "each of several comes back");
        count++;
    }
    is_int(count, 2, "and no more than there are");
    is_int(at, b.len, "to the end");
    buffer_free(&b);
}

/* Each prefix lies at the end of memory of its own, so that a read behind it is seen. */
static void a_cut_row_is_refused(void) {
    struct object_row row = full(), got;
    struct feed_row event = {.seq = 1, .time_ms = 2, .topic = slice_text("t"),
                             .key = slice_text("k"), .data = slice_text("d")}, heard;
    struct buffer b = {0}, e = {0};
    int taken = 0;
    object_row_put(&b, &row);
    feed_row_put(&e, &event);
    for (size_t len = 0; len < b.len; len++) {
        uint8_t *copy = malloc(len ? len : 1);
        uint32_t at = 0;
        if (len) memcpy(copy, b.data, len);
        taken += object_row_read(slice_of(copy, len), &got);
        if (len < e.len) {
            memcpy(copy, e.data, len);
            taken += feed_row_next(slice_of(copy, len), &at, &heard);
        }
        free(copy);
    }
    is_int(taken, 0, "a row that is cut off is none");
    buffer_free(&b);
    buffer_free(&e);
}

static void what_is_no_row_is_refused(void) {
    struct object_row row = full(), got = {.id = 3};
    struct buffer b = {0};
    row.file_hash = slice_of(hash, 31);
    object_row_put(&b, &row);
    ok(!object_row_read(buffer_slice(&b), &got), "a hash has 32 bytes");
    buffer_clear(&b);
    row = full();
    row.name = slice_text("\xff");
    object_row_put(&b, &row);
    ok(!object_row_read(buffer_slice(&b), &got), "a name is text");
    buffer_clear(&b);
    encode_array(&b, 2);
    encode_uint(&b, 1);
    encode_uint(&b, 2);
    ok(!object_row_read(buffer_slice(&b), &got), "another array is none");
    ok(!object_row_read((struct slice){0}, &got), "nor is nothing");
    is_int(got.id, 3, "and the output is as it was");
    buffer_free(&b);
}

static void a_longer_row_is_read(void) {
    struct object_row row = full(), got;
    struct buffer b = {0};
    object_row_put(&b, &row);
    b.data[2]++; /* array16: its count */
    encode_text(&b, slice_text("of a newer broker"));
    ok(b.data[0] == 0xdc && object_row_read(buffer_slice(&b), &got) && same(&row, &got),
       "elements behind the known ones are passed over");
    buffer_free(&b);
}

static void events_come_back(void) {
    struct buffer b = {0};
    struct feed_row row;
    uint32_t at = 0, count = 0;
    for (uint64_t i = 1; i <= 3; i++)
        feed_row_put(&b, &(struct feed_row){.seq = i << 40, .time_ms = 5, .topic = slice_text("t"),
                                            .key = slice_text(""), .data = slice_of(&i, 8)});
    while (feed_row_next(buffer_slice(&b), &at, &row))
        count += row.seq == (uint64_t)(count + 1) << 40 && row.data.len == 8;
    is_int(count, 3, "events come back in order");
    buffer_clear(&b);
    feed_next_put(&b, 77);
    is_int(feed_next_read(buffer_slice(&b)), 77, "and where to go on");
    is_int(feed_next_read(slice_text("x77")), 0, "which is a number and nothing else");
    buffer_free(&b);
}

static void a_link_is_read(void) {
    struct buffer b = {0};
    uint64_t id = 0, size = 0;
    struct slice sum;
    encode_array(&b, 3);
    encode_uint(&b, 5);
    encode_uint(&b, 6);
    encode_bin(&b, slice_of(hash, sizeof hash));
    ok(file_link_read(buffer_slice(&b), &id, &size, &sum) && id == 5 && size == 6 &&
           slice_equal(sum, slice_of(hash, sizeof hash)), "a linked file has id, size and hash");
    ok(!file_link_read(slice_of(b.data, b.len - 1), &id, &size, &sum), "all of it");
    buffer_free(&b);
}

int main(void) {
    an_object_comes_back();
    a_cut_row_is_refused();
    what_is_no_row_is_refused();
    a_longer_row_is_read();
    events_come_back();
    a_link_is_read();
    return done();
}
