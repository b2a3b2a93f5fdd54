"""The laws. Every class of this folder's modules that is a law is known by its name: adding one is one class."""

from importlib import import_module
from inspect import isclass
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from transferscale.errors import UserError, nearest
from transferscale.scaling.laws.base import Law

MOST_BREAKS = 3


def _forms() -> dict[str, list[Any]]:
    """Law classes by name; forms of one name differ in the number of their variables."""
    found: dict[str, list[Any]] = {}
    for module in iter_modules([str(Path(__file__).parent)]):
        loaded = import_module(f"{__name__}.{module.name}")
        members: list[Any] = [member for member in vars(loaded).values() if isclass(member)]
        for form in members:
            if form.__module__ == loaded.__name__ and isinstance(getattr(form, "variables", None), tuple):
                found.setdefault(form.name, []).append(form)
    return found


FORMS = _forms()


def law(name: str, variables: int = 1, breaks: int = 1) -> Law:
    """The law of a name for a number of variables.

    Raises
    ------
    UserError
        If there is no such law, or it has another number of variables or breaks.
    """
    if name not in FORMS:
        raise UserError(f"law '{name}' is unknown; {nearest(name, FORMS)}")
    forms = FORMS[name]
    for form in forms:
        if len(form.variables) == variables:
            if name != "broken":
                found: Law = form()
                return found
            if not 0 <= breaks <= MOST_BREAKS:
                raise UserError(f"law 'broken' takes 0 to {MOST_BREAKS} breaks, not {breaks}")
            broken: Law = form(breaks)
            return broken
    takes = " or ".join(f"{len(form.variables)} ({', '.join(form.variables)})" for form in forms)
    raise UserError(
        f"law '{name}' takes {takes} columns of scale, not {variables}; give --x, --x2, --x3 accordingly"
    )
