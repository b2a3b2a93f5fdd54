"""Warm-up, constant, decay."""

from hypothesis import given
from hypothesis import strategies as st

from transferscale.pretrain.schedule import Schedule
from transferscale.study.pretrain import steps


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    warmup, trunk, decay = draw(st.integers(1, 20)), draw(st.integers(1, 200)), draw(st.integers(1, 60))
    return Schedule(warmup, 0, warmup + trunk, warmup + trunk + decay)


@given(schedules())
def test_the_rate_rises_stays_and_falls_and_never_reaches_zero(schedule: Schedule) -> None:
    factors = [schedule.factor(step) for step in range(schedule.end)]
    assert all(0 < factor <= 1 for factor in factors)
    rise, trunk = factors[: schedule.warmup], factors[schedule.warmup : schedule.trunk_end]
    decay = factors[schedule.trunk_end :]
    assert rise == sorted(rise)
    assert rise[-1] == 1
    assert set(trunk) == {1.0}
    assert decay == sorted(decay, reverse=True)
    assert decay[0] < 1
    assert schedule.factor(schedule.end) == 0


@given(schedules(), st.integers(1, 100))
def test_a_rung_does_not_change_the_trunk_of_the_next(schedule: Schedule, more: int) -> None:
    later = Schedule(
        schedule.warmup, schedule.trunk_end, schedule.trunk_end + more, schedule.trunk_end + 2 * more
    )
    assert all(later.factor(step) == schedule.factor(step) for step in range(schedule.trunk_end))
    assert [later.phase(s) for s in (later.start, later.trunk_end)] == ["trunk", "decay"]


def test_clips_become_the_nearest_number_of_steps() -> None:
    assert [steps(clips, 32) for clips in (800, 1000, 2000, 4000)] == [25, 31, 62, 125]
