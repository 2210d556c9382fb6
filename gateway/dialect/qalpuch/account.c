#include "gateway/dialect/qalpuch/account.h"
#include "gateway/dialect/qalpuch/qalpuch.h"
#include <string.h>

static const char wrong_credentials[] = "Invalid email or password";

/* ---- the words ---- */

static void user_members(struct exchange *x, const struct account *a) {
    struct out *o = &x->out;
    out_key(o, "id");
    out_unsigned(o, a->id);
    out_key(o, "name");
    out_string(o, account_shown(a));
    out_key(o, "username");
    out_string(o, a->name);
    out_key(o, "email");
    out_string(o, a->body.email[0] != 0 ? a->body.email : NULL);
    out_key(o, "role");
    out_string(o, account_role(a));
    out_key(o, "brands");
    out_list(o);
    for (uint32_t i = 0; i < a->body.brand_count; i++) out_unsigned(o, a->body.brands[i]);
    out_list_end(o);
    out_key(o, "brandAdmin");
    out_bool(o, a->body.brand_admin);
    out_key(o, "disabled");
    out_bool(o, a->body.disabled);
    out_key(o, "mustChangePassword");
    out_bool(o, a->body.limited);
    out_times(o, a->created_ms, a->updated_ms);
}

static void user_write(struct exchange *x, const struct account *a) {
    out_object(&x->out);
    user_members(x, a);
    out_object_end(&x->out);
}

static void user_answer(struct exchange *x, const char *message, const struct account *a) {
    qalpuch_open(x, message);
    user_write(x, a);
    qalpuch_close(x);
}

/* Members token, refreshToken and user; x->state is the login. */
static void login_members(struct exchange *x) {
    const struct login *login = x->state;
    struct out *o = &x->out;
    out_key(o, "token");
    out_string(o, login->access);
    out_key(o, "refreshToken");
    out_string(o, login->refresh);
    out_key(o, "refresh_token");
    out_string(o, login->refresh);
    out_key(o, "expiresIn");
    out_integer(o, login->access_s);
    out_key(o, "user");
    user_write(x, login->account);
}

static void register_members(struct exchange *x) {
    const struct login *login = x->state;
    user_members(x, login->account);
    login_members(x);
}

static void login_answer(struct exchange *x, const struct login *login, const char *message,
                         void (*members)(struct exchange *x)) {
    x->state = (void *)(uintptr_t)login;
    qalpuch_twice(x, message, members);
}

/* ---- login, refresh, logout ---- */

static void login_done(struct exchange *x, const struct login *login) {
    if (login == NULL) exchange_refuse(x, CODE_UNAUTHORIZED, wrong_credentials);
    else login_answer(x, login, "Login successful", login_members);
}

bool account_login_read(struct exchange *x, struct message *m) {
    (void)m;
    struct field_errors *e = &x->errors;
    const bool named = member_find(x->json, "email") == NULL;
    struct slice email = member_text(x->json, named ? "username" : "email", OPTIONAL,
                                     ACCOUNT_EMAIL_MAX, e);
    if (email.data == NULL && e->count == 0) field_wrong(e, "email", FIELD_MISSING, 0);
    struct slice password = member_text(x->json, "password", REQUIRED, ACCOUNT_PASSWORD_MAX, e);
    if (qalpuch_fields_good(x)) account_login(x, email, password, login_done);
    return false;
}

static void refresh_done(struct exchange *x, const struct login *login) {
    if (login == NULL) exchange_refuse(x, CODE_UNAUTHORIZED, "Invalid refresh token");
    else login_answer(x, login, "Token refreshed successfully", login_members);
}

bool account_refresh_read(struct exchange *x, struct message *m) {
    (void)m;
    struct slice token = member_text(x->json, "refreshToken", REQUIRED, TOKEN_BYTES_MAX,
                                     &x->errors);
    if (qalpuch_fields_good(x)) account_refresh(x, token, refresh_done);
    return false;
}

static void plain_answer(struct exchange *x, const char *message) {
    qalpuch_open(x, message);
    out_null(&x->out);
    qalpuch_close(x);
}

static void logout_done(struct exchange *x) { plain_answer(x, "Logout successful"); }

bool account_logout_read(struct exchange *x, struct message *m) {
    (void)m;
    struct slice token = member_text(x->json, "refreshToken", NULLABLE | BLANK_OK,
                                     TOKEN_BYTES_MAX, &x->errors);
    if (qalpuch_fields_good(x)) account_logout(x, token, logout_done);
    return false;
}

