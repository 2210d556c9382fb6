/* Routes: literals before {}, case rules, decoding, and the tables that are refused. */
#include "gateway/route.h"
#include "tests/unit/tap.h"

static bool read_nothing(struct exchange *x, struct message *m) {
    (void)x;
    (void)m;
    return false;
}

#define OPEN(m, p) {.method = METHOD_##m, .path = p, .guard = GUARD_OPEN, .read = read_nothing}

static const struct route hub_routes[] = {
    OPEN(GET, "/tasks/"),           OPEN(POST, "/tasks/"),
    OPEN(GET, "/tasks/{id}/"),      OPEN(DELETE, "/tasks/{id}/"),
    OPEN(POST, "/tasks/claim/"),    OPEN(GET, "/tasks/queue-stats/"),
    OPEN(POST, "/tasks/{id}/cancel/"), OPEN(GET, "/tasks/claim/old/x/"),
    OPEN(GET, "/tasks/{id}/steps/{step}/"),
};
static const struct route speech_routes[] = {
    OPEN(POST, "/api/batchTranscription/createJob"),
    OPEN(GET, "/api/batchTranscription/{id}/audio"),
};
static const char *const hub_prefixes[] = {"/tasks", "/auth", NULL};
static const char *const speech_prefixes[] = {"/api", NULL};
static const struct dialect hub = {.name = "hub", .prefixes = hub_prefixes, .fold = FOLD_DASH,
                                   .routes = hub_routes, .route_count = 9};
static const struct dialect speech = {.name = "speech", .prefixes = speech_prefixes,
                                      .fold = FOLD_CASE, .routes = speech_routes,
                                      .route_count = 2};
static const struct dialect *const dialects[] = {&hub, &speech, NULL};

static struct found_route found;
static char scratch[4096];

static enum found find(const struct route_table *t, enum method m, const char *path) {
    return route_find(t, m, path, scratch, &found);
}

static const char *param(uint32_t i) { return (const char *)found.params[i].value.data; }

static void finds(const struct route_table *t) {
    ok(find(t, METHOD_GET, "/tasks/") == FOUND_ROUTE && found.route == &hub_routes[0],
       "the collection is found");
    ok(find(t, METHOD_GET, "/tasks") == FOUND_ROUTE && found.route == &hub_routes[0],
       "and without its trailing slash");
    ok(find(t, METHOD_GET, "/tasks//") == FOUND_NOTHING, "two slashes are another path");
    ok(find(t, METHOD_GET, "/tasks/42/") == FOUND_ROUTE && found.param_count == 1, "{id} takes 42");
    is_text(param(0), "42", "its value is the segment");
    ok(strncmp(found.params[0].name, "id}", 3) == 0, "under its name");
    ok(find(t, METHOD_POST, "/tasks/claim/") == FOUND_ROUTE && found.route == &hub_routes[4],
       "a literal goes before {}");
    ok(find(t, METHOD_POST, "/tasks/claim/cancel") == FOUND_ROUTE && found.route == &hub_routes[6],
       "a literal that leads nowhere gives way to {}");
    is_text(param(0), "claim", "which then takes the word");
    ok(find(t, METHOD_GET, "/tasks/queue_stats/") == FOUND_ROUTE, "- and _ are equal there");
    ok(find(t, METHOD_GET, "/Tasks/") == FOUND_NOTHING, "case is not folded there");
    ok(find(t, METHOD_GET, "/tasks/7/steps/9") == FOUND_ROUTE && found.param_count == 2 &&
           strcmp(param(1), "9") == 0, "two names are bound in order");
    ok(find(t, METHOD_POST, "/API/batchtranscription/CREATEJOB") == FOUND_ROUTE,
       "case is folded where the dialect says so");
    ok(find(t, METHOD_GET, "/api/batchTranscription/AbC/audio") == FOUND_ROUTE &&
           strcmp(param(0), "AbC") == 0, "a value keeps its case");
    ok(find(t, METHOD_HEAD, "/tasks/42") == FOUND_ROUTE, "HEAD finds the GET route");
}

