"""One folder of videos into a corpus, without a study: index, clips and card in a row."""

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from transferscale.corpus.card import write_card
from transferscale.corpus.clipping import cut
from transferscale.corpus.manifest import index
from transferscale.errors import UserError
from transferscale.study.corpus import Corpus
from transferscale.versions import STAGE_VERSION


def add(path: Path, name: str, out: Path, threads: int) -> None:
    """Audit, cut and describe the videos of a folder, with the geometry that a study has by default.

    Parameters
    ----------
    path
        Folder of videos.
    name
        Name of the corpus.
    out
        Folder for ``manifest.parquet``, ``clips/``, ``clips.parquet``, ``README.md``, ``contact.png`` and
        ``statistics.json``.
    threads
        Child processes.

    Raises
    ------
    UserError
        If the folder is missing, holds no usable video, or the name is not plain.
    """
    if not path.is_dir():
        raise UserError(f"{path}: no such folder; name an existing folder of videos")
    try:
        corpus = Corpus.model_validate({"name": name, "sources": [{"kind": "folder", "path": str(path)}]})
    except ValidationError:
        raise UserError(
            f"'{name}' cannot name a corpus; give --name, made of letters, digits, '-' and '_', "
            "beginning with a letter or digit"
        ) from None
    values: dict[str, Any] = corpus.spec()

    def spec(verb: str, *keys: str) -> dict[str, Any]:
        return {"verb": STAGE_VERSION[f"corpus {verb}"], **{key: values[key] for key in keys}}

    manifest, store, table = out / "manifest.parquet", out / "clips", out / "clips.parquet"
    index(spec("index", "sources", "max_quarantined"), None, manifest, threads)
    cut(
        spec("clips", "clip", "clips_per_video", "heldout", "min_motion", "seed"),
        manifest,
        store,
        table,
        threads,
    )
    readme = out / "README.md"
    write_card(
        {**spec("card", "name", "clip", "seed"), "controls": []},
        manifest,
        store,
        table,
        readme,
        out / "contact.png",
        out / "statistics.json",
    )
    print(f"{readme}")
