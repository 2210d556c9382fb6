/* Passwords on their own thread: what is stored, what is compared, and how many may wait. */
#include "gateway/hasher.h"
#include "tests/unit/tap.h"
#include <poll.h>
#include <sodium.h>

static struct hash_box box;
static struct hasher *hasher;

static struct hash_job *await(void) {
    struct pollfd fd = {.fd = box.fd, .events = POLLIN};
    return poll(&fd, 1, 20000) == 1 ? hash_box_take(&box) : NULL;
}

static struct hash_job *run(const char *password, size_t len, const char *stored) {
    struct hash_job *job = hash_job_new(&box, NULL, slice_of(password, len), stored);
    if (hasher_put(hasher, job)) return await();
    hash_job_free(&job);
    return NULL;
}

static bool compares(const char *password, const char *stored) {
    struct hash_job *job = run(password, strlen(password), stored);
    const bool good = job != NULL && job->good;
    hash_job_free(&job);
    return good;
}

static void texts(void) {
    struct hash_job *made = run("correct horse", 13, NULL);
    ok(made != NULL && made->good && strncmp(made->text, "$argon2id$", 10) == 0,
       "a password is stored as argon2id");
    ok(strlen(made->text) < ACCOUNT_HASH_SIZE, "and fits an account");
    ok(sodium_is_zero((const uint8_t *)made->password, made->len), "the password itself is wiped");
    ok(compares("correct horse", made->text), "the right one is known again");
    ok(!compares("correct horsf", made->text), "a wrong one is not");
    ok(!compares("", made->text), "nor an empty one");
    ok(!compares("correct horse", ""), "a user without a stored text takes none");
    ok(!compares("correct horse", "$argon2id$broken"), "nor does a damaged text");
    hash_job_free(&made);
}

static void bounds(void) {
    uint32_t taken = 0, refused = 0, done_count = 0;
    for (int i = 0; i < 8; i++) {
        struct hash_job *job = hash_job_new(&box, NULL, slice_text("x"), "");
        if (hasher_put(hasher, job)) {
            taken++;
        } else {
            refused++;
            hash_job_free(&job);
        }
    }
    ok(taken >= HASH_WAITING_MAX && taken <= HASH_WAITING_MAX + 2 && refused > 0,
       "one runs, two wait, more are refused");
    for (struct hash_job *job; done_count < taken && (job = await()) != NULL; done_count++)
        hash_job_free(&job);
    is_int(done_count, taken, "all that were taken come back");
    struct pollfd fd = {.fd = box.fd, .events = POLLIN};
    is_int(poll(&fd, 1, 0), 0, "then the descriptor is quiet");
}

static void ending(void) {
    uint32_t taken = 0, came = 0;
    for (int i = 0; i < 3; i++) {
        struct hash_job *job = hash_job_new(&box, NULL, slice_text("x"), "");
        if (hasher_put(hasher, job)) taken++;
        else hash_job_free(&job);
    }
    hasher_destroy(&hasher);
    for (struct hash_job *job; (job = hash_box_take(&box)) != NULL; came++) hash_job_free(&job);
    is_int(came, taken, "an end loses no job");
    ok(hasher == NULL, "and the hasher is gone");
}

int main(void) {
    char why[200] = "";
    if (sodium_init() < 0 || !hash_box_open(&box)) return 1;
    hasher = hasher_new(why, sizeof why);
    if (hasher == NULL) {
        note("%s", why);
        return 1;
    }
    texts();
    bounds();
    ending();
    hash_box_close(&box);
    return done();
}
