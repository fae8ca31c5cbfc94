"""Scenario files for people to edit: every key stands there with its comment, those that are not set behind a ``#``.

The text of the packaged ``jiangsu-2024.toml`` is the pattern: its order, its comments, its prose. A key that is set is
written as such; all others are ``#key = value``, with the value that holds without them. Taking the ``#`` away from
every such line changes nothing. Tables are written as tables, so that a key works as soon as its own ``#`` is gone.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any

from gridsim.scenario import NETWORK_NAMES, Scenario
from gridsim.toml_tree import Key, find_lines, join_key, split_key, value_text

_PATTERN = "jiangsu-2024"
_COMMENT_AT = 32  # column of the comments
_SHOWN = re.compile(r"# (\w+) = ")


def scenario_text(
    head: Iterable[str],
    given: Mapping[str, Any],
    below: Mapping[str, Any] | None = None,
    texts: Iterable[str] = (),
    notes: Mapping[Key, str] | None = None,
) -> str:
    """The text of a scenario.

    Parameters
    ----------
    head : lines for the top, without their ``#``
    given : keys that the scenario sets
    below : keys that hold where it does not, from a base; all others have the model's defaults
    texts : of the files that set `below`, the last one on top: their comments are taken
    notes : by table (``("profiles",)``), what to say at its top
    """
    below = below or {}
    pattern = _pattern_text()
    known: dict[Key, tuple[str, str]] = {}
    for text in (pattern, *texts):
        for key, (value, comment) in _written(text).items():
            known[key] = (value, comment or known.get(key, ("", ""))[1])
    out = _Writer(given, below, known, notes or {})
    lines = [f"# {line}".rstrip() for line in head]
    return "\n".join([*lines, "", *out.write(pattern)]).rstrip("\n") + "\n"


def _pattern_text() -> str:
    return (files("gridsim") / "scenarios" / f"{_PATTERN}.toml").read_text(encoding="utf-8")


class _Writer:
    """Carries the values through the lines of the pattern."""

    def __init__(
        self,
        given: Mapping[str, Any],
        below: Mapping[str, Any],
        written: Mapping[Key, tuple[str, str]],
        notes: Mapping[Key, str],
    ):
        self.given, self.below, self.written, self.notes = given, below, written, notes
        self.defaults = Scenario(name="x").model_dump()
        network = _at(given, ("network", "source")) or _at(below, ("network", "source"))
        self.builtin = network in (None, *NETWORK_NAMES)
        self.done: set[Key] = set()

    def write(self, pattern: str) -> list[str]:
        """All lines but the head."""
        out = [f"base = {value_text(self.given['base'])}"] if "base" in self.given else []
        for table, lines in _tables(pattern):
            if table[:1] == ("jiangsu",) and not self.builtin:
                continue
            made = [line for key, line in lines for line in self._line(table, key, line)]
            while made and not made[-1].strip():
                made.pop()
            note = [f"# {line}" for line in self.notes[table].splitlines()] if table in self.notes else []
            header = [f"[{join_key(table)}]"] if table else []
            if header and lines and lines[0][0] is None and lines[0][1]:
                header = [lines[0][1]]  # with its comment
                made = made[1:]
            out += [*header, *note, *made, *self._others(table), ""]
        return out

    def _line(self, table: Key, key: Key | None, line: str) -> list[str]:
        if key is None:
            shown = _SHOWN.match(line)  # a key that has no value of its own there: "# hours = 336"
            if shown is None or _at(self.given, (*table, shown.group(1))) is None:
                return [line]
            key = (*table, shown.group(1))
        self.done.add(key)
        value = _at(self.given, key)
        return [self._key_line(key, value, "")] if value is not None else self._unset(key)

    def _unset(self, key: Key) -> list[str]:
        value = _at(self.below, key)
        value = _at(self.defaults, key) if value is None else value
        return [] if value is None else [self._key_line(key, value, "#")]

    def _key_line(self, key: Key, value: Any, sign: str) -> str:
        raw, comment = self.written.get(key, ("", ""))
        text = raw if raw and tomllib.loads(f"x = {raw}")["x"] == value else value_text(value)
        line = f"{sign}{join_key(key[-1:])} = {text}"
        return f"{line.ljust(_COMMENT_AT - 1)} {comment}" if comment else line

    def _others(self, table: Key) -> list[str]:
        """Keys of a table that the pattern does not have."""
        out = []
        for tree, sign in ((self.given, ""), (self.below, "#")):
            inside = _at(tree, table) if table else tree
            for name, value in (inside or {}).items():
                key = (*table, name)
                is_table = isinstance(value, Mapping) and (not table or isinstance(_at(self.defaults, key), Mapping))
                if key in self.done or key in (("base",), ("name",)) or (is_table and self._has_table(key)):
                    continue
                self.done.add(key)
                out.append(self._key_line(key, value, sign))
        return out

    def _has_table(self, key: Key) -> bool:
        return any(table == key for table, _ in _tables(_pattern_text()))


def _at(tree: Mapping[str, Any], key: Key) -> Any:
    """The value at a key; None if there is none."""
    found: Any = tree
    for part in key:
        if not isinstance(found, Mapping) or part not in found:
            return None
        found = found[part]
    return found


def _tables(text: str) -> list[tuple[Key, list[tuple[Key | None, str]]]]:
    """Tables of a text in order, each with its lines: the key that a line sets, or None. The head is left out."""
    key_of = {line: key for key, line in find_lines(text).items()}
    out: list[tuple[Key, list[tuple[Key | None, str]]]] = [((), [])]
    lines = text.splitlines()
    begin = next(k for k, line in enumerate(lines) if not line.strip())  # after the head
    for number, line in enumerate(lines[begin + 1 :], start=begin + 2):
        if line.startswith("["):
            out.append((split_key(line[1 : line.index("]")]), [(None, line)]))
        else:
            out[-1][1].append((None if line.startswith("#") else key_of.get(number), line))
    return out


def _written(text: str) -> dict[Key, tuple[str, str]]:
    """Value and comment of every key that stands on one line, as they are written."""
    lines, found = text.splitlines(), {}
    for key, number in find_lines(text).items():
        line = lines[number - 1]
        if line.startswith("[") or "=" not in line:
            continue
        after = line[line.index("=") + 1 :]
        for end in (*(k for k, c in enumerate(after) if c == "#"), len(after)):
            try:
                tomllib.loads(f"x = {after[:end]}")
            except tomllib.TOMLDecodeError:
                continue
            found[key] = (after[:end].strip(), after[end:].strip())
            break
    return found
