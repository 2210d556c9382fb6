/* user.c - `relais user`: accounts, through the server that runs on the data folder. */
#include "broker/command/people.h"
#include "broker/password.h"
#include "command.h"
#include "proto/base/date.h"
#include "proto/host/args.h"
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

static const char usage_text[] =
    "add NAME | list | show NAME | passwd NAME | disable NAME | enable NAME | delete NAME\n\n"
    "add and passwd print a one-time password that must be changed at the first login, or take\n"
    "one from the first line of stdin. disable and delete end the user's logins and tokens at\n"
    "once. A server must run on the data folder; it writes the audit log.";

struct flags {
    const char *role, *email, *shown;
    struct arg_list brands;
    bool brand_admin, stdin_password, json;
    const char *verb, *name;
};

static int refuse(const char *what, const char *value) {
    fprintf(stderr, "relais user: %s%s%.128s; --help lists what there is\n", what,
            value == NULL ? "" : ": ", value == NULL ? "" : value);
    return 2;
}

/* ---- printing ---- */

static json_t *person_json(const struct person *p) {
    char created[DATE_TEXT_MAX];
    json_t *brands = json_array();
    for (uint32_t i = 0; i < p->body.brand_count; i++)
        json_array_append_new(brands, json_integer(p->body.brands[i]));
    date_format_ms(p->row.created_ms, created);
    return json_pack("{s:I, s:s, s:s, s:s, s:s, s:o, s:b, s:b, s:b, s:b, s:s}", "id",
                     (json_int_t)p->row.id, "name", p->name, "shown", p->body.shown, "email",
                     p->body.email, "role", p->body.role == ROLE_ADMIN ? "admin" : "user",
                     "brands", brands, "brand_admin", p->body.brand_admin, "disabled",
                     p->body.disabled, "must_change_password", p->body.limited, "has_password",
                     p->body.hash[0] != 0, "created_at", created);
}

static void person_print(const struct person *p, bool json) {
    if (json) {
        json_t *object = person_json(p);
        char *text = object == NULL ? NULL : json_dumps(object, JSON_COMPACT);
        printf("%s\n", text == NULL ? "null" : text);
        free(text);
        json_decref(object);
        return;
    }
    printf("%-24s %-6s %s", p->name, p->body.role == ROLE_ADMIN ? "admin" : "user",
           p->body.brand_count == 0 ? (p->body.role == ROLE_ADMIN ? "all" : "none") : "");
    for (uint32_t i = 0; i < p->body.brand_count; i++)
        printf("%s%u", i > 0 ? "," : "", p->body.brands[i]);
    printf(" %s%s%s%s\n", p->body.email[0] != 0 ? p->body.email : "-",
           p->body.disabled ? " disabled" : "", p->body.limited ? " must-change" : "",
           p->body.hash[0] == 0 ? " no-password" : "");
}

/* ---- asking ---- */

static bool person_fetch(struct caller *c, const char *name, struct person *p) {
    struct message m = people_message(VERB_FETCH, "user", name);
    const struct message *answer = caller_ask(c, &m);
    struct object_row row;
    if (caller_code(answer) == CODE_NOT_FOUND) {
        fprintf(stderr, "relais user: there is no user %s\n", name);
        return false;
    }
    if (caller_code(answer) != CODE_OK) return people_refused("user", answer) == 0;
    if (object_row_read(answer->answer.body, &row) && person_read(p, &row)) return true;
    fputs("relais user: the account cannot be read\n", stderr);
    return false;
}

static bool person_put(struct caller *c, struct person *p, enum put_mode mode) {
    struct message m = people_message(VERB_PUT, "user", p->name);
    struct buffer body = {0}, keys = {0};
    char key[ACCOUNT_KEY_SIZE];
    account_write(&body, &p->body);
    m.object.mode = (uint8_t)mode;
    m.object.body = buffer_slice(&body);
    char home[16];
    snprintf(home, sizeof home, "%u", account_home(&p->body));
    m.object.options.owner = slice_text(home);
    m.object.options.version = mode == PUT_CREATE ? 0 : p->row.version;
    if (p->body.email[0] != 0) {
        account_key(key, "email", slice_text(p->body.email));
        text_put(&keys, slice_text(key));
        m.object.options.keys = buffer_slice(&keys);
        m.object.options.key_count = 1;
    }
    const bool done = people_ask(c, "user", &m, NULL);
    buffer_free(&body);
    buffer_free(&keys);
    return done;
}

