"""Options that verbs share: the spec, paths, threads, and ``-v``."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import click

from transferscale.artefacts import read_json
from transferscale.errors import UserError

VERBOSE = {"on": False}


def wants_traceback() -> bool:
    """Whether ``-v`` was given."""
    return VERBOSE["on"]


def _verbose(_context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    VERBOSE["on"] = VERBOSE["on"] or value


class Verb(click.Command):
    """A command that knows ``-v`` and whose help ends with an example."""

    def __init__(self, name: str | None, example: str = "", **kwargs: Any) -> None:
        super().__init__(name, **kwargs)
        self.epilog = f"\b\nExample:\n  {example}" if example else None
        self.params.append(
            click.Option(
                ["-v", "--verbose"],
                is_flag=True,
                is_eager=True,
                expose_value=False,
                callback=_verbose,
                help="Show the traceback of an error.",
            )
        )


class Stage(click.Group):
    """A group whose commands are :class:`Verb`."""

    command_class = Verb


class Keys(dict[str, Any]):
    """A JSON object whose missing key is a mistake of the user's, not of ours."""

    def __missing__(self, key: str) -> Any:
        raise UserError(f"--spec: key '{key}' is missing")


class Spec(click.ParamType[dict[str, Any]]):
    """A spec: JSON text, or a JSON file."""

    name: ClassVar[str] = "JSON"  # type: ignore[misc]

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        """Parse the text or read the file."""
        if isinstance(value, dict):
            return value
        try:
            text = value if value.lstrip().startswith("{") else json.dumps(read_json(value))
            found = json.loads(text, object_hook=Keys)
        except ValueError as error:
            raise UserError(f"--spec is not valid JSON ({error})") from None
        if not isinstance(found, dict):
            raise UserError("--spec: expected a JSON object")
        return found


class OptionalPath(click.ParamType[Path | None]):
    """A path, or nothing: the empty text that a rule gives for an input that it does not have."""

    name: ClassVar[str] = "PATH"  # type: ignore[misc]

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path | None:
        """Turn the empty text into None."""
        return Path(value) if value else None


def path(name: str, text: str, required: bool = True) -> Callable[[Any], Any]:
    """An option for a path."""
    kind: click.ParamType[Any] = click.Path(path_type=Path) if required else OptionalPath()
    return click.option(name, required=required, type=kind, help=text)


def paths(name: str, text: str) -> Callable[[Any], Any]:
    """An option for a path that may be given several times, and must be given once."""
    return click.option(name, required=True, multiple=True, type=click.Path(path_type=Path), help=text)


spec = click.option("--spec", required=True, type=Spec(), help="What the run depends on: JSON text or file.")
threads = click.option("--threads", default=1, show_default=True, type=click.IntRange(1), help="CPU threads.")
out = path("--out", "Where the result goes.")

study = click.option(
    "--study",
    type=click.Path(path_type=Path),
    help="Study that gives {data_root}, {results}, folds and the size of clips; default: a study's defaults.",
)
data_root = click.option("--data-root", help="What {data_root} stands for; default: the study's.")

empty_ok = click.option(
    "--empty-ok", is_flag=True, help="Succeed, with an empty result, where nothing can be fitted."
)


def _drawable(_context: click.Context, _parameter: click.Parameter, value: Path | None) -> Path | None:
    """Refuse a picture that cannot be drawn before the work that it would show."""
    if value is None:
        return None
    from transferscale.scaling.pictures.files import checked

    return checked(value)


plot = click.option(
    "--plot",
    type=click.Path(path_type=Path),
    callback=_drawable,
    metavar="FILE",
    help="Draw the result into this .svg, .png or .html (interactive) file.",
)
