"""Pages of the documentation that are made from the code when the site is built: a hook of mkdocs (`mkdocs.yml`).

The reference of the results file comes from `gridsim.schema` and `gridsim.case`, that of scenario keys from the
pydantic models and the comments beside their fields, so neither is written twice. The notebook and the changelog become
pages as they are.
"""

import ast
import inspect
import io
import json
import re
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType, NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from gridsim import case, scenario, schema
from gridsim.networks import options

ROOT = Path(__file__).resolve().parents[1]
BOUNDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
CONSUMER = re.compile(r"\.?\s+(assemble|simulate)(, (assemble|simulate))*\.?$", re.MULTILINE)  # who reads a key
DIVIDER = "----"  # begins a comment on several fields
COLUMNS_OF = {  # index table -> its columns in `gridsim.case`
    "buses": "BUS_COLUMNS",
    "units": "UNIT_COLUMNS",
    "sources": "SOURCE_COLUMNS",
    "stores": "STORE_COLUMNS",
    "loads": "LOAD_COLUMNS",
    "branches": "BRANCH_COLUMNS",
    "links": "LINK_COLUMNS",
    "interfaces": "INTERFACE_COLUMNS",
    "products": "PRODUCT_COLUMNS",
    "budgets": "BUDGET_COLUMNS",
    "shifters": "SHIFTER_COLUMNS",
}
ABOUT_COLUMNS = (
    "A row of an index table is what the arrays have at its position. `element` and `element_index` say where in the "
    "pandapower net it comes from, `..._row` is a position in another index table, from 0. A column's unit stands in "
    "its name (`p_max_mw`, `min_up_h`, `co2_t_per_mwh`); costs are in the currency of the network."
)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """What mkdocs calls when it has found the pages that are files."""
    made = {
        "reference/results-file.md": results_file(),
        "reference/scenario.md": scenario_keys(),
        "changes.md": (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"),
    }
    for path in sorted((ROOT / "docs" / "notebooks").glob("*.ipynb")):
        made[f"notebooks/{path.stem}.md"] = notebook(path)
    for name, text in made.items():
        files.append(File.generated(config, name, content=text))
    return files


# ---- comments of the code


@cache
def comments(module: ModuleType) -> dict[int, tuple[str, bool]]:
    """Comments by line: the text, and whether it stands alone on its line."""
    source = inspect.getsource(module)
    found = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            found[token.start[0]] = (token.string.lstrip("# "), not token.line[: token.start[1]].strip())
    return found


def comment_above(module: ModuleType, line: int) -> list[str]:
    """Lines of a comment that end just above `line`."""
    found: list[str] = []
    while (comment := comments(module).get(line - 1)) and comment[1] and not comment[0].startswith(DIVIDER):
        found.insert(0, comment[0])
        line -= 1
    return found


def comment_of(module: ModuleType, node: ast.expr | ast.stmt) -> str:
    """The comment above a statement, and those beside its lines."""
    inside = range(node.lineno, (node.end_lineno or node.lineno) + 1)
    beside = [comments(module)[line][0] for line in inside if line in comments(module)]
    return " ".join([*comment_above(module, node.lineno), *beside])


@cache
def fields_in(module: ModuleType) -> dict[str, dict[str, str]]:
    """Comments of the fields of every class: {class: {field: comment}}."""
    found: dict[str, dict[str, str]] = {}
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.ClassDef):
            found[node.name] = {
                item.target.id: comment_of(module, item)
                for item in node.body
                if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
            }
    return found


@cache
def columns_in(module: ModuleType) -> dict[str, dict[str, str]]:
    """Comments of the names in every tuple: {tuple: {name: comment}}."""
    found: dict[str, dict[str, str]] = {}
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple) and isinstance(node.targets[0], ast.Name):
            names = [item for item in node.value.elts if isinstance(item, ast.Constant)]
            apart = {item.value: item for item in names if item.lineno > node.lineno}  # not all on one line
            said = {name: comment_of(module, item) for name, item in apart.items()}
            found[node.targets[0].id] = {item.value: said.get(item.value, "") for item in names}
    return found


# ---- the results file


def results_file() -> str:
    version = ".".join(map(str, schema.FORMAT_VERSION))
    parts = [
        f"# The results file, format {version}",
        "Made from `gridsim.schema` and `gridsim.case`. [How to read it](../howto/results.md).",
        about(inspect.getdoc(schema) or ""),
        "## Series and windows",
    ]
    datasets = (*schema.DATASETS, *schema.AC_DATASETS)
    for group in dict.fromkeys(d.group for d in datasets):
        rows = [(f"`{d.path.split('/')[1]}`", *_described(d)) for d in datasets if d.group == group]
        parts += [f"### /{group}", table(("dataset", "dimensions", "type", "unit", "what", "sign"), rows)]
    parts += ["## Index tables", ABOUT_COLUMNS]
    for name, dim in schema.TABLES.items():
        attribute = COLUMNS_OF[name]
        said = columns_in(case)[attribute]
        rows = [(f"`{column}`", f"[{dim}]", escaped(said[column])) for column in getattr(case, attribute)]
        rows += [
            (f"`{d.path.split('/')[1]}`", _dims(d.dims), escaped(f"{d.long_name} [{d.units}]"))
            for d in schema.CASE_ARRAYS
            if d.group == name
        ]
        parts += [f"### /{name}", table(("dataset", "dimensions", "what"), rows)]
    return "\n\n".join(parts) + "\n"


