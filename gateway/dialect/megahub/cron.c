/* cron.c - what clients ask about cron expressions and zones before they schedule anything. */
#include "proto/base/cron.h"
#include "gateway/dialect/megahub/megahub.h"
#include "proto/host/zones.h"

enum { CRON_TEXT_MAX = 255, ZONE_TEXT_MAX = 64, RUNS_SHOWN = 5 };

static void runs_write(struct exchange *x, const struct cron *c, const struct zone *zone,
                     int64_t after_ms, uint32_t count) {
    int64_t at = after_ms / 1000;
    out_list(&x->out);
    while (count-- > 0 && cron_next(c, zone, at, &at)) out_time(&x->out, at * 1000);
    out_list_end(&x->out);
}

static void invalid_write(struct exchange *x, const char *why) {
    out_object(&x->out);
    out_key(&x->out, "is_valid");
    out_bool(&x->out, false);
    out_key(&x->out, "error");
    out_string(&x->out, why);
    out_object_end(&x->out);
    exchange_answer(x, x->route->status);
}

static bool cron_validate_read(struct exchange *x, struct message *m) {
    struct cron cron;
    struct zone *zone = NULL;
    const char *why;
    const struct slice text =
        member_text(x->json, "cron_expression", REQUIRED, CRON_TEXT_MAX, &x->errors);
    struct slice name = member_text(x->json, "timezone", NULLABLE, ZONE_TEXT_MAX, &x->errors);
    (void)m;
    if (!megahub_fields_good(x)) return false;
    if (name.len == 0) name = slice_text("UTC");
    if (!cron_parse(text, &cron, &why)) {
        invalid_write(x, why);
        return false;
    }
    if (!zones_open(name, &zone)) {
        invalid_write(x, "there is no such time zone");
        return false;
    }
    out_object(&x->out);
    out_key(&x->out, "is_valid");
    out_bool(&x->out, true);
    out_key(&x->out, "next_executions");
    runs_write(x, &cron, zone, x->wall_ms, RUNS_SHOWN);
    out_object_end(&x->out);
    zone_destroy(&zone);
    exchange_answer(x, x->route->status);
    return false;
}

static bool cron_templates_read(struct exchange *x, struct message *m) {
    static const struct { const char *name, *cron, *description; } templates[] = {
        {"every_minute", "* * * * *", "Every minute"},
        {"every_5_minutes", "*/5 * * * *", "Every five minutes"},
        {"every_15_minutes", "*/15 * * * *", "Every quarter of an hour"},
        {"hourly", "0 * * * *", "At the start of every hour"},
        {"daily_midnight", "0 0 * * *", "Every day at midnight"},
        {"daily_morning", "0 9 * * *", "Every day at 9:00"},
        {"weekdays_morning", "0 9 * * 1-5", "Monday to Friday at 9:00"},
        {"weekly", "0 9 * * 1", "Every Monday at 9:00"},
        {"monthly", "0 9 1 * *", "On the first of every month at 9:00"},
        {"quarterly", "0 9 1 1,4,7,10 *", "On the first of every quarter at 9:00"},
        {"yearly", "0 0 1 1 *", "On the first of January at midnight"}};
    struct out *o = &x->out;
    (void)m;
    out_object(o);
    out_key(o, "templates");
    out_list(o);
    for (size_t i = 0; i < sizeof templates / sizeof *templates; i++) {
        out_object(o);
        out_key(o, "name");
        out_string(o, templates[i].name);
        out_key(o, "cron");
        out_string(o, templates[i].cron);
        out_key(o, "description");
        out_string(o, templates[i].description);
        out_object_end(o);
    }
    out_list_end(o);
    out_object_end(o);
    exchange_answer(x, x->route->status);
    return false;
}

/* "+02:00" */
static const char *offset_text(struct exchange *x, int32_t offset_s) {
    const int32_t minutes = (offset_s < 0 ? -offset_s : offset_s) / 60;
    return exchange_print(x, "%c%02d:%02d", offset_s < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

static bool cron_zones_read(struct exchange *x, struct message *m) {
    struct buffer names = {0};
    uint32_t count;
    struct out *o = &x->out;
    (void)m;
    zones_list(&names, &count);
    const char *name = (const char *)names.data;
    out_list(o);
    for (uint32_t i = 0; i < count; i++, name += strlen(name) + 1) {
        struct zone *zone = NULL;
        if (!zones_open(slice_text(name), &zone)) continue;
        out_object(o);
        out_key(o, "name");
        out_string(o, name);
        out_key(o, "offset");
        out_string(o, offset_text(x, zone_span(zone, x->wall_ms / 1000).offset_s));
        out_object_end(o);
        zone_destroy(&zone);
    }
    out_list_end(o);
    buffer_free(&names);
    exchange_answer(x, x->route->status);
    return false;
}

#define BASE "/tasks/scheduled/periodic-tasks"
enum { MEMBER_GUARD = GUARD_USER | GUARD_ADMIN };
static const struct route routes[] = {
    ROUTE(POST, JSON, BASE "/validate-cron", MEMBER_GUARD, 200, cron_validate_read,
          "says whether a cron expression is sound, and when it comes due"),
    ROUTE(GET, NONE, BASE "/cron-templates", MEMBER_GUARD, 200, cron_templates_read,
          "cron expressions to begin with"),
    ROUTE(GET, NONE, BASE "/timezone-info", MEMBER_GUARD, 200, cron_zones_read,
          "time zones and their offset from UTC now"),
};
const struct routes megahub_cron = {routes, sizeof routes / sizeof *routes};
