"""Replaces what differs between two runs of one binary, and what is prose: ids, times, ports, hashes, messages."""

import hashlib
import json
import re

# Keys of JSON objects whose values are prose for people.
PROSE = {"message", "help", "sentence", "title", "description", "meaning", "text"}
# Keys of the admin listener's and the audit's JSON whose values are times, durations or hashes of a chain.
TIMES = {"since", "at", "last_seen", "time"}
VOLATILE = TIMES | {"duration_us", "decision_us", "upstream_us", "process", "chain", "previous"}
# A decision's id.
ID = re.compile(rb"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b|\b[0-9a-f]{32}\b")
# Names in a sentence: in quotes, a method with its path, an operation with its resource.
NAMES = re.compile(r"`[^`]*`|[A-Z]+ /\S+|[a-z-]+ [A-Z][\w()/-]*(?: [A-Z(&][\w()/-]*)*")
TIME = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)")


class Prose:
    """Replaces the prose of JSON values and remembers it, so that it can be compared as messages."""

    def __init__(self, keys=PROSE):
        self.keys = keys
        self.found = []

    def mask(self, value, key=None):
        """The value with a placeholder for each text in a place for prose."""
        if key in self.keys and value is not None and not isinstance(value, dict):
            self.found.append(f"{key}: {json.dumps(value, ensure_ascii=False)}")
            return "<prose>" if value else value
        if isinstance(value, dict):
            return {name: self.mask(inner, name) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.mask(self.without_role(inner) if key == "also" else inner) for inner in value]
        return value

    def without_role(self, place):
        """A further place of a finding, whose `role` is prose; elsewhere a role is a name."""
        if not isinstance(place, dict) or "role" not in place:
            return place
        self.found.append(f"role: {place['role']}")
        return {**place, "role": "<prose>"}


def ids(data):
    """Bytes with a placeholder for each decision id."""
    return ID.sub(b"<id>", data)


def id_of(data):
    """The first decision id in bytes; None where there is none."""
    found = ID.search(data)
    return found[0].decode() if found else None


def volatile(value, key=None):
    """JSON with placeholders for times, durations, hashes of the audit's chain, ids and ports of clients."""
    if key in VOLATILE and value is not None:
        return f"<{key}>"
    if isinstance(value, dict):
        return {name: volatile(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [volatile(inner) for inner in value]
    if isinstance(value, str):
        if key == "peer":
            return re.sub(r":\d+$", ":<port>", value)
        return TIME.sub("<time>", ids(value.encode()).decode())
    return value


def ordered(value):
    """JSON whose lists of counted objects are in one order, since the program leaves ties in no order."""
    if isinstance(value, dict):
        return {name: ordered(inner) for name, inner in value.items()}
    if isinstance(value, list):
        inner = [ordered(one) for one in value]
        if inner and all(isinstance(one, dict) and "count" in one for one in inner):
            inner.sort(key=lambda one: (-one["count"], json.dumps(one, sort_keys=True)))
        return inner
    return value


def counts_descend(value):
    """Whether each list of counted objects has the largest count first."""
    if isinstance(value, dict):
        return all(counts_descend(inner) for inner in value.values())
    if isinstance(value, list):
        counts = [one["count"] for one in value if isinstance(one, dict) and "count" in one]
        return counts == sorted(counts, reverse=True) and all(counts_descend(one) for one in value)
    return True


def layout(text, value):
    """How a JSON text is laid out: on one line, indented, or otherwise."""
    if text.strip() == json.dumps(value, separators=(",", ":"), ensure_ascii=False):
        return "compact"
    return "indented" if text.strip() == json.dumps(value, indent=2, ensure_ascii=False) else "other"


def short(data):
    """A long text as its beginning, length and digest."""
    if len(data) <= 4096:
        return data
    return data[:2048] + f"… {len(data)} bytes, {hashlib.sha256(data).hexdigest()}".encode()


def names_in_sentences(value, prose):
    """JSON with the items of `what` in a diff reduced to the names in them: they are half data and half prose.

    Permissions of an example are sorted: the program leaves them in an order that changes from run to run.
    """
    if isinstance(value, list):
        return [names_in_sentences(inner, prose) for inner in value]
    if not isinstance(value, dict):
        return value
    found = {name: names_in_sentences(inner, prose) for name, inner in value.items()}
    caller = found.get("as")
    if isinstance(caller, dict) and isinstance(caller.get("permissions"), list):
        caller["permissions"] = sorted(caller["permissions"])
    if isinstance(found.get("what"), list):
        prose.found.extend(map(str, found["what"]))
        found["what"] = [" ".join(NAMES.findall(sentence)) for sentence in found["what"]]
    return found