/* ---- registration and passwords ---- */

static void register_opened(struct exchange *x, const struct login *login) {
    if (login == NULL) exchange_refuse(x, CODE_CONFLICT, NULL);
    else login_answer(x, login, "User registered successfully", register_members);
}

static void register_done(struct exchange *x, const struct account *a) {
    account_open(x, a, register_opened);
}

static struct slice email_read(struct exchange *x, uint32_t flags) {
    struct slice email = member_text(x->json, "email", flags, ACCOUNT_EMAIL_MAX, &x->errors);
    if (email.data != NULL && !account_email_good(email))
        field_refuse(&x->errors, "email", "Not an e-mail address.");
    return email;
}

bool account_register_read(struct exchange *x, struct message *m) {
    (void)m;
    const char *open = exchange_option(x, "register_open");
    struct account_new new = {.role = ROLE_USER, .brand = 1};
    if (open == NULL || strcmp(open, "true") != 0)
        return exchange_refuse(x, CODE_FORBIDDEN, "Registration is closed");
    new.name = member_text(x->json, "username", REQUIRED, WHO_NAME_MAX - 1, &x->errors);
    if (new.name.data != NULL && !account_name_good(new.name))
        field_refuse(&x->errors, "username",
                     "1 to 63 characters, without / : @ or control characters.");
    new.email = email_read(x, REQUIRED);
    new.password = member_text(x->json, "password", REQUIRED, ACCOUNT_PASSWORD_MAX, &x->errors);
    account_password_check(x, "password", new.password);
    if (qalpuch_fields_good(x)) account_create(x, &new, register_done);
    return false;
}

static void password_done(struct exchange *x, const struct account *a) {
    if (a == NULL) exchange_refuse(x, CODE_UNAUTHORIZED, "The old password is wrong");
    else plain_answer(x, "Password changed successfully");
}

bool account_password_read(struct exchange *x, struct message *m) {
    (void)m;
    struct slice old = member_text(x->json, "oldPassword", REQUIRED, ACCOUNT_PASSWORD_MAX,
                                   &x->errors);
    struct slice password = member_text(x->json, "newPassword", REQUIRED, ACCOUNT_PASSWORD_MAX,
                                        &x->errors);
    account_password_check(x, "newPassword", password);
    if (qalpuch_fields_good(x)) account_change_password(x, old, password, password_done);
    return false;
}

/* ---- users ---- */

/* A number, or 0 where the path has none: the caller. False: refused as not found. */
static bool id_read(struct exchange *x, uint64_t *ret_id) {
    const struct slice text = exchange_param(x, "id");
    *ret_id = 0;
    if (text.data == NULL) return true;
    if (text.len <= ACCOUNT_ID_MAX_DIGITS) {
        uint64_t id = 0;
        uint32_t i = 0;
        for (; i < text.len && text.data[i] >= '0' && text.data[i] <= '9'; i++)
            id = 10 * id + (text.data[i] - '0');
        if (i == text.len && id > 0) {
            *ret_id = id;
            return true;
        }
    }
    return exchange_refuse(x, CODE_NOT_FOUND, "User not found");
}

/* Whom the caller may see; else it is as if there were none. */
static bool user_there(struct exchange *x, const struct account *a) {
    if (a != NULL && account_visible(x, a)) return true;
    return exchange_refuse(x, CODE_NOT_FOUND, "User not found");
}

static void detail_found(struct exchange *x, const struct account *a) {
    if (user_there(x, a)) user_answer(x, "User retrieved successfully", a);
}

bool account_detail_read(struct exchange *x, struct message *m) {
    uint64_t id;
    (void)m;
    if (id_read(x, &id)) account_find(x, id, detail_found);
    return false;
}

static void list_write(struct exchange *x, const struct message *answer) {
    const struct qalpuch_page *page = x->state;
    struct object_row row;
    struct account a;
    uint32_t at = 0;
    qalpuch_page_headers(x, page, &answer->rows);
    qalpuch_open(x, "Users retrieved successfully");
    out_list(&x->out);
    while (object_row_next(answer->rows.rows, &at, &row))
        if (account_of(&row, &a)) user_write(x, &a);
    out_list_end(&x->out);
    qalpuch_close(x);
}

