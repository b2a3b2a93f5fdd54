"""The command line: one group a stage, one verb an action; a stage is imported only when its verb is called.

Exit status: 0 done, 1 one sentence about the user's input, 2 wrong usage. Progress goes to stderr, results to stdout.
"""

import os
import sys

import click

from transferscale import __version__
from transferscale.cli import corpus, medical, pretrain, report, scaling, study, transfer
from transferscale.cli.options import wants_traceback
from transferscale.errors import UserError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="transferscale")
def app() -> None:
    """Is pretraining on video worth it for a small medical dataset, and at which scale?

    Each group is a stage of the workflow; `snakemake` runs them all, and every verb also works alone.
    """


for group in (
    study.study,
    corpus.corpus,
    pretrain.pretrain,
    medical.medical,
    transfer.transfer,
    scaling.scaling,
    report.report,
):
    app.add_command(group)


def main() -> None:
    """Entry point of the ``transferscale`` command."""
    try:
        app(standalone_mode=False)
    except UserError as error:
        if wants_traceback():
            raise
        fail(str(error))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output left (as in `| head`); leave as quietly as other commands do.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except OSError as error:
        if wants_traceback() or error.filename is None:
            raise
        fail(f"{error.filename}: {(error.strerror or str(error)).lower()}")


def fail(sentence: str) -> None:
    """Print one sentence to stderr and leave with status 1."""
    click.echo(f"transferscale: {sentence}", err=True)
    sys.exit(1)
