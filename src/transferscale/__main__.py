"""``python -m transferscale`` is the same as the ``transferscale`` command."""

from transferscale.cli import main

main()
