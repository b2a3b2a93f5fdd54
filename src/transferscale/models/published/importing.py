"""From a published checkpoint to a finished model of this project: ``transferscale pretrain import``."""

import re
from dataclasses import asdict
from pathlib import Path

from transferscale.artefacts import Stopwatch, write_provenance
from transferscale.errors import UserError, nearest
from transferscale.models.architecture import spec_of
from transferscale.models.checkpoint import WEIGHTS, save_model
from transferscale.models.published import videomae, vjepa2
from transferscale.models.published.adaptation import adapt
from transferscale.models.published.files import CONFIG, Published, read_published
from transferscale.models.published.grey import Grey, Normalisation

LAYOUTS = {"videomae": videomae.read_encoder, "vjepa2": vjepa2.read_encoder}


def import_published(
    path: Path,
    name: str,
    out: Path,
    frames: int | None = None,
    size: int | None = None,
    normalisation: Normalisation | None = None,
    grey: Grey | None = None,
) -> list[str]:
    """Write a published encoder to ``out`` as a finished model that ``load_encoder`` reads.

    Parameters
    ----------
    path
        A folder in the layout of transformers, or a file of weights with its ``config.json`` beside it.
    name
        What the model is called: it becomes the arm ``hub:<name>``.
    frames, size
        Clip that it shall take; as published by default.
    normalisation
        Of its published input; by default what the file beside the weights says.
    grey
        How clips are standardised; by default ``normalisation.grey``.

    Returns
    -------
    list of str
        What was adapted.

    Raises
    ------
    UserError
        If the checkpoint is missing, broken, of an unknown kind or does not fit.
    """
    watch = Stopwatch()
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise UserError(f"--name '{name}': use letters, digits, '.', '_' and '-'")
    published = read_published(path)
    known = _normalisation(published, normalisation)
    standard = known.grey if grey is None else grey
    as_published, left_out = LAYOUTS[_layout(published)](published)
    old = as_published.scale
    encoder, adapted = adapt(as_published, frames or old.frames, size or old.size, known, standard)
    save_model(
        out,
        encoder,
        None,
        {
            "model": spec_of(encoder.scale),
            "input": asdict(standard),
            "reader_id": f"hub:{name}",
            "family": encoder.scale.family,
            "depth": encoder.scale.depth,
            "params_encoder": encoder.scale.params_encoder,
            "params_nonembedding": encoder.scale.params_nonembedding,
            "published": {
                "name": name,
                "layout": _layout(published),
                "file": published.path.name,
                "sha256": published.sha256,
                "config": published.config,
                "normalisation": asdict(known),
                "left_out": left_out,
                "adapted": adapted,
            },
        },
    )
    write_provenance(out / WEIGHTS, watch, source=str(published.path))
    return adapted


def _layout(published: Published) -> str:
    kind = str(published.config.get("model_type"))
    if kind not in LAYOUTS:
        raise UserError(
            f"{published.path.parent / CONFIG}: models of type '{kind}' are not read; {nearest(kind, LAYOUTS)}"
        )
    return kind


def _normalisation(published: Published, given: Normalisation | None) -> Normalisation:
    found = published.normalisation if given is None else given
    if found is None:
        raise UserError(
            f"{published.path.parent}: no preprocessor_config.json says how the published input was normalised; "
            "give --mean and --sd, one number a channel"
        )
    return found
