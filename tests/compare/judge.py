"""Compares what two binaries did: answers, requests upstream, audit records, metrics, the admin listener, logs."""

import collections
import json
import re
import subprocess

import normalize

PROBLEM_PROSE = {"title", "detail", "sentence", "message", "help", "settings"}
# Metrics that depend on time, or say what is under way at the moment. APIs share an issuer's answer for a moment only,
# so that how often it is asked depends on time too.
VOLATILE_METRICS = re.compile(
    r"portcullis_(?:\w+_seconds(?:_bucket|_sum)?|\w+_seconds_total|\w+_timestamp_seconds"
    r"|in_flight|connections|audit_waiting|log_dropped_total)(?:[{ ]|$)"
    r"|portcullis_introspections_total\{[^}]*result=\"(?:accepted|failed)\""
)


def compare(report, old, new):
    """Compares two recordings."""
    report.equal("requests", "number of requests", len(old.exchanges), len(new.exchanges))
    for before, after in zip(old.exchanges, new.exchanges):
        compare_exchange(report, before, after)
    for key in union(old.admin, new.admin):
        compare_admin(report, key, old.admin.get(key), new.admin.get(key))
    for key in union(old.metrics, new.metrics):
        compare_metrics(report, key, old.metrics.get(key, ""), new.metrics.get(key, ""))
    for key in union(old.audit, new.audit):
        compare_audit(report, key, Audit(old, key), Audit(new, key))
    for key in union(old.codes, new.codes):
        report.count("exit codes of processes")
        report.equal("exit codes of processes", key, old.codes.get(key), new.codes.get(key))
    report.count("questions to issuers", len(old.questions))
    report.equal("questions to issuers", "all of them", printable(old.questions), printable(new.questions))
    report.equal("runs that were given up", "all of them", old.errors, new.errors)
    for key in union(old.log, new.log):
        compare_logs(report, key, old.log.get(key, []), new.log.get(key, []))


def printable(questions):
    """Questions as text, in order."""
    return sorted(question.decode("utf-8", "backslashreplace") for question in questions)


def union(one, other):
    """The keys of both."""
    return sorted(one.keys() | other.keys())


# ── Exchanges ─────────────────────────────────────────────────────────────────────────────────────────────────


def compare_exchange(report, old, new):
    """Compares the answers to one request, and what the upstream received."""
    report.count("requests")
    report.count("requests that arrived upstream", len(old.upstream))
    for answer in old.answers:
        report.tally("statuses", answer.status.partition(" ")[2][:3] or "none")
    if old.label != new.label:
        report.differ("requests", old.label, old.label, new.label)
        return
    before, old_prose = answers_of(old)
    after, new_prose = answers_of(new)
    if [answer["status"] for answer in before] != [answer["status"] for answer in after]:
        report.differ("statuses", old.label, before, after)
    elif before != after:
        report.differ("answers", old.label, before, after)
    if old_prose != new_prose:
        report.message("answers", old.label, "\n".join(old_prose), "\n".join(new_prose))
    report.equal("requests upstream", old.label, upstream_of(old), upstream_of(new))


def answers_of(exchange):
    """The answers of an exchange without date and ids, and their prose."""
    pairs = [answer_of(answer) for answer in exchange.answers]
    return [answer for answer, _ in pairs], [prose for _, prose in pairs]


def answer_of(answer):
    """An answer without date and ids, and its prose."""
    fields = [normalize.ids(field.encode()).decode() for field in undated(answer.fields)]
    interim = [[status, *undated(lines)] for status, lines in answer.interim]
    body, prose = answer.body, ""
    if any(field.lower() == "content-type: application/problem+json" for field in fields):
        # The length follows from the title, of an answer to HEAD too.
        fields = ["<length>" if field.lower().startswith("content-length:") else field for field in fields]
    if b"urn:portcullis:reason:" in body:
        value = json.loads(body)
        prose = str(value.pop("title", None))
        body = json.dumps(value).encode()
    body = normalize.short(normalize.ids(body)).decode("utf-8", "backslashreplace")
    return {"status": answer.status, "fields": fields, "body": body, "interim": interim, "end": answer.end}, prose


