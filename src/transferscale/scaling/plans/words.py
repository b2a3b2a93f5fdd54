"""A plan in a sentence: what is cheapest, and whether labelling alone is."""

from collections.abc import Mapping, Sequence

from transferscale.scaling.plans.ways import (
    INSIDE,
    LEAST,
    NOT_IDENTIFIED,
    NOT_REACHABLE,
    REACHABLE,
    Amount,
    Option,
    Question,
    Way,
)


def in_words(
    options: Sequence[Option], best: Option | None, p_cheapest: Mapping[str, float], question: Question
) -> str:
    """The plan in a sentence; whatever in it lies beyond the data says so.

    Parameters
    ----------
    best
        The arm whose cheapest way costs least, if there is one.
    p_cheapest
        Share of the draws in which each arm is the cheapest.
    """
    fitted = [one for one in options if one.surface is not None]
    head = f"{question.target.words}: "
    ways = [way for one in fitted for way in one.ways]
    if all(way.status == NOT_REACHABLE for way in ways):
        return head + "not reachable in range, " + _range(fitted, question)
    if not any(way.status == REACHABLE for way in ways):
        return head + "not identified, the draws do not agree on what it takes"
    if question.prices is not None:
        return head + _with_prices(fitted, best, p_cheapest)
    return head + _without_prices(fitted, question)


def extrapolated(way: Way) -> str:
    """How far beyond the data a way lies, to be said in the line that tells of it; empty within."""
    if way.extrapolated == 1:
        return ""
    return f"extrapolated {way.extrapolated:.{2 if way.extrapolated >= 1.1 else 3}g} x"


def number(value: float) -> str:
    """A cost or a number of subjects."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def interval(amount: Amount) -> str:
    """The 95 % interval of an amount in brackets, empty without one."""
    if amount.low is None or amount.high is None:
        return ""
    if amount.low == float("inf"):
        return ""
    high = "beyond the range" if amount.high == float("inf") else number(amount.high)
    return f" (95 % {number(amount.low)} to {high})"


def spent(one: Option, way: Way) -> str:
    """Compute and subjects of a way that is reachable, with the arm's name."""
    subjects = f"{way.bound and 'at most '}{number(way.subjects.value or 0)} subjects"
    if not one.pretrained:
        return f"labelling alone, {subjects} without pretraining ('{one.arm}')"
    hours = f" ({way.hours.value:.3g} hours)" if way.hours.value is not None else ""
    return f"{way.flops.value:.3g} FLOPs of pretraining{hours} and {subjects} ('{one.arm}')"


def _range(fitted: Sequence[Option], question: Question) -> str:
    most = [
        (one.surface.largest[0] * question.beyond, one.surface.largest[1] * question.beyond)
        for one in fitted
        if one.surface is not None
    ]
    flops, subjects = max(f for f, _ in most), max(s for _, s in most)
    subjects = min(subjects, question.most_subjects or subjects)
    compute = f"{flops:.3g} FLOPs of pretraining and " if flops else ""
    return f"which ends at {compute}{number(subjects)} subjects ({question.beyond:g} x the data)"


def _with_prices(fitted: Sequence[Option], best: Option | None, p_cheapest: Mapping[str, float]) -> str:
    if best is None:
        return "the least cost is not identified"
    way = best.way(LEAST)
    if way is None:
        raise ValueError("the best arm has no cheapest way")
    parts = [f"least cost {number(way.cost.value or 0)}{interval(way.cost)}: {spent(best, way)}"]
    if way.extrapolated > 1:
        inside = best.way(INSIDE)
        cost = None if inside is None else inside.cost.value
        parts.append(extrapolated(way) + ("" if cost is None else f", within the data {number(cost)}"))
    if best.arm in p_cheapest and len(p_cheapest) > 1:
        parts.append(f"the cheapest in {100 * p_cheapest[best.arm]:.0f} % of the draws")
    for other in fitted:
        theirs = other.way(LEAST)
        if other is not best and theirs is not None:
            told = theirs.status
            if theirs.cost.value is not None:
                told = number(theirs.cost.value)
                told += f", {extrapolated(theirs)}" if theirs.extrapolated > 1 else ""
            parts.append(f"'{other.arm}' {told}")
    return "; ".join(parts)


def _without_prices(fitted: Sequence[Option], question: Question) -> str:
    """Whether labelling alone is the cheapest at any price, or what a subject must cost for pretraining to pay."""
    trained = [one for one in fitted if one.pretrained]
    alone = _fewest([one for one in fitted if not one.pretrained])
    if alone is None:
        found = _fewest(trained)
        if found is None:
            raise ValueError("no arm reaches the target")
        without = "" if len(trained) == len(fitted) else "; without pretraining it is not"
        return f"the fewest subjects by {_told(*found)}{without}"
    plain, own = alone
    told = _told(plain, own)
    if not trained:
        return told
    many = own.subjects.value or 0.0
    pays = [
        ((way.flops.value or 0.0) / (many - way.subjects.value), i, one, way)
        for one in trained
        for i, way in enumerate(one.frontier)
        if way.subjects.value is not None and way.subjects.value < many
    ]
    if not pays:
        if any(_may_save(way, many) for one in trained for way in one.frontier):
            return f"{told}; whether pretraining saves subjects is not identified"
        return f"{told}; no pretraining in range needs fewer, so labelling alone is the cheapest at any price"
    flops, _, one, way = min(pays, key=lambda found: found[:2])
    price = f"{flops:.3g} FLOPs" if question.rate is None else f"{question.rate.hours(flops):.3g} hours"
    return (
        f"{told}; pretraining pays where a subject costs more than {price} of compute: {_told(one, way)}"
        + (_saves(one, plain))
    )


def _may_save(way: Way, many: float) -> bool:
    """Whether a way that is not identified may need fewer subjects than so many."""
    return way.status == NOT_IDENTIFIED and (way.subjects.low is None or way.subjects.low < many)


def _fewest(options: Sequence[Option]) -> tuple[Option, Way] | None:
    """The way of a frontier with the fewest subjects, and of those the least compute."""
    ways = [
        (way.subjects.value, way.flops.value or 0.0, i, way)
        for i, one in enumerate(options)
        for way in one.frontier
        if way.subjects.value is not None
    ]
    if not ways:
        return None
    _, _, at, way = min(ways, key=lambda found: found[:3])
    return options[at], way


def _told(one: Option, way: Way) -> str:
    return ", ".join(filter(None, [spent(one, way), extrapolated(way)]))


def _saves(one: Option, plain: Option) -> str:
    """Share of the draws in which an arm needs fewer subjects than labelling alone."""
    if one.fewest is None or plain.fewest is None or len(one.fewest) != len(plain.fewest):
        return ""
    if len(one.fewest) < 2:
        return ""
    share = 100 * float((one.fewest[1:] < plain.fewest[1:]).mean())
    return f"; it saves subjects in {share:.0f} % of the draws"