/* An admin of some brands sees those at home in the brand he acts for. */
static bool users_ask(struct exchange *x, struct message *m, exchange_then *write) {
    struct qalpuch_page *page = exchange_alloc(x, sizeof *page);
    m->verb = VERB_ASK;
    m->question.kind = slice_text("objects");
    m->question.object = slice_text("user");
    m->question.priority = m->question.dialect = -1;
    if (x->brand_count > 0)
        m->question.owner = slice_text(exchange_print(x, "%u", x->who.brand));
    x->state = page;
    if (qalpuch_page_read(x, &m->question, page))
        exchange_send_as(x, &account_house, m, write);
    return false;
}

bool account_list_read(struct exchange *x, struct message *m) {
    return users_ask(x, m, list_write);
}

/* True when every word of the query stands in what people read of the account. */
static bool account_matches(struct exchange *x, const struct account *a, const char *query) {
    const char *shown = account_shown(a);
    for (const char *at = query + strspn(query, " "); *at != '\0'; at += strspn(at, " ")) {
        const size_t len = strcspn(at, " ");
        const char *word = exchange_print(x, "%.*s", (int)len, at);
        if (strcasestr(shown, word) == NULL && strcasestr(a->name, word) == NULL &&
            strcasestr(a->body.email, word) == NULL)
            return false;
        at += len;
    }
    return true;
}

/* The broker looks at all that is stored of an account, the password's text included: what it
 * found by that alone is left out, and so is the number of what it found. */
static void search_write(struct exchange *x, const struct message *answer) {
    const char *query = exchange_query(x, "q");
    struct object_row row;
    struct account a;
    uint32_t at = 0;
    qalpuch_open(x, "Users retrieved successfully");
    out_list(&x->out);
    while (object_row_next(answer->rows.rows, &at, &row))
        if (account_of(&row, &a) && account_matches(x, &a, query)) user_write(x, &a);
    out_list_end(&x->out);
    qalpuch_close(x);
}

bool account_search_read(struct exchange *x, struct message *m) {
    const char *text = exchange_query(x, "q");
    if (text == NULL || text[0] == 0) field_wrong(&x->errors, "q", FIELD_MISSING, 0);
    if (!qalpuch_fields_good(x)) return false;
    m->question.search = slice_text(text);
    return users_ask(x, m, search_write);
}

/* ---- users are made and changed ---- */

static void create_done(struct exchange *x, const struct account *a) {
    qalpuch_open(x, "User created successfully");
    out_object(&x->out);
    user_members(x, a);
    if (a->password != NULL) {
        out_key(&x->out, "password");
        out_string(&x->out, a->password);
    }
    out_object_end(&x->out);
    qalpuch_close(x);
}

static const char *const roles[] = {"user", "admin", NULL};

/* A principal's name from a name that people read. */
static struct slice name_from(struct exchange *x, struct slice shown) {
    struct slice name = exchange_copy(x, slice_of(shown.data, shown.len < 48 ? shown.len : 48));
    char *text = (char *)(uintptr_t)name.data;
    for (uint32_t i = 0; i < name.len; i++)
        if ((uint8_t)text[i] <= ' ' || (uint8_t)text[i] >= 0x7f || strchr("/:@", text[i]) != NULL)
            text[i] = '-';
    return account_name_good(name) ? name : slice_text("user");
}

static struct slice shown_read(struct exchange *x, uint32_t flags) {
    struct slice shown = member_text(x->json, "name", flags, ACCOUNT_SHOWN_MAX, &x->errors);
    for (uint32_t i = 0; i < shown.len; i++) {
        if (shown.data[i] >= ' ' && shown.data[i] != 0x7f) continue;
        field_refuse(&x->errors, "name", "Control characters are not taken.");
        break;
    }
    return shown;
}

bool account_create_read(struct exchange *x, struct message *m) {
    (void)m;
    struct account_new new = {.renamed_ok = true, .brand = x->who.brand != 0 ? x->who.brand : 1};
    new.shown = shown_read(x, REQUIRED);
    new.email = email_read(x, REQUIRED);
    new.password = member_text(x->json, "password", NULLABLE, ACCOUNT_PASSWORD_MAX, &x->errors);
    account_password_check(x, "password", new.password);
    new.role = member_choice(x->json, "role", NULLABLE, roles, &x->errors) == 1 ? ROLE_ADMIN
                                                                                : ROLE_USER;
    if (new.shown.data != NULL) new.name = name_from(x, new.shown);
    if (qalpuch_fields_good(x)) account_create(x, &new, create_done);
    return false;
}