def undated(fields):
    """Header lines without the date."""
    return [field for field in fields if not field.lower().startswith("date:")]


def upstream_of(exchange):
    """What arrived upstream, without ids."""
    parts = [normalize.short(normalize.ids(head) + body) for head, body in exchange.upstream]
    return [part.decode("utf-8", "backslashreplace") for part in parts]


# ── Admin listener and metrics ────────────────────────────────────────────────────────────────────────────────


def compare_admin(report, key, old, new):
    """Compares an answer of the admin listener."""
    report.count("answers of the admin listener")
    (old_data, old_prose), (new_data, new_prose) = (admin_of(answer) for answer in (old, new))
    report.equal("admin listener", key, old_data, new_data)
    if old_prose != new_prose:
        report.message("admin listener", key, "\n".join(old_prose), "\n".join(new_prose))


def admin_of(answer):
    """An answer of the admin listener without times, and its prose."""
    if answer is None:
        return None, []
    fields = [field for field in undated(answer.fields) if not field.lower().startswith("content-length:")]
    prose = normalize.Prose(PROBLEM_PROSE)
    try:
        value = json.loads(answer.body)
    except ValueError:
        text = answer.body.decode("utf-8", "replace")
        # Metrics are compared apart.
        body = "<metrics>" if "portcullis_" in text else text
    else:
        named = normalize.names_in_sentences(errors(value, prose), prose)
        body = normalize.ordered(normalize.volatile(prose.mask(named)))
        body = body if normalize.counts_descend(value) else ["counts out of order", body]
    return {"status": answer.status, "fields": fields, "body": body, "end": answer.end}, prose.found


def errors(value, prose):
    """JSON whose `error` is a placeholder where it is prose."""
    if isinstance(value, dict):
        found = {name: errors(inner, prose) for name, inner in value.items()}
        if isinstance(found.get("error"), str):
            prose.found.append(found["error"])
            found["error"] = "<prose>"
        return found
    return [errors(inner, prose) for inner in value] if isinstance(value, list) else value


def compare_metrics(report, key, old, new):
    """Compares the lines of `/metrics`."""
    (old_values, old_help, volatile), (new_values, new_help, other) = metrics_of(old), metrics_of(new)
    report.count("metric lines", len(old_values))
    report.equal("metrics", f"{key}: names of those that depend on time", volatile, other)
    for name in union(old_values, new_values):
        report.equal("metrics", f"{key}: {name}", old_values.get(name), new_values.get(name))
    if old_help != new_help:
        report.message("metrics", key, "\n".join(old_help), "\n".join(new_help))


def metrics_of(text):
    """The values by name and labels, the lines of help, and the names of metrics whose values depend on time."""
    values, descriptions, volatile = {}, [], set()
    for line in text.splitlines():
        if line.startswith("# HELP"):
            descriptions.append(line)
        elif VOLATILE_METRICS.match(line):
            # Which of them there are does not depend on time.
            volatile.add(re.sub(r",?le=\"[^\"]*\"", "", line.rpartition(" ")[0]))
        else:
            name, _, value = line.rpartition(" ")
            values[name] = value
    return values, descriptions, sorted(volatile)


# ── Audit ─────────────────────────────────────────────────────────────────────────────────────────────────────


