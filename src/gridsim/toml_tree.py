"""TOML as a tree that remembers where each key was written, and text made from a tree again.

`tomllib` forgets line numbers. Messages about a scenario name the file and the line, so this module finds the
line of a key by reading the table headers and keys of the text once more. It never decides what a value is:
that is tomllib's word alone, and a key that the scan does not find is reported without a line.
"""

import datetime as dt
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

Key = tuple[str, ...]

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_PART = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|'[^']*'|[^.'"=\s\[\]]+)\s*""")
_HEADER = re.compile(r"\s*\[(?P<listed>\[)?(?P<key>[^\]]+)\]\]?\s*(#.*)?$")
_ASSIGN = re.compile(r"""\s*(?P<key>(?:"(?:[^"\\]|\\.)*"|'[^']*'|[^='"#\[\]])+?)\s*=""")


def split_key(text: str) -> Key:
    """``grid.interface_limit_mw."a.b"`` -> its parts. Raises ValueError if it is not a dotted key."""
    parts, at = [], 0
    while True:
        found = _PART.match(text, at)
        if not found:
            raise ValueError(f"{text!r} is not a dotted key")
        part = found.group(1)
        parts.append(tomllib.loads(f"x = {part}")["x"] if part[0] in "\"'" else part)
        at = found.end()
        if at == len(text):
            return tuple(parts)
        if text[at] != ".":
            raise ValueError(f"{text!r} is not a dotted key")
        at += 1


def join_key(key: Key) -> str:
    """The dotted key, quoted where TOML asks for it."""
    return ".".join(k if _BARE.fullmatch(k) else _string(k) for k in key)


def find_lines(text: str) -> dict[Key, int]:
    """The line (from 1) of every table header and key that the scan can see.

    The tables of a list, ``[[a.b]]``, are counted from 1: the second one's key ``c`` is ``("a", "b", "2", "c")``.
    """
    lines: dict[Key, int] = {}
    counts: dict[Key, int] = {}
    table: Key = ()
    for number, line in enumerate(text.splitlines(), start=1):
        header = _HEADER.match(line)
        assign = None if header else _ASSIGN.match(line)
        found = header or assign
        if found is None:
            continue
        try:
            key = split_key(found.group("key"))
        except (ValueError, tomllib.TOMLDecodeError):
            continue  # inside a multi-line string or array: no key of ours
        if header:
            if header.group("listed"):
                lines.setdefault(key, number)
                counts[key] = counts.get(key, 0) + 1
                key = (*key, str(counts[key]))
            table = key
        else:
            key = table + key
        lines.setdefault(key, number)
    return lines


def leaves(tree: Mapping[str, Any], at: Key = ()) -> Iterator[tuple[Key, Any]]:
    """Every (key, value) whose value is not a table, and every empty table; tables of a list are counted from 1."""
    for name, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, (*at, name))
        elif isinstance(value, list) and value and all(isinstance(entry, Mapping) for entry in value):
            yield from leaves({str(k): entry for k, entry in enumerate(value, start=1)}, (*at, name))
        else:
            yield (*at, name), value


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """`above` over `below`: tables are merged key by key, everything else is replaced."""
    out = dict(below)
    for name, value in above.items():
        old = out.get(name)
        out[name] = merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return out


def lay_on(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """`merge`, but tables of a list are added to those that are there; one takes the place of another of its name."""
    out = dict(below)
    for name, value in above.items():
        old = out.get(name)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            out[name] = lay_on(old, value)
        elif isinstance(old, list) and _tables(old) and _tables(value):
            named = {entry["name"] for entry in value if "name" in entry}
            out[name] = [entry for entry in old if entry.get("name") not in named] + value
        else:
            out[name] = value
    return out


def _tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(entry, Mapping) for entry in value)


def dump(tree: Mapping[str, Any]) -> str:
    """TOML text of a tree of tables, scalars and lists of scalars: same tree, same text; keys keep their order."""
    return "\n".join(_table(tree, ())).strip("\n") + "\n"


def _table(tree: Mapping[str, Any], at: Key) -> Iterator[str]:
    for name, value in tree.items():
        if not isinstance(value, Mapping):
            yield f"{join_key((name,))} = {value_text(value)}"
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield f"\n[{join_key((*at, name))}]"
            yield from _table(value, (*at, name))


def value_text(value: Any) -> str:
    """One value as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, (dt.datetime, dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(value_text(v) for v in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{join_key((k,))} = {value_text(v)}" for k, v in value.items()) + "}"
    raise TypeError(f"TOML has no value of type {type(value).__name__}")


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
