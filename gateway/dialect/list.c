/* list.c - the dialects that are served, in order of precedence. */
#include "gateway/dialect/megahub/megahub.h"
#include "gateway/dialect/qalpuch/qalpuch.h"
#include "gateway/dialect/speech/speech.h"
#include "gateway/dialect/whatsapp/whatsapp.h"

const struct dialect *const dialect_list[] = {&qalpuch, &speech, &megahub, &whatsapp, NULL};
