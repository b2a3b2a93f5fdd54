"""Frames of a video as small luminance squares, by decord or by PyAV.

Both readers give the same thing: frame ``i`` as the audit counted it, shrunk so that the shorter side fits,
rotated as a player would, cropped at the centre; the two differ by a grey level or two at most (five where
a rotation is applied). decord seeks;
PyAV reads what decord cannot (AV1, GIF, misleading indices), always from the start.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

Luminance = npt.NDArray[np.uint8]

# Frames decoded at once: few enough to bound memory, many enough that the calls cost nothing.
BLOCK = 128
# decord 0.6 pads rows of these widths and then refuses to copy them ("The size must exactly match").
DECORD_REFUSES = {8, 12, 16, 24, 48, 72}


class Reader(Protocol):
    """Random access to the frames of one video."""

    def __len__(self) -> int: ...

    def take(self, frames: npt.NDArray[np.int64]) -> Luminance:
        """Luminance (frames, height, width) of these frames, in ascending order."""
        ...


def square(path: str, backend: str, width: int, height: int, frames: int, size: int) -> "Square":
    """Open a video as centre-cropped squares.

    Parameters
    ----------
    path
        The file.
    backend
        ``decord`` or ``pyav``, from the manifest; the few widths that decord cannot give are read by PyAV.
    width, height
        Pixels after rotation, from the manifest.
    frames
        Audited number of frames; nothing beyond is asked for.
    size
        Height and width of the squares, pixels.
    """
    scale = size / min(width, height)
    wide, high = max(size, round(width * scale)), max(size, round(height * scale))
    opener = DecordReader if backend == "decord" and wide not in DECORD_REFUSES else PyAVReader
    return Square(opener(path, wide, high), frames, size)


class Square:
    """Centre crop over a reader."""

    def __init__(self, reader: Reader, frames: int, size: int) -> None:
        self.reader, self.frames, self.size = reader, frames, size

    def take(self, frames: npt.NDArray[np.int64]) -> Luminance:
        """Luminance (frames, size, size) of these frames, in ascending order."""
        if len(frames) and not 0 <= frames.min() <= frames.max() < self.frames:
            raise IndexError(f"frames {frames.min()}..{frames.max()} asked for, {self.frames} were audited")
        whole = self.reader.take(frames)
        top, left = (whole.shape[1] - self.size) // 2, (whole.shape[2] - self.size) // 2
        return np.ascontiguousarray(whole[:, top : top + self.size, left : left + self.size])

    def blocks(self) -> Iterator[Luminance]:
        """All frames in order, a block at a time."""
        for start in range(0, self.frames, BLOCK):
            yield self.take(np.arange(start, min(self.frames, start + BLOCK)))


class DecordReader:
    """decord 0.6, one thread; opens only in a child that can be killed (``children.each``).

    It applies the display rotation itself; width and height are those after rotation.
    """

    def __init__(self, path: str, width: int, height: int) -> None:
        import decord

        self.video = decord.VideoReader(
            str(Path(path).absolute()), ctx=decord.cpu(0), width=width, height=height, num_threads=1
        )

    def __len__(self) -> int:
        return len(self.video)

    def take(self, frames: npt.NDArray[np.int64]) -> Luminance:
        """Luminance (frames, height, width) of these frames."""
        return luminance(self.video.get_batch(frames).asnumpy())


class PyAVReader:
    """PyAV, decoding in order from the start and never seeking: frame numbers are those of the audit."""

    def __init__(self, path: str, width: int, height: int) -> None:
        self.path, self.width, self.height = str(Path(path).absolute()), width, height
        self.stream = self._decode()
        self.next = 0

    def __len__(self) -> int:
        return sum(1 for _ in self._decode())

    def _decode(self) -> Iterator[Luminance]:
        import av
        from av.video.reformatter import VideoReformatter

        shrink = VideoReformatter()
        with av.open(
            self.path, options={"protocol_whitelist": "file"}, metadata_errors="replace"
        ) as container:
            stream = container.streams.best("video")
            stream.codec_context.thread_count = 1
            for frame in container.decode(stream):
                turns = round(frame.rotation / 90) % 4
                wide, high = (self.height, self.width) if turns % 2 else (self.width, self.height)
                # Bilinear is what decord uses.
                small = shrink.reformat(
                    frame, width=wide, height=high, format="rgb24", interpolation="BILINEAR"
                )
                yield np.rot90(luminance(np.asarray(small.to_ndarray(), dtype=np.uint8)), turns)

    def take(self, frames: npt.NDArray[np.int64]) -> Luminance:
        """Luminance (frames, height, width) of these frames; going back decodes anew from the start."""
        out = np.empty((len(frames), self.height, self.width), dtype=np.uint8)
        if len(frames) and frames[0] < self.next:
            self.stream, self.next = self._decode(), 0
        for row, wanted in enumerate(frames):
            for picture in self.stream:
                self.next += 1
                if self.next > wanted:
                    out[row] = picture
                    break
            else:
                raise IndexError(f"frame {wanted} does not decode")
        return out


def luminance(rgb: npt.NDArray[np.uint8]) -> Luminance:
    """ITU-R BT.601 luma of RGB (..., 3), in integers so that every machine gives the same bytes."""
    weights = np.array([19595, 38470, 7471], dtype=np.uint32)
    total = rgb[..., 0] * weights[0] + rgb[..., 1] * weights[1] + rgb[..., 2] * weights[2]
    luma: Luminance = ((total + np.uint32(32768)) >> np.uint32(16)).astype(np.uint8)
    return luma
