#!/bin/sh
# workflow_megahub.sh - the documents' workflow of dialect 002 with curl alone: a task from its
# creation to its figures, an alert that reaches a webhook, a long job that outlives its worker, and
# a weekday report that the clock starts.
#
#   tests/api/workflow_megahub.sh
#
# Starts a server, workers and a listener of its own, on free ports and in a folder of its own.
# RELAIS names the binary. Where libfaketime is installed, all of them live shortly before nine
# o'clock of next Monday in Paris, so that the report is seen to start at its very time; elsewhere,
# and with CLOCK set and empty, that part waits for the next full minute. Prints each step; exit
# code 0 = all went as it should, 1 = the step that did not is the last one.
set -u
cd "$(dirname "$0")/../.." || exit 1
RELAIS=${RELAIS:-build/release/relais}
WORK=$(mktemp -d)
PATIENCE=90 STARTED=''
end() {
    for PROCESS in $STARTED; do kill "$PROCESS" 2> /dev/null; done
    wait
    rm -rf "$WORK"
}
trap end EXIT
trap 'exit 1' INT TERM

say() { printf '%s\n' "$*"; }
fail() {
    say "FAILED: $*"
    for FILE in body log; do
        [ ! -s "$WORK/$FILE" ] || tail -n 20 "$WORK/$FILE" | sed 's/^/  /'
    done
    exit 1
}

# ---- the clock: what is started with LD_PRELOAD="$CLOCK" lives so many seconds ahead ----