/* Ends every login of the user. */
static bool logins_end(struct caller *c, const char *name) {
    struct buffer next = {0};
    struct slice rows;
    bool failed;
    while (people_page(c, "user", "grant", name, &next, &rows, &failed)) {
        struct buffer copy = {0};
        struct object_row row;
        uint32_t at = 0;
        buffer_append(&copy, rows.data, rows.len); /* the rows go with the next question */
        while (!failed && object_row_next(buffer_slice(&copy), &at, &row)) {
            struct message m = {.verb = VERB_DROP};
            m.object.kind = slice_text("grant");
            m.object.name = row.name;
            const struct message *answer = caller_ask(c, &m);
            const enum code code = caller_code(answer);
            failed = code != CODE_OK && code != CODE_NOT_FOUND;
            if (failed) people_refused("user", answer);
        }
        buffer_free(&copy);
        if (failed) break;
    }
    buffer_free(&next);
    return !failed;
}

static bool tokens_end(struct caller *c, const char *name, enum revoke how) {
    char text[REVOCATION_NAME_SIZE];
    snprintf(text, sizeof text, "user:%s", name);
    return people_revoke(c, "user", text, how);
}

/* ---- the verbs ---- */

/* The first line of stdin, or a one-time password. 0, or an exit code. */
static int password_take(const struct flags *f, struct account_body *body, char *made,
                         size_t made_size) {
    char text[ACCOUNT_PASSWORD_MAX + 2] = "";
    made[0] = 0;
    if (f->stdin_password) {
        if (fgets(text, sizeof text, stdin) == NULL) text[0] = 0;
        text[strcspn(text, "\r\n")] = 0;
        if (strlen(text) < 8) return refuse("a password has at least 8 characters", NULL);
    } else {
        password_make(text);
        snprintf(made, made_size, "%s", text);
    }
    body->limited = !f->stdin_password;
    const bool good = password_text(body->hash, text);
    sodium_memzero(text, sizeof text);
    if (!good) fputs("relais user: no memory for a password\n", stderr);
    return good ? 0 : 1;
}

static int flags_apply(const struct flags *f, struct account_body *body) {
    body->role = f->role == NULL || strcmp(f->role, "user") == 0 ? ROLE_USER : ROLE_ADMIN;
    body->brand_admin = f->brand_admin;
    if (f->role != NULL && body->role == ROLE_ADMIN && strcmp(f->role, "admin") != 0)
        return refuse("a role is admin or user", f->role);
    if (f->brands.count > ACCOUNT_BRANDS_MAX) return refuse("at most 32 brands", NULL);
    for (size_t i = 0; i < f->brands.count; i++) {
        char *end = NULL;
        const unsigned long number = strtoul(f->brands.at[i], &end, 10);
        if (*end != 0 || number == 0 || number > UINT32_MAX)
            return refuse("a brand is a number from 1", f->brands.at[i]);
        body->brands[body->brand_count++] = (uint32_t)number;
    }
    if (body->role == ROLE_USER && body->brand_count == 0)
        body->brands[body->brand_count++] = 1;
    if (f->email != NULL && !account_email_good(slice_text(f->email)))
        return refuse("not an e-mail address", f->email);
    if (f->shown != NULL && strlen(f->shown) > ACCOUNT_SHOWN_MAX)
        return refuse("a shown name has at most 120 bytes", NULL);
    snprintf(body->email, sizeof body->email, "%s", f->email == NULL ? "" : f->email);
    snprintf(body->shown, sizeof body->shown, "%s", f->shown == NULL ? "" : f->shown);
    return 0;
}

static int user_add(struct caller *c, const struct flags *f) {
    struct person p = {0};
    char made[PASSWORD_SIZE];
    if (!account_name_good(slice_text(f->name))) return refuse("not a name", f->name);
    snprintf(p.name, sizeof p.name, "%s", f->name);
    int code = flags_apply(f, &p.body);
    if (code == 0) code = password_take(f, &p.body, made, sizeof made);
    if (code != 0) return code;
    if (!person_put(c, &p, PUT_CREATE)) return 1;
    if (made[0] != 0) printf("%s\n", made);
    sodium_memzero(made, sizeof made);
    return 0;
}

static int user_passwd(struct caller *c, const struct flags *f) {
    struct person p;
    char made[PASSWORD_SIZE];
    if (!person_fetch(c, f->name, &p)) return 1;
    const int code = password_take(f, &p.body, made, sizeof made);
    if (code != 0) return code;
    if (!person_put(c, &p, PUT_REPLACE) || !tokens_end(c, p.name, REVOKE_NOW) ||
        !logins_end(c, p.name))
        return 1;
    if (made[0] != 0) printf("%s\n", made);
    sodium_memzero(made, sizeof made);
    return 0;
}

