#!/bin/sh
# A WhatsApp worker's day (dialect 003) with nothing but curl: the administrator's first login, a
# user's account, a session from its QR code to its messages, a worker that dies, and the other one
# that takes its session over.
#
#   tests/api/workflow_whatsapp.sh             against a server of its own, on a free port
#   tests/api/workflow_whatsapp.sh URL FLEET_TOKEN ONE_TIME_PASSWORD [SECONDS]
#
# URL          of a server on a fresh data folder, as http://127.0.0.1:8000
# FLEET_TOKEN  one of its option worker_tokens (brand 1)
# ONE_TIME_PASSWORD  of the account admin, as the first start printed it
# SECONDS      how long a death may take to be seen, recovery included (180; start the server with
#              station_dead_ms and recovery_ms short to see it sooner)
#
# Prints each step; exit code 0 = all went as it should, 1 = the step that did not is the last one.
# RELAIS names the binary of the first form.
set -u
URL=${1:-} FLEET=${2:-a-secret} ONE_TIME=${3:-} PATIENCE=${4:-180}
WORK=$(mktemp -d)
LISTENER='' SERVER=''
end() {
    [ -z "$LISTENER" ] || kill "$LISTENER" 2> /dev/null
    [ -z "$SERVER" ] || { kill "$SERVER" && wait "$SERVER"; } 2> /dev/null
    rm -rf "$WORK"
}
trap end EXIT

