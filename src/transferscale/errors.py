"""Ground floor: errors about a person's input, told in one sentence."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Something in the user's input is wrong; the message names the file, the key and what to do.

    The command line prints the message alone and exits with status 1 (``-v`` adds the traceback).
    """


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return the tail of a sentence that offers the nearest valid name, or all of them when none is near.

    >>> nearest("dephts", ["depths", "seeds"])
    "did you mean 'depths'?"
    """
    names = sorted(str(v) for v in valid)
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'?"
    return "valid are: " + ", ".join(f"'{n}'" for n in names) if names else "none is valid here"
