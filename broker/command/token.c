/* token.c - `relais token`: prints one JSON Web Token from the data folder's secret. */
#include "broker/secret.h"
#include "command.h"
#include "proto/host/args.h"
#include "proto/host/clock.h"
#include "proto/host/config.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TTL_S_DEFAULT = 86400, TTL_S_MAX = 315360000 };

static const char usage_text[] =
    "--role admin|user|worker|service --user NAME [--brand N]... [--ttl S]\n\n"
    "Prints one token and a newline, for servers on the data folder.";

static int refuse(const char *what, const char *value) {
    fprintf(stderr, "relais token: %s%s%.128s; --help lists what there is\n", what,
            value == NULL ? "" : ": ", value == NULL ? "" : value);
    return 2;
}

static bool number_read(const char *text, int64_t min, int64_t max, int64_t *out) {
    char *end = NULL;
    const long long number = strtoll(text, &end, 10);
    if (end == text || *end != 0 || number < min || number > max) return false;
    *out = number;
    return true;
}

struct flags { const char *role, *user, *ttl; struct arg_list brands; bool brand_admin; };

static int flags_take(const struct flags *f, struct token *t, int64_t *ttl_s) {
    int64_t number;
    t->brand_admin = f->brand_admin;
    if (f->role == NULL) return refuse("--role is needed", NULL);
    t->role = (uint8_t)token_role(f->role);
    if (t->role == ROLE_NONE) return refuse("there is no such role", f->role);
    if (f->user == NULL) return refuse("--user is needed", NULL);
    if (f->user[0] == 0 || strlen(f->user) >= sizeof t->name)
        return refuse("a name has 1 to 63 bytes", f->user);
    snprintf(t->name, sizeof t->name, "%s", f->user);
    for (size_t i = 0; i < f->brands.count; i++) {
        if (!number_read(f->brands.at[i], 1, UINT32_MAX, &number))
            return refuse("a brand is a number from 1", f->brands.at[i]);
        t->brands[t->brand_count++] = (uint32_t)number;
    }
    if (f->ttl != NULL && !number_read(f->ttl, 1, TTL_S_MAX, ttl_s))
        return refuse("a time to live is in seconds, from 1 to ten years", f->ttl);
    return 0;
}

/* -1 = go on, else the exit code. */
static int flags_read(struct token *t, int64_t *ttl_s, int argc, char **argv) {
    struct flags f = {0};
    const struct arg table[] = {
        {"role", ARG_TEXT, &f.role, "admin, user, worker or service"},
        {"user", ARG_TEXT, &f.user, "the name; a token of role worker is the worker of that name"},
        {"brand", ARG_LIST, &f.brands, "a brand's number; may repeat (admin without: all)"},
        {"brand-admin", ARG_FLAG, &f.brand_admin, "may write rules and workers of 002"},
        {"ttl", ARG_TEXT, &f.ttl, "seconds until it expires (86400)"},
        {"data", ARG_SHOWN, NULL, "the data folder whose secret signs it"}};
    static_assert((int)ARG_LIST_MAX <= (int)TOKEN_BRANDS_MAX, "every brand that can be given fits");
    const int words = args_read(table, COUNT(table), usage_text, argc, argv);
    if (words < 0) return args_exit(words);
    if (words > 0) return refuse("not understood", argv[1]);
    const int code = flags_take(&f, t, ttl_s);
    return code == 0 ? -1 : code;
}

static int token_print(struct token *t, const char *data) {
    char why[512], text[TOKEN_BYTES_MAX + 1];
    struct secret secret;
    const bool fresh = access(data, F_OK) != 0;
    if (!secret_open(&secret, data, why, sizeof why)) {
        fprintf(stderr, "relais token: %s\n", why);
        return 1;
    }
    const char *types[] = {[ROLE_ADMIN] = "access", [ROLE_USER] = "access",
                           [ROLE_SERVICE] = "service", [ROLE_WORKER] = "worker"};
    snprintf(t->type, sizeof t->type, "%s", types[t->role]);
    token_stamp(t);
    const size_t len = token_sign(t, &secret.tokens[0], text, sizeof text);
    secret_wipe(&secret);
    if (len == 0) {
        fprintf(stderr, "relais token: the name is not UTF-8\n");
        return 2;
    }
    if (fresh)
        fprintf(stderr, "relais token: %s is new: only a server on it takes this token\n", data);
    if (t->brand_count == 0 && t->role != ROLE_ADMIN)
        fprintf(stderr, "relais token: without --brand it opens nothing\n");
    printf("%s\n", text);
    return fflush(stdout) == 0 ? 0 : 1;
}

int command_token(int argc, char **argv) {
    struct config config;
    int code = config_start(&config, SECTION_BASE, &argc, argv);
    if (code >= 0) return code;
    struct token token = {0};
    int64_t ttl_s = TTL_S_DEFAULT;
    code = flags_read(&token, &ttl_s, argc, argv);
    token.issued_s = clock_wall_ms() / 1000;
    token.expires_s = token.issued_s + ttl_s;
    if (code < 0) code = token_print(&token, config.data);
    config_free(&config);
    return code;
}
