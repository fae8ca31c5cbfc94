"""The IEEE Reliability Test System of 1979: its generation and load model as figures.

Source: IEEE Committee Report, "IEEE Reliability Test System", IEEE Transactions on Power Apparatus and Systems, PAS-98
(6), 1979, pp. 2047-2054, doi 10.1109/TPAS.1979.319398: tables of weekly, daily and hourly peaks, and of generating
units. Published indices: LOLE 9.39418 h a year of 8,736 hourly loads, 1.36886 days a year of 364 daily peaks, EENS
1,176 MWh (R. N. Allan, R. Billinton, N. M. K. Abdel-Gawad, "The IEEE Reliability Test System - Extensions to and
Evaluation of the Generating System", IEEE Transactions on Power Systems 1 (4), 1986, doi 10.1109/TPWRS.1986.4335006).
"""

import numpy as np

PEAK_MW = 2850.0
UNITS = (  # number, MW, mean time to failure, to repair, h
    (5, 12.0, 2940.0, 60.0),
    (4, 20.0, 450.0, 50.0),
    (6, 50.0, 1980.0, 20.0),
    (4, 76.0, 1960.0, 40.0),
    (3, 100.0, 1200.0, 50.0),
    (4, 155.0, 960.0, 40.0),
    (3, 197.0, 950.0, 50.0),
    (1, 350.0, 1150.0, 100.0),
    (2, 400.0, 1100.0, 150.0),
)
WEEK = (  # peak of each week, % of the year's
    86.2, 90.0, 87.8, 83.4, 88.0, 84.1, 83.2, 80.6, 74.0, 73.7, 71.5, 72.7, 70.4, 75.0, 72.1, 80.0, 75.4, 83.7,
    87.0, 88.0, 85.6, 81.1, 90.0, 88.7, 89.6, 86.1, 75.5, 81.6, 80.1, 88.0, 72.2, 77.6, 80.0, 72.9, 72.6, 70.5,
    78.0, 69.5, 72.4, 72.4, 74.3, 74.4, 80.0, 88.1, 88.5, 90.9, 94.0, 89.0, 94.2, 97.0, 100.0, 95.2,
)  # fmt: skip
DAY = (93.0, 100.0, 98.0, 96.0, 94.0, 77.0, 75.0)  # peak of each day from Monday on, % of the week's
HOUR = {  # % of the day's peak: weekday, weekend
    "winter": (
        (67, 63, 60, 59, 59, 60, 74, 86, 95, 96, 96, 95, 95, 95, 93, 94, 99, 100, 100, 96, 91, 83, 73, 63),
        (78, 72, 68, 66, 64, 65, 66, 70, 80, 88, 90, 91, 90, 88, 87, 87, 91, 100, 99, 97, 94, 92, 87, 81),
    ),
    "summer": (
        (64, 60, 58, 56, 56, 58, 64, 76, 87, 95, 99, 100, 99, 100, 100, 97, 96, 96, 93, 92, 92, 93, 87, 72),
        (74, 70, 66, 65, 64, 62, 62, 66, 81, 86, 91, 93, 93, 92, 91, 91, 92, 94, 95, 95, 100, 93, 88, 80),
    ),
    "between": (
        (63, 62, 60, 58, 59, 65, 72, 85, 95, 99, 100, 99, 93, 92, 90, 88, 90, 92, 96, 98, 96, 90, 80, 70),
        (75, 73, 69, 66, 65, 65, 68, 74, 83, 89, 92, 94, 91, 90, 90, 86, 85, 88, 92, 100, 97, 95, 90, 85),
    ),
}


def season(week: int) -> str:
    """Of a week numbered from 1."""
    if week <= 8 or week >= 44:
        return "winter"
    return "summer" if 18 <= week <= 30 else "between"


def daily_peaks() -> np.ndarray:
    """364 of them. [MW]"""
    return PEAK_MW * np.outer(WEEK, DAY).ravel() / 1e4


def hourly_load() -> np.ndarray:
    """8,736 of them. [MW]"""
    shapes = [HOUR[season(week)][day >= 5] for week in range(1, 53) for day in range(7)]
    return (daily_peaks()[:, None] * np.array(shapes) / 100.0).ravel()


def outage_table(step_mw: float = 1.0) -> np.ndarray:
    """Probability of each capacity on outage in whole MW, by convolution of all units."""
    total = int(sum(n * mw for n, mw, _, _ in UNITS) / step_mw)
    p = np.zeros(total + 1)
    p[0] = 1.0
    for n, mw, mttf_h, mttr_h in UNITS:
        q, k = mttr_h / (mttf_h + mttr_h), int(mw / step_mw)
        for _ in range(n):
            moved = np.zeros_like(p)
            moved[k:] = p[:-k]
            p = (1.0 - q) * p + q * moved
    return p


def indices(load_mw: np.ndarray) -> tuple[float, float]:
    """Expected number of loads that cannot be served, and expected energy not served [MWh], of one hour each."""
    p = outage_table()
    left = np.arange(p.size)[::-1]  # MW in service, largest outage last
    short = np.maximum(load_mw[:, None] - left[None, :], 0.0)
    return float(((short > 1e-9) @ p).sum()), float((short @ p).sum())
