#include "gateway/dialect/megahub/account.h"
#include "gateway/dialect/megahub/megahub.h"
#include <string.h>

/* What the answer is written from once the brands' names are there. */
struct profile { struct brand_names names; struct account account; const char *access, *refresh; };

/* ---- a user ---- */

static void user_write(struct exchange *x) {
    const struct profile *p = x->state;
    const struct account *a = &p->account;
    struct out *o = &x->out;
    out_object(o);
    out_key(o, "id");
    out_unsigned(o, a->id);
    out_key(o, "username");
    out_string(o, a->name);
    out_key(o, "email");
    out_string(o, a->body.email);
    out_key(o, "name");
    out_string(o, account_shown(a));
    out_key(o, "role");
    out_string(o, account_role(a));
    out_key(o, "brand_admin");
    out_bool(o, a->body.brand_admin || a->body.role == ROLE_ADMIN);
    out_key(o, "must_change_password");
    out_bool(o, a->body.limited);
    out_key(o, "brands");
    brand_names_write(x, &p->names);
    out_key(o, "created_at");
    out_time(o, a->created_ms);
    out_object_end(o);
}

static void profile_write(struct exchange *x) {
    user_write(x);
    exchange_answer(x, x->route->status);
}

/* ---- tokens ---- */

static void login_write(struct exchange *x) {
    const struct profile *p = x->state;
    out_object(&x->out);
    out_key(&x->out, "access");
    out_string(&x->out, p->access);
    out_key(&x->out, "refresh");
    out_string(&x->out, p->refresh);
    out_key(&x->out, "user");
    user_write(x);
    out_object_end(&x->out);
    exchange_answer(x, x->route->status);
}

static void login_done(struct exchange *x, const struct login *login) {
    struct profile *p = exchange_alloc(x, sizeof *p);
    if (login == NULL) {
        exchange_refuse(x, CODE_VALIDATION_ERROR, "Unable to log in with provided credentials.");
        return;
    }
    p->account = *login->account;
    p->access = login->access;
    p->refresh = exchange_print(x, "%s", login->refresh);
    x->state = p;
    brand_names_load(x, p->account.body.brands, p->account.body.brand_count, login_write);
}

bool auth_login_read(struct exchange *x, struct message *m) {
    (void)m;
    struct field_errors *e = &x->errors;
    const bool by_email = member_find(x->json, "username") == NULL &&
                          member_find(x->json, "email") != NULL;
    struct slice handle = member_text(x->json, by_email ? "email" : "username", REQUIRED,
                                      ACCOUNT_EMAIL_MAX, e);
    struct slice password = member_text(x->json, "password", REQUIRED, ACCOUNT_PASSWORD_MAX, e);
    if (!json_is_string(member_find(x->json, "remember_me"))) /* as a form has it */
        member_bool(x->json, "remember_me", NULLABLE, false, e);
    if (megahub_fields_good(x)) account_login(x, handle, password, login_done);
    return false;
}

static void refresh_done(struct exchange *x, const struct login *login) {
    if (login == NULL) {
        x->cause = CAUSE_BAD_CREDENTIALS;
        exchange_refuse(x, CODE_UNAUTHORIZED, NULL);
        return;
    }
    out_object(&x->out);
    out_key(&x->out, "access");
    out_string(&x->out, login->access);
    out_key(&x->out, "refresh");
    out_string(&x->out, login->refresh);
    out_object_end(&x->out);
    exchange_answer(x, x->route->status);
}

bool auth_refresh_read(struct exchange *x, struct message *m) {
    (void)m;
    struct slice token = member_text(x->json, "refresh", REQUIRED, TOKEN_BYTES_MAX, &x->errors);
    if (megahub_fields_good(x)) account_refresh(x, token, refresh_done);
    return false;
}

static void message_answer(struct exchange *x, const char *text) {
    out_object(&x->out);
    out_key(&x->out, "message");
    out_string(&x->out, text);
    out_object_end(&x->out);
    exchange_answer(x, x->route->status);
}

static void logout_done(struct exchange *x) { message_answer(x, "Logged out."); }

bool auth_logout_read(struct exchange *x, struct message *m) {
    (void)m;
    struct slice token = member_text(x->json, "refresh", NULLABLE | BLANK_OK, TOKEN_BYTES_MAX,
                                     &x->errors);
    if (megahub_fields_good(x)) account_logout(x, token, logout_done);
    return false;
}

/* ---- the caller ---- */

static void profile_answer(struct exchange *x, const struct account *a) {
    struct profile *p = exchange_alloc(x, sizeof *p);
    p->account = *a;
    x->state = p;
    brand_names_load(x, p->account.body.brands, p->account.body.brand_count, profile_write);
}

static bool not_found(struct exchange *x) {
    x->cause = CAUSE_NO_SUCH_PATH; /* else it would be a task that is not there */
    return exchange_refuse(x, CODE_NOT_FOUND, NULL);
}

static void me_found(struct exchange *x, const struct account *a) {
    if (a == NULL) not_found(x);
    else profile_answer(x, a);
}

bool auth_me_read(struct exchange *x, struct message *m) {
    (void)m;
    account_find(x, 0, me_found);
    return false;
}

static void change_found(struct exchange *x, const struct account *a) {
    if (a == NULL) not_found(x);
    else account_change(x, a, x->state, profile_answer);
}

/* role, brands and what else an administrator decides are no members of this body. */
bool auth_change_read(struct exchange *x, struct message *m) {
    (void)m;
    struct account_edit *edit = exchange_alloc(x, sizeof *edit);
    edit->shown = member_text(x->json, "name", BLANK_OK, ACCOUNT_SHOWN_MAX, &x->errors);
    if (edit->shown.data != NULL) edit->set |= EDIT_SHOWN;
    edit->email = member_text(x->json, "email", OPTIONAL, ACCOUNT_EMAIL_MAX, &x->errors);
    if (edit->email.data != NULL) edit->set |= EDIT_EMAIL;
    if (edit->email.data != NULL && !account_email_good(edit->email))
        field_refuse(&x->errors, "email", "Enter a valid email address.");
    for (uint32_t i = 0; i < edit->shown.len; i++)
        if (edit->shown.data[i] < ' ' || edit->shown.data[i] == 0x7f) {
            field_refuse(&x->errors, "name", "Not a valid string.");
            break;
        }
    x->state = edit;
    if (megahub_fields_good(x)) account_find(x, 0, change_found);
    return false;
}

static void password_done(struct exchange *x, const struct account *a) {
    if (a != NULL) {
        message_answer(x, "Password changed.");
        return;
    }
    field_refuse(&x->errors, "current_password", "Wrong password.");
    exchange_refuse(x, CODE_VALIDATION_ERROR, NULL);
}

bool auth_password_read(struct exchange *x, struct message *m) {
    (void)m;
    struct field_errors *e = &x->errors;
    struct slice old = member_text(x->json, "current_password", REQUIRED, ACCOUNT_PASSWORD_MAX, e);
    struct slice new = member_text(x->json, "new_password", REQUIRED, ACCOUNT_PASSWORD_MAX, e);
    struct slice again = member_text(x->json, "new_password_confirm", REQUIRED,
                                     ACCOUNT_PASSWORD_MAX, e);
    account_password_check(x, "new_password", new);
    if (again.data != NULL && new.data != NULL && !slice_equal(new, again))
        field_refuse(e, "new_password_confirm", "The two passwords differ.");
    if (megahub_fields_good(x)) account_change_password(x, old, new, password_done);
    return false;
}
