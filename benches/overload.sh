#!/usr/bin/env bash
# Overloads a gateway of its own with thousands of slow clients, HTTP/2 load, and a body of 2 GB.
#
# Needs slowhttptest, nghttp2-client, curl and python3, and two descriptors per connection: `ulimit -n 50000` first.
# Usage: benches/overload.sh [CONNECTIONS (10000)] [SECONDS of each attack (30)] [SIZE of the body (2G)]
set -euo pipefail

connections=${1:-10000} seconds=${2:-30} size=${3:-2G}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
portcullis=${PORTCULLIS:-$root/target/release/portcullis}

[[ -x $portcullis ]] || { echo "build first: cargo build --release --no-default-features --features gateway" >&2 && exit 2; }
needed=$((connections * 2 + 1000))
[[ $(ulimit -n) == unlimited || $(ulimit -n) -ge $needed ]] ||
    { echo "$(ulimit -n) open files are allowed: \`ulimit -n $needed\` first" >&2 && exit 2; }

folder=$(mktemp -d)
children=()
end() { kill "${children[@]}" 2>/dev/null || true; rm -rf "$folder"; }
trap end EXIT

cat >"$folder/policy.yaml" <<'YAML'
version: 1
name: overload
routes:
  /open: { GET: public, PUT: public, POST: public }
YAML
cat >"$folder/gateway.yaml" <<'YAML'
version: 1
listeners: [{ address: 127.0.0.1:18080, h2c: true }]
admin: { address: 127.0.0.1:19901 }
limits: { connections: 20000, connections-per-address: unlimited, body: unlimited }
apis: { overload: { policy: policy.yaml, upstream: { url: "http://127.0.0.1:19000" } } }
audit: { to: nowhere }
YAML
cat >"$folder/upstream.py" <<'PYTHON'
import asyncio
LARGE = b"x" * (256 << 10)
def answer(body): return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
class Upstream(asyncio.Protocol):
    def connection_made(self, transport): self.transport, self.head, self.left, self.total = transport, b"", 0, 0
    def data_received(self, data):
        if self.left:
            self.left -= len(data)
            if self.left <= 0: self.transport.write(answer(b"%d" % self.total))
            return
        self.head += data
        if b"\r\n\r\n" not in self.head: return
        head, _, body = self.head.partition(b"\r\n\r\n")
        self.head, fields = b"", head.lower().split(b"\r\n")
        lengths = [field.split(b":")[1] for field in fields if field.startswith(b"content-length:")]
        self.total = int(lengths[0]) if lengths else 0
        self.left = self.total - len(body)
        if self.left <= 0: self.transport.write(answer(LARGE if b"large" in fields[0] else b"ok"))
async def main():
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 19000, backlog=4096)
    await server.serve_forever()
asyncio.run(main())
PYTHON
python3 "$folder/upstream.py" 2>/dev/null & children+=($!)
"$portcullis" serve --config "$folder/gateway.yaml" 2>"$folder/log" & gateway=$! children+=($!)
curl -sf --retry 20 --retry-connrefused --retry-delay 1 http://127.0.0.1:19901/live >/dev/null
open=http://127.0.0.1:18080/open

memory() { awk -v what="$1:" '$1 == what { print int($2 / 1024) " MiB" }' "/proc/$gateway/status"; }
metric() { curl -s http://127.0.0.1:19901/metrics | awk -v name="$1" '$1 == name { print $2 }'; }
# Sends a request every tenth of a second, and prints how many were answered.
watch() {
    local sent=0 answered=0 most=0 now error
    while [[ -e $folder/attack ]]; do
        sent=$((sent + 1))
        if error=$(curl -sSf -m 10 -o /dev/null "$open" 2>&1); then answered=$((answered + 1)); else echo "  missed: $error"; fi
        now=$(metric portcullis_connections) && ((${now:-0} > most)) && most=$now
        sleep 0.1
    done
    echo "  others: $answered of $sent answered; at most $most connections; memory $(memory VmRSS)"
}
attack() {
    echo "── $*"
    touch "$folder/attack"
    watch & local watching=$!
    "$@" >"$folder/output" 2>&1 || true
    rm "$folder/attack"
    wait "$watching"
    grep -aE 'service available|requests:|finished in' "$folder/output" | tail -2 | sed 's/\x1b\[[0-9;]*m//g; s/^ */  /' || true
}

slow=(slowhttptest -c "$connections" -r 2000 -l "$seconds" -p 5 -v 1)
echo "idle: memory $(memory VmRSS)"
attack "${slow[@]}" -H -i 5 -u "$open"
attack "${slow[@]}" -B -i 5 -s 100000 -f text/plain -u "$open"
attack "${slow[@]}" -X -w 512 -y 1024 -n 5 -z 32 -u "$open?large"
attack h2load -n "$((connections * 10))" -c "$((connections / 10))" -m 100 -t 2 "$open"
truncate -s "$size" "$folder/body"
attack curl -s -m 600 -w '%{http_code} after %{time_total} s\nfinished in %{time_total}s, status %{http_code}\n' \
    -X PUT -H 'Content-Type: application/octet-stream' -H 'Expect:' -T "$folder/body" "$open"
echo "at the end: memory $(memory VmRSS), at most $(memory VmHWM)"
curl -s http://127.0.0.1:19901/metrics | grep '^portcullis_limits_reached_total' | grep -v ' 0$' || true
