"""From a YAML file to a :class:`Study`: loaded, completed, checked; every complaint names the file and the key."""

import types
import typing
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from transferscale.errors import UserError, nearest
from transferscale.study.cells import unasked
from transferscale.study.corpus import Source
from transferscale.study.dataset import Dataset
from transferscale.study.study import Study


def load_study(source: Path | str | dict[str, Any], named: str = "") -> Study:
    """Load a study from its YAML file (or its content), with its datasets' files read and paths filled in.

    Parameters
    ----------
    source
        A YAML or JSON file, or the mapping itself (what Snakemake hands over as ``config``).
    named
        How errors call the mapping; the file's name by default.

    Raises
    ------
    UserError
        One sentence that names the file, the key and, for an unknown name, the nearest valid one.
    """
    if isinstance(source, dict):
        content, name = dict(source), named or "study"
    else:
        content, name = read_yaml(source), str(source)
    files: dict[int, str] = {}
    datasets = content.get("datasets")
    if isinstance(datasets, list):
        content["datasets"] = [_dataset(item, files, i) for i, item in enumerate(datasets)]
    study = _validate(Study, content, name, files)
    for sentence in unasked(study):
        raise UserError(f"{name}: {sentence}")
    return _fill(study, name)


def load_dataset(path: Path | str) -> Dataset:
    """Load one dataset's YAML file."""
    return _validate(Dataset, read_yaml(path), str(path), {})


class _Loader(yaml.SafeLoader):
    """The safe loader, refusing a key that stands twice: YAML says so, and the last one would win in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            name = getattr(key, "value", None)
            if isinstance(name, str) and name in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"key '{name}' stands twice; delete one", problem_mark=key.start_mark
                )
            seen.add(name if isinstance(name, str) else None)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path | str) -> dict[str, Any]:
    """Read a YAML mapping; anything else is a :class:`UserError`."""
    try:
        # A subclass of the safe loader, which only refuses more.
        content = yaml.load(Path(path).read_text(encoding="utf-8-sig"), Loader=_Loader)  # noqa: S506
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise UserError(f"{path}: is a folder; name the YAML file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where = getattr(error, "problem_mark", None)
        line = f" at line {where.line + 1}" if where else ""
        raise UserError(
            f"{path}: not valid YAML{line} ({getattr(error, 'problem', None) or error})"
        ) from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected a mapping of keys, found {type(content).__name__}")
    return content


def _dataset(item: Any, files: dict[int, str], index: int) -> Any:
    """Content of one entry of ``datasets``: a file's, a file's with keys changed (``file`` beside them), or its own."""
    changes = {}
    if isinstance(item, dict) and "file" in item:
        changes = {key: value for key, value in item.items() if key != "file"}
        item = item["file"]
    if isinstance(item, str):
        files[index] = f"{item}, as changed under 'datasets.{index}'" if changes else item
        if not Path(item).exists():
            raise UserError(
                f"{item}: no such file (key 'datasets.{index}'; paths count from where the command runs)"
            )
        return _changed(read_yaml(item), changes)
    return item


def _changed(content: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A mapping with some of its keys replaced, in nested mappings key by key."""
    merged = dict(content)
    for key, value in changes.items():
        inner = merged.get(key)
        nested = isinstance(inner, dict) and isinstance(value, dict)
        merged[key] = _changed(dict(inner or {}), value) if nested else value
    return merged


def _fill(study: Study, name: str) -> Study:
    """Replace {data_root} and {results} in paths, and {dataset} in the root of a dataset."""
    places = {"{data_root}": study.data_root, "{results}": study.folder}

    def filled(text: str, key: str, **more: str) -> str:
        tokens = places | {f"{{{word}}}": value for word, value in more.items()}
        for token, value in tokens.items():
            text = text.replace(token, value)
        if "{" in text:
            *first, last = tokens
            raise UserError(
                f"{name}: key '{key}': unknown placeholder in '{text}'; valid are {', '.join(first)} and {last}"
            )
        return text

    def placed(source: Source, key: str) -> Source:
        if source.kind == "synthetic":
            return source
        labels = None if source.labels is None else filled(source.labels, f"{key}.labels")
        return source.model_copy(update={"path": filled(source.path, f"{key}.path"), "labels": labels})

    sources = [placed(source, f"corpus.sources.{i}") for i, source in enumerate(study.corpus.sources)]
    roots = [filled(d.root, f"{d.dataset}: root", dataset=d.dataset) for d in study.datasets]
    datasets = [d.model_copy(update={"root": root}) for d, root in zip(study.datasets, roots, strict=True)]
    hub = [
        one.model_copy(update={"path": filled(one.path, f"transfer.hub.{one.name}.path")})
        for one in study.transfer.hub
    ]
    return study.model_copy(
        update={
            "corpus": study.corpus.model_copy(update={"sources": sources}),
            "datasets": datasets,
            "transfer": study.transfer.model_copy(update={"hub": hub}),
        }
    )


