"""Whether a label image and the recordings lie in one space, as far as their names tell."""

from transferscale.errors import UserError
from transferscale.medical.readers.entities import entity

# Spaces in which every person's voxels lie elsewhere.
NATIVE = ("T1w", "T2w", "anat", "func", "bold", "boldref", "orig", "individual", "scanner")


def check_atlas(atlas: str, atlas_space: str | None, space: str, kind: str) -> str:
    """A note on a label image whose space is not certain, empty where it is.

    Spaces of the MNI family differ by a few millimetres, which is noted; others by centimetres, which is refused.

    Parameters
    ----------
    atlas
        Its path.
    atlas_space
        Key ``recordings.atlas_space``.
    space
        Of the recordings, empty where unknown.
    kind
        ``recordings.kind``. Images of fMRIPrep without a space are those of the scanner.

    Raises
    ------
    UserError
        If the two are different, or the recordings are in native space and nobody said that the label image is too.

    Examples
    --------
    >>> check_atlas("tpl-MNI152NLin6Asym_dseg.nii.gz", None, "MNI152NLin6Asym", "bids")
    ''
    """
    own = atlas_space or entity("space", atlas) or entity("tpl", atlas)
    native = space in NATIVE or (kind == "bids" and not space)
    named = f"the recordings are in {space or 'the space of their scan'}"
    if native and atlas_space is None:
        raise UserError(
            f"key 'recordings.atlas': {named}, where every brain lies elsewhere, so {atlas} cannot fit them; use "
            f"outputs in a template space, or, where it does fit, set recordings.atlas_space: {space or 'func'}"
        )
    if not own:
        where = f"in {space}" if space else "in the space of the recordings, whose names tell none"
        return f"{atlas} states no space and is taken to be {where}; recordings.atlas_space states it"
    if not space or own == space or native:
        return ""
    if own.startswith("MNI") and space.startswith("MNI"):
        return f"{atlas} is in {own}, {named}: parcels are off by a few millimetres"
    raise UserError(
        f"key 'recordings.atlas': {named}, {atlas} is in {own}; choose a label image in {space}, or correct "
        "recordings.atlas_space"
    )
