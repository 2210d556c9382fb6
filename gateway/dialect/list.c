/* list.c - the dialects that are served, in order of precedence. */
#include "gateway/dialect/megahub/megahub.h"
#include "gateway/dialect/speech/speech.h"

const struct dialect *const dialect_list[] = {&speech, &megahub, NULL};