CLOCK=${CLOCK-$(ls /usr/lib/*/faketime/libfaketimeMT.so.1 2> /dev/null | head -n 1)}
MONDAY=$(TZ=Europe/Paris date -d 'next monday 08:59:45' +%s)
export FAKETIME="+$((MONDAY - $(date +%s)))s" FAKETIME_DONT_FAKE_MONOTONIC=1 NO_FAKE_STAT=1
export FAKETIME_FORCE_MONOTONIC_FIX=0 # its cure ends waits at once here
relais() { LD_PRELOAD=$CLOCK "$RELAIS" "$@"; }

# ---- HTTP ----

# call METHOD PATH [BODY]: the status in $STATUS, the body in $WORK/body
call() {
    if [ $# -gt 2 ]; then set -- "$1" "$2" -d "$3"; fi
    METHOD=$1 TO=$URL$2
    shift 2
    STATUS=$(curl -sS -m 60 -o "$WORK/body" -w '%{http_code}' -X "$METHOD" "$TO" "$@" \
        -H "Authorization: Bearer ${TOKEN:-none}" -H 'Content-Type: application/json')
}
# want STATUS what: the last call was answered so
want() { [ "$STATUS" = "$1" ] || fail "$2: $STATUS instead of $1"; say "  $STATUS $2"; }
holds() { grep -qF -- "$1" "$WORK/body" || fail "$2: no $1 in the answer"; say "  $2"; }
# field NAME: the first text or number under that name
field() { grep -o "\"$1\": *\"\{0,1\}[^\",}]*" "$WORK/body" | head -n 1 | sed 's/^[^:]*: *"*//'; }
# comes PATH TEXT what: the answer of GET PATH holds TEXT, within a deadline
comes() {
    UNTIL=$(($(date +%s) + PATIENCE))
    while :; do
        call GET "$1"
        [ "$STATUS" = 200 ] || fail "$3: $STATUS"
        ! grep -qF -- "$2" "$WORK/body" || break
        [ "$(date +%s)" -lt "$UNTIL" ] || fail "$3: no $2 within $PATIENCE s"
        sleep 0.1
    done
    say "  $3"
}

# ---- the server, its listener and its workers ----

scripts/webhooks > "$WORK/hooks" 2>> "$WORK/log" & STARTED="$STARTED $!"
LD_PRELOAD=$CLOCK "$RELAIS" serve --data "$WORK/data" --http 127.0.0.1:0 \
    --listen tcp://127.0.0.1:0 --hook-allow 127.0.0.0/8 --beat-ms 200 --suspect-ms 600 \
    --doubt-ms 1000 --lost-ms 1500 --quiet-ms 1500 > "$WORK/ready" 2>> "$WORK/log" &
STARTED="$STARTED $!" TRIES=0
until grep -q ready "$WORK/ready" && grep -q http "$WORK/hooks"; do
    TRIES=$((TRIES + 1))
    [ "$TRIES" -lt 200 ] || fail 'the server did not start'
    sleep 0.05
done
URL=http://$(sed -n 's/.*http=\([^ ]*\).*/\1/p' "$WORK/ready")
NATIVE=$(sed -n 's/.*native=\([^ ]*\).*/\1/p' "$WORK/ready")
LISTENER=$(head -n 1 "$WORK/hooks")

worker() { # NAME QUEUE COMMAND…: a native worker, its process in $WORKER
    NAME=$1 QUEUE=$2
    shift 2
    LD_PRELOAD=$CLOCK "$RELAIS" work --data "$WORK/data" --broker "$NATIVE" --name "$NAME" \
        --queue "$QUEUE" -- "$@" 2>> "$WORK/log" &
    WORKER=$! STARTED="$STARTED $!"
}

say '1. Ann, who administers brand 1, logs in'
echo 'correct horse' | relais user add ann --brand 1 --brand-admin --password-stdin \
    --data "$WORK/data" > "$WORK/said" || fail 'ann has no account'
call POST /auth/login/ '{"username": "ann", "password": "correct horse"}'
want 200 'login'
TOKEN=$(field access)
call GET /brands/
want 200 'her brands'
holds '"id":1' 'one of them is brand 1'

say '2. A report of every weekday morning is scheduled, some seconds before it is due'
# the next full minute of the server; with the clock above it is nine o'clock of a Monday
NOW=$(date -d "$(curl -sSI "$URL/readyz" | sed -n 's/^[Dd]ate: //p' | tr -d '\r')" +%s)
NEXT=$((((NOW + 5) / 60 + 1) * 60)) DAYS=1-5
[ "$(TZ=Europe/Paris date -d "@$NEXT" +%u)" -lt 6 ] || DAYS='*'
CRON="$(TZ=Europe/Paris date -d "@$NEXT" '+%-M %-H') * * $DAYS"
DUE=$(date -u -d "@$NEXT" +%Y-%m-%dT%H:%M:%S.000Z)
call POST /tasks/scheduled/periodic-tasks/validate-cron/ \
    "{\"cron_expression\": \"$CRON\", \"timezone\": \"Europe/Paris\"}"
want 200 "validate $CRON in Europe/Paris"
holds "{\"is_valid\":true,\"next_executions\":[\"$DUE\"," "its next run is $DUE"
call POST /tasks/scheduled/periodic-tasks/validate-cron/ '{"cron_expression": "0 25 * * 1-5"}'
want 200 'validate an hour that is none'
holds '"is_valid":false' 'it is not valid'
call POST /tasks/scheduled/periodic-tasks/ "{\"cron_expression\": \"$CRON\",
    \"timezone\": \"Europe/Paris\", \"task_type\": \"daily_seo_report\"}"
want 201 'it is scheduled'
PERIODIC=$(field id)
holds "\"next_run_at\":\"$DUE\"" "for $DUE"
call GET '/tasks/?is_periodic=true'
holds '"count":0' 'and has not run yet'

say '3. Ann wants to be told of slow analyses'
call GET /tasks/webhooks/signing-key/
want 200 'the key that signs'
KEY=$(field secret)
call POST /tasks/monitoring/alerts/ "{\"name\": \"Slow analyses\", \"threshold_value\": 200,
    \"metric_field\": \"execution_time_ms\", \"condition\": \"gte\",
    \"task_types\": [\"seo_keyword_analysis\"], \"webhook_url\": \"$LISTENER/alerts\"}"
want 201 'an alert rule'
RULE=$(field id)
call POST "/tasks/monitoring/alerts/$RULE/test/" '{"test_value": 199}'
want 200 'it is tried with a faster one'
holds '"would_trigger":false' 'which would say nothing'

say '4. An analysis is created, run by a native worker, and watched'
call POST /tasks/ '{"task_type": "seo_keyword_analysis", "priority": "normal",
    "description": "Analyser 500 mots-clés",
    "context_data": {"keyword_ids": [1,2,3,4,5], "analysis_depth": "full"}}'
want 201 'the task'
TASK=$(field id)
holds '"status":"pending"' 'it is pending'
: > "$WORK/hold"
cat > "$WORK/analyse" <<'COMMAND'
cat > "$1/seen"
[ "$RELAIS_TASK_TYPE" = seo_keyword_analysis ] || exec echo '{"pages": 3}'
echo '{"progress": 40, "message": "200 of 500"}' >&3
while [ -e "$1/hold" ]; do sleep 0.05; done
sleep 0.25
echo '{"keywords_processed": 500, "insights_generated": 45}'
COMMAND
worker analyst normal sh "$WORK/analyse" "$WORK"
comes "/tasks/$TASK/" '"progress_percentage":40' 'it is at 40 %'
holds '"status":"running"' 'and running'
call GET /tasks/queue-stats/
want 200 'the queues'
holds '"running":1' 'one runs'
call GET /tasks/monitoring/workers/overview/
want 200 'the workers'
holds '"online_workers":1' 'one is online'
rm "$WORK/hold"
comes "/tasks/$TASK/" '"status":"completed"' 'it is completed'
holds '"keywords_processed": 500' 'with its result'
grep -qF '{"keyword_ids": [1,2,3,4,5], "analysis_depth": "full"}' "$WORK/seen" ||
    fail "the worker got $(cat "$WORK/seen")"
say '  the worker had its context data'

say '5. What it took'
call GET "/tasks/monitoring/metrics/?base_task=$TASK"
want 200 'its metrics'
holds '"count":1' 'are one'
holds '"worker_name":"analyst"' 'of that worker'
TOOK=$(field execution_time_ms)
[ "$TOOK" -ge 250 ] || fail "it took $TOOK ms"
say "  it took $TOOK ms"
call GET '/tasks/?has_metrics=true&execution_time__gte=250'
want 200 'tasks that took 250 ms or more'
holds "\"id\":$TASK," 'it is one'
call GET '/tasks/monitoring/metrics/dashboard/?days=7&task_type=seo_keyword_analysis'
want 200 'the dashboard'
holds "\"total_tasks\":1,\"avg_execution_time_ms\":$TOOK," 'its summary is right'
call GET '/tasks/monitoring/metrics/trends/?metric=execution_time_ms'
want 200 'the trends'
holds "\"value\":$TOOK,\"count\":1" "today's point is right"

say '6. The alert'
comes /tasks/monitoring/alerts/active/ '"active_alerts":1' 'it is active'
holds "\"current_value\":$TOOK" 'with what it took'
UNTIL=$(($(date +%s) + PATIENCE))
until [ "$(wc -l < "$WORK/hooks")" -ge 2 ]; do
    [ "$(date +%s)" -lt "$UNTIL" ] || fail 'the listener heard nothing'
    sleep 0.05
done
sed -n 2p "$WORK/hooks" > "$WORK/body"
IFS=' ' read -r ID TIME SIGNATURE BODY < "$WORK/body"
holds '"alert_type":"task_monitoring"' 'the listener was called'
holds "\"metric_value\":$TOOK" 'and told what it took'
HEX=$(printf %s "${KEY#whsec_}" | base64 -d | od -An -v -tx1 | tr -d ' \n')
sign() { # BODY
    printf %s "$ID.$TIME.$1" |
        openssl dgst -sha256 -mac HMAC -macopt "hexkey:$HEX" -binary | base64
}
[ "$SIGNATURE" = "v1,$(sign "$BODY")" ] || fail "$SIGNATURE is not v1,$(sign "$BODY")"
[ "$SIGNATURE" != "v1,$(sign "$BODY ")" ] || fail 'the signature is right for any body'
say '  the signature is right'
call POST "/tasks/monitoring/alerts/$RULE/acknowledge/" '{}'
want 200 'ann has seen it'
holds '"is_triggered":false' 'and it is over'

say '7. A long job whose worker is killed goes on elsewhere'
# reads nine pages; stands still before page 4, and before page 8, as long as a file says so
cat > "$WORK/crawl" <<'COMMAND'
echo $$ > "$1/crawler"
done=0
[ ! -f "$RELAIS_CHECKPOINT_DIR/page" ] || done=$(grep -o '[0-9]*' "$RELAIS_CHECKPOINT_DIR/page")
begun=$done
while [ "$done" -lt 9 ]; do
    while [ -e "$1/hold-$((done + 1))" ]; do sleep 0.05; done
    done=$((done + 1))
    echo "$2 page $done" >> "$1/pages"
    echo "{\"checkpoint\": \"page\", \"data\": {\"done\": $done}}" >&3
done
echo "{\"worker\": \"$2\", \"begun_after\": $begun}"
COMMAND
: > "$WORK/hold-4"; : > "$WORK/hold-8"
call POST /tasks/persistent-jobs/persistent-jobs/ '{"task_type": "crawl", "queue_name": "crawl",
    "job_data": {"site": "humari.fr"}, "total_steps": 9}'
