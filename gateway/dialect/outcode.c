#include "gateway/dialect/outcode.h"

struct outcode outcode_of(enum code code) {
    switch (code) {
    case CODE_VALIDATION_ERROR: return (struct outcode){"VALIDATION_ERROR", 400};
    case CODE_UNAUTHORIZED: return (struct outcode){"UNAUTHORIZED", 401};
    case CODE_FORBIDDEN: return (struct outcode){"FORBIDDEN", 403};
    case CODE_NOT_FOUND:
    case CODE_WORKER_NOT_FOUND:
    case CODE_UNKNOWN_TASK: return (struct outcode){"NOT_FOUND", 404};
    case CODE_METHOD_NOT_ALLOWED: return (struct outcode){"METHOD_NOT_ALLOWED", 405};
    case CODE_NOT_ACCEPTABLE: return (struct outcode){"NOT_ACCEPTABLE", 406};
    case CODE_CONFLICT:
    case CODE_INVALID_STATE:
    case CODE_ALREADY_SETTLED:
    case CODE_SESSION_NOT_CONNECTED:
    case CODE_WORKER_ALREADY_REGISTERED:
    case CODE_MAX_RETRIES: return (struct outcode){"CONFLICT", 409};
    case CODE_ATTEMPT_SUPERSEDED: return (struct outcode){"ATTEMPT_SUPERSEDED", 409};
    case CODE_IDEMPOTENCY_CONFLICT: return (struct outcode){"IDEMPOTENCY_CONFLICT", 409};
    case CODE_GONE: return (struct outcode){"GONE", 410};
    case CODE_REQUEST_TIMEOUT: return (struct outcode){"REQUEST_TIMEOUT", 408};
    case CODE_PAYLOAD_TOO_LARGE: return (struct outcode){"PAYLOAD_TOO_LARGE", 413};
    case CODE_URI_TOO_LONG: return (struct outcode){"URI_TOO_LONG", 414};
    case CODE_UNSUPPORTED_MEDIA_TYPE: return (struct outcode){"UNSUPPORTED_MEDIA_TYPE", 415};
    case CODE_RANGE_NOT_SATISFIABLE: return (struct outcode){"RANGE_NOT_SATISFIABLE", 416};
    case CODE_UPGRADE_REQUIRED: return (struct outcode){"UPGRADE_REQUIRED", 426};
    case CODE_RATE_LIMITED:
    case CODE_LIMIT_REACHED: return (struct outcode){"RATE_LIMITED", 429};
    case CODE_HEADERS_TOO_LARGE: return (struct outcode){"HEADERS_TOO_LARGE", 431};
    case CODE_UNAVAILABLE:
    case CODE_BUSY:
    case CODE_NOT_LINKED:
    case CODE_NO_AVAILABLE_WORKERS:
    case CODE_TIMED_OUT: return (struct outcode){"UNAVAILABLE", 503};
    case CODE_VERSION_NOT_SUPPORTED: return (struct outcode){"VERSION_NOT_SUPPORTED", 505};
    case CODE_STORAGE_FULL: return (struct outcode){"STORAGE_FULL", 507};
    case CODE_OK:
    case CODE_INTERNAL_ERROR:
    case CODE_BAD_VERSION: /* the rest are this program's own mistakes, never a client's */
    case CODE_BAD_FRAME:
    case CODE_UNKNOWN_VERB: break;
    }
    return (struct outcode){"INTERNAL_ERROR", 500};
}
