"""The clock of what must not notice that somebody sets the clock of the machine."""

from __future__ import annotations

from sipwright.modules.steady import SteadyClock

NOW = 1_795_799_695.9


class Machine:
    """Its two clocks."""

    def __init__(self) -> None:
        self.up_s, self.set_by = 500.0, 0.0

    def clock(self) -> SteadyClock:
        return SteadyClock(lambda: NOW + self.up_s - 500 + self.set_by, lambda: self.up_s)


def test_it_goes_on_evenly() -> None:
    machine = Machine()
    clock = machine.clock()
    assert clock.now == int(NOW)
    for machine.set_by in (0.0, 3600.0, -3600.0, 1e9, -1e9):
        machine.up_s += 60
        at = clock.now
        assert at == int(NOW + machine.up_s - 500)
        assert clock.shown(at) == at + machine.set_by
        assert clock.noted(clock.shown(at)) == at


def test_never_stays_never() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.set_by = 3600
    assert (clock.shown(0), clock.noted(0)) == (0, 0)


def test_what_the_wall_clock_gains_in_small_steps_is_told_from_a_jump() -> None:
    """NTP slews both clocks alike; what is left between two readings of them is no second."""
    machine = Machine()
    clock = machine.clock()
    machine.set_by = 0.4
    assert clock.shown(clock.now) == clock.now