# Sections that come in kinds, and the key that tells which: pydantic puts the kind into an error's location.
KIND_OF = {"sources": "kind", "recordings": "kind", "view": "kind", "fetch": "kind", "objective": "name"}
M = typing.TypeVar("M", bound=BaseModel)


def _validate(model: type[M], content: dict[str, Any], name: str, files: dict[int, str]) -> M:
    try:
        return model.model_validate(content)
    except ValidationError as error:
        # A misspelt key shows up twice, as unknown and as missing; the unknown one says more.
        problems = sorted(error.errors(include_url=False), key=lambda p: p["type"] != "extra_forbidden")
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise UserError(_sentence(model, problems[0], name, files) + more) from None


def _sentence(model: type[BaseModel], problem: ErrorDetails, name: str, files: dict[int, str]) -> str:
    loc = problem["loc"]
    if len(loc) >= 2 and loc[0] == "datasets" and loc[1] in files:
        name, loc, model = files[int(loc[1])], loc[2:], Dataset
    # A person knows only the keys of the file.
    key = ".".join(
        str(part)
        for i, part in enumerate(loc)
        if not _is_kind(loc, i) and not str(part).startswith(("constrained", "literal["))
    )
    if problem["type"].startswith("union_tag"):
        context = problem.get("ctx", {})
        kind = context["discriminator"].strip("'")
        if problem["type"] == "union_tag_not_found":
            return f"{name}: key '{key}.{kind}' is missing"
        valid = [word.strip(" '") for word in context["expected_tags"].split(",")]
        return (
            f"{name}: key '{key}.{kind}': unknown {kind} '{context['tag']}'; {nearest(context['tag'], valid)}"
        )
    if problem["type"] == "extra_forbidden":
        return f"{name}: unknown key '{key}'; {nearest(str(loc[-1]), _keys(model, loc[:-1]))}"
    if problem["type"] == "missing":
        return f"{name}: key '{key}' is missing"
    message = problem["msg"].removeprefix("Value error, ")
    if not loc:
        return f"{name}: {message}"
    given = problem.get("input")
    shown = f", found {given!r}" if isinstance(given, str | int | float | bool | None) else ""
    return f"{name}: key '{key}': {message[0].lower()}{message[1:]}{shown}"


def _is_kind(loc: tuple[int | str, ...], i: int) -> bool:
    """Whether the part of a location at ``i`` is the kind of a section rather than a key."""
    before = [part for part in loc[:i] if isinstance(part, str)]
    return i > 0 and isinstance(loc[i], str) and before[-1] in KIND_OF


def _keys(model: Any, loc: tuple[int | str, ...]) -> list[str]:
    """Valid keys of the section at ``loc``: walk the annotations, through lists, dicts, unions and defaults."""
    candidates = [model]
    for part in loc:
        following: list[Any] = []
        for candidate in candidates:
            fields = candidate.model_fields
            if part in fields:
                following += _models(fields[str(part)].annotation)
            elif any(
                key in fields and part in typing.get_args(fields[key].annotation)
                for key in set(KIND_OF.values())
            ):
                following.append(candidate)
        # A list index or the key of a mapping stays where it is.
        candidates = following or candidates
    return sorted({field for candidate in candidates for field in candidate.model_fields})


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if typing.get_origin(annotation) in (typing.Annotated, list, dict, typing.Union, types.UnionType):
        return [m for a in typing.get_args(annotation) for m in _models(a)]
    return []
