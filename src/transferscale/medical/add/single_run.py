"""How the only run of the only person is tested: cut into stretches, if what is asked comes in all of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from transferscale.medical.add.choices import LAG_S, Because, Section
from transferscale.medical.add.lengths import FRAMES, even
from transferscale.medical.events import Event, events_of, read_events
from transferscale.medical.readers.stretches import stretches
from transferscale.medical.recording import Facts, Found
from transferscale.medical.windows import EVENT, PAUSE, usable_windows
from transferscale.study.cleaning import Cleaning
from transferscale.study.view import Windows

# As many stretches as there are folds by default, or a few more where a type of event would be missing in two of them.
NUMBERS = (5, 6, 7, 8)
ALONE = "one person with one run: parts of it are held out"


def cut(
    root: Path, found: Found, facts: Facts, clean: Section, windows: Section, because: Because
) -> tuple[Section, Section] | None:
    """Keys ``unit`` and ``stretches``, and the windows; ``None`` where there is no way to test the run.

    The types of events are told apart where every one comes in all stretches but one. Where they do not, as where each
    is shown in one block alone, events are told from pauses.

    Parameters
    ----------
    root, found, facts
        The recording, which has events.
    clean, windows
        Sections of the dataset file, the windows at events.
    because
        Gets the reasons.
    """
    path = root / found.files["events"]
    events = read_events(path)
    types = sorted({event.trial_type for event in events} - {""})
    number = _number(path, facts, clean, windows, types) if len(types) > 1 else None
    if number is not None:
        because["stretches"] = f"every type of event comes in at least {number - 1} of {number}"
    else:
        windows = _event_or_pause(events, facts)
        number = _number(path, facts, clean, windows, (EVENT, PAUSE))
        if number is None:
            return None
        because["stretches"] = f"events and pauses come in at least {number - 1} of {number}"
        because["windows.volumes"] = (
            f"{windows['volumes'] * facts.tr_s:g} s: half of a pause or of a block of events, as a rule"
        )
        because["windows.events"] = (
            "types of events come in too few stretches to be told apart, so pauses are told from events"
        )
        because["tasks.trial_type"] = "is anything shown"
    because["unit"] = f"{ALONE}, which says nothing of other runs or people"
    return {"unit": "stretch", "stretches": number}, windows


def _number(path: Path, facts: Facts, clean: Section, windows: Section, types: Sequence[str]) -> int | None:
    """Smallest number of stretches such that every type has windows in all of them but one at most."""
    # What is scrubbed is not known yet, and leaves out few windows.
    spec: dict[str, Any] = {
        "clean": Cleaning.model_validate(clean).spec(),
        "windows": Windows.model_validate(windows).spec(),
    }
    for number in NUMBERS:
        kinds = []
        for stretch in stretches(facts.n_volumes, number):
            events, _ = events_of(path, stretch.volumes, facts.tr_s, stretch)
            own = usable_windows(spec, stretch.volumes, facts.tr_s, None, events)
            kinds.append({window.trial_type for window in own})
        if all(kinds) and all(sum(kind in own for own in kinds) >= number - 1 for kind in types):
            return number
    return None


def _event_or_pause(events: Sequence[Event], facts: Facts) -> Section:
    """Windows of which two fit into a pause, or into a block of events, of median length."""
    onsets = np.array([event.onset_s for event in events])
    ends = np.maximum.accumulate([event.onset_s + event.duration_s for event in events])
    pauses = onsets[1:] - ends[:-1]
    # Two volumes are the shortest window, so what is shorter is no pause.
    breaks = np.flatnonzero(pauses >= even(0) * facts.tr_s)
    first, last = np.append(0, breaks + 1), np.append(breaks, len(events) - 1)
    shorter = min(
        float(np.median(ends[last] - onsets[first])), float(np.median(pauses[breaks])) if len(breaks) else 0.0
    )
    volumes = even(min(FRAMES, int(shorter / 2 / facts.tr_s)))
    return {"volumes": volumes, "events": {"lag_s": LAG_S, "pauses": True}}
