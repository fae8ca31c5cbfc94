"""AC power flow of one island, hour after hour: Newton-Raphson by lightsim2grid, with the controls of the hour.

With V the voltages, Y the admittances and S what is fed in, every node has ::

    V conj(Y V) = S                                                                                       (1)

Where a voltage is held, its magnitude is given and the reactive power is what (1) says; one node gives the angle.
After each solution, in this order and until nothing moves:

* reactive range: a node beyond it gives its limit and lets the voltage go; one at a limit whose voltage is on the far
  side of its setpoint holds it again, at most `TURNS` times an hour;
* losses: what (1) asks of the node of the angle beside its dispatch is shared by all units on, by their capacity, until
  less than `LOSS_MW` is left;
* switched shunts, then taps: each node outside its band moves by one step, one way only within the hour.

An hour begins with the voltages, steps and taps of the hour before; if that does not converge, with angles of the DC
flow and voltages at their setpoints; if that does not, likewise with switched shunts that balance each node.
"""

from dataclasses import dataclass

import numpy as np
from lightsim2grid.algorithm import NRSing_KLU
from numpy.typing import NDArray
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import spsolve

from gridsim.acheck.net import ComplexArray, FloatArray, Grid, IntArray

BoolArray = NDArray[np.bool_]

MISMATCH_PU = 1e-9
ITERATIONS = 20
ROUNDS = 80  # solutions of one hour
TURNS = 3  # how often a node may hold its voltage again within an hour
Q_MVAR, V_PU, LOSS_MW = 1e-2, 1e-6, 1e-3

FREE, HELD, MOST, LEAST = 0, 1, 2, 3  # of a node: nobody holds its voltage, it is held, all or the least is given
SOLVED, RESTARTED, UNSETTLED, DIVERGED, NOT_ASKED = 0, 1, 2, 3, -1


@dataclass
class Hour:
    """One hour at the nodes of an island."""

    p_mw: FloatArray
    q_mvar: FloatArray
    holds: BoolArray
    vm_pu: FloatArray
    q_min_mvar: FloatArray
    q_max_mvar: FloatArray
    capacity_mw: FloatArray
    shift_rad: FloatArray  # beyond the net's, of each branch


@dataclass
class Solution:
    """What an hour of an island came to; voltages are nan where it did not converge."""

    status: int
    voltage: ComplexArray
    held_mvar: FloatArray  # reactive power of what holds voltages, at its node
    p_mw: FloatArray  # fed in, shares of the losses included
    mode: IntArray
    iterations: int
    rounds: int


