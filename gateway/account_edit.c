#include "gateway/account_flow.h"
#include "proto/base/utf8.h"
#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum { PASSWORD_MADE_LEN = 20, SUFFIX_BYTES = 4 };

static void text_take(char *to, size_t size, struct slice from) {
    assert(from.len < size);
    if (from.len > 0) memcpy(to, from.data, from.len);
    to[from.len] = 0;
}

/* ---- writing the user ---- */

static void user_put(struct exchange *x, enum put_mode mode, exchange_then *then) {
    struct flow *f = flow_of(x);
    const struct who actor = account_actor(x);
    struct buffer b = {0};
    struct message m = object_message(VERB_PUT, "user", slice_text(f->account.name));
    account_write(&b, &f->account.body);
    m.object.body = exchange_copy(x, buffer_slice(&b));
    buffer_free(&b);
    m.object.mode = (uint8_t)mode;
    m.object.options.owner = slice_text(exchange_print(x, "%u", account_home(&f->account.body)));
    m.object.options.version = mode == PUT_CREATE ? 0 : f->account.version;
    if (f->account.body.email[0] != 0) {
        char key[ACCOUNT_KEY_SIZE];
        account_key(key, "email", slice_text(f->account.body.email));
        m.object.options.keys = keys_pack(x, slice_text(key));
        m.object.options.key_count = 1;
    }
    exchange_try_as(x, &actor, &m, then);
}

/* The row that a PUT is answered with becomes the flow's account. False: the exchange ended. */
static bool user_taken(struct exchange *x, const struct message *answer) {
    struct flow *f = flow_of(x);
    struct object_row row;
    const char *password = f->account.password;
    const enum code code = exchange_code(answer);
    if (code != CODE_OK) return exchange_refuse(x, code, NULL);
    if (!object_row_read(answer->answer.body, &row) || !account_of(&row, &f->account))
        return exchange_refuse(x, CODE_INTERNAL_ERROR, NULL);
    f->account.password = password;
    return true;
}

/* ---- a new account ---- */

static void created(struct exchange *x, const struct message *answer);

/* The name is taken: another one is made of it, or that is said. */
static void name_next(struct exchange *x) {
    struct flow *f = flow_of(x);
    uint8_t raw[SUFFIX_BYTES];
    char hex[2 * SUFFIX_BYTES + 1], name[WHO_NAME_MAX];
    if (!f->new.renamed_ok || f->renamed) {
        exchange_refuse(x, CODE_CONFLICT, "this name is taken");
        return;
    }
    randombytes_buf(raw, sizeof raw);
    sodium_bin2hex(hex, sizeof hex, raw, sizeof raw);
    const uint32_t room = WHO_NAME_MAX - 2 - 2 * SUFFIX_BYTES;
    const uint32_t kept = utf8_cut(slice_text(f->account.name), room);
    snprintf(name, sizeof name, "%.*s-%s", (int)kept, f->account.name, hex);
    memcpy(f->account.name, name, sizeof name);
    f->renamed = true;
    user_put(x, PUT_CREATE, created);
}

/* Somebody has the address: it is that. Else it is the name. */
static void conflict_explained(struct exchange *x, const struct message *answer) {
    const enum code code = exchange_code(answer);
    if (code == CODE_OK) exchange_refuse(x, CODE_CONFLICT, "this e-mail address is taken");
    else if (code == CODE_NOT_FOUND) name_next(x);
    else exchange_refuse(x, code, NULL);
}

static void created(struct exchange *x, const struct message *answer) {
    struct flow *f = flow_of(x);
    if (exchange_code(answer) == CODE_CONFLICT) {
        char key[ACCOUNT_KEY_SIZE];
        account_key(key, "email", slice_text(f->account.body.email));
        const struct message m =
            object_message(VERB_FETCH, "user", exchange_copy(x, slice_text(key)));
        exchange_try_as(x, &account_house, &m, conflict_explained);
        return;
    }
    if (user_taken(x, answer)) f->found(x, &f->account);
}

static void create_hashed(struct exchange *x, bool good, const char *text) {
    struct flow *f = flow_of(x);
    if (!good) {
        exchange_refuse(x, CODE_UNAVAILABLE, "no memory for a password");
        return;
    }
    snprintf(f->account.body.hash, sizeof f->account.body.hash, "%s", text);
    /* what belonged to a deleted user of that name still bears it */
    const struct keyring *ring = &request_of(x)->server->ring;
    if (keyring_revoked_before(ring, "user", f->account.name) != INT64_MIN) name_next(x);
    else user_put(x, PUT_CREATE, created);
}

/* Letters and digits that are not mistaken for each other. */
static const char *password_make(struct exchange *x) {
    static const char letters[] = "abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    char *text = exchange_alloc(x, PASSWORD_MADE_LEN + 1);
    for (int i = 0; i < PASSWORD_MADE_LEN; i++)
        text[i] = letters[randombytes_uniform(sizeof letters - 1)];
    return text;
}

void account_create(struct exchange *x, const struct account_new *new, account_then *then) {
    struct flow *f = flow_new(x);
    struct account_body *a = &f->account.body;
    struct slice password = new->password;
    f->found = then;
    f->new = *new;
    a->role = new->role;
    a->brand_count = new->brand != 0;
    a->brands[0] = new->brand;
    text_take(f->account.name, sizeof f->account.name, new->name);
    text_take(a->shown, sizeof a->shown, new->shown);
    text_take(a->email, sizeof a->email, new->email);
    if (password.data == NULL) {
        f->account.password = password_make(x);
        a->limited = true;
        password = slice_text(f->account.password);
    }
    password_hash(x, password, NULL, create_hashed);
}

