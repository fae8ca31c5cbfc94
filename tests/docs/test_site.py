"""The site builds without a warning, loads nothing from the network, and its references hold all that the code has."""

import logging
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from gridsim import schema
from gridsim.cli import main

ROOT = Path(__file__).resolve().parents[2]
LOADED = {  # what a browser fetches by itself, by tag
    "script": ("src",),
    "img": ("src", "srcset"),
    "iframe": ("src",),
    "source": ("src", "srcset"),
    "video": ("src", "poster"),
    "object": ("data",),
}
LINKED = {"stylesheet", "icon", "preload", "preconnect", "dns-prefetch", "manifest", "modulepreload"}


class Assets(HTMLParser):
    """Addresses that a page loads, and the elements that make a script load more."""

    def __init__(self, text):
        super().__init__()
        self.found, self.inline, self.diagrams = [], "", 0
        self._in_style = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.found += [given[name] for name in LOADED.get(tag, ()) if given.get(name)]
        if tag == "link" and LINKED & set((given.get("rel") or "").split()):
            self.found.append(given["href"])
        self.inline += given.get("style") or ""
        self.diagrams += "mermaid" in (given.get("class") or "").split()
        self._in_style = tag == "style"

    def handle_data(self, data):
        self.inline += data if self._in_style else ""

    def handle_endtag(self, tag):
        self._in_style = False


def outside(address):
    return re.match(r"(https?:)?//", address.strip()) is not None


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site as `make docs` builds it; every warning is an error."""
    pytest.importorskip("material")
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    warned = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = warned.append
    logging.getLogger("mkdocs").addHandler(handler)
    folder = tmp_path_factory.mktemp("site")
    config = load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder))
    config.plugins.on_startup(command="build", dirty=False)
    try:
        build(config)
    finally:
        config.plugins.on_shutdown()
        logging.getLogger("mkdocs").removeHandler(handler)
    assert not [record.getMessage() for record in warned]
    return folder


def page(site, name):
    return (site / name).read_text(encoding="utf-8")


def test_every_page_of_docs_is_in_the_site(site):
    pages = [path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")]
    assert len(pages) > 10
    assert all((site / path.with_suffix(".html")).is_file() for path in pages)


def test_nothing_is_loaded_from_the_network(site):
    pages = {path: Assets(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    assert all(any("stylesheets" in address for address in found.found) for found in pages.values())
    loaded = {(path.name, address) for path, found in pages.items() for address in found.found if outside(address)}
    assert not loaded
    assert not sum(found.diagrams for found in pages.values())  # their program would come from a CDN
    styles = [found.inline for found in pages.values()]
    styles += [path.read_text(encoding="utf-8") for path in site.rglob("*.css")]
    for style in styles:
        assert not [
            address for address in re.findall(r"(?:url\(|@import)\s*[\"']?([^\"')]+)", style) if outside(address)
        ]


def test_what_would_be_loaded_is_seen():
    text = '<link rel="preconnect" href="https://a"><script src="//b"></script><style>@import "https://c"</style>'
    found = Assets(text)
    assert found.found == ["https://a", "//b"]
    assert found.inline == '@import "https://c"'
    assert outside("//b")
    assert not outside("../assets/x.js")


def test_links_between_pages_lead_somewhere(site):
    """As mkdocs says, but on what was built: files and anchors, of made pages, too."""
    ids = {path: set(re.findall(r'\bid="([^"]+)"', path.read_text(encoding="utf-8"))) for path in site.rglob("*.html")}
    wrong = []
    for path in ids:
        if path.name == "404.html":
            continue
        for address in re.findall(r'<a [^>]*href="([^"]+)"', path.read_text(encoding="utf-8")):
            file, _, anchor = address.partition("#")
            if outside(address) or address.startswith("mailto:"):
                continue
            target = (path.parent / file).resolve() if file else path
            if not target.exists() or (anchor and anchor not in ids.get(target, {anchor})):
                wrong.append((path.name, address))
    assert not wrong


def test_the_reference_of_the_results_file_has_every_dataset(site_pages):
    text = site_pages.results_file()
    for dataset in (*schema.DATASETS, *schema.CASE_ARRAYS):
        head, _, section = text.partition(f"### /{dataset.group}\n")
        rows = [
            line
            for line in section.split("\n### ")[0].splitlines()
            if line.startswith(f"| `{dataset.path.split('/')[1]}` |")
        ]
        assert any(f"[{', '.join(dataset.dims)}]" in row and dataset.units in row for row in rows), dataset.path
        assert head
    for table in schema.TABLES:
        assert f"### /{table}\n" in text


def test_every_key_of_a_scenario_is_explained(site_pages):
    text = site_pages.scenario_keys()
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    keys = {row.split("`")[1] for row in rows}
    assert {"base", "hours", "wind_offshore", "coal_retrofit_share", "at_most", "n1"} - keys == {"wind_offshore"}
    without = [row for row in rows if not row.rstrip("| ").count("|") >= 4]
    assert not without, "a comment beside the field in the code is what the page shows"
    for name in ("[horizon]", "[[budget]]", "[[reserve.product]]", "[ledger.compensation_cny_per_mwh]", "[jiangsu]"):
        assert f"## `{name}`" in text


@pytest.mark.parametrize(
    ("key", "row"),
    [
        ("window_h", "| `window_h` | whole number ≥ 1 ≤ 336 | `48` | look-ahead of one window, h |"),
        ("engine", '| `engine` | `"kernel"`, `"highs"`, `"highs-milp"` | `"kernel"` |'),
        ("fuel_per_mwh", "| `fuel_per_mwh` | number > 0 |  | fuel of a MWh of output; or |"),
        ("n1", 'the loss of any one branch; in jiangsu-2024: `"enforce"` |'),
        ("period", '| `period` | `"day"`, `"month"`, `"year"` | must be there |'),
    ],
)
def test_a_key_reads_as_the_code_says(site_pages, key, row):
    assert row in next(line for line in site_pages.scenario_keys().splitlines() if line.startswith(f"| `{key}` |"))


def test_the_reference_of_the_command_line_has_every_verb_and_option(site):
    text = page(site, "reference/cli.html")
    for name, command in main.commands.items():
        assert f'id="gridsim-{name}"' in text or f'id="{name}"' in text, name
        for parameter in command.params:
            for option in parameter.opts if parameter.param_type_name == "option" else ():
                assert option in text, (name, option)


def test_a_notebook_is_a_page(site):
    text = page(site, "notebooks/ten-questions.html")
    assert "Who gave how much" in text
    assert "open_results" in re.sub(r"<[^>]+>", "", text)