static void decodes(const struct route_table *t) {
    ok(find(t, METHOD_GET, "/tasks/a%20b%41/") == FOUND_ROUTE && strcmp(param(0), "a bA") == 0,
       "a segment is decoded");
    ok(find(t, METHOD_GET, "/t%61sks/1") == FOUND_ROUTE, "literals are compared decoded");
    ok(find(t, METHOD_GET, "/tasks/a%2Fb/") == FOUND_BAD_PATH, "an escaped slash is refused");
    ok(find(t, METHOD_GET, "/tasks/a%00b/") == FOUND_BAD_PATH, "so is NUL");
    ok(find(t, METHOD_GET, "/tasks/a%0ab/") == FOUND_BAD_PATH, "so is a line feed");
    ok(find(t, METHOD_GET, "/tasks/a%4") == FOUND_BAD_PATH, "so is a cut escape");
    ok(find(t, METHOD_GET, "/tasks/a%zz") == FOUND_BAD_PATH, "so is a wrong escape");
    ok(find(t, METHOD_GET, "/tasks/%") == FOUND_BAD_PATH, "so is a lone percent sign");
    ok(found.dialect == &hub, "in the shape of the dialect whose prefix it has");
    ok(find(t, METHOD_GET, "tasks") == FOUND_BAD_PATH, "a path begins with a slash");
}

static void misses(const struct route_table *t) {
    ok(find(t, METHOD_PUT, "/tasks/42/") == FOUND_OTHER_METHOD && found.dialect == &hub,
       "another method is told apart from another path");
    uint32_t allow = 1u << METHOD_GET | 1u << METHOD_HEAD | 1u << METHOD_DELETE |
                     1u << METHOD_OPTIONS;
    is_int(found.allow, allow, "with the methods it allows");
    ok(find(t, METHOD_NONE, "/tasks/42/") == FOUND_OTHER_METHOD, "an unknown method too");
    ok(find(t, METHOD_GET, "/tasks/claim/") == FOUND_OTHER_METHOD, "a literal hides {} whole");
    ok(find(t, METHOD_GET, "/api/nothing") == FOUND_NOTHING && found.dialect == &speech,
       "an unknown path belongs to the dialect of its prefix");
    ok(find(t, METHOD_GET, "/apix") == FOUND_NOTHING && found.dialect == NULL,
       "a prefix ends at a slash");
    ok(find(t, METHOD_GET, "/tasks/1/2/3/4/5/6/7/8/9/a/b/c/d/e/f/g/h/i") == FOUND_NOTHING,
       "too many segments find nothing");
}

static bool refused(const struct route *routes, uint32_t count, const char *word) {
    struct dialect d = {.name = "hub", .prefixes = hub_prefixes, .routes = routes,
                        .route_count = count};
    const struct dialect *const list[] = {&d, NULL};
    char why[256] = "";
    struct route_table *t = route_table_new(list, why, sizeof why);
    bool said = t == NULL && strstr(why, word) != NULL;
    route_table_destroy(&t);
    if (!said) note("why: %s", why);
    return said;
}

static void refuses(void) {
    const struct route twice[] = {OPEN(GET, "/tasks/{id}/"), OPEN(GET, "/tasks/{cuid}")};
    ok(refused(twice, 2, "ambiguous"), "two names for one place are ambiguous");
    struct route open = OPEN(GET, "/tasks/");
    open.guard = 0;
    ok(refused(&open, 1, "no guard"), "a route without a guard is refused");
    open.guard = GUARD_SLOW;
    ok(refused(&open, 1, "no guard"), "a rate is no guard");
    const struct route outside = OPEN(GET, "/other/");
    ok(refused(&outside, 1, "outside"), "a pattern outside of the prefixes is refused");
    const struct route names = OPEN(GET, "/tasks/{id}/x/{id}");
    ok(refused(&names, 1, "bad {name}"), "one name twice is refused");
    const struct route brace = OPEN(GET, "/tasks/{id");
    ok(refused(&brace, 1, "bad {name}"), "an open brace is refused");
    const struct route head = OPEN(HEAD, "/tasks/");
    ok(refused(&head, 1, "no such method"), "HEAD needs no row");
    struct route verb = OPEN(GET, "/tasks/");
    verb.verb = VERB_GET;
    ok(refused(&verb, 1, "no write"), "a verb needs a write function");
}

int main(void) {
    char why[256] = "";
    struct route_table *t = route_table_new(dialects, why, sizeof why);
    if (!ok(t != NULL, "a sound table is taken")) {
        note("%s", why);
        return done();
    }
    finds(t);
    decodes(t);
    misses(t);
    route_table_destroy(&t);
    ok(t == NULL, "destroy takes the pointer");
    refuses();
    ok(method_of("PATCH") == METHOD_PATCH && method_of("patch") == METHOD_NONE,
       "methods are exact words");
    return done();
}
