/* names.c - what librelais calls its numbers. */
#include "proto/message.h"
#include "worker/relais.h"

/* The public numbers are those of the wire; the header stands alone, so they are compared here. */
#define CODE(name, number, http, sentence)                                                         \
    _Static_assert((int)RELAIS_##name == (int)CODE_##name, "relais.h and code.def differ: " #name);
#include "proto/code.def"
#undef CODE
_Static_assert((int)RELAIS_CANCELLED == (int)STATUS_CANCELLED, "relais.h and record.h differ");
_Static_assert((int)RELAIS_REASON_PAUSED == (int)REASON_PAUSED, "relais.h and record.h differ");

static const struct { const char *name, *text; } own[] = {
    {"OK", "done"},
    {"TIMEOUT", "no answer within the time"},
    {"CLOSED", "drained or stopped"},
    {"ARGUMENT", "a parameter is missing, too long, or contradicts another"},
    {"MEMORY", "out of memory"},
    {"SYSTEM", "a system call failed"},
    {"FULL", "too many requests wait for their answers"},
    {"UNCERTAIN", "the link broke before the answer: it may or may not have happened"},
    {"DAMAGED", "the file's bytes do not have the right hash"},
};
enum { OWN = sizeof own / sizeof own[0] };

const char *relais_error_name(int code) {
    if (code > -OWN && code < 0) return own[-code].name;
    return code < 0 ? "?" : code_name((enum code)code);
}

const char *relais_error_text(int code) {
    if (code > -OWN && code < 0) return own[-code].text;
    return code_text(code < 0 ? CODE_INTERNAL_ERROR : (enum code)code);
}

const char *relais_status_name(int status) {
    return status_name(status < 0 ? STATUS_COUNT : (enum status)status);
}

const char *relais_reason_name(int reason) {
    return reason_name(reason < 0 ? REASON_COUNT : (enum reason)reason);
}

const char *relais_priority_name(int priority) {
    static const char *const names[] = {"normal", "low", "normal", "high", "critical"};
    return priority < 0 || priority > RELAIS_PRIORITY_CRITICAL ? "?" : names[priority];
}
