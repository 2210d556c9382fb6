/* story.c - stories of the core: what happens, and what is to be seen of it.
 *
 *     story FILE…          TAP: one fact per story
 *     story --print FILE   the file with the narration as it really is
 *
 * A file holds stories. `== fact` begins one, in a new world; `#` is a remark; a line that begins
 * with four blanks is narration, all others are commands (script.c). The narration after a command
 * must be exactly what the command brings about: `[time] who < VERB what`. */
#include "tests/story/script.h"
#include "tests/unit/tap.h"
#include <stdlib.h>

struct told { struct buffer expected, real; char fact[256]; };

static char *file_read(const char *name) {
    FILE *f = fopen(name, "rb");
    if (!f) return NULL;
    struct buffer b = {0};
    char part[4096];
    for (size_t n; (n = fread(part, 1, sizeof part, f)) > 0;) buffer_append(&b, part, n);
    fclose(f);
    buffer_append(&b, "", 1);
    return (char *)b.data;
}

static void both(struct told *t, const char *line) {
    buffer_append(&t->expected, line, strlen(line));
    buffer_append(&t->expected, "\n", 1);
    buffer_append(&t->real, line, strlen(line));
    buffer_append(&t->real, "\n", 1);
}

static void narrate(struct told *t, struct story *s) {
    buffer_append(&t->real, s->out.data, s->out.len);
    buffer_clear(&s->out);
}

static void show(const char *title, const struct buffer *b) {
    printf("# %s\n", title);
    bool fresh = true;
    for (size_t i = 0; i < b->len; i++) {
        if (fresh) fputs("#   ", stdout);
        fresh = b->data[i] == '\n';
        putchar(b->data[i]);
    }
}

/* The story is over: compares what was expected with what was narrated. */
static void judge(struct told *t, bool print) {
    bool same = slice_equal(buffer_slice(&t->expected), buffer_slice(&t->real));
    if (print && t->real.len) fwrite(t->real.data, 1, t->real.len, stdout);
    else if (!print && t->fact[0] && !ok(same, t->fact)) {
        show("expected:", &t->expected);
        show("but it went:", &t->real);
    }
    buffer_clear(&t->expected);
    buffer_clear(&t->real);
}

static void play(const char *name, bool print) {
    char *file = file_read(name);
    struct story *s = NULL;
    struct told t = {.fact = ""};
    if (!file) {
        ok(false, name);
        return;
    }
    for (char *line = file, *next; line && *line; line = next) {
        next = strchr(line, '\n');
        if (next) *next++ = 0;
        if (strncmp(line, "    ", 4) == 0) {
            buffer_append(&t.expected, line, strlen(line));
            buffer_append(&t.expected, "\n", 1);
            continue;
        }
        if (strncmp(line, "== ", 3) == 0) {
            judge(&t, print);
            snprintf(t.fact, sizeof t.fact, "%s", line + 3);
            if (s) story_free(&s);
            s = story_new();
        }
        both(&t, line);
        if (!*line || *line == '#' || *line == '=') continue;
        if (!s || !story_command(s, line)) {
            ok(false, line);
            note("%s: not understood", name);
        } else {
            narrate(&t, s);
        }
    }
    judge(&t, print);
    if (s) story_free(&s);
    buffer_free(&t.expected);
    buffer_free(&t.real);
    free(file);
}

int main(int argc, char **argv) {
    bool print = argc > 1 && strcmp(argv[1], "--print") == 0;
    for (int i = 1 + print; i < argc; i++) play(argv[i], print);
    return print ? 0 : done();
}