want 201 'the job'
JOB=$(field id)
worker first crawl sh "$WORK/crawl" "$WORK" first
comes "/tasks/persistent-jobs/persistent-jobs/$JOB/" '"checkpoints_count":3' 'three checkpoints'
{ kill -KILL "$WORKER" && wait "$WORKER"; } 2> /dev/null
kill -KILL "$(cat "$WORK/crawler")" 2> /dev/null
say '  its worker is killed, with -9'
rm "$WORK/hold-4"
worker second crawl sh "$WORK/crawl" "$WORK" second
comes "/tasks/persistent-jobs/persistent-jobs/$JOB/" '"checkpoints_count":7' 'another goes on'
call GET "/tasks/$JOB/logs/"
want 200 'the log'
call POST "/tasks/persistent-jobs/persistent-jobs/$JOB/pause/" '{}'
want 200 'ann pauses it'
comes "/tasks/$JOB/" '"status":"paused"' 'it is paused'
call GET /tasks/persistent-jobs/persistent-jobs/resumable/
want 200 'what can be resumed'
holds "\"id\":$JOB," 'it can'
rm "$WORK/hold-8"
call POST "/tasks/persistent-jobs/persistent-jobs/$JOB/resume/" '{}'
want 200 'ann resumes it'
holds '"checkpoint_data":{"done":7}' 'from its last checkpoint'
comes "/tasks/$JOB/" '"status":"completed"' 'it is completed'
holds '"begun_after": 7' 'and the last attempt began after page 7'
cat > "$WORK/wanted" <<'PAGES'
first page 1
first page 2
first page 3
second page 4
second page 5
second page 6
second page 7
second page 8
second page 9
PAGES
diff "$WORK/wanted" "$WORK/pages" || fail 'pages were left out or read twice'
say '  each page was read once: three by the first worker, six by the second'

say '8. Nine o'\''clock: the report starts by itself'
comes "/tasks/?is_periodic=true&status=completed" '"count":1' 'it has run'
holds "\"scheduled_at\":\"$DUE\"" "for $DUE"
holds '"pages": 3' 'with its result'
MADE=$(date -d "$(field created_at)" +%s)
[ "$MADE" -ge "$NEXT" ] || fail "created at $MADE, due at $NEXT"
say "  it was created at $(field created_at)"
call GET "/tasks/scheduled/periodic-tasks/$PERIODIC/"
want 200 'the schedule'
holds '"executions_count":1' 'it ran once'
holds '"last_run_status":"completed"' 'well'
TOMORROW=$(field next_run_at)
[ "$(TZ=Europe/Paris date -d "$TOMORROW" '+%-M %-H')" = "${CRON%% \**}" ] ||
    fail "the next run is at $TOMORROW"
[ "$(date -d "$TOMORROW" +%s)" -gt "$NEXT" ] || fail "the next run is at $TOMORROW"
say "  the next run is at $TOMORROW"
call POST /auth/logout/ '{}'
want 200 'ann logs out'
call GET /tasks/
want 401 'and her token is worth nothing'
say 'All went as it should.'
