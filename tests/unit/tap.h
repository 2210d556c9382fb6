/* tap.h - a test is a program that prints plain TAP; `prove` runs it.
 *
 * ok(cond, "fact") states a fact that must be true; is_int and is_text print both sides when they
 * differ. The last line of main is `return done();`: it prints the plan, and the exit status is 1
 * when a fact did not hold. Facts are sentences: "a stale epoch is refused". */
#ifndef RELAIS_TESTS_UNIT_TAP_H
#define RELAIS_TESTS_UNIT_TAP_H
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct tap { int run, failed; };
static struct tap tap; /* one per test program */

__attribute__((format(printf, 1, 2))) static inline void note(const char *format, ...) {
    va_list list;
    va_start(list, format);
    fputs("# ", stdout);
    vprintf(format, list);
    putchar('\n');
    va_end(list);
}

static inline bool tap_say(bool cond, const char *fact, const char *file, int line) {
    tap.run++;
    tap.failed += !cond;
    printf("%s %d - %s\n", cond ? "ok" : "not ok", tap.run, fact);
    if (!cond) {
        note("at %s:%d", file, line);
    }
    fflush(stdout);
    return cond;
}

static inline bool tap_int(int64_t got, int64_t want, const char *fact, const char *file,
                           int line) {
    if (!tap_say(got == want, fact, file, line)) {
        note("got %lld, want %lld", (long long)got, (long long)want);
    }
    return got == want;
}

static inline bool tap_text(const char *got, const char *want, const char *fact,
                            const char *file, int line) {
    bool same = got == want || (got != NULL && want != NULL && strcmp(got, want) == 0);
    if (!tap_say(same, fact, file, line)) {
        note("got \"%s\"", got == NULL ? "(null)" : got);
        note("want \"%s\"", want == NULL ? "(null)" : want);
    }
    return same;
}

#define ok(cond, fact) tap_say((cond), (fact), __FILE__, __LINE__)
#define is_int(got, want, fact) \
    tap_int((int64_t)(got), (int64_t)(want), (fact), __FILE__, __LINE__)
#define is_text(got, want, fact) tap_text((got), (want), (fact), __FILE__, __LINE__)

/* For what this machine cannot do: counts as passed and says why. */
static inline void skip(const char *fact, const char *why) {
    printf("ok %d - %s # SKIP %s\n", ++tap.run, fact, why);
}

static inline int done(void) {
    printf("1..%d\n", tap.run);
    return tap.failed > 0 || tap.run == 0;
}
#endif
