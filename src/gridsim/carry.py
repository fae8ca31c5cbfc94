"""What a run carries from window to window, as named arrays and back: for the journal, which keeps nothing else.

`flatten` and `rebuild` go by the type hints of what they are given, so a field that is added to `handover.State` is
kept without a word here, and one of a type that arrays do not make is refused at the first window.
"""

import dataclasses
import types
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]
State = TypeVar("State")


class Carried:
    """An account that adds up through the run. What it hands from block to block are the attributes that it names."""

    carried: ClassVar[tuple[str, ...]] = ()  # arrays, or None before the first block
    grown: ClassVar[tuple[str, ...]] = ()  # lists of arrays, one for each block

    def snapshot(self) -> Arrays:
        """What the blocks so far have left, of lists the last entry."""
        found = {name: getattr(self, name) for name in self.carried}
        found |= {name: getattr(self, name)[-1] for name in self.grown}
        return {name: np.array(value) for name, value in found.items() if value is not None}

    def restore(self, kept: list[Arrays]) -> None:
        """Stand where the snapshots `kept`, one for each block, have been taken."""
        for name in self.carried:
            value = kept[-1].get(name)
            setattr(self, name, None if value is None else value.copy())
        for name in self.grown:
            setattr(self, name, [arrays[name] for arrays in kept])


def packed(state: Any, parts: Mapping[str, Carried]) -> Arrays:
    """What a window leaves to the next: the state, a dataclass, and the accounts by their names."""
    found = flatten(state, type(state), "state")
    for name, part in parts.items():
        found |= {f"{name}.{key}": values for key, values in part.snapshot().items()}
    return found


def unpacked(kept: list[Arrays], kind: type[State], parts: Mapping[str, Carried]) -> State:
    """The state that the last window has left, and the accounts brought to where it left them."""
    for name, part in parts.items():
        start = f"{name}."
        part.restore([{k.removeprefix(start): v for k, v in one.items() if k.startswith(start)} for one in kept])
    state: State = rebuild(kept[-1], kind, "state")
    return state


def flatten(value: Any, hint: Any, name: str) -> Arrays:
    """A value of the type `hint` as arrays under names that begin with `name`; None is no array at all.

    Raises
    ------
    TypeError
        If it is not made of arrays, numbers, tuples of numbers, and dataclasses and named tuples of them.
    """
    hint, optional = _without_none(hint)
    if value is None and optional:
        return {}
    fields = _fields(hint)
    if fields:
        found: Arrays = {}
        for field, of_field in fields.items():
            found |= flatten(getattr(value, field), of_field, f"{name}.{field}")
        return found
    if _is_array(hint) or _is_number(hint) or _is_row(hint):
        array = np.array(value, dtype=np.int64) if isinstance(value, tuple) and not value else np.array(value)
        if array.dtype.kind in "biuf":
            return {name: array}
    raise TypeError(f"{name}: a run carries arrays and numbers, and named tuples of them: not {hint}, {type(value)}")


def rebuild(arrays: Mapping[str, NDArray[Any]], hint: Any, name: str) -> Any:
    """The value that `flatten` has taken apart."""
    hint, optional = _without_none(hint)
    if optional and not any(key == name or key.startswith(f"{name}.") for key in arrays):
        return None
    fields = _fields(hint)
    if fields:
        return hint(**{field: rebuild(arrays, of_field, f"{name}.{field}") for field, of_field in fields.items()})
    if name not in arrays:
        raise KeyError(name)
    if _is_array(hint):
        return arrays[name].copy()
    values = arrays[name].tolist()
    return tuple(values) if _is_row(hint) else hint(values)


def _without_none(hint: Any) -> tuple[Any, bool]:
    """The hint without ``| None``, and whether it had that."""
    if get_origin(hint) in (Union, types.UnionType):
        inner = [option for option in get_args(hint) if option is not types.NoneType]
        if len(inner) == 1:
            return inner[0], True
    return hint, False


def _fields(hint: Any) -> dict[str, Any]:
    """Fields of a dataclass or named tuple, with their types; {} of anything else."""
    if dataclasses.is_dataclass(hint) or (isinstance(hint, type) and hasattr(hint, "_fields")):
        return get_type_hints(hint)
    return {}


def _is_array(hint: Any) -> bool:
    return get_origin(hint) is np.ndarray or hint is np.ndarray


def _is_number(hint: Any) -> bool:
    return hint in (int, float, bool)


def _is_row(hint: Any) -> bool:
    """A tuple of any length of numbers."""
    parts = get_args(hint)
    return get_origin(hint) is tuple and len(parts) == 2 and parts[1] is Ellipsis and _is_number(parts[0])
