"""Makes small changes of good input: of texts, of recorded requests, and of audit files."""

import hashlib
import json
import re


def mutated(text, rng):
    """A text with a small change in one of its lines."""
    lines = text.split("\n")
    at = rng.choice([at for at, line in enumerate(lines) if line.strip() and not line.strip().startswith("#")] or [0])
    line = lines[at]
    words = re.findall(r"[\w.-]+", text)
    change = rng.randrange(9)
    if change == 0:
        lines[at : at + 1] = []
    elif change == 1:
        lines[at:at] = [line]
    elif change == 2:
        lines[at] = replaced_word(line, rng, lambda word: rng.choice(words))
    elif change == 3:
        lines[at] = replaced_word(line, rng, lambda word: word[:-1] + rng.choice("xqRD"))
    elif change == 4:
        lines[at] = (" " * rng.choice([1, 2])) + line
    elif change == 5:
        lines[at] = line.replace("R", rng.choice(["", "D", "RD", "RR"]), 1) if "R" in line else line + " x"
    elif change == 6:
        lines[at] = line.replace(":", "", 1)
    elif change == 7:
        other = rng.randrange(len(lines))
        lines[at], lines[other] = lines[other], line
    else:
        place = rng.randrange(len(line) + 1)
        lines[at] = line[:place] + rng.choice("{}[]\"'&*!%@,#\t\u00e4|>-") + line[place:]
    return "\n".join(lines)


def replaced_word(line, rng, change):
    """A line with one of its words changed."""
    found = list(re.finditer(r"[\w.-]+", line))
    if not found:
        return line
    word = rng.choice(found)
    return line[: word.start()] + change(word[0]) + line[word.end() :]


def damaged(line, rng):
    """A line of JSON that cannot be read, or says something else."""
    return rng.choice(
        [
            line[:-1],
            "[]",
            "{}",
            line.replace('"method"', '"methods"'),
            line.replace("{", "{{", 1),
            "",
            "   ",
            line[:-1] + ', "more": 1}',
            line[:-1] + ', "path": "/"}',
            "null",
            '{"method": "GET"}',
        ]
    )


def chain(rng, count):
    """The lines of an audit file whose chain is sound: a segment, decisions, outcomes, exchanges and the end."""
    lines, last = [], "0" * 64

    def append(record):
        nonlocal last
        body = json.dumps({**record, "seq": len(lines) + 1}, separators=(",", ":"))[:-1].encode()
        last = hashlib.sha256(last.encode() + body + b"}").hexdigest()
        lines.append(body + f',"chain":"{last}"}}\n'.encode())

    time = "2026-01-01T00:00:00.000Z"
    append(
        {
            "record": "segment",
            "number": 1,
            "time": time,
            "process": 1,
            "why": "start",
            "previous": last,
            "torn": 0,
            "torn_sha256": None,
            "lost": 0,
        }
    )
    for at in range(count):
        number = f"{rng.getrandbits(128):032x}"
        if at % 3:
            append({"record": "exchange", "time": time, "id": number, "policy": "p", "verdict": "permit"})
            continue
        append({"record": "decision", "time": time, "id": number, "policy": "p", "verdict": "permit"})
        if at % 9:
            append({"record": "outcome", "time": time, "id": number, "verdict": "permit"})
    append({"record": "end", "time": time})
    return lines


DAMAGES = {
    "sound": lambda lines: lines,
    "altered": lambda lines: [*lines[:9], lines[9].replace(b"permit", b"refuse"), *lines[10:]],
    "removed": lambda lines: lines[:12] + lines[13:],
    "inserted": lambda lines: lines[:12] + [lines[5]] + lines[12:],
    "reordered": lambda lines: lines[:7] + [lines[8], lines[7]] + lines[9:],
    "truncated": lambda lines: lines[:15] + [lines[15][:40]],
    "without-end": lambda lines: lines[:-1],
    "without-begin": lambda lines: lines[1:],
    "empty": lambda lines: [],
    "no-json": lambda lines: lines[:5] + [b"nothing\n"] + lines[5:],
    "twice": lambda lines: lines + lines,
}
