/* utf8.h - checks text from outside; shortest form only, no surrogates, up to U+10FFFF. Pure. */
#ifndef RELAIS_PROTO_BASE_UTF8_H
#define RELAIS_PROTO_BASE_UTF8_H
#include "proto/base/bytes.h"

/* Length in bytes (1..4) of the character at the start of text, its code in *code; 0 and *code
 * untouched when there is none or it is malformed. */
uint32_t utf8_next(struct slice text, uint32_t *code);
bool utf8_valid(struct slice text);
/* The number of bytes, at most max, that hold whole characters: where to cut a text. */
uint32_t utf8_cut(struct slice text, uint32_t max);
#endif
