#!/usr/bin/env bash
# The whole life of an image by curl, each answer checked:
#   life.sh URL [POOL]
# An admin's or writer's token is taken from TOKEN. What it makes, it removes.
set -euo pipefail

url=${1:?the URL of the service, such as http://127.0.0.1:8080}
pool=${2:-rbd}
images=$url/api/v1/pools/$pool/images
trash=$url/api/v1/pools/$pool/trash
disk=life-$$
work=$(mktemp --directory)
trap 'rm --recursive "$work"' EXIT

# Asks METHOD URL STATUS, with further arguments for curl. The answer is in $work/body, its headers in $work/head.
ask() {
    local method=$1 at=$2 wanted=$3 status
    shift 3
    status=$(curl --silent --show-error --max-time 60 --request "$method" "$at" \
        ${TOKEN:+--header "Authorization: Bearer $TOKEN"} \
        --output "$work/body" --dump-header "$work/head" --write-out '%{http_code}' "$@")
    printf '%-6s %-60s %s\n' "$method" "${at#"$url"}" "$status"
    [[ $status = "$wanted" ]] || fail "status $status instead of $wanted"
}

json() { # METHOD URL STATUS BODY ...
    local method=$1 at=$2 wanted=$3 body=$4
    shift 4
    ask "$method" "$at" "$wanted" --header 'Content-Type: application/json' --data "$body" "$@"
}

# What was answered last is so.
holds() {
    jq --exit-status "$1" "$work/body" >/dev/null || fail "not so: $1"
}

fail() {
    echo "$1" >&2
    cat "$work/body" >&2
    exit 1
}

# Waits until the operation that was started last has succeeded.
finished() {
    local at
    at=$url$(sed --quiet 's/^[Ll]ocation: \([^[:space:]]*\).*/\1/p' "$work/head")
    # Its events end when it has; each tells the progress.
    ask GET "$at/events" 200 --no-buffer
    grep --quiet '^event: \?operation' "$work/body" || fail "no event tells of the operation"
    ask GET "$at" 200
    holds '.state == "succeeded" and .done == .total'
}

echo "An image is made, once, however often one asks with the same key:"
new='{"name": "'$disk'", "size": "10M", "features": ["layering", "exclusive-lock"]}'
json POST "$images" 201 "$new" --header "Idempotency-Key: $disk"
grep --quiet --ignore-case "^location: /api/v1/pools/$pool/images/$disk" "$work/head" || fail "no Location"
json POST "$images" 201 "$new" --header "Idempotency-Key: $disk"
json POST "$images" 409 "$new"
holds '.errno_name == "EEXIST"'

echo "It has the size asked for, rounded up to MiB, and those features:"
ask GET "$images/$disk" 200
holds '.name == "'$disk'" and .size == 10485760 and .features == ["layering", "exclusive-lock"] and .order == 22'
ask GET "$images?prefix=$disk" 200
holds '.Kind == "ImageList" and [.Items[].name] == ["'$disk'"]'

echo "It grows, and never shrinks by accident:"
json POST "$images/$disk/resize" 200 '{"size": "16Mi"}'
holds '.size == 16777216'
json POST "$images/$disk/resize" 200 '{"size": 1}'
holds '.size == 16777216'

echo "It is written, and read in part:"
head --bytes=8192 /dev/urandom >"$work/data"
ask PUT "$images/$disk/data" 204 --data-binary "@$work/data" \
    --header 'Content-Type: application/octet-stream' --header 'Content-Range: bytes 4096-12287/*'
ask GET "$images/$disk/data" 206 --header 'Range: bytes=4096-12287'
grep --quiet --ignore-case '^content-range: bytes 4096-12287/16777216' "$work/head" || fail "no Content-Range"
cmp "$work/data" "$work/body"
ask GET "$images/$disk/usage" 200
holds '.provisioned_bytes == 16777216 and .used_bytes > 0'

echo "A snapshot keeps what is written over:"
json POST "$images/$disk/snapshots" 201 '{"name": "before"}'
head --bytes=8192 /dev/zero | ask PUT "$images/$disk/data" 204 --data-binary @- \
    --header 'Content-Type: application/octet-stream' --header 'Content-Range: bytes 4096-12287/*'
ask GET "$images/$disk/data?snapshot=before" 206 --header 'Range: bytes=4096-12287'
cmp "$work/data" "$work/body"

echo "A protected snapshot has clones, which can do without it once they are flattened:"
ask PUT "$images/$disk/snapshots/before/protection" 204
json POST "$images/$disk/snapshots/before/clones" 201 '{"name": "'$disk-clone'"}'
holds '.parent.image == "'$disk'"'
ask GET "$images/$disk/children" 200
holds '[.Items[].image] == ["'$disk-clone'"]'
ask DELETE "$images/$disk/snapshots/before/protection" 409
ask POST "$images/$disk-clone/flatten" 202
finished
ask GET "$images/$disk-clone/data" 206 --header 'Range: bytes=4096-12287'
cmp "$work/data" "$work/body"
ask DELETE "$images/$disk/snapshots/before/protection" 204

echo "The image goes back to its snapshot:"
ask POST "$images/$disk/snapshots/before/rollback" 202
finished
ask GET "$images/$disk/data" 206 --header 'Range: bytes=4096-12287'
cmp "$work/data" "$work/body"
ask DELETE "$images/$disk/snapshots/before" 204
ask GET "$images/$disk/snapshots" 200
holds '.Kind == "SnapshotList" and .Items == []'

echo "It goes to the trash and comes back:"
ask DELETE "$images/$disk?trash=true" 204
ask GET "$images/$disk" 404
holds '.errno_name == "ENOENT"'
ask GET "$trash" 200
id=$(jq --raw-output '.Items[] | select(.name == "'$disk'").id' "$work/body")
ask POST "$trash/$id/restore" 200
ask GET "$images/$disk" 200

echo "Both are removed:"
for image in $disk $disk-clone; do
    ask DELETE "$images/$image" 202
    finished
    ask GET "$images/$image" 404
done
echo "All as it should be."