if [ -z "$URL" ]; then
    cd "$(dirname "$0")/../.." || exit 1
    : > "$WORK/ready"; : > "$WORK/log"
    "${RELAIS:-build/release/relais}" serve --data "$WORK/data" --http 127.0.0.1:0 \
        --listen tcp://127.0.0.1:0 --worker-tokens "$FLEET" --station-dead-ms 3000 \
        --recovery-ms 500 > "$WORK/ready" 2> "$WORK/log" &
    SERVER=$!
    TRIES=0
    while [ -z "$ONE_TIME" ] || [ "$URL" = http:// ]; do # it says both when it is ready
        URL=http://$(sed -n 's/.*http=\([^ ]*\).*/\1/p' "$WORK/ready")
        ONE_TIME=$(sed -n 's/.*one-time password \([^ ]*\).*/\1/p' "$WORK/log")
        TRIES=$((TRIES + 1))
        [ "$TRIES" -lt 200 ] || { cat "$WORK/log"; exit 1; }
        sleep 0.05
    done
fi

say() { printf '%s\n' "$*"; }
fail() { say "FAILED: $*"; [ ! -s "$WORK/body" ] || sed 's/^/  /' "$WORK/body"; exit 1; }

# call TOKEN METHOD PATH [BODY]: the status in $STATUS, the body in $WORK/body
call() {
    if [ $# -gt 3 ]; then
        STATUS=$(curl -sS -m 60 -o "$WORK/body" -w '%{http_code}' -X "$2" \
            -H "Authorization: Bearer $1" -H 'Content-Type: application/json' -d "$4" "$URL$3")
    else
        STATUS=$(curl -sS -m 60 -o "$WORK/body" -w '%{http_code}' -X "$2" \
            -H "Authorization: Bearer $1" "$URL$3")
    fi
}
# want STATUS what: the last call was answered so
want() { [ "$STATUS" = "$1" ] || fail "$2: $STATUS instead of $1"; say "  $STATUS $2"; }
# field NAME: the first text or number under that name
field() {
    sed -n 's/.*/&/; s/'"\"$1\""':/\n&/; s/^[^\n]*\n//; T; s/^"[^"]*":"\{0,1\}\([^",}]*\).*/\1/p' \
        "$WORK/body" | head -n 1
}
holds() { grep -q "$1" "$WORK/body" || fail "$2: no $1 in the answer"; say "  $2"; }
lacks() { ! grep -q "$1" "$WORK/body" || fail "$2: $1 in the answer"; say "  $2"; }
now() { date -u +%Y-%m-%dT%H:%M:%S.%3NZ; }

register() { # NAME ENDPOINT
    call "$FLEET" POST /api/v1/workers/register "{\"workerId\":\"$1\",\"endpoint\":\"$2\",
        \"maxSessions\":10,\"status\":\"ONLINE\",\"version\":\"1.0.0\",
        \"environment\":\"PRODUCTION\",\"timestamp\":\"$(now)\"}"
}
beat() { # NAME [SESSIONS], in the later client's form when it lists its sessions
    if [ $# -gt 1 ]; then
        call "$FLEET" PUT "/api/v1/workers/$1/heartbeat" "{\"sessions\":$2,\"metrics\":
            {\"cpuUsage\":2,\"memoryUsage\":3,\"uptime\":5,\"messageCount\":1},
            \"lastActivity\":\"$(now)\"}"
    else
        call "$FLEET" PUT "/api/v1/workers/$1/heartbeat" "{\"status\":\"ONLINE\",\"cpuUsage\":1.5,
            \"memoryUsage\":2.5,\"uptime\":60,\"messageCount\":0,\"sessions\":{\"total\":0},
            \"timestamp\":\"$(now)\"}"
    fi
}
session_is() { # NAME EVENT DATA
    call "$FLEET" POST /api/v1/webhooks/session-status "{\"event\":\"$2\",\"sessionId\":\"sales\",
        \"workerId\":\"$1\",\"data\":$3,\"timestamp\":\"$(now)\"}"
}
message_is() { # NAME MESSAGE STATUS
    call "$FLEET" POST /api/v1/webhooks/message-status "{\"event\":\"message_status\",
        \"sessionId\":\"sales\",\"workerId\":\"$1\",\"data\":{\"messageId\":\"$2\",
        \"status\":\"$3\",\"to\":\"6281234567890@s.whatsapp.net\"},\"timestamp\":\"$(now)\"}"
}
login() { # EMAIL PASSWORD: the token in $TOKEN
    call none POST /api/v1/login "{\"email\":\"$1\",\"password\":\"$2\"}"
    TOKEN=$(field token)
}
# Takes the command TYPE of a worker: its id in $COMMAND
command_of() { # NAME TYPE
    call "$FLEET" GET "/api/v1/workers/$1/commands?wait=10"
    want 200 "$1 asks what to do"
    holds "\"type\":\"$2\"" "it is told to $2"
    COMMAND=$(sed -n 's/.*"commands":\[{"id":"\([0-9]*\)".*/\1/p' "$WORK/body")
}
ack() { call "$FLEET" POST "/api/v1/workers/$1/commands/$2/ack" '{}'; want 200 "$1 acknowledges"; }

say '1. The administrator logs in for the first time and changes the password'
login admin "$ONE_TIME"
want 200 'login with the one-time password'
call "$TOKEN" POST /api/v1/change-password \
    "{\"oldPassword\":\"$ONE_TIME\",\"newPassword\":\"a much better secret\"}"
want 200 'the password is changed'
login admin 'a much better secret'
want 200 'login with the new one'
ADMIN=$TOKEN

say '2. A user makes an account and logs in'
call none POST /api/v1/register \
    '{"username":"ann","email":"ann@example.org","password":"correct horse battery"}'
want 201 'ann has an account'
login ann@example.org 'correct horse battery'
want 200 'ann logs in'
ANN=$TOKEN
curl -sS -N -m 600 -H "Authorization: Bearer $ANN" "$URL/api/v1/events/stream" \
    > "$WORK/events" & LISTENER=$!
say '  ann listens to what happens'

say '3. A wrong token is refused; the first worker registers and sends its heartbeat'
call worker-secret-token POST /api/v1/workers/register '{}'
want 401 'a token that nobody configured'
register worker-001 http://10.0.0.1:8001
want 200 'worker-001 registers'
holds '"status":"registered"' 'it is registered'
holds '"assignedSessions":\[\]' 'it has no sessions yet'
beat worker-001
want 200 'its heartbeat'
holds '"commands":\[\]' 'there is nothing to do'

say '4. Ann makes a session and connects it'
call "$ANN" POST /api/v1/sessions '{"name":"Sales","sessionId":"sales"}'
want 201 'the session is there'
holds '"status":"DISCONNECTED"' 'it is DISCONNECTED'
call "$ANN" POST /api/v1/sessions/sales/connect '{}'
want 200 'connect'
command_of worker-001 create_session
ack worker-001 "$COMMAND"
session_is worker-001 qr_ready \
    '{"status":"qr_required","qrCode":"data:image/png;base64,iVBORw0KGgo=","qrString":"1@ABC"}'
want 200 'worker-001 has a QR code'
call "$ANN" GET /api/v1/sessions/sales/qr
want 200 'ann sees the code'
holds '"qrCode":"data:image/png;base64,iVBORw0KGgo="' 'it is the one to scan'
session_is worker-001 connected '{"phoneNumber":"6281234567890:7@s.whatsapp.net"}'
want 200 'the phone has scanned it'
call "$ANN" GET /api/v1/sessions/sales/status
holds '"status":"CONNECTED"' 'the session is CONNECTED'
holds '"phoneNumber":"6281234567890"' 'with its number'

say '5. Ann sends a message; its reports arrive in the wrong order'
call "$ANN" POST /api/v1/sessions/sales/messages \
    '{"to":"+6281234567890","type":"text","message":"Good morning"}'
want 202 'the message is accepted'
MESSAGE=$(field messageId)
command_of worker-001 send_message
holds "\"messageId\":\"$MESSAGE\"" 'with the message'
message_is worker-001 "$MESSAGE" delivered
want 200 'delivered'
message_is worker-001 "$MESSAGE" sent
want 200 'sent, too late'
call "$ANN" GET "/api/v1/messages/$MESSAGE"
holds '"status":"DELIVERED"' 'the message stays DELIVERED'
message_is worker-001 "$MESSAGE" read
want 200 'read'

say '6. worker-001 restarts and gets its session back'
register worker-001 http://10.0.0.1:8001
want 200 'worker-001 registers again'
holds '"recoveryRequired":true' 'it has sessions to bring back'
holds '"sessionId":"sales"' 'the session is named'
register worker-001 http://10.0.0.66:8001
want 409 'its name is not to be had elsewhere while it lives'

say '7. worker-001 dies; worker-002 takes the session over'
register worker-002 http://10.0.0.2:8001
want 200 'worker-002 registers'
END=$(($(date +%s) + PATIENCE))
while :; do
    beat worker-002
    [ "$STATUS" = 200 ] || fail "heartbeat of worker-002: $STATUS"
    ! grep -q '"type":"create_session"' "$WORK/body" || break
    [ "$(date +%s)" -lt "$END" ] || fail "nobody took the session over in $PATIENCE s"
    sleep 0.2
done
holds '"sessionId":"sales"' 'worker-002 is told to open the session'
COMMAND=$(sed -n 's/.*"commands":\[{"id":"\([0-9]*\)".*/\1/p' "$WORK/body")
ack worker-002 "$COMMAND"
call "$ADMIN" GET /api/v1/workers/worker-001
holds '"status":"OFFLINE"' 'worker-001 is OFFLINE'
call "$FLEET" GET /api/v1/workers/worker-002/sessions/assigned
want 200 'worker-002 asks for its sessions'
holds '"sessionId":"sales"' 'the session is its own now'
session_is worker-002 connected '{"phoneNumber":"6281234567890"}'
want 200 'it is connected again'
call "$FLEET" POST /api/v1/workers/worker-002/sessions/recovery-status \
    '{"recoveryResults":[{"sessionId":"sales","status":"SUCCESS"}],"summary":{"total":1}}'
want 200 'worker-002 says so'
call "$ANN" GET /api/v1/sessions/sales
holds '"status":"CONNECTED"' 'ann sees it CONNECTED'
holds '"workerId":"worker-002"' 'at worker-002'

say '8. The dead one comes back, and has nothing any more'
register worker-001 http://10.0.0.1:8001
want 200 'worker-001 registers'
holds '"assignedSessions":\[\]' 'its session stays where it is'
call "$ANN" POST /api/v1/sessions/sales/messages \
    '{"to":"+6281234567890","type":"text","message":"Good evening"}'
want 202 'a message goes'
command_of worker-002 send_message
message_is worker-002 "$(field messageId)" sent
want 200 'sent'
beat worker-002 '[{"sessionId":"sales","status":"CONNECTED","phoneNumber":"6281234567890"}]'
want 200 'a heartbeat that lists the sessions'

say '9. The evening'
call "$ADMIN" GET /api/v1/workers/statistics
want 200 'the administrator looks at the figures'
holds '"onlineWorkers":2' 'two workers are online'
call "$FLEET" POST /api/v1/workers/worker-002/events \
    "{\"event\":\"worker_stopping\",\"workerId\":\"worker-002\",\"data\":{}}"
want 200 'worker-002 says that it stops'
call "$FLEET" DELETE /api/v1/workers/worker-002
want 200 'it unregisters'
call "$FLEET" DELETE /api/v1/workers/worker-002
want 200 'and may say so twice'
call "$FLEET" DELETE /api/workers/unregister '{"workerId":"worker-001"}'
want 200 'worker-001 unregisters as the later client does'
call "$ANN" GET /api/v1/sessions/sales/messages
want 200 'ann looks at her messages'
holds '"total":2' 'there are two'
for EVENT in session_status_changed qr_code_updated message_status_updated; do
    grep -q "^event: $EVENT" "$WORK/events" || fail "ann was not told of $EVENT"
done
say '  ann was told of sessions, codes and messages'
call "$ANN" POST /api/v1/logout '{}'
want 200 'ann logs out'
call "$ANN" GET /api/v1/sessions
want 401 'and her token is worth nothing'
say 'All went as it should.'
