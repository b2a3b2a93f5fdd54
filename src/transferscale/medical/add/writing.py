"""The dataset file: YAML with a comment for every choice."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml


def dataset_text(
    content: Mapping[str, Any],
    because: Mapping[str, str],
    header: Sequence[str],
    more_tasks: Mapping[str, Any],
) -> str:
    """The file's text.

    Parameters
    ----------
    content
        The dataset's keys, in the order of the file.
    because
        Dotted key -> why; becomes the line's comment.
    header
        Lines above everything.
    more_tasks
        Further tasks with comments, written as comments to be uncommented: name -> (section, words).
    """
    lines = [f"# {_line(line)}" for line in header]
    for key, value in content.items():
        if not isinstance(value, Mapping):
            lines.append(f"{key}: {flow(value)}{_why(because, key)}")
            continue
        lines.append(f"{key}:{_why(because, key)}")
        lines += [
            f"  {flow(name)}: {flow(item)}{_why(because, f'{key}.{name}')}" for name, item in value.items()
        ]
        if key == "tasks" and more_tasks:
            lines.append("  # Further columns that could be asked for:")
            lines += [
                f"  # {flow(name)}: {flow(item)}  # {_line(words)}"
                for name, (item, words) in more_tasks.items()
            ]
    return "\n".join(lines) + "\n"


def flow(value: Any) -> str:
    """A value on one line."""
    text: str = yaml.safe_dump(
        value, default_flow_style=True, width=float("inf"), allow_unicode=True, sort_keys=False
    )
    return text.strip().removesuffix("\n...").strip()


def _why(because: Mapping[str, str], key: str) -> str:
    return f"  # {_line(because[key])}" if key in because else ""


def _line(text: str) -> str:
    return " ".join(text.split())