/* ---- changes ---- */

static void changed_told(struct exchange *x) { flow_of(x)->found(x, &flow_of(x)->account); }

static void changed_revoked(struct exchange *x) {
    struct flow *f = flow_of(x);
    if (f->account.body.disabled) families_end(x, changed_told);
    else changed_told(x);
}

static void changed(struct exchange *x, const struct message *answer) {
    struct flow *f = flow_of(x);
    if (exchange_code(answer) == CODE_CONFLICT) {
        exchange_refuse(x, CODE_CONFLICT, "the address is taken, or the account has just changed");
        return;
    }
    if (!user_taken(x, answer)) return;
    if (!f->fresh) {
        changed_told(x);
        return;
    }
    /* while it is disabled no token of its name is good, one that is made meanwhile included */
    const int64_t before_s = f->account.body.disabled ? 0 : x->wall_ms / 1000;
    account_revoke(x, "user", f->account.name, before_s, x->wall_ms + REVOKED_MS_MAX,
                   changed_revoked);
}

/* True when tokens that are out say something that holds no longer. */
static bool edit_apply(struct account_body *a, const struct account_edit *edit) {
    const struct account_body old = *a;
    if (edit->set & EDIT_SHOWN) text_take(a->shown, sizeof a->shown, edit->shown);
    if (edit->set & EDIT_EMAIL) text_take(a->email, sizeof a->email, edit->email);
    if (edit->set & EDIT_ROLE) a->role = edit->role;
    if (edit->set & EDIT_DISABLED) a->disabled = edit->disabled;
    if (edit->set & EDIT_BRAND_ADMIN) a->brand_admin = edit->brand_admin;
    if (edit->set & EDIT_BRANDS) {
        a->brand_count = edit->brand_count;
        memcpy(a->brands, edit->brands, edit->brand_count * sizeof *a->brands);
    }
    return a->role != old.role || a->disabled != old.disabled ||
           a->brand_admin != old.brand_admin || a->brand_count != old.brand_count ||
           memcmp(a->brands, old.brands, old.brand_count * sizeof *a->brands) != 0;
}

void account_change(struct exchange *x, const struct account *a, const struct account_edit *edit,
                    account_then *then) {
    const struct account account = *a;
    struct flow *f = flow_new(x);
    f->found = then;
    f->account = account;
    f->fresh = edit_apply(&f->account.body, edit);
    user_put(x, PUT_REPLACE, changed);
}

/* ---- passwords ---- */

static void password_put(struct exchange *x, const struct message *answer) {
    if (user_taken(x, answer)) families_end(x, changed_told);
}

static void password_hashed(struct exchange *x, bool good, const char *text) {
    struct flow *f = flow_of(x);
    if (!good) {
        exchange_refuse(x, CODE_UNAVAILABLE, "no memory for a password");
        return;
    }
    snprintf(f->account.body.hash, sizeof f->account.body.hash, "%s", text);
    f->account.body.limited = false;
    user_put(x, PUT_REPLACE, password_put);
}

static void password_compared(struct exchange *x, bool good, const char *text) {
    struct flow *f = flow_of(x);
    (void)text;
    if (good && !f->account.body.disabled) password_hash(x, f->new.password, NULL, password_hashed);
    else f->found(x, NULL);
}

static void password_fetched(struct exchange *x, const struct message *answer) {
    struct flow *f = flow_of(x);
    struct object_row row;
    bool absent;
    const bool taken = object_taken(x, answer, &row, &absent);
    if (!taken && !absent) return;
    const bool known = taken && account_of(&row, &f->account);
    password_hash(x, f->password, known ? f->account.body.hash : "", password_compared);
}

void account_change_password(struct exchange *x, struct slice old, struct slice password,
                             account_then *then) {
    struct flow *f = flow_new(x);
    const struct message m = object_message(VERB_FETCH, "user", slice_text(x->who.name));
    f->found = then;
    f->password = old;
    f->new.password = password;
    f->spared = request_of(x)->jti;
    exchange_try_as(x, &account_house, &m, password_fetched);
}

/* ---- the end ---- */

static void dropped(struct exchange *x, const struct message *answer) {
    const enum code code = exchange_code(answer);
    if (code != CODE_OK) exchange_refuse(x, code, NULL);
    else families_end(x, flow_of(x)->next);
}

static void deleted_revoked(struct exchange *x) {
    struct flow *f = flow_of(x);
    const struct who actor = account_actor(x);
    const struct message m = object_message(VERB_DROP, "user", slice_text(f->account.name));
    exchange_try_as(x, &actor, &m, dropped);
}

/* The tokens die first: a gateway that still took one could make the user again. */
void account_delete(struct exchange *x, const struct account *a, account_done *then) {
    const struct account account = *a;
    struct flow *f = flow_new(x);
    f->account = account;
    f->next = then;
    account_revoke(x, "user", f->account.name, x->wall_ms / 1000, x->wall_ms + REVOKED_MS_MAX,
                   deleted_revoked);
}
