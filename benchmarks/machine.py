"""What stands beside every measured figure: command, date, machine."""

import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path


def processor() -> str:
    """Name of the processor."""
    info = Path("/proc/cpuinfo")
    names = (
        [
            line.split(":")[1].strip()
            for line in info.read_text().splitlines()
            if line.startswith("model name")
        ]
        if info.exists()
        else []
    )
    return names[0] if names else platform.processor() or platform.machine()


def heading(*arguments: str) -> str:
    """Command, date and machine in a line."""
    command = " ".join(["python -m", f"benchmarks.{Path(sys.argv[0]).stem}", *arguments])
    return (
        f"`{command}`, {datetime.now(UTC):%Y-%m-%d}, {processor()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}"
    )


def publish(lines: list[str], out: Path | None) -> None:
    """Print lines, and write them where asked."""
    text = "\n".join(lines) + "\n"
    print(text)
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text)
