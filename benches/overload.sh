#!/usr/bin/env bash
# Overload in full: slow clients by the thousand, HTTP/2 load, and a body of 2 GB, against a gateway of its own.
#
# Needs slowhttptest, nghttp2-client, curl and python3, and two descriptors a connection: `ulimit -n 50000` first.
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
import http.server, socketserver
LARGE = b"x" * (1 << 20)
class Upstream(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = LARGE if "large" in self.path else b"ok"
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers(); self.wfile.write(body)
    def do_POST(self):
        left = total = int(self.headers.get("Content-Length", 0))
        while left: left -= len(self.rfile.read(min(left, 1 << 20))) or left
        said = str(total).encode()
        self.send_response(200); self.send_header("Content-Length", str(len(said))); self.end_headers(); self.wfile.write(said)
    do_PUT = do_POST
    def log_message(self, *_): pass
class Server(socketserver.ThreadingMixIn, http.server.HTTPServer): daemon_threads = True; request_queue_size = 1024
Server(("127.0.0.1", 19000), Upstream).serve_forever()
PYTHON
python3 "$folder/upstream.py" 2>/dev/null & children+=($!)
"$portcullis" serve --config "$folder/gateway.yaml" 2>"$folder/log" & gateway=$! children+=($!)
curl -sf --retry 20 --retry-connrefused --retry-delay 1 http://127.0.0.1:19901/live >/dev/null
open=http://127.0.0.1:18080/open

memory() { awk -v what="$1:" '$1 == what { print int($2 / 1024) " MiB" }' "/proc/$gateway/status"; }
metric() { curl -s http://127.0.0.1:19901/metrics | awk -v name="$1" '$1 == name { print $2 }'; }
# Asks once every tenth of a second, and prints how often it was answered.
watch() {
    local asked=0 answered=0 most=0 now
    while [[ -e $folder/attack ]]; do
        asked=$((asked + 1))
        curl -sf -m 10 -o /dev/null "$open" && answered=$((answered + 1))
        now=$(metric portcullis_connections) && ((${now:-0} > most)) && most=$now
        sleep 0.1
    done
    echo "  others: $answered of $asked answered; at most $most connections; memory $(memory VmRSS)"
}
attack() {
    echo "── $*"
    touch "$folder/attack"
    watch & local watching=$!
    "$@" >"$folder/said" 2>&1 || true
    rm "$folder/attack"
    wait "$watching"
    grep -aE 'service available|requests:|finished in' "$folder/said" | tail -2 | sed 's/\x1b\[[0-9;]*m//g; s/^ */  /' || true
}

slow=(slowhttptest -c "$connections" -r 2000 -l "$seconds" -p 5 -v 1)
echo "idle: memory $(memory VmRSS)"
attack "${slow[@]}" -H -i 5 -u "$open"
attack "${slow[@]}" -B -i 5 -s 100000 -f text/plain -u "$open"
attack "${slow[@]}" -X -w 512 -y 1024 -n 5 -z 32 -u "$open?large"
attack h2load -n "$((connections * 10))" -c "$((connections / 10))" -m 100 -t 2 "$open"
attack curl -s -m 600 -w '%{http_code} after %{time_total} s\nfinished in %{time_total}s, status %{http_code}\n' \
    -X PUT -H 'Content-Type: application/octet-stream' -H 'Expect:' -T <(head -c "$size" /dev/zero) "$open"
echo "at the end: memory $(memory VmRSS), at most $(memory VmHWM)"
curl -s http://127.0.0.1:19901/metrics | grep '^portcullis_limits_reached_total' | grep -v ' 0$' || true
