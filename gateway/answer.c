#include "gateway/answer.h"

uint64_t answer_number(const struct message *m) {
    switch ((int)m->verb) {
    case VERB_SUBMITTED: return m->submitted.number;
    case VERB_TASK: return m->task.number;
    case VERB_SETTLED: return m->settled.number;
    case VERB_CHECKPOINT_OK: return m->checkpoint_ok.number;
    case VERB_VIEW: return m->view.number;
    case VERB_ANSWER: return m->answer.number;
    case VERB_ROWS: return m->rows.number;
    case VERB_REFUSED: return m->refused.number;
    case VERB_FILE_BYTES: return m->file_bytes.number;
    default: return 0;
    }
}

enum code answer_code(const struct message *m) {
    switch ((int)m->verb) {
    case VERB_SUBMITTED: return m->submitted.code;
    case VERB_SETTLED: return m->settled.code;
    case VERB_CHECKPOINT_OK: return m->checkpoint_ok.code;
    case VERB_VIEW: return m->view.code;
    case VERB_ANSWER: return m->answer.code;
    case VERB_ROWS: return m->rows.code;
    case VERB_REFUSED: return m->refused.code;
    case VERB_FILE_BYTES: return m->file_bytes.code;
    default: return CODE_OK;
    }
}

struct slice answer_text(const struct message *m) {
    switch ((int)m->verb) {
    case VERB_SUBMITTED: return m->submitted.text;
    case VERB_VIEW: return m->view.text;
    case VERB_ANSWER: return m->answer.code != CODE_OK ? m->answer.body : (struct slice){0};
    case VERB_ROWS: return m->rows.text;
    case VERB_REFUSED: return m->refused.text;
    case VERB_FILE_BYTES:
        return m->file_bytes.code != CODE_OK ? m->file_bytes.bytes : (struct slice){0};
    default: return (struct slice){0};
    }
}