class Audit:
    """The audit of a run: the records of each request, of requests that saw no id, and of the file itself."""

    def __init__(self, recording, name):
        owners = {}
        for at, exchange in enumerate(recording.exchanges):
            owners |= {one: (at, number) for number, one in enumerate(dict.fromkeys(exchange.ids))}
        groups, self.others = {}, []
        for line in recording.audit.get(name, []):
            try:
                record = json.loads(line)
            except ValueError:
                record = {"record": "no JSON", "line": line.decode("utf-8", "replace")}
            if "id" in record:
                groups.setdefault(record["id"], []).append(record)
            else:
                self.others.append(masked_record(record))
        self.groups = {owners[one]: masked(group) for one, group in groups.items() if one in owners}
        self.labels = {key: recording.exchanges[key[0]].label for key in self.groups}
        # What has shown its id to nobody, such as a preflight: in the order of time.
        rest = [group for one, group in groups.items() if one not in owners]
        self.rest = [masked(group) for group in sorted(rest, key=lambda group: (group[0]["time"], group[0]["seq"]))]

    def __len__(self):
        return sum(map(len, self.groups.values())) + sum(map(len, self.rest)) + len(self.others)


def masked(group):
    """The records of one request, in the order in which they were written."""
    return [masked_record(record) for record in group]


def masked_record(record):
    """A record without times, durations, ids, ports and chain; its fields in their order."""
    record = dict(record)
    # How many lines stand before it depends on which record was written first.
    for key in ("seq", "chain", "id"):
        record.pop(key, None)
    if record.get("bytes_out") and record.get("upstream_status") is None:
        # The gateway's own answer, whose length follows from its title.
        record["bytes_out"] = "<length>"
    return {
        key: ("<absent>" if value is None and key.endswith("_us") else value)
        for key, value in normalize.volatile(record).items()
    }


def compare_audit(report, name, old, new):
    """Compares the records of one audit, request by request."""
    report.count("audit records", len(old))
    for key in union(old.groups, new.groups):
        before, after = old.groups.get(key), new.groups.get(key)
        label = f"{name}: {old.labels.get(key) or new.labels.get(key)}"
        if before != after:
            report.differ("audit records", label, before, after)
        elif [list(record) for record in before] != [list(record) for record in after]:
            report.differ("order of audit fields", label, list(map(list, before)), list(map(list, after)))
    if len(old.rest) == len(new.rest):
        for at, (before, after) in enumerate(zip(old.rest, new.rest)):
            report.equal("audit records", f"{name}: number {at} of those that saw no id", before, after)
    else:
        counts = [collections.Counter(map(json.dumps, audit.rest)) for audit in (old, new)]
        missing, extra = ((counts[one] - counts[1 - one]).elements() for one in (0, 1))
        report.differ("audit records", f"{name}: of requests that saw no id", sorted(missing), sorted(extra))
    report.equal("audit records", f"{name}: records of the file", old.others, new.others)


def compare_verify(report, binaries, folders):
    """Verifies both audits with both binaries and compares exit codes and JSON."""
    for folder in folders:
        found = []
        for binary in binaries:
            command = [binary, "audit", "verify", ".", "--list", "--format", "json"]
            done = subprocess.run(command, cwd=folder / "main", capture_output=True, timeout=120)
            found.append((done.returncode, normalize.Prose().mask(json.loads(done.stdout or b"{}"))))
            report.count("audits verified")
        report.equal("audit verify", f"the audit in {folder.name}", *found)
        if found[0][0] != 0:
            report.note(f"the audit in {folder.name} is not sound: {found[0][1].get('faults')}")


# ── Logs ──────────────────────────────────────────────────────────────────────────────────────────────────────


def compare_logs(report, name, old, new):
    """Compares which messages the two logs hold, numbers apart; how often depends on time. Differences are messages."""
    before, after = (sorted({log_line(line) for line in lines} - {""}) for lines in (old, new))
    report.count("sorts of log lines", len(before))
    if before != after:
        report.message("log", name, "\n".join(before), "\n".join(after))


def log_line(line):
    """A line of a log without what changes from run to run; nothing for a line of Pingora's own."""
    if '"target":"pingora' in line:
        return ""
    try:
        value = json.loads(line)
        line = f"{value.get('level')} {value.get('api', '')} {value.get('message', line)}"
    except ValueError:
        # The time, and the module that says it.
        line = re.sub(r"^\S+Z\s+(\w+) [\w:]+: ", r"\1 ", line)
    return re.sub(r"\d+", "0", normalize.ids(line.encode()).decode())
