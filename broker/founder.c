/* founder.c - see founder.h. */
#include "broker/founder.h"
#include "broker/caller.h"
#include "broker/password.h"
#include "broker/secret.h"
#include "proto/account.h"
#include "proto/host/log.h"
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PATH_SIZE = 4200 };

struct founder {
    pthread_t thread;
    void *zmq;
    char endpoint[CONFIG_ENDPOINT_MAX], folder[PATH_SIZE];
};

static enum code admin_put(struct caller *c, const char *password) {
    struct account_body a = {.role = ROLE_ADMIN, .limited = true};
    struct buffer body = {0};
    if (!password_text(a.hash, password)) return CODE_UNAVAILABLE;
    account_write(&body, &a);
    struct message m = {.verb = VERB_PUT};
    m.object.kind = slice_text("user");
    m.object.name = slice_text("admin");
    m.object.mode = PUT_EITHER; /* of a start that could not say it */
    m.object.body = buffer_slice(&body);
    m.object.options.owner = slice_text("0");
    const enum code code = caller_code(caller_ask(c, &m));
    buffer_free(&body);
    return code;
}

static void *founder_main(void *context) {
    pthread_setname_np(pthread_self(), "founder");
    static const struct who house = {.role = ROLE_ADMIN, .name = "first start"};
    struct founder *f = context;
    char why[512] = "", password[PASSWORD_SIZE];
    struct caller *c = caller_connect(f->zmq, f->endpoint, &house, why, sizeof why);
    password_make(password);
    const enum code code = c == NULL ? CODE_UNAVAILABLE : admin_put(c, password);
    if (c != NULL) snprintf(why, sizeof why, "%s", code_text(code));
    caller_close(&c);
    if (code == CODE_OK) {
        fprintf(stderr, "relais: first start: account admin, one-time password %s (it must be "
                "changed at the first login)\n", password);
        fflush(stderr);
        if (!file_put(f->folder, "founded", "", why, sizeof why))
            log_error("the next start will make another password for admin",
                      field_text("why", why));
    } else {
        log_warn("the account admin could not be made; when the cause is gone, start again: that "
                 "start makes it and prints its password",
                  field_text("code", code_name(code)), field_text("why", why));
    }
    sodium_memzero(password, sizeof password);
    return NULL;
}

struct founder *founder_start(void *zmq, const char *endpoint, const char *data) {
    char path[PATH_SIZE + 16];
    struct founder *f = calloc(1, sizeof *f);
    if (f == NULL) return NULL;
    snprintf(f->folder, sizeof f->folder, "%s/secret", data);
    snprintf(path, sizeof path, "%s/founded", f->folder);
    snprintf(f->endpoint, sizeof f->endpoint, "%s", endpoint);
    f->zmq = zmq;
    if (endpoint[0] != 0 && access(path, F_OK) != 0
        && pthread_create(&f->thread, NULL, founder_main, f) == 0)
        return f;
    free(f);
    return NULL;
}

void founder_end(struct founder **self) {
    if (*self == NULL) return;
    pthread_join((*self)->thread, NULL);
    free(*self);
    *self = NULL;
}