/* While it is disabled no token of its name is good, one that is made meanwhile included. */
static int user_able(struct caller *c, const struct flags *f, bool disabled) {
    struct person p;
    if (!person_fetch(c, f->name, &p)) return 1;
    p.body.disabled = disabled;
    if (!person_put(c, &p, PUT_REPLACE)) return 1;
    if (!tokens_end(c, p.name, disabled ? REVOKE_ALL : REVOKE_LIFT)) return 1;
    return !disabled || logins_end(c, p.name) ? 0 : 1;
}

/* The tokens die first: a gateway that still took one could make the user again. */
static int user_delete(struct caller *c, const struct flags *f) {
    struct person p;
    if (!person_fetch(c, f->name, &p) || !tokens_end(c, p.name, REVOKE_LIFT)) return 1;
    struct message m = people_message(VERB_DROP, "user", p.name);
    return people_ask(c, "user", &m, NULL) && logins_end(c, p.name) ? 0 : 1;
}

static int user_list(struct caller *c, const struct flags *f) {
    struct buffer next = {0};
    struct slice rows;
    bool failed;
    while (people_page(c, "user", "user", NULL, &next, &rows, &failed)) {
        struct object_row row;
        struct person p;
        uint32_t at = 0;
        while (object_row_next(rows, &at, &row))
            if (person_read(&p, &row)) person_print(&p, f->json);
    }
    buffer_free(&next);
    return failed ? 1 : 0;
}

static int user_show(struct caller *c, const struct flags *f) {
    struct person p;
    if (!person_fetch(c, f->name, &p)) return 1;
    person_print(&p, f->json);
    return 0;
}

static int verb_run(struct caller *c, const struct flags *f) {
    if (strcmp(f->verb, "list") == 0) return user_list(c, f);
    if (strcmp(f->verb, "add") == 0) return user_add(c, f);
    if (strcmp(f->verb, "show") == 0) return user_show(c, f);
    if (strcmp(f->verb, "passwd") == 0) return user_passwd(c, f);
    if (strcmp(f->verb, "disable") == 0) return user_able(c, f, true);
    if (strcmp(f->verb, "enable") == 0) return user_able(c, f, false);
    return user_delete(c, f);
}

/* -1 = go on, else the exit code. */
static int flags_read(struct flags *f, int argc, char **argv) {
    static const char *const verbs[] = {"list", "add", "show", "passwd", "disable", "enable",
                                        "delete"};
    const struct arg table[] = {
        {"role", ARG_TEXT, &f->role, "add: user (default) or admin"},
        {"brand", ARG_LIST, &f->brands, "add: a brand's number; may repeat (user: 1, admin: all)"},
        {"brand-admin", ARG_FLAG, &f->brand_admin, "add: may write rules and workers of 002"},
        {"email", ARG_TEXT, &f->email, "add: the address, which also logs in"},
        {"shown", ARG_TEXT, &f->shown, "add: the name that people read"},
        {"password-stdin", ARG_FLAG, &f->stdin_password, "add, passwd: the password is on stdin"},
        {"json", ARG_FLAG, &f->json, "list, show: one JSON object a line"},
        {"data", ARG_SHOWN, NULL, "the data folder of the running server"}};
    *f = (struct flags){0};
    const int words = args_read(table, COUNT(table), usage_text, argc, argv);
    if (words < 0) return args_exit(words);
    if (words == 0) return refuse("add, list, show, passwd, disable, enable or delete", NULL);
    f->verb = argv[1];
    for (size_t i = 0; i < COUNT(verbs); i++) {
        if (strcmp(verbs[i], f->verb) != 0) continue;
        if (i == 0 && words != 1) return refuse("list takes no name", NULL);
        if (i > 0 && words != 2) return refuse("one NAME is needed", NULL);
        f->name = i == 0 ? NULL : argv[2];
        return -1;
    }
    return refuse("not understood", f->verb);
}

int command_user(int argc, char **argv) {
    struct config config;
    struct flags flags;
    int code = config_start(&config, SECTION_BASE, &argc, argv);
    if (code >= 0) return code;
    code = flags_read(&flags, argc, argv);
    if (code < 0) {
        struct caller *c = people_open(&config, "user");
        code = c == NULL ? 1 : verb_run(c, &flags);
        caller_close(&c);
    }
    config_free(&config);
    return code;
}
