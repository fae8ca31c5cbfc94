"""Studies: which runs a sweep makes, read from TOML with strict keys.

A study starts from one scenario and says what differs from run to run. Every way of saying so is an axis, and the runs
are all combinations of the axes:

============ ===========================================================================================
``[[run]]``  named runs, each with keys, overlays or a base of its own: one axis
``[grid]``   lists of values, one axis for each key of the scenario; ``base`` and ``overlays`` count as such
``[random]`` numbers drawn with a seed for several keys at once: one axis of `count` draws
``years``    calendar and weather years: the key ``year``
``seeds``    seeds of the weather: the key ``seed``
============ ===========================================================================================

Paths count from the folder of the study.
"""

import math
from collections import Counter
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, model_validator

from gridsim.scenario import error_of
from gridsim.toml_tree import Key, join_key, leaves, split_key

SHAPES = ("uniform", "normal", "integers", "choice")
OWN_AXES = (("base",), ("overlays",))  # of [grid], beside keys of a scenario
_Pair = Annotated[list[float], Field(min_length=2, max_length=2)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Variant(_Section):
    """One named run, as [[run]]."""

    name: Annotated[str, Field(min_length=1)]
    title: str = ""  # for the table and the page
    base: str = ""  # another scenario than that of the study
    overlays: list[str] = Field(default_factory=list)  # laid on after those of the study
    set: dict[str, Any] = Field(default_factory=dict)  # keys of the scenario


class Seeds(_Section):
    """Seeds in a row."""

    first: Annotated[int, Field(ge=0)] = 1
    count: Annotated[int, Field(ge=1, le=1_000_000)]


class Draw(_Section):
    """How one key is drawn, as [[random.draw]]: one of uniform, normal, integers, choice."""

    key: Annotated[str, Field(min_length=1)]  # of the scenario: "scale.load"
    uniform: _Pair | None = None  # from, to
    normal: _Pair | None = None  # mean, standard deviation
    integers: Annotated[list[int], Field(min_length=2, max_length=2)] | None = None  # least, most
    choice: Annotated[list[Any], Field(min_length=1)] | None = None  # each as likely as the others
    at_least: float | None = None  # where a normal distribution is cut off
    at_most: float | None = None  # likewise

    @model_validator(mode="after")
    def _fits(self) -> "Draw":
        found: list[tuple[Key, str]] = []
        given = [name for name in SHAPES if getattr(self, name) is not None]
        if len(given) != 1:
            found.append(((), f"must have one of {', '.join(SHAPES)}: has {' and '.join(given) or 'none'}"))
        for name in ("uniform", "integers"):
            ends = getattr(self, name)
            if ends is not None and not ends[0] < ends[1]:
                found.append(((name,), f"must go from a number to a larger one: got {ends}"))
        if self.normal is not None and self.normal[1] <= 0.0:
            found.append((("normal",), f"must have a standard deviation greater than 0: got {self.normal[1]:g}"))
        low, high = self.limits
        for name in ("at_least", "at_most"):
            if getattr(self, name) is not None and self.normal is None:
                found.append(((name,), "is for normal only"))
        if low >= high:
            found.append((("at_least",), f"must be less than at_most = {high:g}: got {low:g}"))
        try:
            split_key(self.key)
        except ValueError as error:
            found.append((("key",), f"must be a key of a scenario: {error}"))
        if found:
            raise error_of(found)
        return self

    @property
    def limits(self) -> tuple[float, float]:
        """Where a normal distribution ends."""
        return (
            -math.inf if self.at_least is None else self.at_least,
            math.inf if self.at_most is None else self.at_most,
        )


class Random(_Section):
    """Runs whose keys are drawn. The draws of a key depend on `seed` and the key alone: more keys change none."""

    count: Annotated[int, Field(ge=1, le=1_000_000)]  # draws
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    # "independent": more draws keep those that are there; "latin": one draw from each of `count` equal parts
    method: Literal["independent", "latin"] = "independent"
    draw: Annotated[list[Draw], Field(min_length=1)]


class Axis(NamedTuple):
    """What differs between runs in one respect."""

    label: str  # "scale.load", "run", "draw"
    size: int


class Study(_Section):
    """A sweep, validated."""

    name: Annotated[str, Field(min_length=1)]  # default: that of the file
    title: str = ""  # for the page
    base: Annotated[str, Field(min_length=1)]  # scenario that all runs start from: built-in, or a path
    overlays: list[str] = Field(default_factory=list)  # laid on every run
    set: dict[str, Any] = Field(default_factory=dict)  # keys of the scenario in every run
    run: list[Variant] = Field(default_factory=list)  # as [[run]]
    grid: dict[str, Any] = Field(default_factory=dict)  # lists of values by key
    random: Random | None = None
    years: list[int] = Field(default_factory=list)
    seeds: list[int] | Seeds = Field(default_factory=list)  # a list, or {first, count}

    @model_validator(mode="after")
    def _variants_differ(self) -> "Study":
        counts = Counter(variant.name for variant in self.run)
        found: list[tuple[Key, str]] = [
            (("run", str(number), "name"), f"must be there once: got {variant.name} {counts[variant.name]} times")
            for number, variant in enumerate(self.run, start=1)
            if counts[variant.name] > 1
        ]
        if found:
            raise error_of(found)
        return self

    @model_validator(mode="after")
    def _grid_has_lists(self) -> "Study":
        found: list[tuple[Key, str]] = []
        for key, values in leaves(self.grid):
            if not isinstance(values, list) or not values:
                found.append((("grid", *key), "must be a list of values, with one at least"))
            elif key == ("base",) and not all(isinstance(value, str) for value in values):
                found.append((("grid", *key), 'must be a list of scenarios, such as ["jiangsu-2024", "jiangsu-2030"]'))
            elif key == ("overlays",) and not all(_texts(value) for value in values):
                rule = 'must be a list of lists of overlays, such as [[], ["typhoon"], ["dry-hydro", "gas-short"]]'
                found.append((("grid", *key), rule))
            else:
                again = next((v for k, v in enumerate(values) if v in values[:k]), None)
                if again is not None:
                    found.append((("grid", *key), f"must have each value once: {again!r} is there again"))
        if found:
            raise error_of(found)
        return self

    @model_validator(mode="after")
    def _one_axis_for_a_key(self) -> "Study":
        found: list[tuple[Key, str]] = []
        taken: dict[Key, str] = {}
        for place, key in self._varied():
            other = next((where for k, where in taken.items() if k[: len(key)] == key or key[: len(k)] == k), None)
            if other is not None:
                found.append((place, f"varies {join_key(key)}, which {other} does, too"))
            taken[key] = join_key(place)
        if found:
            raise error_of(found)
        for name in ("years", "seeds"):
            values = getattr(self, name)
            if isinstance(values, list) and len(set(values)) < len(values):
                raise error_of([((name,), "must have each value once")])
        return self

    def _varied(self) -> list[tuple[Key, Key]]:
        """(place in the study, key of the scenario) of everything that an axis sets."""
        out: list[tuple[Key, Key]] = []
        own = {key: ("run", str(n), "set", *key) for n, v in enumerate(self.run, start=1) for key, _ in leaves(v.set)}
        out += [(place, key) for key, place in own.items()]
        if any(variant.base for variant in self.run):
            out.append((("run",), ("base",)))
        out += [(("grid", *key), key) for key, _ in leaves(self.grid)]
        for number, draw in enumerate(self.random.draw if self.random else (), start=1):
            out.append((("random", "draw", str(number), "key"), split_key(draw.key)))
        out += [((name,), key) for name, key in (("years", ("year",)), ("seeds", ("seed",))) if getattr(self, name)]
        return out

    @property
    def seed_list(self) -> list[int]:
        """All seeds."""
        if isinstance(self.seeds, Seeds):
            return list(range(self.seeds.first, self.seeds.first + self.seeds.count))
        return self.seeds


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)
