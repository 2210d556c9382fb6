#!/bin/sh
# workflow_speech - dialect 004 with curl alone: a recording through each mode, from token to
# transcript.
#
#     tests/api/workflow_speech.sh [RELAIS]
#
# Starts a server in a folder of its own and, as workers, commands that say what they heard. In
# streaming mode the worker is curl too: it reads the recording while it is still being sent.
# Prints each transcript; exit 0 when all three are right.
set -eu
relais=${1:-${RELAIS:-build/release/relais}}
folder=$(mktemp -d)
started=
cleanup() {
    for process in $started; do kill "$process" 2>/dev/null || :; done
    wait
    rm -rf "$folder"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

fail() {
    echo "workflow_speech: $*" >&2
    exit 1
}

# member NAME: the first text member of that name in the JSON on stdin
member() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" | head -n 1; }
number() { sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p" | head -n 1; }

mkfifo "$folder/ready"
"$relais" serve --data "$folder/data" --http 127.0.0.1:0 --listen tcp://127.0.0.1:0 \
    >"$folder/ready" 2>"$folder/log" &
started="$started $!"
read -r line <"$folder/ready" || fail "the server did not start: $(cat "$folder/log")"
http=$(echo "$line" | sed 's/.*http=\([^ ]*\).*/\1/')
native=$(echo "$line" | sed 's/.*native=\([^ ]*\).*/\1/')
case $http in http*) ;; *) http=http://$http ;; esac

key=$("$relais" token --data "$folder/data" --role service --user page --brand 1)
badge=$("$relais" token --data "$folder/data" --role worker --user ada --brand 1)
client() { curl -sS --fail-with-body --max-time 60 -H "X-API-KEY: $key" "$@"; }
worker() { curl -sS --fail-with-body --max-time 60 -H "Authorization: Bearer $badge" "$@"; }

head -c 96000 /dev/urandom >"$folder/recording.wav"
size=$(wc -c <"$folder/recording.wav")

serve() { # queue, text: a command is the worker; it says how much it heard
    "$relais" work --data "$folder/data" --broker "$native" --queue "$1" -- \
        sh -c "heard=\$(wc -c); echo \"$2 \$heard\"" 2>>"$folder/log" &
    started="$started $!"
}

transcript() { # mode, job
    client "$http/api/$1Transcription/result?job_uuid=$2&wait=30" >"$folder/answer"
    [ "$(sed 's/.*"state":"\([A-Z]*\)".*/\1/' "$folder/answer")" = COMPLETED ] ||
        fail "$1: $(cat "$folder/answer")"
    member transcription <"$folder/answer"
}

expect() { # mode, wanted, got
    [ "$2" = "$3" ] || fail "$1: \"$3\" instead of \"$2\""
    echo "$1: $3"
}

# batch and diarization: one upload, then the result
serve batch_queue bytes
serve diarization_queue speakers
job=$(client -F "audioFile=@$folder/recording.wav;type=audio/wav" -F language=fr \
    "$http/api/batchTranscription/createJob" | member job_uuid)
expect batch "bytes $size" "$(transcript batch "$job")"
job=$(client -F "audioFile=@$folder/recording.wav;type=audio/wav" -F min_speakers=1 \
    -F max_speakers=2 "$http/api/diarizationTranscription/createJob" | member job_uuid)
expect diarization "speakers $size" "$(transcript diarization "$job")"

# streaming: the worker has the job, and reads, before the recording is there
stream=$http/api/streamingTranscription
job=$(client -H 'Content-Type: application/json' -d '{"language":"fr","format":"wav"}' \
    "$stream/createJob" | member job_uuid)
lease=$(worker -H 'Content-Type: application/json' -d '{"wait":10}' "$stream/claim" |
    number lease_epoch)
worker -H "X-Lease: $lease" "$stream/$job/audio" >"$folder/heard" &
reader=$!
client -N "$stream/events?job_uuid=$job" >"$folder/events" &
listener=$!
for seq in 0 1 2; do
    dd if="$folder/recording.wav" bs=32000 skip=$seq count=1 2>/dev/null |
        client -o "$folder/answer" -H "X-Seq: $seq" --data-binary @- "$stream/$job/audio"
    worker -o /dev/null -H "X-Lease: $lease" -H 'Content-Type: application/json' \
        -d "{\"number\":$((seq + 1)),\"segment\":{\"id\":$seq,\"text\":\"part $seq\"}}" \
        "$stream/$job/progress"
done
[ "$(number received <"$folder/answer")" = "$size" ] || fail "received $(cat "$folder/answer")"
client -o /dev/null -X POST "$stream/$job/end"
wait "$reader"
cmp -s "$folder/recording.wav" "$folder/heard" || fail "the worker heard something else"
worker -o /dev/null -H "X-Lease: $lease" -H 'Content-Type: application/json' \
    -d '{"segments":[{"text":"part 0"},{"text":"part 1"},{"text":"part 2"}]}' \
    "$stream/$job/complete"
wait "$listener"
[ "$(grep -c '^event: final' "$folder/events")" = 3 ] || fail "segments: $(cat "$folder/events")"
expect streaming "part 0 part 1 part 2" "$(transcript streaming "$job")"
