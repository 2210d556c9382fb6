#include "gateway/dialect/spell.h"
#include "proto/host/ids.h"

static struct id_key key_of(const struct exchange *x) { return id_key_of(exchange_id_key(x)); }

void spell_task(const struct exchange *x, uint64_t number, char text[static TASK_TEXT_SIZE]) {
    struct id_key key = key_of(x);
    task_text_write(&key, number, text);
}

void spell_job(const struct exchange *x, uint64_t number, char text[static JOB_UUID_SIZE]) {
    struct id_key key = key_of(x);
    job_uuid_write(&key, number, text);
}

void spell_cuid(const struct exchange *x, uint64_t number, char text[static CUID_SIZE]) {
    struct id_key key = key_of(x);
    cuid_write(&key, number, text);
}

void spell_result(const struct exchange *x, uint64_t number, char text[static CUID_SIZE]) {
    struct id_key key = key_of(x);
    result_cuid_write(&key, number, text);
}

bool spell_task_read(const struct exchange *x, struct slice text, uint64_t *ret_number) {
    struct id_key key = key_of(x);
    return exchange_id_key(x) != NULL && task_text_read(&key, text, ret_number);
}

bool spell_job_read(const struct exchange *x, struct slice text, uint64_t *ret_number) {
    struct id_key key = key_of(x);
    return exchange_id_key(x) != NULL && job_uuid_read(&key, text, ret_number);
}

bool spell_cuid_read(const struct exchange *x, struct slice text, uint64_t *ret_number) {
    struct id_key key = key_of(x);
    return exchange_id_key(x) != NULL && cuid_read(&key, text, ret_number);
}

bool spell_result_read(const struct exchange *x, struct slice text, uint64_t *ret_number) {
    struct id_key key = key_of(x);
    return exchange_id_key(x) != NULL && result_cuid_read(&key, text, ret_number);
}