def about(text: str) -> str:
    """A docstring without its first line: indented parts stay as they are, behind their title; the rest is text."""
    parts = []
    for part in text.split("\n\n")[1:]:
        title, _, rest = part.partition("\n")
        if rest.startswith("    "):
            parts.append(f"## {title}\n\n```text\n{inspect.cleandoc(rest)}\n```")
        else:
            parts.append(escaped_text(part.replace("``", "`")))
    return "\n\n".join(parts)


def _described(d: schema.Dataset) -> tuple[str, ...]:
    return _dims(d.dims), d.dtype, escaped(d.units), escaped(d.long_name), escaped(d.sign)


def _dims(dims: Sequence[str]) -> str:
    return f"[{', '.join(dims)}]"


# ---- keys of a scenario


def scenario_keys() -> str:
    built_in = scenario.load("jiangsu-2024")
    parts = [
        "# Keys of a scenario",
        "Made from the models that read a scenario, `gridsim.scenario` and `gridsim.networks.options`, and from their "
        "comments. A key that is not here is an error. The built-in file with all keys is "
        "`src/gridsim/scenarios/jiangsu-2024.toml`; where it says something else than the default, the table tells.",
        "## At the top",
    ]
    parts.append(key_table(scenario.Scenario, scenario, built_in, before=(BASE,)))
    for name, model in sections(scenario.Scenario):
        module = options if model.__module__ == options.__name__ else scenario
        parts += [f"## `{name}`", CONSUMER.sub(".", escaped_text(inspect.getdoc(model) or "")).replace("``", "`")]
        parts.append(key_table(model, module, _part(built_in, name)))
    return "\n\n".join(parts) + "\n"


BASE = ("`base`", "a name or a path", "", "scenario whose keys are taken first; not in a built-in one")


def sections(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Tables of a scenario in their order, `[horizon]` or `[[budget]]`, those inside others behind them."""
    for key, field in model.model_fields.items():
        inner = _model_in(field.annotation)
        if inner is not None:
            path = f"{prefix}{key}"
            yield (f"[[{path}]]" if get_origin(field.annotation) is list else f"[{path}]"), inner
            yield from sections(inner, f"{path}.")


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for a in get_args(annotation) if (found := _model_in(a))), None)


def _part(built_in: BaseModel, name: str) -> BaseModel | None:
    """The section of the built-in scenario; None for tables of a list."""
    found: Any = built_in
    for key in name.strip("[]").split("."):
        found = getattr(found, key, None)
    return found if isinstance(found, BaseModel) else None


def key_table(
    model: type[BaseModel], module: ModuleType, built_in: BaseModel | None, before: Iterable[tuple[str, ...]] = ()
) -> str:
    rows = list(before)
    said = fields_in(module)[model.__name__]
    for key, field in model.model_fields.items():
        if _model_in(field.annotation) is not None or (model is scenario.Scenario and key == "name"):
            continue  # sections follow by themselves; the name is that of the file
        meaning = CONSUMER.sub("", said[key]).strip()
        value = getattr(built_in, key, None)
        if built_in is not None and not field.is_required() and value not in (None, _default(field)):
            meaning += f"; in jiangsu-2024: {_value(value)}"
        rows.append((f"`{key}`", allowed(field), default(field), escaped(meaning)))
    return table(("key", "allowed", "default", "what"), rows)


def allowed(field: FieldInfo) -> str:
    return " ".join([_type(field.annotation), *_bounds(field.metadata)]).strip()


def _type(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return " ".join([_type(arguments[0]), *_bounds(arguments[1:])])
    if origin is Literal:
        return ", ".join(_value(value) for value in arguments)
    if origin in (Union, UnionType):
        return " or ".join(_type(a) for a in arguments if a is not NoneType)
    if origin is list:
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"table: name = {_type(arguments[1])}"
    names = {str: "text", float: "number", int: "whole number", bool: "true, false"}
    return names.get(annotation, annotation.__name__)


def _bounds(metadata: Iterable[Any]) -> list[str]:
    """`>= 0` and the like, of the constraints in a field's metadata."""
    found = []
    for item in metadata:
        inner = item.metadata if isinstance(item, FieldInfo) else [item]
        for constraint in inner:
            found += [
                f"{sign} {getattr(constraint, name):g}" for name, sign in BOUNDS.items() if hasattr(constraint, name)
            ]
    return found


def default(field: FieldInfo) -> str:
    if field.is_required():
        return "must be there"
    value = _default(field)
    return "" if value in (None, [], {}, "") else _value(value)


def _default(field: FieldInfo) -> Any:
    return field.get_default(call_default_factory=True)


def _value(value: Any) -> str:
    return f"`{json.dumps(value, ensure_ascii=False)}`"


# ---- pages as they are


def notebook(path: Path) -> str:
    """A notebook without outputs as a page."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    parts = []
    for cell in cells:
        text = "".join(cell["source"])
        parts.append(f"```python\n{text}\n```" if cell["cell_type"] == "code" else text)
    parts.append(f"[The notebook]({path.name}) itself.")
    return "\n\n".join(parts) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def escaped(text: str) -> str:
    """Text in a cell of a table: what Markdown or HTML would take for a sign of theirs is not one."""
    return escaped_text(text).replace("|", "\\|")


def escaped_text(text: str) -> str:
    return re.sub(r"(?<!`)\b_|\*|<|\[(?=\[)", lambda found: {"<": "&lt;"}.get(found[0], f"\\{found[0]}"), text)
