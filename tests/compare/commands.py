"""Runs the commands of two binaries with the same arguments and compares exit codes, outputs and written files.

JSON, CSV, JUnit, YAML and schemas are compared byte for byte, with their prose replaced by a placeholder. Text for
people and the error stream are messages: a difference there is listed and does not fail the comparison.
"""

import concurrent.futures
import dataclasses
import json
import os
import re
import subprocess
import xml.etree.ElementTree

import normalize

TIMEOUT = 120
# Prose in JSON outputs besides the keys that hold it everywhere; `title` is prose in schemas only.
PROSE = (normalize.PROSE | {"notes", "settings"}) - {"title"}
SCHEMA_PROSE = {"title", "description", "$comment", "markdownDescription", "errorMessage", "patternErrorMessage"}


@dataclasses.dataclass
class Command:
    """One invocation: its arguments, how its output is compared, its input, and a file that it writes."""

    args: list
    output: str = "text"  # text, json, schema, lines, junit, yaml, key, exact
    stdin: bytes = b""
    writes: str = None

    def __str__(self):
        shown = " ".join(arg if re.fullmatch(r"[\w./=@-]+", arg) else json.dumps(arg) for arg in self.args)
        return f"portcullis {shown}"[:600]


@dataclasses.dataclass
class Result:
    """What one invocation produced."""

    code: object
    out: str
    err: str
    written: str


def run(binary, folder, command):
    """Runs a command in `folder`."""
    try:
        done = subprocess.run(
            [binary, *command.args],
            cwd=folder,
            input=command.stdin,
            capture_output=True,
            timeout=TIMEOUT,
            env=environment(),
        )
        code, out, err = done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired:
        code, out, err = "timeout", b"", b""
    written = read(os.path.join(folder, command.writes)) if command.writes else None
    return Result(code, shown(out, folder), shown(err, folder), written)


def shown(data, folder):
    """An output as text, without the name of the folder."""
    return data.replace(os.fsencode(folder), b"<folder>").decode("utf-8", "backslashreplace")


def environment():
    """The variables that a command sees: none of the user's that might change its output."""
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "TMPDIR") if key in os.environ}
    return {**kept, "LANG": "C.UTF-8", "TERM": "dumb", "RUST_BACKTRACE": "0"}


def read(path):
    """A file's text; None where there is none."""
    try:
        with open(path, encoding="utf-8", errors="backslashreplace") as file:
            return file.read()
    except FileNotFoundError:
        return None


def compare_all(report, binaries, folders, commands, workers):
    """Runs every command with both binaries and compares the results.

    Commands that depend on an order come in lists, which run one after the other.
    """
    groups = [group if isinstance(group, list) else [group] for group in commands]

    def both(group):
        return [[run(binary, folder, command) for command in group] for binary, folder in zip(binaries, folders)]

    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        for group, (old, new) in zip(groups, pool.map(both, groups)):
            for command, before, after in zip(group, old, new):
                compare(report, command, before, after)


def compare(report, command, old, new):
    """Compares two results of one command."""
    name = command.args[0] if command.args and re.fullmatch(r"[a-z-]+", command.args[0]) else "usage"
    report.count("commands")
    if command.output == "lines":
        report.count("decisions replayed by `decide`", old.out.count("\n"))
    report.tally("exit codes", old.code)
    report.tally("commands by name", name)
    report.equal(f"exit codes of `{name}`", command, old.code, new.code)
    errors = [normalize.TIME.sub("<time>", result.err) for result in (old, new)]
    if errors[0] != errors[1]:
        report.message(f"error stream of `{name}`", command, *errors)
    compare_text(report, command, f"output of `{name}`", old.out, new.out)
    if command.writes:
        compare_text(report, command, f"file that `{name}` writes", old.written, new.written)


def compare_text(report, command, kind, old, new):
    """Compares two outputs by the command's kind of output."""
    if old == new:
        return
    if old is None or new is None:
        report.differ(kind, command, old, new)
        return
    (old_data, old_prose), (new_data, new_prose) = (SPLIT[command.output](text) for text in (old, new))
    report.equal(kind, command, old_data, new_data)
    if old_prose != new_prose:
        report.message(kind, command, "\n".join(old_prose), "\n".join(new_prose))


def split_json(text, keys=PROSE):
    """A JSON output without its prose, and the prose."""
    try:
        value = json.loads(text)
    except ValueError:
        return text, []
    prose = normalize.Prose(keys)
    masked = prose.mask(normalize.names_in_sentences(value, prose))
    return {"layout": normalize.layout(text, value), "value": masked}, prose.found


def split_text(text):
    """A text for people as one message, with the permissions of examples in one order."""
    order = re.compile(r'"permissions":\[("[^"]*"(?:,"[^"]*")*)\]')
    return "", [order.sub(lambda found: ",".join(sorted(found[1][1:-1].split('","'))), text)]


def split_lines(text):
    """JSON lines without their prose, and the prose."""
    parts = [split_json(line, PROSE | {"error"}) for line in text.splitlines()]
    return [data for data, _ in parts], [one for _, prose in parts for one in prose]


def split_junit(text):
    """JUnit's XML without durations and failure texts, and these texts."""
    try:
        tree = xml.etree.ElementTree.fromstring(text)
    except xml.etree.ElementTree.ParseError:
        return text, []
    prose = []
    for element in tree.iter():
        if "time" in element.attrib:
            element.attrib["time"] = "<time>"
        if element.tag in ("failure", "error"):
            prose += [element.attrib.pop("message", ""), element.text or ""]
            element.text = ""
    return xml.etree.ElementTree.tostring(tree, "unicode"), prose


def split_yaml(text):
    """YAML without its comments, and the comments."""
    parts = [re.match(r"(.*?)\s*(?:(?:^|(?<=\s))#(?=\s|$)(.*))?$", line) for line in text.splitlines()]
    return "\n".join(part[1] for part in parts), [part[2].strip() for part in parts if part[2]]


def split_key(text):
    """An output about keys without secrets, digests, times and comments, and the comments."""
    text = re.sub(r"[0-9a-f]{64}|[A-Za-z0-9_-]{43}=?", "<secret>", normalize.TIME.sub("<time>", text))
    return split_yaml(text)


SPLIT = {
    "text": split_text,
    "json": split_json,
    "schema": lambda text: split_json(text, SCHEMA_PROSE),
    "lines": split_lines,
    "junit": split_junit,
    "yaml": split_yaml,
    "key": split_key,
    "exact": lambda text: (text, []),
}
