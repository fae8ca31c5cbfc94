"""Recompute a run from its results file and the net in it, and say what does not hold.

`audit` shares no code with what made the file: numpy, scipy and pandapower only, on the tables and series of the
file. It checks that the file is whole; the hourly balance; limits, counts and minimum times of units; sources and
their ramps; curtailment and its causes; stores; reserves; DC flows solved again, against what is stored, against
ratings and interfaces, and against pandapower's ``rundcpp``; budgets; costs, emissions and the summary. A limit that
was exceeded passes only as far as the file records a slack for it (unserved, spilled, short, overloaded), and that
slack is priced.

>>> report = audit(Path("results/jiangsu-2024.h5"))
>>> print(report.as_text())
"""

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gridsim.audit_ac import check_ac
from gridsim.audit_budgets import check_budgets
from gridsim.audit_carbon import check_carbon
from gridsim.audit_data import AuditRow, check_whole, open_record, read_record
from gridsim.audit_devices import check_devices
from gridsim.audit_ledger import check_ledger
from gridsim.audit_money import check_money
from gridsim.audit_network import check_network
from gridsim.audit_settlement import check_settlement
from gridsim.errors import InputError, IntegrityError, Problem
from gridsim.seal import is_sealed

__all__ = ["AuditReport", "AuditRow", "audit"]


@dataclass(frozen=True)
class AuditReport:
    """What was checked and found."""

    path: str
    hours: int
    rows: list[AuditRow]

    @property
    def ok(self) -> bool:
        return all(row.ok for row in self.rows)

    @property
    def failed(self) -> list[AuditRow]:
        return [row for row in self.rows if not row.ok]

    def row(self, check: str) -> AuditRow:
        """The row of that name."""
        return next(row for row in self.rows if row.check == check)

    def as_dict(self) -> dict[str, Any]:
        """For JSON: numbers that are not finite become None."""
        rows = [
            {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in asdict(row).items()}
            for row in self.rows
        ]
        return {"path": self.path, "hours": self.hours, "ok": self.ok, "rows": rows}

    def as_text(self) -> str:
        """A table for people: one line a check."""
        width = max(len(row.check) for row in self.rows)
        lines = [f"{'check':<{width}}  {'':4}  {'worst':>10}  {'limit':>8}  {'beyond':>7}  unit         where"]
        for row in self.rows:
            mark = "ok" if row.ok else "FAIL"
            limit = "-" if math.isinf(row.limit) else f"{row.limit:.3g}"
            where = row.where if len(row.where) <= 90 else row.where[:87] + "..."
            lines.append(
                f"{row.check:<{width}}  {mark:4}  {row.worst:>10.3g}  {limit:>8}  {row.violations:>7}"
                f"  {row.unit:<11}  {where}".rstrip()
            )
        count = len(self.failed)
        verdict = "nothing is off" if self.ok else f"{count} {'check' if count == 1 else 'checks'} failed"
        lines.append(f"{self.path}: {self.hours} hours, {len(self.rows)} checks, {verdict}")
        return "\n".join(lines)


def audit(path: Path) -> AuditReport:
    """Check every hour of a finished run.

    Parameters
    ----------
    path : Path
        Results file of ``gridsim run``. It is only read.

    Returns
    -------
    AuditReport
        One row a check. ``ok`` is False as soon as one deviation is beyond its limit, or a number is not finite.

    Raises
    ------
    InputError
        If the run did not keep everything.
    IntegrityError
        If the file cannot be opened, is not a gridsim run, or lacks a dataset.
    """
    file = open_record(path)
    try:
        keep = file["meta"].attrs.get("keep", "full") if "meta" in file else "full"
        if keep != "full":
            rule = f'must be "full" for an audit, which looks at everything: this run kept "{keep}"'
            raise InputError(str(path), [Problem("output.keep", rule)])
        record = read_record(file)
        rows = check_whole(record)
        if all(row.ok for row in rows):  # else the other checks would compare arrays that do not fit together
            rows += [*check_devices(record), *check_network(record), *check_budgets(record), *check_money(record)]
            rows += [*check_ledger(record), *check_settlement(record), *check_carbon(record)]
            rows += check_ac(record)
        return AuditReport(str(path), record.hours, rows)
    except (IntegrityError, InputError):
        raise
    except Exception as error:  # whatever h5py and numpy meet in a damaged file
        if is_sealed(path):
            raise  # the file is as it was written: this is a bug
        raise IntegrityError(f"{path}: is damaged or incomplete ({type(error).__name__}: {error})") from error
    finally:
        file.close()
