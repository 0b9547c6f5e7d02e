"""Reads the policies and their cases, to make requests from them.

The standard library has no YAML, so this module reads the part of it that the policies of this repository use: block
maps and lists, flow maps and lists, quoted and plain scalars, comments. All scalars stay text. It generates test input
and never judges a policy.
"""

import dataclasses
import pathlib
import re

KEY = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s#"'\[\]{},][^#\n]*?)\s*:(?=\s|$)""")


class Reader:
    """A recursive descent over the lines of one document."""

    def __init__(self, text):
        self.text = text
        self.at = 0

    def document(self):
        """The document's value; an empty text for an empty document."""
        indent = self.next_line()
        return self.block(indent) if indent is not None else ""

    def next_line(self):
        """Moves to the first character of the next line that has content; returns its indent, None at the end."""
        while self.at < len(self.text):
            start = self.text.rfind("\n", 0, self.at) + 1
            if self.text[start : self.at].strip():
                start = self.text.find("\n", self.at) + 1
                if start == 0:
                    break
            end = self.text.find("\n", start)
            end = len(self.text) if end < 0 else end
            line = self.text[start:end]
            content = line.lstrip(" ")
            if content and not content.startswith("#"):
                self.at = start + len(line) - len(content)
                return len(line) - len(content)
            self.at = end + 1
        self.at = len(self.text)
        return None

    def indent(self):
        """The column of the current character."""
        return self.at - self.text.rfind("\n", 0, self.at) - 1

    def block(self, indent):
        """The map, list or scalar that begins at the current character."""
        if self.text.startswith("- ", self.at):
            return self.block_list(indent)
        if self.text[self.at] not in "{[" and KEY.match(self.text, self.at):
            return self.block_map(indent)
        return self.inline()

    def block_map(self, indent):
        """A map whose keys stand in the column `indent`."""
        found = {}
        while True:
            key = KEY.match(self.text, self.at)
            if not key:
                raise ValueError(f"no key at {self.text[self.at : self.at + 40]!r}")
            self.at = key.end()
            found[unquoted(key[1])] = self.value(indent)
            if self.peek_line() != indent or self.next_line() is None or self.text.startswith("- ", self.at):
                return found

    def block_list(self, indent):
        """A list whose dashes stand in the column `indent`."""
        found = []
        while True:
            self.at += 2
            self.skip_blanks()
            found.append(self.block(self.indent()))
            if self.peek_line() != indent or self.next_line() is None or not self.text.startswith("- ", self.at):
                return found

    def peek_line(self):
        """The indent of the next line with content, without moving."""
        before = self.at
        indent = self.next_line()
        self.at = before
        return indent

    def value(self, indent):
        """The value behind a key in the column `indent`: on the same line, or below."""
        self.skip_blanks()
        if self.at < len(self.text) and self.text[self.at] not in "\n#":
            return self.inline()
        below = self.peek_line()
        if below is None or below < indent:
            return ""
        before = self.at
        self.next_line()
        if below > indent or self.text.startswith("- ", self.at):
            return self.block(below)
        self.at = before
        return ""

    def inline(self):
        """A flow value, a quoted scalar, or a plain scalar up to the end of the line."""
        if self.text[self.at] in "{[\"'":
            return self.flow()
        end = re.compile(r"\s+#|\s*\n|\s*\Z").search(self.text, self.at).start()
        found, self.at = self.text[self.at : end], end
        return found

    def flow(self):
        """A value in flow style."""
        self.skip_space()
        first = self.text[self.at]
        if first in "\"'":
            quoted = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\']|\'\')*\'').match(self.text, self.at)
            self.at = quoted.end()
            return unquoted(quoted[0])
        if first == "[":
            return self.flow_items("]", lambda: self.flow())
        if first == "{":
            return dict(self.flow_items("}", self.flow_pair))
        end = re.compile(r"\s*(?:[,\]}\n]|:\s|\s#)").search(self.text, self.at).start()
        found, self.at = self.text[self.at : end], end
        return found

    def flow_items(self, end, item):
        """The items up to the bracket `end`."""
        self.at += 1
        found = []
        while True:
            self.skip_space()
            if self.text[self.at] == end:
                self.at += 1
                return found
            if self.text[self.at] == ",":
                self.at += 1
                continue
            found.append(item())

    def flow_pair(self):
        """A key and its value in a flow map."""
        key = self.flow()
        self.skip_space()
        if self.text[self.at] != ":":
            return key, ""
        self.at += 1
        return key, self.flow()

    def skip_blanks(self):
        """Skips blanks on the line."""
        while self.at < len(self.text) and self.text[self.at] in " \t":
            self.at += 1

    def skip_space(self):
        """Skips blanks, line ends and comments."""
        self.at = re.compile(r"(?:\s|(?<=\s)#[^\n]*)*").match(self.text, self.at).end()


def unquoted(written):
    """The text of a scalar as written."""
    if written.startswith('"'):
        return re.sub(r"\\(.)", r"\1", written[1:-1])
    if written.startswith("'"):
        return written[1:-1].replace("''", "'")
    return written


def read(path):
    """The document in a file."""
    return Reader(pathlib.Path(path).read_text()).document()


@dataclasses.dataclass
class Policy:
    """What requests are made from: the names in one policy, and the callers and requests of its cases."""

    path: str
    text: str
    routes: list = dataclasses.field(default_factory=list)  # (method, template, query parameter)
    callers: dict = dataclasses.field(default_factory=dict)
    cases: list = dataclasses.field(default_factory=list)  # (caller, method, target, media type)
    names: dict = dataclasses.field(default_factory=dict)  # roles, groups, users, permissions, tables

    @property
    def name(self):
        """The file's name without its ending."""
        return pathlib.Path(self.path).stem


def policy(root, path):
    """Reads the policy at `path` below `root`, with the cases beside it."""
    file = pathlib.Path(root, path)
    document = read(file)
    found = Policy(path, file.read_text(), routes=routes(document))
    resources = document.get("resources", [])
    found.names = {key: list(document.get(key) or {}) for key in ("roles", "groups", "users", "permissions", "scopes")}
    found.names["tables"] = list(resources) if isinstance(resources, dict) else []
    cases = file.with_suffix(".cases.yaml")
    if cases.exists():
        add_cases(found, read(cases))
    return found


def routes(document):
    """Each method of each route: the method, the template, and the name of its query parameter or None."""
    found = []
    for written, methods in (document.get("routes") or {}).items():
        template, _, query = written.partition("?")
        parameter = query.partition("=")[0] or None
        found.extend((method, template, parameter) for method in methods)
    return found


def add_cases(found, document):
    """Adds the callers and the requests of a cases file."""
    found.callers = {name: dict(caller) for name, caller in document.get("callers", {}).items()}
    for case in document.get("cases", []):
        method, _, target = (case.get("permit") or case.get("refuse") or "").partition(" ")
        if target:
            found.cases.append((case["as"], method, target.strip(), case.get("answered-as")))
