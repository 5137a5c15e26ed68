"""Root finding of stop conditions: exact roots, jumps, and what is counted."""

import logging
from collections.abc import Callable

import numpy as np
import pytest
import verification_runs as runs

from femli.solver import Newton
from femli.solver_linear import NotConvergedError
from femli.stepper import Stepper
from femli.stepper_events import EXACT, PATIENT, Event, Root, bring_to_zero


def _root(condition: Callable[[float], float], high: float = 1.0) -> tuple[Root, list[float]]:
    """The root of a condition in (0, high], and where it was tried."""
    tried: list[float] = []

    def solved(at: float) -> float:
        tried.append(at)
        return condition(at)

    return bring_to_zero(solved, condition(0.0), high, condition(high)), tried


@pytest.mark.parametrize(
    ("condition", "root"),
    [
        (lambda h: 0.25 - h, 0.25),
        (lambda h: 0.5 - h**2, np.sqrt(0.5)),
        (lambda h: 1e-3 - h**9, 1e-3 ** (1 / 9)),  # flat, then steep: plain secants stall
        (lambda h: 0.7 - np.sqrt(h), 0.49),
        (lambda h: np.tanh(40 * (0.9 - h)), 0.9),
    ],
)
def test_a_smooth_condition_is_met_exactly(condition: Callable[[float], float], root: float) -> None:
    # Exact: the roots beside the conditions; the last trial is the result, since the state is left there.
    found, tried = _root(condition)
    assert abs(found.value) <= EXACT
    assert found.at == pytest.approx(root, rel=1e-7)
    assert tried[-1] == found.at
    assert len(tried) <= PATIENT


@pytest.mark.parametrize("step", [0.3, 1e-3])
def test_a_jump_ends_before_it(step: float) -> None:
    # Exact: a condition that falls from 1 to -2 at `step` has no zero: the last state before it is taken, to 1e-11.
    found, tried = _root(lambda h: 1.0 if h <= step else -2.0)
    assert found.value == 1.0
    assert step * (1 - 1e-11) - 1e-12 <= found.at <= step
    assert tried[-1] == found.at
    assert len(tried) < 70


def test_a_jump_at_once_ends_after_it() -> None:
    # Exact: no step at all cannot be taken: where the jump comes with the smallest step, that one is the result.
    found, tried = _root(lambda h: 1.0 if h == 0.0 else -1.0)
    assert 0.0 < found.at < 1e-11
    assert found.value == -1.0
    assert tried[-1] == found.at


def test_noise_of_the_solver_is_no_jump() -> None:
    # Exact: where a zero is only known to 3e-9, a value of that size is accepted, in a bounded number of solves.
    found, tried = _root(lambda h: 0.3 - h + 3e-9 * (1 if h < 0.3 else -1))
    assert abs(found.value) < 1e-8
    assert found.at == pytest.approx(0.3, abs=1e-8)
    assert len(tried) <= 70


def _stepper_with(*events: Event) -> Stepper:
    """A short foil some steps into its discharge, with stop conditions."""
    made = runs.stepper(runs.short(electrode__stress_coupling=False))
    for _ in range(12):
        made.advance()
    made.events = list(events)
    return made


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_two_conditions_in_one_step(order: tuple[int, int]) -> None:
    # Exact: time is linear in the step, so the condition met first in time ends the run at its own time, whichever is
    # listed first; the charge is the current times that time.
    made = _stepper_with()
    start, step = made.levels[0].time, 2.0 ** (made.ladder.index / 4) / 3600
    flux = made.newton.applied_flux

    def at(share: float) -> Event:
        return Event(f"at {share}", lambda: (start + share * step) * flux - made.charge())

    both = (at(0.7), at(0.4))
    made.events = [both[i] for i in order]
    taken = made.advance()
    assert taken.stop == "at 0.4"
    assert taken.time == pytest.approx(start + 0.4 * step, rel=1e-12)
    assert made.levels[0].charge == pytest.approx(flux * taken.time, rel=1e-12)


def test_a_condition_that_is_met_already_does_not_end_the_step() -> None:
    # Exact: what was met before the step is not met in it.
    made = _stepper_with(Event("long ago", lambda: -1.0))
    assert made.advance().stop is None


def test_all_solves_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    # Exact: the iterations of the accepted step are those of every solve since the last one, counted from outside.
    made = _stepper_with()
    start, step = made.levels[0].time, 2.0 ** (made.ladder.index / 4) / 3600
    made.events = [Event("half", lambda: (start + 0.5 * step) - made.charge() / made.newton.applied_flux)]
    solve, seen = Newton.solve, []

    def counted(self: Newton, data):
        counts = solve(self, data)
        seen.append((counts.newton, counts.linear))
        return counts

    monkeypatch.setattr(Newton, "solve", counted)
    taken = made.advance()
    assert taken.stop == "half"
    assert len(seen) >= 2
    assert (taken.counts.newton, taken.counts.linear) == tuple(np.sum(seen, axis=0))


def test_a_solve_that_fails_on_the_way_is_tried_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    # Exact: the time of the condition, although the first look for it does not converge: the step is rejected.
    made = _stepper_with()
    start, step = made.levels[0].time, 2.0 ** (made.ladder.index / 4) / 3600
    flux = made.newton.applied_flux
    made.events = [Event("half", lambda: (start / step + 0.5) - made.charge() / (flux * step))]
    solve, calls = Newton.solve, []

    def failing(self: Newton, data):
        calls.append(data.time)
        if len(calls) == 2:
            raise NotConvergedError("as the test wants it")
        return solve(self, data)

    monkeypatch.setattr(Newton, "solve", failing)
    rejected = 0
    while True:
        taken = made.advance()
        rejected += taken.rejected
        if taken.stop:
            break
    assert rejected == 1
    assert taken.time == pytest.approx(start + 0.5 * step, rel=1e-12)


def test_a_jump_is_said_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    # Exact: the run ends at the last state before the jump, and the log names the condition.
    made = _stepper_with()
    start, step = made.levels[0].time, 2.0 ** (made.ladder.index / 4) / 3600
    edge = (start + 0.3 * step) * made.newton.applied_flux
    made.events = [Event("falls", lambda: 1.0 if made.charge() <= edge else -1.0)]
    with caplog.at_level(logging.WARNING, "femli"):
        taken = made.advance()
    assert taken.stop == "falls"
    assert made.levels[0].charge == pytest.approx(edge, rel=1e-9)
    assert "falls jumps" in caplog.text
