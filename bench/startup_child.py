"""Run by `startup` in a process of its own: from nothing to the first window; prints one line of JSON.

The imports are those of ``gridsim run``, with the command line itself.
"""

import json
import time
from typing import Any


def main() -> None:
    """Stamp every stage with the CPU seconds of the process and the wall time since this line."""
    began, stamps = time.perf_counter(), {}

    def stamp(name: str) -> None:
        stamps[name] = {"cpu_s": time.process_time(), "wall_s": time.perf_counter() - began}

    from numba.core import event

    import gridsim.cli  # noqa: F401  # its settings are part of every run
    from gridsim.assemble import assemble
    from gridsim.plan import Planner
    from gridsim.scenario import load
    from gridsim.simulate import warmup

    stamp("imports")
    watch = _Compiling()
    with event.install_listener("numba:compile", watch):
        warmup()
        stamp("kernels")
        case = assemble(load("jiangsu-2024"))
        stamp("case")
        planner = Planner(case)
        planner.plan(0, 48, planner.first_state())
        stamp("first window")
    print(json.dumps({"stamps": stamps, "compiled": watch.rows()}))


class _Compiling:
    """CPU seconds of every function that numba compiled, without those it compiled on the way."""

    def __new__(cls) -> Any:
        from numba.core import event

        class Listener(event.Listener):
            def __init__(self) -> None:
                self.open: list[list[Any]] = []
                self.own_s: dict[str, float] = {}
                self.whole_s: dict[str, float] = {}

            def on_start(self, found: Any) -> None:
                self.open.append([time.process_time(), 0.0])

            def on_end(self, found: Any) -> None:
                start, inner = self.open.pop()
                spent = time.process_time() - start
                if self.open:
                    self.open[-1][1] += spent
                f = found.data["dispatcher"].py_func
                name = f"{f.__module__.removeprefix('gridsim.kernels.')}.{f.__qualname__}"
                self.own_s[name] = self.own_s.get(name, 0.0) + spent - inner
                if not self.open:
                    self.whole_s[name] = self.whole_s.get(name, 0.0) + spent

            def rows(self) -> list[dict[str, Any]]:
                return [
                    {"function": name, "own_s": own, "as_entry_s": self.whole_s.get(name)}
                    for name, own in sorted(self.own_s.items(), key=lambda item: -item[1])
                ]

        return Listener()


if __name__ == "__main__":
    main()
