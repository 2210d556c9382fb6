/* What a command says on fd 3, well-formed and not. */
#include "tests/unit/tap.h"
#include "worker/note.h"

static struct note said;

static enum note_kind say(const char *line) { return note_read(&said, slice_text(line)); }

static bool data_is(const char *text) {
    return slice_equal(buffer_slice(&said.data), slice_text(text));
}

int main(void) {
    is_int(say("{\"progress\":42,\"message\":\"half\"}"), NOTE_PROGRESS, "a progress is one");
    is_int(said.percent, 42, "with its percentage");
    is_text(said.text, "half", "and its message");
    say("{\"progress\":12.6}");
    is_int(said.percent, 13, "a fraction is rounded");
    say("{\"progress\":-5}");
    is_int(said.percent, 0, "below 0 is 0");
    say("{\"progress\":1e300}");
    is_int(said.percent, 100, "above 100 is 100");
    is_int(say("{\"progress\":null,\"message\":\"x\"}"), NOTE_PROGRESS, "a message will do");
    is_int(said.percent, -1, "and names no percentage");
    is_int(say("{\"checkpoint\":\"a\",\"data\":\"x\\ny\"}"), NOTE_CHECKPOINT, "so is a checkpoint");
    ok(data_is("x\ny"), "a string's bytes are its data");
    say("{\"checkpoint\":\"a\",\"data\":{\"k\": [1, null]}}");
    ok(data_is("{\"k\":[1,null]}"), "anything else is kept as compact JSON");
    is_int(say("{\"checkpoint\":\"a\"}"), NOTE_CHECKPOINT, "data may be left out");
    is_int(said.data.len, 0, "and is then empty");
    is_int(say(" \t"), NOTE_BLANK, "a blank line says nothing");
    static const char *const bad[] = {
        "progress 5", "[1]", "{\"progress\":5", "{\"progress\":\"5\"}", "{}", "null", "{\"a\":1}",
        "{\"progress\":1,\"progress\":2}", "{\"checkpoint\":5}", "\xff\xfe"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        is_int(say(bad[i]), NOTE_NONE, "what is neither is refused");
    char longest[3 * NOTE_TEXT_MAX];
    strcpy(longest, "{\"message\":\"");
    for (int i = 0; i < NOTE_TEXT_MAX; i++) strcat(longest, "\xc3\xa9");
    strcat(longest, "\"}");
    say(longest);
    is_int(strlen(said.text), NOTE_TEXT_MAX, "a long message is cut at a whole character");
    note_close(&said);
    return done();
}
