"""Look at one video file: what it says about itself, and whether every frame really decodes.

PyAV does the audit, because it goes on after an error and counts what was lost; decord, which is faster, is
then tried on what passed and is trusted with a file only if it finds the same number of frames and the same
picture in the middle.
"""

import stat
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from transferscale.artefacts import sha256_file
from transferscale.corpus.reading import DecordReader, luminance

# Smaller pictures hold nothing to learn from; (also the least that the resize of every reader takes).
SMALLEST = 8
# Containers whose content is a list of other files: never followed.
LISTS = {"hls", "concat", "dash", "image2", "imf", "mpjpeg", "rtsp", "sdp"}
# Some muxers count a frame or two that they never wrote (AVI index); more is a truncated file.
MISCOUNT = 2
THUMB = 32
# Largest Hamming distance between the middle frame as PyAV and as decord see it: their resizing differs a
# little.
SAME_PICTURE = 10


def audit(path: str) -> dict[str, Any]:
    """Manifest columns of one file: probe, decode every frame, judge.

    Parameters
    ----------
    path
        The file; made absolute here, so that no name is taken for a protocol.

    Returns
    -------
    dict
        Columns of the ``manifest`` table, and ``middle``, the frame whose perceptual hash was taken;
        ``status`` is ``ok`` or ``quarantined`` with a ``reason``.
    """
    file = Path(path).absolute()
    row: dict[str, Any] = {"status": "quarantined", "reason": "", "backend": ""}
    try:
        about = file.stat()
    except OSError as error:
        return {**row, "reason": f"cannot be read ({error.strerror or error})"}
    if not stat.S_ISREG(about.st_mode):
        return {**row, "reason": "not a regular file"}
    row["bytes"] = about.st_size
    try:
        row["sha256"] = sha256_file(file)
    except OSError as error:
        return {**row, "reason": f"cannot be read ({error.strerror or error})"}
    if not about.st_size:
        return {**row, "reason": "file is empty (0 bytes)"}
    row.update(_decode(file))
    row["reason"] = row.get("reason") or ""
    if not row["reason"]:
        row.update(status="ok", backend="pyav")
    return row


def _decode(file: Path) -> dict[str, Any]:
    import av

    try:
        container = av.open(str(file), options={"protocol_whitelist": "file"}, metadata_errors="replace")
    except (av.error.FFmpegError, ValueError) as error:
        return {"reason": f"cannot be opened as a video ({getattr(error, 'strerror', None) or error})"}
    with container:
        names = container.format.name.split(",")
        row: dict[str, Any] = {"container": container.format.name, "has_audio": bool(container.streams.audio)}
        if LISTS & set(names):
            return {**row, "reason": f"a list of other files ({names[0]}), not a video"}
        stream = container.streams.best("video")
        if stream is None:
            kind = "audio only" if row["has_audio"] else "no stream at all"
            return {**row, "reason": f"no video stream ({kind})"}
        stream.codec_context.thread_count = 1
        row["codec"] = stream.codec_context.codec.canonical_name
        seen = _Frames(float(stream.time_base) if stream.time_base else 0.0)
        packets = container.demux(stream)
        while True:
            try:
                for frame in next(packets).decode():
                    seen.add(frame)
            except StopIteration:
                break
            except av.error.FFmpegError:
                seen.errors += 1
                if seen.errors > 1000 + 10 * seen.frames:
                    break
        declared = stream.frames
        rate = float(stream.average_rate or 0)
    return {**row, **seen.columns(rate), "reason": seen.judge(declared)}


