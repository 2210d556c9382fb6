/* words.h - short answers in words: "name\tvalue\n" lines, cut at WORDS_MAX bytes. */
#ifndef RELAIS_CORE_TEXT_H
#define RELAIS_CORE_TEXT_H
#include "proto/base/bytes.h"

enum { WORDS_MAX = 2048 };
struct words { uint32_t len; char bytes[WORDS_MAX]; };

void words_put(struct words *t, const char *s);
void words_bytes(struct words *t, struct slice s);
void words_integer(struct words *t, int64_t value);
/* A whole line. */
void words_number(struct words *t, const char *name, int64_t value);
void words_slice(struct words *t, const char *name, struct slice value);
struct slice words_done(const struct words *t);
#endif
