/* spell.h - the public spellings of a task's number, with the installation's own key.
 *
 * The key comes from the broker; an exchange that got an answer from it, or passed the guards,
 * has it. Reading before the broker was ever heard takes nothing for a valid id. */
#ifndef RELAIS_GATEWAY_DIALECT_SPELL_H
#define RELAIS_GATEWAY_DIALECT_SPELL_H
#include "gateway/exchange.h"
#include "proto/id.h"

void spell_task(const struct exchange *x, uint64_t number, char text[static TASK_TEXT_SIZE]);
void spell_job(const struct exchange *x, uint64_t number, char text[static JOB_UUID_SIZE]);
void spell_cuid(const struct exchange *x, uint64_t number, char text[static CUID_SIZE]);
/* The cuid of a task's result. */
void spell_result(const struct exchange *x, uint64_t number, char text[static CUID_SIZE]);
/* False and untouched when the text is no such id of this installation. */
bool spell_task_read(const struct exchange *x, struct slice text, uint64_t *ret_number);
bool spell_job_read(const struct exchange *x, struct slice text, uint64_t *ret_number);
bool spell_cuid_read(const struct exchange *x, struct slice text, uint64_t *ret_number);
bool spell_result_read(const struct exchange *x, struct slice text, uint64_t *ret_number);
#endif
