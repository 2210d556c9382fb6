#!/bin/bash
# workflow_qalpuch.sh - the worker guide of dialect 000, step by step, with curl alone.
#
#   tests/api/workflow_qalpuch.sh              against a server of its own, on a free port
#   tests/api/workflow_qalpuch.sh URL DATA     against one that runs, and its data folder
#
# RELAIS names the binary. Prints each request and its answer; exit 1 at the first surprise.
set -euo pipefail
cd "$(dirname "$0")/../.."
relais=${RELAIS:-build/release/relais}
folder=$(mktemp -d "${TMPDIR:-/tmp}/qalpuch-XXXXXX")
server=
end() {
    [[ -z $server ]] || { kill "$server" && wait "$server"; } 2> "$folder/end" || true
    rm -rf "$folder"
}
trap end EXIT

url=${1:-} data=${2:-$folder/data}
if [[ -z $url ]]; then
    : > "$folder/ready"
    "$relais" serve --data "$data" --http 127.0.0.1:0 --listen tcp://127.0.0.1:0 \
        > "$folder/ready" 2> "$folder/log" &
    server=$!
    for _ in {1..200}; do
        url=$(sed -n 's/.*http=\([^ ]*\).*/\1/p' "$folder/ready")
        [[ -z $url ]] || break
        sleep 0.05 # there is nothing to wait on before the server speaks
    done
    [[ -n $url ]] || { cat "$folder/log"; exit 1; }
    [[ $url == http* ]] || url=http://$url
fi
api=$url/api/v1
admin=$("$relais" token --data "$data" --role admin --user root --brand 1)
user=$("$relais" token --data "$data" --role user --user martin --brand 1)

# expect STATUS TOKEN METHOD PATH [curl's own arguments]; the body stands in $body afterwards
expect() {
    local wanted=$1 token=$2 method=$3 path=$4 status
    shift 4
    status=$(curl -sS -o "$folder/body" -w '%{http_code}' -X "$method" \
                  ${token:+-H "Authorization: Bearer $token"} "$@" "$api$path")
    body=$(cat "$folder/body")
    echo "$method $path -> $status ${body:0:160}"
    [[ $status == "$wanted" ]] || { echo "expected $wanted"; exit 1; }
}
json=(-H 'Content-Type: application/json')
first() { grep -o "\"$1\":\"[^\"]*\"" <<< "$body" | head -n 1 | cut -d '"' -f 4; }
same() { [[ $1 == "$2" ]] || { echo "'$1' is not '$2'"; exit 1; }; }

echo '# step 1: an administrator creates the worker'
expect 201 "$admin" POST /worker "${json[@]}" -d '{"name": "Mon-Nouveau-Worker-Video"}'
same "$(first message)" 'Worker created successfully'
token=$(first token)

echo '# step 2: the worker registers with its token, once'
expect 200 '' POST /worker/register "${json[@]}" -d "{\"token\": \"$token\"}"
same "$(first message)" 'Worker authenticated successfully'
worker=$(first token)
expect 401 '' POST /worker/register "${json[@]}" -d "{\"token\": \"$token\"}"

echo '# step 3: authenticated requests; nothing is pending yet'
expect 404 "$worker" GET /tasks/pending
expect 401 nonsense GET /tasks/pending

echo '# a user uploads a film and asks for work on it'
printf 'a film' > "$folder/film.mp4"
expect 201 "$user" POST /files/upload -F "file=@$folder/film.mp4;type=video/mp4"
file=$(first id)
expect 201 "$user" POST /tasks "${json[@]}" \
    -d "{\"fileId\": \"$file\", \"config\": \"{ \\\"param\\\": \\\"value\\\" }\"}"
task=$(first id)

echo '# step 4.1: the worker gets the task, and the film'
expect 200 "$worker" GET '/tasks/pending?wait=5'
same "$(first message)" 'Task assigned successfully'
same "$(first id)" "$task"
same "$(first sourceFileId)" "$file"
expect 200 "$worker" GET "/files/$file/download"
same "$body" 'a film'

echo '# step 4.2: it says how it goes'
expect 200 "$worker" PATCH "/tasks/$task" "${json[@]}" \
    -d '{"status": "processing", "status_message": "Traitement en cours, 50% terminé."}'
same "$(first status)" processing
expect 400 "$worker" PATCH "/tasks/$task" "${json[@]}" -d '{"status": "completed"}'

echo '# step 4.3: it hands the result in, and that completes the task'
printf 'a smaller film' > "$folder/small.mp4"
expect 200 "$worker" POST "/tasks/$task" -F "file=@$folder/small.mp4"
same "$(first status)" completed
result=$(first resultFileId)
expect 200 "$user" GET "/files/$result/download"
same "$body" 'a smaller film'

echo '# another one fails'
expect 201 "$user" POST /tasks "${json[@]}" -d "{\"file_id\": \"$file\", \"config\": {}}"
task=$(first id)
expect 200 "$worker" GET /tasks/pending
expect 200 "$worker" PATCH "/tasks/$task" "${json[@]}" \
    -d '{"status": "failed", "status_message": "Le traitement a échoué."}'
expect 200 "$user" GET "/tasks/$task"
same "$(first status)" failed
echo '# done'
