/* The lobby: whose turn it is, what is refused, and until when. Time is an argument. */
#include "broker/lobby.h"
#include "tests/unit/tap.h"
#include <stdlib.h>
#include <string.h>

enum { WAIT_MS_MAX = 100 };

static void come(struct lobby *l, struct line *line, uint32_t items, int64_t now_ms) {
    zmq_msg_t body;
    zmq_msg_init_size(&body, sizeof items);
    memcpy(zmq_msg_data(&body), &items, sizeof items);
    if (!lobby_put(l, line, &body, items, now_ms)) abort();
    zmq_msg_close(&body);
}

/* The items of the next frame; 0 = nobody waits. */
static uint32_t next(struct lobby *l, struct line **line, int64_t now_ms) {
    zmq_msg_t body;
    uint32_t items;
    *line = lobby_take(l, &body, now_ms);
    if (*line == NULL) return 0;
    memcpy(&items, zmq_msg_data(&body), sizeof items);
    zmq_msg_close(&body);
    return items;
}

static void a_line_keeps_its_order(struct lobby *l) {
    struct line a = {0}, *who;
    for (uint32_t i = 1; i <= 5; i++) come(l, &a, i, 0);
    uint32_t kept = 0;
    for (uint32_t i = 1; i <= 5; i++) kept += next(l, &who, 0) == i && who == &a;
    is_int(kept, 5, "what came first is taken first");
    ok(lobby_empty(l) && a.items == 0 && l->bytes == 0, "and then nothing waits");
    is_int(next(l, &who, 0), 0, "nothing is taken from nobody");
}

static void turns_are_fair_by_items(struct lobby *l) {
    struct line bulk = {0}, small = {0}, *who;
    uint32_t of_bulk = 0, of_small = 0, items;
    for (int i = 0; i < 100; i++) come(l, &bulk, 256, 0);
    for (int i = 0; i < 2000; i++) come(l, &small, 1, 0);
    while (of_bulk + of_small < 3000 && (items = next(l, &who, 0)) > 0)
        *(who == &bulk ? &of_bulk : &of_small) += items;
    ok(of_bulk <= of_small + 256 && of_small <= of_bulk + 256,
       "frames of 256 and frames of one get as much");
    lobby_forget(l, &bulk);
    lobby_forget(l, &small);
    ok(lobby_empty(l) && l->bytes == 0, "what is forgotten waits no more");
}

static void a_frame_larger_than_a_turn_is_taken_too(struct lobby *l) {
    struct line a = {0}, b = {0}, *who;
    come(l, &a, 4096, 0);
    come(l, &b, 1, 0);
    is_int(next(l, &who, 0), 1, "after what is small");
    is_int(next(l, &who, 0), 4096, "in its turn");
}

static void what_would_wait_too_long_is_refused(struct lobby *l) {
    struct line a = {0}, *who;
    int64_t now = 0;
    ok(lobby_admits(l, &a, now), "an empty line admits");
    for (int i = 0; i < 1000; i++) come(l, &a, 10, now); /* it gives ten items a millisecond */
    ok(lobby_admits(l, &a, now), "however much came before it is known what it costs");
    for (int i = 0; i < 200; i++) next(l, &who, ++now);
    ok(!lobby_admits(l, &a, now), "800 ms to wait are too long");
    for (int i = 0; i < 701; i++) next(l, &who, ++now);
    ok(!lobby_admits(l, &a, now), "99 ms too, for one that was refused and goes on");
    struct line b = {.cost_ms = a.cost_ms, .cost_items = a.cost_items};
    for (int i = 0; i < 90; i++) come(l, &b, 10, now);
    ok(lobby_admits(l, &b, now), "not for one that was not refused");
    lobby_forget(l, &b);
    while (a.items > 200) next(l, &who, ++now);
    ok(a.shed && !lobby_admits(l, &a, now), "its oldest frame has waited for longer than it may");
    while (a.items > 0) next(l, &who, ++now);
    ok(!a.shed && lobby_admits(l, &a, now), "once nothing waits it is like any other");
}

static void who_goes_on_waits_a_part_of_it(struct lobby *l) {
    struct line a = {0}, *who;
    int64_t now = 0;
    uint64_t admitted = 0, longest = 0, shortest = UINT64_MAX;
    for (; now < 10000; now++) { /* three times what is taken, and deaf */
        for (int i = 0; i < 30; i++) {
            if (!lobby_admits(l, &a, now)) continue;
            come(l, &a, 10, now);
            admitted += 10;
        }
        for (int i = 0; i < 10; i++) next(l, &who, now);
        if (now > 1000 && a.items > longest) longest = a.items;
        if (now > 1000 && a.items < shortest) shortest = a.items;
    }
    ok(longest <= 100 * (WAIT_MS_MAX / LOBBY_SHED_PART + 2), "it waits a part of what others may");
    ok(shortest > 0, "and never runs dry");
    ok(admitted >= 990000, "all that can be taken is taken");
    lobby_forget(l, &a);
}

static void who_waits_for_its_answers_is_not_refused(struct lobby *l) {
    struct line a = {0}, *who;
    bool good = true;
    for (int i = 0; i < 75; i++) come(l, &a, 100, 0); /* 75 ms of work, always */
    for (int64_t now = 1; now < 5000; now++) {
        good = good && next(l, &who, now) == 100 && lobby_admits(l, &a, now);
        come(l, &a, 100, now);
    }
    ok(good, "a deep pipeline that only replaces what was taken is never refused");
    lobby_forget(l, &a);
}

int main(void) {
    struct lobby l;
    lobby_open(&l, WAIT_MS_MAX);
    a_line_keeps_its_order(&l);
    turns_are_fair_by_items(&l);
    a_frame_larger_than_a_turn_is_taken_too(&l);
    what_would_wait_too_long_is_refused(&l);
    who_goes_on_waits_a_part_of_it(&l);
    who_waits_for_its_answers_is_not_refused(&l);
    struct line left = {0};
    come(&l, &left, 1, 0);
    lobby_close(&l);
    ok(left.first == NULL, "closing frees what waits");
    return done();
}
