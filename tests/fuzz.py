"""Spoiled inputs: bytes, texts, tables and files, from a seed; and what a command makes of them, in a process apart.

`tests/test_fuzz.py` tries a few of each kind, ``tools/fuzz.py`` as many as there is time for.
"""

import json
import os
import random
import re
import resource
import signal
import sys
import time
from pathlib import Path
from typing import NamedTuple

from click.testing import CliRunner

from gridsim.cli import main

REFUSED = (2, 3, 4, 7, 8)  # exit codes that say in words what is wrong
HANG_CPU_S, HANG_S = 60, 600.0  # of its own, and by the clock, where it waits for something
HUNG = -100
VALUES = (
    *("", "nan", "inf", "-inf", "1e308", "-1e308", "0", "-1", "1e-320", "1e400", "9" * 400, "0x10", "None", "null"),
    *("true", "[]", "{}", '""', "'", '"', "\\", "\x00", "\ufeff", "é", "𝟙", "1_000", "1,5", "2024-02-30", "../../etc"),
)
CELLS = (None, float("nan"), float("inf"), -1, 0, 1e308, -1e308, 2**63, 10**400, "", "x", "nan", True, [], {}, [[]])


class Outcome(NamedTuple):
    """What became of a command."""

    code: int  # its exit code; a signal, negative; HUNG
    said: str

    @property
    def fine(self) -> bool:
        """Done, or refused in words: no traceback, no crash, no hang."""
        return self.code == 0 or ((self.code in REFUSED and "gridsim: " in self.said) or self.code == 7)


def apart(arguments: list[str], said: Path) -> Outcome:
    """A command in a child, which has everything compiled and may crash as it likes."""
    child = os.fork()
    if child == 0:
        signal.alarm(0)
        used = int(time.process_time())
        resource.setrlimit(resource.RLIMIT_CPU, (used + HANG_CPU_S, used + HANG_CPU_S))
        code = 1
        try:
            result = CliRunner().invoke(main, arguments)
            code = result.exit_code
            said.write_text(f"{result.output}\n{result.exception!r}", encoding="utf-8", errors="replace")
        except BaseException as error:
            said.write_text(repr(error), encoding="utf-8", errors="replace")
        finally:
            sys.stdout.flush()
            os._exit(code if 0 <= code < 128 else 1)
    end = time.monotonic() + HANG_S
    while time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            text = said.read_text(encoding="utf-8") if said.exists() else ""
            said.unlink(missing_ok=True)
            code = os.waitstatus_to_exitcode(status)
            if code in (-signal.SIGXCPU, -signal.SIGKILL):
                return Outcome(HUNG, f"no end after {HANG_CPU_S} s of CPU, or killed by the system")
            return Outcome(code, text)
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return Outcome(HUNG, f"no end after {HANG_S:.0f} s")


def bent(data: bytes, draw: random.Random) -> bytes:
    """Some bits turned, a piece taken out, doubled, or the end cut off."""
    out = bytearray(data)
    kind = draw.choice(("bit", "bit", "byte", "cut", "out", "twice", "zeros"))
    at = draw.randrange(len(out))
    size = min(len(out) - at, draw.choice((1, 4, 16, 512)))
    if kind == "bit":
        for _ in range(draw.choice((1, 1, 3, 20))):
            out[draw.randrange(len(out))] ^= 1 << draw.randrange(8)
    elif kind == "byte":
        out[at] = draw.randrange(256)
    elif kind == "cut":
        del out[at:]
    elif kind == "out":
        del out[at : at + size]
    elif kind == "twice":
        out[at:at] = out[at : at + size]
    else:
        out[at : at + size] = bytes(size)
    return bytes(out)


def flipped(data: bytes, draw: random.Random) -> bytes:
    """One bit turned."""
    out = bytearray(data)
    out[draw.randrange(len(out))] ^= 1 << draw.randrange(8)
    return bytes(out)


def toml(text: str, draw: random.Random) -> str:
    """One value or line of a scenario replaced, doubled or taken out."""
    lines = text.splitlines()
    at = draw.randrange(len(lines))
    kind = draw.choice(("value", "value", "value", "out", "twice", "key", "section"))
    if kind == "value" and "=" in lines[at]:
        key = lines[at].split("=")[0]
        lines[at] = f"{key}= {draw.choice((*VALUES, *(f'{chr(34)}{v}{chr(34)}' for v in VALUES)))}"
    elif kind == "out":
        del lines[at]
    elif kind == "twice":
        lines.insert(at, lines[at])
    elif kind == "key":
        lines[at] = "".join(draw.sample(lines[at], len(lines[at])))
    else:
        lines.insert(at, draw.choice(("[x", "[[budget]]", "[horizon.x]", "[]", "a.b.c = 1", "base = 'scenario.toml'")))
    return "\n".join(lines)


def csv(text: str, draw: random.Random) -> str:
    """One cell or line of a table replaced, doubled or taken out."""
    lines = text.splitlines()
    at = draw.choice((0, draw.randrange(len(lines))))
    kind = draw.choice(("cell", "cell", "cell", "out", "twice", "more", "less", "separator"))
    cells = lines[at].split(",")
    if kind == "cell":
        cells[draw.randrange(len(cells))] = draw.choice(VALUES)
    elif kind == "out":
        del lines[at]
        return "\n".join(lines)
    elif kind == "twice":
        lines.insert(at, lines[at])
        return "\n".join(lines)
    elif kind == "more":
        cells.append(draw.choice(VALUES))
    elif kind == "less":
        cells.pop()
    else:
        return text.replace(",", draw.choice((";", "\t", " ", ",,")))
    lines[at] = ",".join(cells)
    return "\n".join(lines)


def net(text: str, draw: random.Random) -> str:
    """One cell, column, row or table of a pandapower JSON replaced or taken out."""
    tree = json.loads(text)
    tables = {k: v for k, v in tree["_object"].items() if isinstance(v, dict) and v.get("_class") == "DataFrame"}
    filled = {k: t for k, t in tables.items() if json.loads(t["_object"])["data"]}
    name = draw.choice(sorted(filled))
    table = json.loads(filled[name]["_object"])
    kind = draw.choice(("cell", "cell", "cell", "cell", "column", "name", "row", "table", "index", "single", "dtype"))
    row = draw.randrange(len(table["data"]))
    if kind == "cell":
        table["data"][row][draw.randrange(len(table["columns"]))] = draw.choice(CELLS)
    elif kind == "column":
        k = draw.randrange(len(table["columns"]))
        del table["columns"][k]
        for values in table["data"]:
            del values[k]
        tree["_object"][name].get("dtype", {}).clear()
    elif kind == "name":
        table["columns"][draw.randrange(len(table["columns"]))] = draw.choice(VALUES)
    elif kind == "row":
        del table["data"][row], table["index"][row]
    elif kind == "index":
        table["index"][row] = draw.choice(CELLS)
    elif kind == "single":
        tree["_object"][draw.choice(sorted(tree["_object"]))] = draw.choice(CELLS)
    elif kind == "dtype":
        dtypes = tree["_object"][name].get("dtype", {})
        if dtypes:
            dtypes[draw.choice(sorted(dtypes))] = draw.choice(("object", "int64", "float64", "bool", "x"))
    else:
        del tree["_object"][name]
    if kind not in ("table", "single"):
        tree["_object"][name]["_object"] = json.dumps(table)
    return json.dumps(tree)


def no_traceback(said: str) -> bool:
    return not re.search(r"Traceback|internal error", said)
