"""Collects what was compared and what differs, and prints both."""

import collections
import difflib
import json

SHOWN = 10


class Report:
    """Counts of what was compared, differences by kind, and differences in messages."""

    def __init__(self, show_messages=False):
        self.show_messages = show_messages
        self.compared = collections.Counter()
        self.tallies = collections.defaultdict(collections.Counter)
        self.notes = []
        self.differences = collections.defaultdict(list)
        self.messages = collections.defaultdict(list)

    def count(self, kind, number=1):
        """Counts something that was compared."""
        self.compared[kind] += number

    def tally(self, kind, value):
        """Counts which values something had."""
        self.tallies[kind][str(value)] += 1

    def note(self, text):
        """Adds a line to the summary, such as what was left out."""
        self.notes.append(text)

    def differ(self, kind, where, old, new):
        """Adds a difference."""
        self.differences[kind].append((where, old, new))

    def message(self, kind, where, old, new):
        """Adds a difference in a text for people, which does not fail the comparison."""
        self.messages[kind].append((where, old, new))

    def equal(self, kind, where, old, new):
        """Compares two values and adds a difference where they are not equal."""
        if old != new:
            self.differ(kind, where, old, new)

    def text(self):
        """The whole report."""
        lines = ["compared"]
        lines += [f"  {number:7} {kind}" for kind, number in self.compared.items()]
        for kind, values in self.tallies.items():
            counted = ", ".join(f"{value} {number}×" for value, number in sorted(values.items()))
            lines.append(f"  {kind}: {counted}")
        lines += [f"  note: {note}" for note in self.notes]
        for kind, found in sorted(self.messages.items()):
            lines.append(f"message differences, {kind}: {len(found)}")
            if self.show_messages:
                for where, old, new in found[:SHOWN]:
                    lines += [f"  {where}", *unified(old, new)]
            lines += left_out(found) if self.show_messages else []
        for kind, found in sorted(self.differences.items()):
            lines.append(f"DIFFERENCES, {kind}: {len(found)}")
            for where, old, new in found[:SHOWN]:
                lines += [f"  {where}", *unified(old, new)]
            lines += left_out(found)
        if not self.differences:
            lines.append("equal")
        return "\n".join(lines)


def left_out(found):
    """A line that says how many differences are not shown."""
    return [f"  … and {len(found) - SHOWN} more"] if len(found) > SHOWN else []


def unified(old, new):
    """A unified diff of two values, indented and bounded."""
    lines = list(difflib.unified_diff(printed(old), printed(new), "old", "new", lineterm="", n=1))[2:]
    shown = [f"    {line[:400]}" for line in lines[:40]]
    return shown + ([f"    … {len(lines) - 40} more lines"] if len(lines) > 40 else [])


def printed(value):
    """A value as lines of text."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "backslashreplace")
    if not isinstance(value, str):
        value = json.dumps(value, indent=1, ensure_ascii=False, default=str)
    return value.split("\n")
