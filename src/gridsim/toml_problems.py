"""What pydantic finds in a TOML file, in our words: the file, the line, the key, the value and what is allowed."""

from collections.abc import Callable, Mapping
from types import UnionType
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gridsim.errors import Problem
from gridsim.scenario import suggestion
from gridsim.toml_tree import Key, join_key, value_text

_WORDS = {
    "greater_than": ("gt", "must be greater than {}"),
    "greater_than_equal": ("ge", "must be at least {}"),
    "less_than": ("lt", "must be less than {}"),
    "less_than_equal": ("le", "must be at most {}"),
    "int_type": ("", "must be a whole number"),
    "float_type": ("", "must be a number"),
    "finite_number": ("", "must be a finite number"),
    "string_type": ("", "must be a text in quotes"),
    "string_too_short": ("", "must not be empty"),
    "list_type": ("", "must be a list"),
    "dict_type": ("", "must be a table"),
    "model_type": ("", "must be a table"),
    "datetime_type": ("", "must be a date or a date-time such as 2024-07-01T00:00"),
    "bool_type": ("", "must be true or false"),
    "missing": ("", "is missing"),
}


def model_problems(
    error: ValidationError,
    model: type[BaseModel],
    what: str,
    where: Callable[[Key], str],
    *,
    others: tuple[str, ...] = (),
    rules: Mapping[Key, str] | None = None,
) -> list[Problem]:
    """Every problem once, in pydantic's order.

    Parameters
    ----------
    model : of the file as a whole, which is called `what` ("a scenario")
    where : the place of a key: "scenario.toml: line 3: horizon.hours"
    others : keys of the file that are not in `model`
    rules : what to say of some keys instead of pydantic's rule, where it sees alternatives one by one
    """
    found = [p for e in error.errors() for p in _worded(e, model, what, where, others, rules or {})]
    return list(dict.fromkeys(found))


def _worded(
    error: ErrorDetails,
    model: type[BaseModel],
    what: str,
    where: Callable[[Key], str],
    others: tuple[str, ...],
    rules: Mapping[Key, str],
) -> list[Problem]:
    key = _key_of(error["loc"], model)
    kind, ctx = error["type"], error.get("ctx", {})
    if kind == "gridsim":
        return [Problem(where(key + tuple(k)), text) for k, text in ctx["found"]]
    if kind == "extra_forbidden":
        place = f"[{join_key(key[:-1])}]" if key[:-1] else what
        allowed = [*_annotation(key[:-1], model).model_fields, *(others if len(key) == 1 else ())]
        return [Problem(where(key), f"is not a key of {place} {suggestion(key[-1], allowed)}")]
    given = error["input"]
    got = f": got {brief(given)}" if kind != "missing" else ""
    if kind == "literal_error":
        choices = get_args(_annotation(key, model))
        hint = suggestion(given, map(str, choices)) if isinstance(given, str) else ""
        rule = f"must be {' or '.join(map(value_text, choices))}" + (f" {hint}" if "did you mean" in hint else "")
    elif kind in _WORDS:
        name, form = _WORDS[kind]
        rule = form.format(ctx.get(name))
    else:
        rule = error["msg"][0].lower() + error["msg"][1:]
    return [Problem(where(key), rules.get(key, rule) + got)]


def _key_of(loc: tuple[int | str, ...], whole: type[BaseModel]) -> Key:
    """pydantic's location without the names of union members; tables of a list are counted from 1."""
    model: Any = whole
    key: list[str] = []
    for part in loc:
        model = _without_none(model)
        if _is_section(model):
            key.append(str(part))
            info = model.model_fields.get(str(part))
            model = info.annotation if info else None
        elif get_origin(model) is dict:
            if part != "[key]":
                key.append(str(part))
            model = None
        elif get_origin(model) is list and _is_section(get_args(model)[0]):
            key.append(str(int(part) + 1))
            model = get_args(model)[0]
        else:
            break
    return tuple(key)


def _is_section(model: Any) -> bool:
    return isinstance(model, type) and issubclass(model, BaseModel)


def _annotation(key: Key, whole: type[BaseModel]) -> Any:
    """The type of the value at `key`; a number in it picks an entry of a list."""
    model: Any = whole
    for part in key:
        model = _without_none(model)
        model = get_args(model)[0] if get_origin(model) is list else model.model_fields[part].annotation
    return _without_none(model)


def _without_none(model: Any) -> Any:
    """The section of ``Section | None``."""
    if isinstance(model, UnionType):
        sections = [inner for inner in get_args(model) if inner is not type(None)]
        return sections[0] if len(sections) == 1 and _is_section(sections[0]) else model
    return model


def brief(value: Any, limit: int = 60) -> str:
    """A value as TOML, cut where it is long."""
    try:
        text = value_text(value)
    except TypeError:
        text = repr(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."
