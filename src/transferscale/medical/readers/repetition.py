"""The repetition time: which of configuration, JSON and header rules."""

from transferscale.medical.recording import UnreadableError
from transferscale.study.recordings import IMAGE_TR_S

# Relative difference of two repetition times that is more than rounding.
TR_TOLERANCE = 0.01


def repetition_time(
    configured: float | None, sidecar: float | None, header: float | None
) -> tuple[float, str]:
    """The repetition time in seconds, by the first of configuration, JSON and header, and a note where they
    differ.

    Raises
    ------
    UnreadableError
        If none of them says, or the one that rules cannot be true.
    """
    named = [("recordings.tr_s", configured), ("the JSON", sidecar), ("the header", header)]
    said = [(name, tr) for name, tr in named if tr is not None]
    if not said:
        raise UnreadableError("no repetition time in JSON or header; set recordings.tr_s")
    (chosen, tr_s), *others = said
    if not IMAGE_TR_S[0] <= tr_s <= IMAGE_TR_S[1]:
        raise UnreadableError(f"{chosen} says TR {tr_s:g} s, which cannot be; set recordings.tr_s")
    odd = [f"{name} says {tr:g} s" for name, tr in others if abs(tr - tr_s) > TR_TOLERANCE * tr_s]
    return tr_s, f"TR {tr_s:g} s from {chosen}, though {' and '.join(odd)}" if odd else ""
