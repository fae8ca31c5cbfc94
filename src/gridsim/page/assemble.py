"""HTML of a page: everything in one file, which opens from disk and needs no network."""

import html
import json
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

from gridsim.errors import ResourceError
from gridsim.finite import finite
from gridsim.page.cards import Card
from gridsim.page.parts import Chart, Payload, Section, Table
from gridsim.page.words import LANGUAGES, WORDS

SCRIPTS = ("page.js", "map.js", "tables.js", "start.js")  # one script, in this order


def assemble(
    title: str,
    below: str,
    figures: list[Card],
    sections: list[Section],
    payload: Payload,
    time: dict[str, Any],
    language: str,
    note: str = "",
    heading: str = "headline",
) -> str:
    """The HTML text. What can be read without a script stands first, so that it is painted at once.

    `title`, `below` and `note` are names of texts (``"@..."``) or texts; `heading` is the section of the figures.
    """
    sections = [section for section in sections if section.charts or section.tables]
    say = Speaker(payload, language)
    content = {
        "language": language, "languages": LANGUAGES, "time": time, "words": {**WORDS, **payload.texts},
        "arrays": payload.arrays, "charts": [asdict(chart) for section in sections for chart in section.charts],
        "tables": [asdict(table) for section in sections for table in section.tables],
    }  # fmt: skip
    links = "".join(f'<a href="#{key}">{say(f"@section.{key}")}</a>' for key in (heading, *(s.key for s in sections)))
    words = say.words[title[1:]][say.k] if title.startswith("@") else title
    warning = f'<p class="warning">{say(note)}</p>' if note else ""
    body = "\n".join(_section(section, say) for section in sections)
    return f"""<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(words)}</title>
<link rel="icon" href="data:,">
<style>{_file("page.css")}</style>
</head>
<body>
<header>
<div><h1>{say(title)}</h1><p>{say(below)}</p></div>
<div id="languages" role="group"></div>
<nav>{links}</nav>
</header>
<main>
{warning}
<section id="{heading}"><h2>{say(f"@section.{heading}")}</h2>
<div class="cards">{"".join(_card(card, say) for card in figures)}</div></section>
{body}
</main>
<script type="application/json" id="payload">{_json(content)}</script>
<script>{_plotly()}</script>
<script>{"".join(_file(name) for name in SCRIPTS)}</script>
</body>
</html>
"""


class Speaker:
    """Texts as HTML that `page.js` can say again in the other language."""

    def __init__(self, payload: Payload, language: str):
        self.words = {**WORDS, **payload.texts}
        self.k = LANGUAGES.index(language)

    def __call__(self, text: str) -> str:
        if not text.startswith("@"):
            return html.escape(text)
        return f'<span data-word="{html.escape(text[1:])}">{html.escape(self.words[text[1:]][self.k])}</span>'


def _section(section: Section, say: Speaker) -> str:
    inner = "\n".join([*(_chart(c, say) for c in section.charts), *(_table(t, say) for t in section.tables)])
    title = say(f"@section.{section.key}")
    return f'<section id="{section.key}"><h2>{title}</h2>\n<div class="charts">{inner}</div></section>'


def _caption(key: str, say: Speaker) -> str:
    return f"<figcaption><h3>{say(f'@chart.{key}')}</h3><p>{say(f'@chart.{key}.note')}</p></figcaption>"


def _table(table: Table, say: Speaker) -> str:
    return f'<figure id="table-{table.key}" class="wide">{_caption(table.key, say)}<div class="scroll"></div></figure>'


def _chart(chart: Chart, say: Speaker) -> str:
    return (
        f'<figure id="chart-{chart.key}" class="{"wide" if chart.wide else "half"}">{_caption(chart.key, say)}'
        f'<div class="controls"></div><div class="plot" style="height:{chart.height}px"></div></figure>'
    )


def _card(card: Card, say: Speaker) -> str:
    return (
        f'<div class="card" id="card-{card.key}"><span class="what">{say(f"@card.{card.key}")}</span>'
        f'<span class="value">{html.escape(card.value)} <small>{say(card.unit)}</small></span></div>'
    )


def _json(tree: Any) -> str:
    """JSON that may stand in a script element: no NaN, and nothing that looks like a tag."""
    return json.dumps(finite(tree), ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    return get_plotlyjs()


def _file(name: str) -> str:
    return files("gridsim.page").joinpath(name).read_text(encoding="utf-8")


def save(text: str, output: Path) -> Path:
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ResourceError(f"{output}: cannot be written ({error.strerror or error})") from error
    return output