class _Frames:
    """What the audit notes of the frames as they come by; memory does not grow with the video."""

    def __init__(self, tick: float) -> None:
        from av.video.reformatter import VideoReformatter

        self.shrink = VideoReformatter()
        self.tick = tick
        self.frames = self.errors = self.incomplete = 0
        self.width = self.height = self.rotation = 0
        self.pixel_format = ""
        self.sizes: set[tuple[int, int]] = set()
        self.times: list[float] = []
        # Thumbnails at every `every`-th frame, thinned as the video goes on: the middle is known only at the
        # end.
        self.thumbs: list[npt.NDArray[np.uint8]] = []
        self.every = 1

    def add(self, frame: Any) -> None:
        if not self.frames:
            self.rotation = round(frame.rotation / 90) * 90 % 360
            self.pixel_format = frame.format.name
            turned = self.rotation in (90, 270)
            self.width, self.height = (frame.height, frame.width) if turned else (frame.width, frame.height)
        self.sizes.add((frame.width, frame.height))
        self.incomplete += bool(frame.is_corrupt)
        if frame.time is not None:
            self.times.append(frame.time)
        if self.frames % self.every == 0:
            small = self.shrink.reformat(
                frame, width=THUMB, height=THUMB, format="rgb24", interpolation="BILINEAR"
            )
            self.thumbs.append(
                np.rot90(luminance(np.asarray(small.to_ndarray(), dtype=np.uint8)), self.rotation // 90)
            )
            if len(self.thumbs) == 64:
                self.thumbs, self.every = self.thumbs[::2], 2 * self.every
        self.frames += 1

    def columns(self, rate: float) -> dict[str, Any]:
        if not self.frames:
            return {"frames": 0}
        steps = np.diff(self.times)
        step = float(np.median(steps)) if len(steps) else 0.0
        step = step if step > 0 else 1 / rate if rate else 0.0
        span = self.times[-1] - self.times[0] if len(self.times) == self.frames else step * (self.frames - 1)
        # Containers round timestamps to their time base (1 ms in Matroska): that alone is not a variable
        # rate.
        slack = max(0.01 * step, 1.5 * self.tick)
        return {
            "frames": self.frames,
            "duration_s": span + step,
            "fps": (self.frames - 1) / span if span > 0 else rate or None,
            "variable_fps": bool(len(steps) and np.abs(steps - step).max() > slack),
            "width": self.width,
            "height": self.height,
            "rotation": self.rotation,
            "pixel_format": self.pixel_format,
            "phash": phash(self.thumbs[len(self.thumbs) // 2]),
            "middle": len(self.thumbs) // 2 * self.every,
        }

    def judge(self, declared: int) -> str:
        """Why the file is quarantined; empty when it is good."""
        if not self.frames:
            return "no frame decodes"
        short = declared - self.frames > max(MISCOUNT, 0.02 * declared)
        if self.errors or self.incomplete or short:
            of = f"{self.frames} of {declared} declared" if declared else str(self.frames)
            word = "truncated" if short else "damaged"
            return (
                f"{word}: {of} frames decode, {self.incomplete} of them incomplete, {self.errors} read errors"
            )
        if self.frames == 1:
            return "a single frame: nothing moves"
        if min(self.width, self.height) < SMALLEST:
            return f"{self.width} x {self.height} pixels: smaller than {SMALLEST} x {SMALLEST}"
        if len(self.sizes) > 1:
            return f"the picture changes its size within the video ({len(self.sizes)} sizes)"
        return ""


def decord_agrees(row: dict[str, Any]) -> bool:
    """Whether decord reads an audited file as PyAV did: number of frames and the picture in the middle.

    Parameters
    ----------
    row
        ``path``, and ``frames``, ``middle`` and ``phash`` of the audit.
    """
    reader = DecordReader(row["path"], THUMB, THUMB)
    if len(reader) != row["frames"]:
        return False
    picture = reader.take(np.array([row["middle"]]))[0]
    return (int(phash(picture), 16) ^ int(row["phash"], 16)).bit_count() <= SAME_PICTURE


def phash(picture: npt.NDArray[np.uint8]) -> str:
    """64-bit perceptual hash: the 8 x 8 lowest cosine coefficients against their median, as 16 hex digits.

    Parameters
    ----------
    picture
        Luminance, 32 x 32.
    """
    k, x = np.arange(8)[:, None], np.arange(THUMB)
    cosine = np.cos(np.pi * k * (2 * x + 1) / (2 * THUMB))
    low = (cosine @ picture.astype(np.float64) @ cosine.T).ravel()
    bits = low > np.median(low[1:])
    return f"{int(''.join('1' if b else '0' for b in bits), 2):016x}"
