"""What stands in a page: its payload, arrays and texts."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import numpy as np


def payload(path: Path) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="payload">(.*?)</script>', path.read_text("utf-8"), re.S)
    assert found
    return json.loads(found[1])


def warning(path: Path) -> str:
    """The paragraph of what to mind, "" without one."""
    found = re.search(r'<p class="warning">(.*?)</p>', path.read_text("utf-8"), re.S)
    return re.sub("<[^>]*>", "", found[1]) if found else ""


def array(content: dict[str, Any], name: str) -> np.ndarray:
    stored = content["arrays"][name]
    return np.frombuffer(base64.b64decode(stored["data"]), dtype=f"<{stored['type']}")


def specs(content: dict[str, Any]) -> list[dict[str, Any]]:
    options = [option for chart in content["charts"] for option in chart["options"]]
    return [spec for option in options for spec in (option["whole"], option["hours"]) if spec]


def strings(tree: Any) -> list[str]:
    if isinstance(tree, dict):
        return [s for value in tree.values() for s in strings(value)]
    if isinstance(tree, list):
        return [s for value in tree for s in strings(value)]
    return [tree] if isinstance(tree, str) else []


def filled(tree: Any, content: dict[str, Any]) -> Any:
    """What page.js makes of a specification, roughly: arrays in place of their names."""
    if isinstance(tree, dict):
        if "$" in tree:
            name = tree["$"]
            return (
                [0.0] if name in ("hour", "day", "noon") else [[0.0]] if tree.get("grid") else array(content, name)[:2]
            )
        return {key: filled(value, content) for key, value in tree.items()}
    return [filled(value, content) for value in tree] if isinstance(tree, list) else tree


def assert_said(path: Path) -> None:
    """Every text that the page refers to is in it, in two languages."""
    content = payload(path)
    assert all(len(texts) == 2 for texts in content["words"].values())
    for item in [*content["charts"], *content["tables"]]:
        assert {f"chart.{item['key']}", f"chart.{item['key']}.note"} <= content["words"].keys()
    said = [s for s in strings([content["charts"], content["tables"]]) if s.startswith("@")]
    assert said
    assert {s[1:] for s in said} <= content["words"].keys()
    marked = re.findall(r'data-word="([^"]*)"', path.read_text("utf-8"))
    assert set(marked) <= content["words"].keys()