static void change_done(struct exchange *x, const struct account *a) {
    user_answer(x, "User updated successfully", a);
}

/* What only an admin may set is refused when another asks for a change of it. */
static void change_found(struct exchange *x, const struct account *a) {
    struct account_edit *edit = x->state;
    const bool admin = x->who.role == ROLE_ADMIN;
    if (admin && (a == NULL || !account_visible(x, a))) {
        exchange_refuse(x, CODE_NOT_FOUND, "User not found");
        return;
    }
    if (a == NULL || !account_governed(x, a)) { /* others do not learn who is there */
        exchange_refuse(x, CODE_FORBIDDEN, "Only your own account can be changed");
        return;
    }
    if (!admin && (edit->set & EDIT_ROLE) && edit->role != a->body.role) {
        exchange_refuse(x, CODE_FORBIDDEN, "Only an administrator changes roles");
        return;
    }
    if (!admin) edit->set &= EDIT_SHOWN | EDIT_EMAIL;
    account_change(x, a, edit, change_done);
}

/* Brands that the admin may give: any, or some of his own. */
static void brands_read(struct exchange *x, struct account_edit *edit) {
    uint32_t *brands = exchange_alloc(x, ACCOUNT_BRANDS_MAX * sizeof *brands);
    json_t *list = member_list(x->json, "brands", OPTIONAL, ACCOUNT_BRANDS_MAX, &x->errors);
    if (list == NULL) return;
    bool good = x->brand_count == 0 || json_array_size(list) > 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        const json_int_t number = json_integer_value(item);
        bool mine = x->brand_count == 0;
        for (uint32_t k = 0; k < x->brand_count; k++) mine = mine || x->brands[k] == number;
        good = good && json_is_integer(item) && number > 0 && number <= UINT32_MAX && mine;
        brands[i] = (uint32_t)number;
    }
    if (!good) field_refuse(&x->errors, "brands", "Not a list of brands that can be given.");
    edit->set |= EDIT_BRANDS;
    edit->brand_count = (uint32_t)json_array_size(list);
    edit->brands = brands;
}

/* What administrators alone decide. */
static void rights_read(struct exchange *x, struct account_edit *edit) {
    if (member_find(x->json, "disabled") != NULL) {
        edit->set |= EDIT_DISABLED;
        edit->disabled = member_bool(x->json, "disabled", OPTIONAL, false, &x->errors);
    }
    if (member_find(x->json, "brand_admin") != NULL) {
        edit->set |= EDIT_BRAND_ADMIN;
        edit->brand_admin = member_bool(x->json, "brand_admin", OPTIONAL, false, &x->errors);
    }
    brands_read(x, edit);
}

bool account_change_read(struct exchange *x, struct message *m) {
    uint64_t id;
    struct account_edit *edit = exchange_alloc(x, sizeof *edit);
    (void)m;
    if (!id_read(x, &id)) return false;
    edit->shown = shown_read(x, OPTIONAL);
    if (edit->shown.data != NULL) edit->set |= EDIT_SHOWN;
    edit->email = email_read(x, OPTIONAL);
    if (edit->email.data != NULL) edit->set |= EDIT_EMAIL;
    const int role = member_choice(x->json, "role", OPTIONAL, roles, &x->errors);
    edit->role = role == 1 ? ROLE_ADMIN : ROLE_USER;
    if (role >= 0) edit->set |= EDIT_ROLE;
    if (x->who.role == ROLE_ADMIN) rights_read(x, edit);
    x->state = edit;
    if (qalpuch_fields_good(x)) account_find(x, id, change_found);
    return false;
}

/* ---- users are deleted ---- */

static void delete_done(struct exchange *x) { plain_answer(x, "User deleted successfully"); }

static void delete_found(struct exchange *x, const struct account *a) {
    if (!user_there(x, a)) return;
    if (account_governed(x, a)) account_delete(x, a, delete_done);
    else exchange_refuse(x, CODE_FORBIDDEN, "This user belongs to another brand too");
}

bool account_delete_read(struct exchange *x, struct message *m) {
    uint64_t id;
    (void)m;
    if (id_read(x, &id)) account_find(x, id, delete_found);
    return false;
}
