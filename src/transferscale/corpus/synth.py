"""The synthetic corpus as real mp4 files, which then go the way of any video.

Some photographs are shown in held-out videos alone (``photographs.photographs_of``), so which videos those are is
decided here: a video that was held out by chance would show what training videos show.
"""

import csv
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from transferscale.artefacts import Stopwatch, atomic, write_provenance
from transferscale.corpus.children import Failure, each
from transferscale.corpus.manifest import SYNTHETIC_LABELS
from transferscale.corpus.motion import film, scene
from transferscale.corpus.photographs import photographs_of

# Nearly lossless; a key frame a second or so; no B-frames. For the same bytes everywhere: one thread, and no
# macroblock tree, which reads memory beyond pictures whose sides are no multiple of 32 (1 file in 100 differed).
X264 = {"preset": "veryfast", "crf": "16", "g": "16", "bf": "0", "threads": "1", "mbtree": "0"}


class Job(TypedDict):
    """What a child needs to make one file."""

    path: str
    seed: int
    number: int
    frames: int
    fps: int
    size: int
    split: str


def write_videos(spec: Mapping[str, Any], out: Path, threads: int) -> None:
    """Write the files of the synthetic corpus.

    Parameters
    ----------
    spec
        ``Grid.synth_spec``: ``seed``, ``heldout`` (share of the videos), ``files``, ``seconds``, ``fps``,
        ``size`` (pixels). A file's content depends on the seed, the share, its number and its geometry alone, so that
        more files leave the others as they are.
    out
        Folder of ``motion-00000.mp4`` and so on, and ``labels.csv`` with label (``Scene.label``) and split of each.
    threads
        Child processes.
    """
    watch = Stopwatch()
    frames = round(spec["seconds"] * spec["fps"])
    with atomic(out) as folder:
        folder.mkdir()
        jobs: list[Job] = [
            {
                "path": str(folder / f"motion-{number:05d}.mp4"),
                "seed": spec["seed"],
                "number": number,
                "frames": frames,
                "fps": spec["fps"],
                "size": spec["size"],
                "split": split_of(number, spec["heldout"]),
            }
            for number in range(spec["files"])
        ]
        for job, answer in zip(
            jobs, tqdm(each(make, jobs, threads, _patience), "synth", len(jobs), disable=None), strict=True
        ):
            if isinstance(answer, Failure):
                raise RuntimeError(f"{Path(job['path']).name}: {answer.reason}")
        with (folder / SYNTHETIC_LABELS).open("w", newline="") as stream:
            table = csv.writer(stream, lineterminator="\n")
            table.writerow(["video", "label", "split"])
            for job in jobs:
                drawn = scene(job["seed"], job["number"], photographs_of(job["seed"], job["split"]))
                table.writerow([Path(job["path"]).name, drawn.label, job["split"]])
    write_provenance(out, watch, files=len(jobs), frames_per_file=frames)


def split_of(number: int, heldout: float) -> str:
    """Side of a video by its number alone: the first is held out, and the share of ``heldout`` is spread evenly."""
    return "heldout" if math.ceil((number + 1) * heldout) > math.ceil(number * heldout) else "train"


def _patience(job: Job) -> float:
    return 60 + 1e-5 * job["frames"] * job["size"] ** 2


def make(job: Job) -> None:
    """Draw and encode one file; runs in a child."""
    encode(
        film(
            job["seed"],
            job["number"],
            job["frames"],
            job["fps"],
            job["size"],
            photographs_of(job["seed"], job["split"]),
        ),
        job["fps"],
        Path(job["path"]),
    )


def encode(pictures: npt.NDArray[np.uint8], fps: int, path: Path) -> None:
    """Encode luminance (frames, height, width), even sizes, as H.264 in mp4."""
    import av

    with av.open(str(path.absolute()), "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libx264", rate=fps, options=X264)
        stream.height, stream.width = pictures.shape[1:]
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="gray")))
        container.mux(stream.encode(None))