class Island:
    """The nodes of one island and the state that an hour leaves to the next."""

    def __init__(self, grid: Grid, number: int, reference: int):
        self.grid = grid
        self.base = grid.base_mva
        self.nodes = np.flatnonzero(grid.island == number)
        self.n = len(self.nodes)
        local = np.full(grid.nodes, -1, dtype=np.int64)
        local[self.nodes] = np.arange(self.n)
        self.branches = np.flatnonzero(local[grid.begin] >= 0)
        self.begin, self.end = local[grid.begin[self.branches]], local[grid.end[self.branches]]
        self.reference = int(local[reference])
        self.bank = np.flatnonzero(local[grid.compensation.node] >= 0)
        self.bank_node = local[grid.compensation.node[self.bank]]
        self.changer = np.flatnonzero(local[grid.taps.node] >= 0)
        self.changer_node = local[grid.taps.node[self.changer]]
        self.step, self.tap = grid.compensation.at_rest.copy(), grid.taps.at_rest.copy()
        self.solver = NRSing_KLU()
        self.voltage: ComplexArray | None = None
        self.mode = np.full(self.n, HELD)
        self.shared_mw = 0.0  # by units beside their dispatch, in the hour before
        self.shift = np.zeros(len(self.branches))
        rows = np.concatenate((self.begin, self.begin, self.end, self.end, np.arange(self.n)))
        columns = np.concatenate((self.begin, self.end, self.begin, self.end, np.arange(self.n)))
        key, self._place = np.unique(columns * self.n + rows, return_inverse=True)
        pointer = np.searchsorted(key, np.arange(self.n + 1) * self.n).astype(np.int32)
        values = np.zeros(len(key), dtype=np.complex128)
        self.y = csc_matrix((values, (key % self.n).astype(np.int32), pointer), shape=(self.n, self.n))
        self.restate()

    def restate(self) -> None:
        """Admittances with the steps, taps and shifts as they are now."""
        self.four, node = self._branch_admittances(), self.grid.y_node[self.nodes].copy()
        bank = self.grid.compensation
        np.add.at(node, self.bank_node, bank.y_step[self.bank] * self.step[self.bank])
        self.y.data[:] = 0.0
        np.add.at(self.y.data, self._place, np.concatenate((self.four.T.ravel(), node)))

    def _branch_admittances(self) -> ComplexArray:
        """(branches of the island, 4)."""
        four, taps = self.grid.y.copy(), self.grid.taps
        for k in self.changer:
            four[taps.branch[k]] = taps.y[k][self.tap[k] - taps.least[k]]
        four = four[self.branches]
        four[:, 1] *= np.exp(1j * self.shift)
        four[:, 2] *= np.exp(-1j * self.shift)
        return four

    def solve(self, hour: Hour) -> Solution:
        """Go on to an hour."""
        if not np.array_equal(hour.shift_rad[self.branches], self.shift):
            self.shift = hour.shift_rad[self.branches]
            self.restate()
        step, tap, tries = self.step.copy(), self.tap.copy(), 0
        found = self._settle(hour, warm=self.voltage is not None)
        while found.status == DIVERGED and tries < 2:
            tries += 1
            self.step, self.tap = step.copy(), tap.copy()
            if tries == 2:
                self._balance(hour)
            self.restate()
            found = self._settle(hour, warm=False)
        if found.status == DIVERGED:
            self.voltage = None
            self.step, self.tap = step, tap
            self.restate()
            return found
        if tries:
            found.status = max(found.status, RESTARTED)
        self.voltage, self.mode = found.voltage, found.mode
        self.shared_mw = float(found.p_mw.sum() - hour.p_mw.sum())
        return found

    def _settle(self, hour: Hour, warm: bool) -> Solution:
        p, capacity = hour.p_mw.copy(), hour.capacity_mw
        holds, room = hour.holds.copy(), hour.q_max_mvar - hour.q_min_mvar
        if not holds.any():  # nobody is left to hold a voltage: the net's reference does
            holds[self.reference], room[self.reference] = True, np.inf
        mode = np.where(holds, HELD, FREE)
        if warm:
            mode[holds & (self.mode > HELD)] = self.mode[holds & (self.mode > HELD)]
        voltage = self.voltage if warm and self.voltage is not None else self._guess(hour)
        turns, went = np.zeros(self.n, dtype=np.int64), np.zeros(self.n, dtype=np.int64)
        iterations, forced = 0, -1
        share = capacity / capacity.sum() if capacity.sum() > 0 else None
        if share is not None and warm:
            p += share * self.shared_mw  # a first guess
        for rounds in range(1, ROUNDS + 1):
            held = np.flatnonzero(mode == HELD)
            if not held.size:  # all are at a limit: the largest range has to hold on beyond it
                forced = int(np.argmax(np.where(holds, room, -np.inf)))
                mode[forced] = HELD
                held = np.array([forced])
            angle = int(held[np.argmax(room[held])])
            if share is None and mode[self.reference] == HELD:
                angle = self.reference  # no unit is on to take up losses: the net's reference does
            limit = np.select((mode == MOST, mode == LEAST), (hour.q_max_mvar, hour.q_min_mvar), 0.0)
            power = (p + 1j * (hour.q_mvar + limit)) / self.base
            converged, voltage, count = self._newton(voltage, power, held, angle, hour.vm_pu)
            iterations += count
            if not converged:
                nothing = np.full(self.n, np.nan)
                return Solution(DIVERGED, nothing + 0j, nothing, p, mode, iterations, rounds)
            given = voltage * np.conj(self.y @ voltage) * self.base
            given_mvar = np.where(mode == HELD, given.imag - hour.q_mvar, limit)
            left = float(given[angle].real - p[angle])
            if share is None:
                p[angle] += left
                left = 0.0
            else:
                p += share * left
            moved = self._limits(hour, mode, turns, given_mvar, np.abs(voltage), forced)
            if moved or abs(left) > LOSS_MW or self._switch(np.abs(voltage), went):
                continue
            status = SOLVED if forced < 0 else UNSETTLED
            return Solution(status, voltage, given_mvar, p, mode, iterations, rounds)
        return Solution(UNSETTLED, voltage, given_mvar, p, mode, iterations, ROUNDS)

    def _newton(
        self, voltage: ComplexArray, power: ComplexArray, held: IntArray, angle: int, vm_pu: FloatArray
    ) -> tuple[bool, ComplexArray, int]:
        start = voltage.copy()
        start[held] *= vm_pu[held] / np.abs(start[held])
        if self.n == 1:
            return True, start, 0
        free = np.ones(self.n, dtype=bool)
        free[held] = False
        weight = np.zeros(self.n)
        weight[angle] = 1.0
        converged = self.solver.solve(
            self.y, start, power, np.array([angle], dtype=np.int32), weight,
            held[held != angle].astype(np.int32), np.flatnonzero(free).astype(np.int32), ITERATIONS, MISMATCH_PU,
        )  # fmt: skip
        found = np.array(self.solver.get_V()) if converged else start
        return bool(converged and np.isfinite(found).all()), found, int(self.solver.get_nb_iter())

    def _limits(
        self, hour: Hour, mode: IntArray, turns: IntArray, given_mvar: FloatArray, vm: FloatArray, forced: int
    ) -> bool:
        """Move nodes to and from their reactive limits, in `mode`; whether any moved."""
        held = mode == HELD
        held[forced if forced >= 0 else slice(0, 0)] = False
        back = (mode == MOST) & (vm > hour.vm_pu + V_PU) | (mode == LEAST) & (vm < hour.vm_pu - V_PU)
        back &= turns < TURNS
        most, least = held & (given_mvar > hour.q_max_mvar + Q_MVAR), held & (given_mvar < hour.q_min_mvar - Q_MVAR)
        mode[most], mode[least], mode[back] = MOST, LEAST, HELD
        turns[back] += 1
        return bool(most.any() or least.any() or back.any())

    def _balance(self, hour: Hour) -> None:
        """Set the switched shunts so that each node's reactive power is nearest to balance at 1 p.u."""
        bank, four = self.grid.compensation, self.four
        surplus = hour.q_mvar + self.grid.y_node[self.nodes].imag * self.base
        np.add.at(surplus, self.begin, (four[:, 0] + four[:, 1]).imag * self.base)
        np.add.at(surplus, self.end, (four[:, 2] + four[:, 3]).imag * self.base)
        self.step[self.bank] = 0
        for row, node in zip(self.bank, self.bank_node, strict=True):
            each = bank.y_step[row].imag * self.base  # what a step feeds in
            self.step[row] = int(np.clip(np.rint(-surplus[node] / each), 0, bank.most[row]))
            surplus[node] += self.step[row] * each

    def _switch(self, vm: FloatArray, went: IntArray) -> bool:
        """Move shunts, else taps, by one step where the voltage is outside its band; whether any moved."""
        moved = self._switch_shunts(vm, went) or self._move_taps(vm, went)
        if moved:
            self.restate()
        return moved

    def _switch_shunts(self, vm: FloatArray, went: IntArray) -> bool:
        bank, moved = self.grid.compensation, set()
        at = vm[self.bank_node]
        way = np.where(at < bank.vm_low[self.bank], 1, np.where(at > bank.vm_high[self.bank], -1, 0))
        # what is on comes off before what is off comes on: no capacitor beside a reactor
        for off in (True, False):
            for k in np.flatnonzero(way):
                node, row = int(self.bank_node[k]), self.bank[k]
                up = 1 if (bank.y_step[row].imag > 0) == (way[k] > 0) else -1  # more steps raise it, or fewer
                free = self.step[row] > 0 if up < 0 else self.step[row] < bank.most[row]
                if (up < 0) != off or not free or node in moved or went[node] == -way[k]:
                    continue
                self.step[row] += up
                went[node] = way[k]
                moved.add(node)
        return bool(moved)

    def _move_taps(self, vm: FloatArray, went: IntArray) -> bool:
        taps, moved = self.grid.taps, False
        for k, node in zip(self.changer, self.changer_node, strict=True):
            off = vm[node] - taps.vm_set[k]
            way = -int(np.sign(off)) if abs(off) > taps.half_band[k] else 0
            to = self.tap[k] + way * taps.raises[k]
            if way and went[node] != -way and taps.least[k] <= to <= taps.most[k]:
                self.tap[k], went[node], moved = to, way, True
        return moved

    def _guess(self, hour: Hour) -> ComplexArray:
        """Setpoints, and angles of the DC flow."""
        b = self.grid.b_dc[self.branches]
        shift = self.grid.shift_rad[self.branches] + self.shift
        rows = np.concatenate((self.begin, self.end, self.begin, self.end))
        columns = np.concatenate((self.begin, self.end, self.end, self.begin))
        matrix = csc_matrix((np.concatenate((b, b, -b, -b)), (rows, columns)), shape=(self.n, self.n))
        right = hour.p_mw / self.base
        np.add.at(right, self.begin, b * shift)
        np.add.at(right, self.end, -b * shift)
        others = np.flatnonzero(np.arange(self.n) != self.reference)
        theta = np.zeros(self.n)
        if others.size:
            theta[others] = spsolve(matrix[others][:, others], right[others])
        return np.where(hour.holds, hour.vm_pu, 1.0) * np.exp(1j * theta)
