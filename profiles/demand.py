"""Parts of a city's load with a clock of their own, and what flexible demand may do hour by hour.

**Components** have their energy of the year exactly; <.> scales to it, d is the day of hour t::

    vehicles       < V(d) sum_k m_k h_k(hour, day type) >,  V = festival (1 + a (15 - T_d)+ + b (T_d - 26)+)      (1)
    buildings      < 0.45 q(t) + 0.25 w(hour) + 0.30 c(hour) >       space heat, hot water, cooking               (2)
    shore power    < b(hour) festival(d) >, 0 where a storm closes the port                                      (3)
    data centres   < 1 + 0.004 (T(t) - 18)+ >                                                                    (4)

The load of a city holds what there was of each in 2024; ``load_base`` is that load less these (`base_mw`). Vehicles
drive what they charge, less the loss of the charger, day by day: ``ev_drive`` has the days V of (1).

**Flexible demand** is dispatched as stores. The series here say how much of it is there in an hour, p.u. of the
element: vehicles that are plugged in and what they must hold when they leave, air conditioning that runs, works in
which a shift can be moved, and that a moved load is settled by midnight. All shapes [K] unless marked.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gridsim.errors import InputError, Problem
from gridsim.profiles.calendar import Calendar, calendar
from gridsim.profiles.character import number, words
from gridsim.profiles.load import (
    COMPONENTS,
    HEAT_HOURS,
    TARIFF_RESPONSE,
    ProvinceLoad,
    festival_dip,
    locate,
    running_mean,
)
from gridsim.profiles.tariffs import decode
from gridsim.profiles.weather import Weather, months_of_hours

FloatArray = NDArray[np.float64]


def _day(*values: float) -> FloatArray:
    """24 hourly values over their mean."""
    out = np.array(values)
    return out / out.mean()


FREIGHT_SHARE = 0.15  # of the charged energy
# A day's charging by hour, Monday to Friday and at weekends, measured in Chinese cities (Zhan et al. 2025). [S]
EV_CHARGING = {
    ("car", "work"): _day(
        *(1.53, 1.25, 0.97, 0.73, 0.55, 0.45, 0.43, 0.46, 0.82, 0.97, 0.88, 0.86),
        *(0.93, 0.87, 0.79, 0.89, 0.92, 0.89, 1.04, 1.32, 1.52, 1.66, 1.62, 1.64),
    ),
    ("car", "rest"): _day(
        *(1.60, 1.34, 1.06, 0.81, 0.61, 0.50, 0.47, 0.39, 0.47, 0.64, 0.70, 0.77),
        *(0.82, 0.87, 0.90, 1.01, 1.08, 1.11, 1.18, 1.32, 1.46, 1.62, 1.61, 1.68),
    ),
    ("truck", "work"): _day(
        *(1.21, 0.87, 0.62, 0.44, 0.33, 0.38, 0.49, 0.63, 0.96, 1.23, 1.30, 1.22),
        *(1.05, 0.95, 0.90, 0.97, 1.10, 1.29, 1.36, 1.31, 1.29, 1.40, 1.33, 1.36),
    ),
    ("truck", "rest"): _day(
        *(1.23, 0.82, 0.60, 0.43, 0.30, 0.39, 0.48, 0.65, 1.16, 1.38, 1.25, 1.06),
        *(0.91, 0.93, 0.85, 0.88, 1.04, 1.28, 1.38, 1.35, 1.32, 1.42, 1.40, 1.48),
    ),
}
EV_DRIVING = {
    ("car", "work"): _day(
        *(0.10, 0.05, 0.05, 0.05, 0.10, 0.40, 1.20, 2.70, 2.20, 1.10, 0.90, 1.00),
        *(1.00, 0.90, 0.90, 1.00, 1.40, 2.60, 2.40, 1.40, 0.90, 0.70, 0.50, 0.25),
    ),
    ("car", "rest"): _day(
        *(0.15, 0.10, 0.05, 0.05, 0.10, 0.25, 0.50, 0.90, 1.40, 1.80, 1.80, 1.60),
        *(1.40, 1.40, 1.50, 1.60, 1.80, 1.90, 1.60, 1.20, 1.00, 0.80, 0.50, 0.30),
    ),
    ("truck", "work"): _day(*[0.45] * 5, 0.7, 1.0, *[1.4] * 4, 1.2, 1.1, *[1.4] * 5, 1.2, 1.0, 0.9, 0.8, 0.6, 0.5),
    ("truck", "rest"): _day(*[0.45] * 5, 0.7, 1.0, *[1.4] * 4, 1.2, 1.1, *[1.4] * 5, 1.2, 1.0, 0.9, 0.8, 0.6, 0.5),
}
# Vehicles at a charger, of all: 54 % have one of their own (1.157 M points less 0.143 M public, 1.868 M vehicles) [S].
EV_PLUGGED = np.array([0.52] * 6 + [0.46, 0.34, 0.28, 0.27, 0.27, 0.27, 0.27, 0.27, 0.27, 0.27, 0.27, 0.28])
EV_PLUGGED = np.concatenate([EV_PLUGGED, [0.32, 0.38, 0.43, 0.47, 0.50, 0.52]])
EV_LEAVES_H = {"work": 6, "rest": 8}  # the hour at whose end vehicles must be charged
EV_HELD = 0.25  # least energy at other hours
HOT_WATER = _day(*[0.4] * 5, 0.7, 1.3, 1.5, 1.0, *[0.6] * 7, 0.8, 1.0, 1.4, 1.9, 2.2, 2.2, 1.8, 1.0)
COOKING = _day(*[0.1] * 5, 0.8, 2.2, 1.8, 0.7, 0.6, 1.9, 3.0, 1.6, 0.6, 0.5, 0.7, 2.2, 3.2, 2.2, 1.0, 0.5, *[0.2] * 3)
BERTHS = _day(*[0.95] * 6, *[1.0] * 2, *[1.06] * 10, *[1.0] * 6)
PORT_STORM_MS = 17.2  # Beaufort 8: ports close
CALL_MONTHS = (6, 7, 11, 0)  # July, August, December, January: when interruptible load is called
# Industrial load that can be moved: p.u. of the block, by hour of a working day, and the level of other days.
SHIFTABLE = np.array([0.7] * 7 + [0.85] + [1.0] * 14 + [0.8] * 2)
SHIFTABLE_REST = 0.6
AC_LEAST = 0.01  # of the year's most: less than this hour of cooling or heating is none that could be moved [assumed]


def _by_day_type(table: dict[tuple[str, str], FloatArray], cal: Calendar) -> FloatArray:
    """Cars and trucks together, hour by hour; every day has a mean of 1. Shape (hours,)"""
    out = np.zeros((len(cal.days), 24))
    for who, share in (("car", 1.0 - FREIGHT_SHARE), ("truck", FREIGHT_SHARE)):
        out += share * np.where(cal.works[:, None], table[who, "work"], table[who, "rest"])
    return out.ravel()


class Place(NamedTuple):
    """Where a series is asked for, and in which weather."""

    weather: Weather
    load: ProvinceLoad
    profile: str
    lat_deg: float
    lon_deg: float

    @property
    def city(self) -> str:
        return self.profile.rsplit("/", maxsplit=1)[-1]

    @property
    def calendar(self) -> Calendar:
        return calendar(self.weather.year)

    @property
    def hour(self) -> NDArray[np.int64]:
        return np.arange(self.weather.hours) % 24

    @property
    def temperature_c(self) -> FloatArray:
        return self.load.temperature_c(self.city, *locate(self.city, self.lat_deg, self.lon_deg))


def _ev_days(at: Place) -> FloatArray:
    """V of equation (1). Shape (days,)"""
    day_c = at.temperature_c.reshape(-1, 24).mean(axis=1)
    weather = 1.0 + 0.012 * np.maximum(15.0 - day_c, 0.0) + 0.006 * np.maximum(day_c - 26.0, 0.0)
    return weather * (1.0 - 0.25 * festival_dip(at.calendar))


def _ev(at: Place) -> FloatArray:
    return np.repeat(_ev_days(at), 24) * _by_day_type(EV_CHARGING, at.calendar)


def _ev_drive(at: Place) -> FloatArray:
    return np.repeat(_ev_days(at), 24) * _by_day_type(EV_DRIVING, at.calendar)


def _building(at: Place) -> FloatArray:
    t = at.temperature_c
    heat = np.maximum(16.0 - (0.5 * t + 0.5 * running_mean(t, 24)), 0.0) * HEAT_HOURS[at.hour]
    heat /= max(float(heat.mean()), 1e-9)
    return 0.45 * heat + 0.25 * HOT_WATER[at.hour] + 0.30 * COOKING[at.hour]


def _shore_power(at: Place) -> FloatArray:
    open_port = at.weather.storm_wind_ms(at.lat_deg, at.lon_deg, at_sea=True) < PORT_STORM_MS
    return BERTHS[at.hour] * np.repeat(1.0 - 0.2 * festival_dip(at.calendar), 24) * open_port


def _data_centre(at: Place) -> FloatArray:
    return 1.0 + 0.004 * np.maximum(at.temperature_c - 18.0, 0.0)


_COMPONENT: dict[str, Callable[[Place], FloatArray]] = {
    "ev": _ev,
    "building": _building,
    "shore_power": _shore_power,
    "data_centre": _data_centre,
}
assert tuple(_COMPONENT) == COMPONENTS  # `load` says which there are, this module how they run


def _with_energy(shape: FloatArray, energy_twh: float) -> FloatArray:
    return shape * (energy_twh * 1e6 / float(shape.sum()))


def component_mw(kind: str, at: Place, energy_twh: float) -> FloatArray:
    """One component of the load of a city. [MW], rounded as series are, shape (hours,)"""
    return np.round(_with_energy(_COMPONENT[kind](at), energy_twh), 3)


def base_mw(at: Place, *, energy_twh: float, peak_mw: float, character: str) -> FloatArray:
    """The load of a city less the components that its character names, in TWh. [MW], shape (hours,)

    With ``weather=apart`` it is without ``load_ac`` of the same energy and peak, too. `tariff` and `elasticity` move
    load within its days (equation (4) of `load`). With the components of the same energies it adds up to the whole
    load to the last digit kept.
    """
    said = words(at.profile, character, {**dict.fromkeys((*COMPONENTS, "tariff", "elasticity")), "weather": ("apart",)})
    city = (f"load/{at.city}", at.lat_deg, at.lon_deg)
    whole = at.load.city_mw(*city, energy_twh=energy_twh, peak_mw=peak_mw)
    if "tariff" in said or "elasticity" in said:
        prices = decode(at.profile, said["tariff"]) if "tariff" in said else None
        answer = number(at.profile, said, "elasticity", low=0.0, high=1.0, default=TARIFF_RESPONSE)
        whole = whole + at.load.moved_mw(
            *city, energy_twh=energy_twh, peak_mw=peak_mw, prices=prices, elasticity=answer
        )
    rest = np.round(whole, 3)
    if "weather" in said:
        rest = rest - np.round(at.load.weather_mw(*city, energy_twh=energy_twh, peak_mw=peak_mw, part="both"), 3)
    for kind in COMPONENTS:
        own_twh = number(at.profile, said, kind, low=0.0, high=energy_twh, default=0.0)
        rest = rest - component_mw(kind, at, own_twh)
    if float(rest.min()) < 0.0:
        rule = f"names components of more than the whole load in {int((rest < 0).sum())} hours"
        raise InputError("profile_site", [Problem(f"{at.profile}: character", rule)])
    return rest


# ---- what flexible demand may do


def _ev_plug(at: Place, row: Any) -> FloatArray:
    del row
    return EV_PLUGGED[at.hour]


def _ev_departure(at: Place, row: Any) -> FloatArray:
    said = words(at.profile, str(row.character), {"held": None})
    held = number(at.profile, said, "held", low=EV_HELD, high=0.95, default=0.7)
    leaves = np.where(np.repeat(at.calendar.works, 24), EV_LEAVES_H["work"], EV_LEAVES_H["rest"])
    return np.where(at.hour == leaves, held, EV_HELD)


def _ac_hours(at: Place, row: Any) -> FloatArray:
    said = words(at.profile, str(row.character), {"of": ("cooling", "heating", "both")})
    mw = at.load.weather_mw(
        f"load/{at.city}", at.lat_deg, at.lon_deg, energy_twh=1.0, peak_mw=np.nan, part=said.get("of", "cooling")
    )
    share = mw / max(float(mw.max()), 1e-9)
    return np.where(share < AC_LEAST, 0.0, share)


def _dr_hours(at: Place, row: Any) -> FloatArray:
    del row
    level = np.where(at.calendar.works, 1.0, SHIFTABLE_REST) * (1.0 - 0.7 * festival_dip(at.calendar))
    return SHIFTABLE[at.hour] * np.repeat(level, 24)


def _dr_settled(at: Place, row: Any) -> FloatArray:
    """A store of moved load is half full when nothing is owed; by the end of each day nothing is."""
    del row
    return np.where(at.hour == 23, 0.5, 0.0)


def _dr_refill(at: Place, row: Any) -> FloatArray:
    """What a block may be called for again: calls a year, in the months of calls. [MW]"""
    said = words(at.profile, str(row.character), {"calls": None, "hours": None})
    calls = number(at.profile, said, "calls", low=0.0, high=366.0, default=20.0)
    hours = number(at.profile, said, "hours", low=0.5, high=24.0, default=2.0)
    season = np.isin(months_of_hours(at.weather.year), CALL_MONTHS)
    return np.where(season, calls * hours * float(row.rated_mw) / float(season.sum()), 0.0)


def _constant(at: Place, row: Any) -> FloatArray:
    return np.full(at.weather.hours, float(row.rated_mw))


def _hydrogen(at: Place, row: Any) -> FloatArray:
    """Demand for hydrogen by `pattern`: hour (flat), day (drawn by works and stations through the day), season.

    A pipeline serves the demand at its end before the tank there does, up to what it carries: `take` says how much of a
    city's demand one may serve [MW], `give` what it draws from here: "LIMIT:TWH,...", of the demand TWH at its end.
    """
    said = words(at.profile, str(row.character), {"pattern": ("hour", "day", "season"), "take": None, "give": None})
    pattern = said.get("pattern", "hour")
    shape = np.ones(at.weather.hours)
    if pattern == "day":
        shape = np.where((at.hour >= 7) & (at.hour < 21), 1.0, 0.25) * np.repeat(
            1.0 - 0.4 * festival_dip(at.calendar), 24
        )
    elif pattern == "season":
        day = np.arange(at.weather.hours) / 24.0
        shape = 1.0 + 0.3 * np.cos(2 * np.pi * (day - 15.0) / 365.25)  # most in the middle of January
    own = _with_energy(shape, float(row.energy_twh))
    own = own - np.minimum(own, number(at.profile, said, "take", low=0.0, high=np.inf, default=0.0))
    for limit_mw, twh in _ends(at.profile, said.get("give", "")):
        own = own + np.minimum(_with_energy(shape, twh), limit_mw)
    return own


def _ends(profile: str, text: str) -> list[tuple[float, float]]:
    """What pipelines carry, and the demand at their ends: "LIMIT:TWH,..."."""
    try:
        pairs = [tuple(map(float, part.split(":"))) for part in text.split(",") if part]
        return [(limit_mw, twh) for limit_mw, twh in pairs]
    except ValueError:
        rule = f"give must be LIMIT:TWH, with a comma between several, is {text!r}"
        raise InputError("profile_site", [Problem(f"{profile}: character", rule)]) from None


class Kind(NamedTuple):
    """A kind of series: its unit, the columns it needs as numbers, and how it is made."""

    unit: str
    needs: tuple[str, ...]
    make: Callable[[Place, Any], FloatArray]


def _component(kind: str) -> Kind:
    return Kind("MW", (*_SPOT, "energy_twh"), lambda at, row: component_mw(kind, at, float(row.energy_twh)))


def _base(at: Place, row: Any) -> FloatArray:
    peak_mw = float(row.rated_mw)
    return base_mw(at, energy_twh=float(row.energy_twh), peak_mw=peak_mw, character=str(row.character))


def _ac(at: Place, row: Any) -> FloatArray:
    said = words(at.profile, str(row.character), {"of": ("cooling", "heating", "both")})
    energy_twh, peak_mw = float(row.energy_twh), float(row.rated_mw)
    return at.load.weather_mw(
        f"load/{at.city}",
        at.lat_deg,
        at.lon_deg,
        energy_twh=energy_twh,
        peak_mw=peak_mw,
        part=said.get("of", "both"),
    )


def _drive(at: Place, row: Any) -> FloatArray:
    return _with_energy(_ev_drive(at), float(row.energy_twh))


_SPOT = ("lat_deg", "lon_deg")
DEMAND_KINDS: dict[str, Kind] = {
    "load_base": Kind("MW", (*_SPOT, "energy_twh"), _base),
    "load_ac": Kind("MW", (*_SPOT, "energy_twh"), _ac),
    **{f"load_{kind}": _component(kind) for kind in COMPONENTS},
    "ev_drive": Kind("MW", (*_SPOT, "energy_twh"), _drive),
    "ev_plug": Kind("1", (), _ev_plug),
    "ev_departure": Kind("1", (), _ev_departure),
    "ac_hours": Kind("1", _SPOT, _ac_hours),
    "dr_hours": Kind("1", (), _dr_hours),
    "dr_settled": Kind("1", (), _dr_settled),
    "dr_refill": Kind("MW", ("rated_mw",), _dr_refill),
    "constant": Kind("MW", ("rated_mw",), _constant),
    "hydrogen_demand": Kind("MW", ("energy_twh",), _hydrogen),
}
