"""Images of a data file: those in an array, or files that are opened one at a time."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rarecall.analysis.arrays import IntArray

Pixels = NDArray[np.uint8]


class Images(Protocol):
    """n images, each [height, width, 3] when it is asked for."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> Pixels: ...
    def digest(self, index: int) -> str: ...
    def take(self, index: IntArray) -> "Images": ...


@dataclass(frozen=True, eq=False)
class ArrayImages:
    """Images of one size in an array [n, height, width] (grey) or [n, height, width, 3]."""

    pixels: Pixels

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> Pixels:
        image = self.pixels[index]
        return image if image.ndim == 3 else np.repeat(image[:, :, None], 3, axis=2)

    def digest(self, index: int) -> str:
        """Equal for equal images."""
        return hashlib.sha256(np.ascontiguousarray(self.pixels[index]).tobytes()).hexdigest()

    def take(self, index: IntArray) -> "ArrayImages":
        return ArrayImages(self.pixels[index])


@dataclass(frozen=True)
class FileImages:
    """Images in files of any format that Pillow reads."""

    paths: tuple[Path, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Pixels:
        return read_image(self.paths[index])

    def digest(self, index: int) -> str:
        """Equal for equal files."""
        with self.paths[index].open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def take(self, index: IntArray) -> "FileImages":
        return FileImages(tuple(self.paths[i] for i in index.tolist()))


@dataclass(frozen=True)
class JoinedImages:
    """Images of several sources, one after another."""

    parts: tuple[tuple[Images, int], ...]

    def __len__(self) -> int:
        return len(self.parts)

    def __getitem__(self, index: int) -> Pixels:
        source, position = self.parts[index]
        return source[position]

    def digest(self, index: int) -> str:
        """Equal for equal images of one source."""
        source, position = self.parts[index]
        return source.digest(position)

    def take(self, index: IntArray) -> "JoinedImages":
        return JoinedImages(tuple(self.parts[i] for i in index.tolist()))


def joined(sources: Sequence[tuple[Images, IntArray]]) -> JoinedImages:
    """The images at the positions [m] of each source."""
    return JoinedImages(tuple((images, position) for images, kept in sources for position in kept.tolist()))


def image_folder(data: Path) -> Path:
    """What names of image files are relative to: the folder of the data file, or the folder that is the data."""
    return data if data.is_dir() else data.parent


def read_image(path: Path) -> Pixels:
    """The image in a file as [height, width, 3], grey ones and palettes made colour.

    Raises:
        OSError: no such file, or none that Pillow reads.
    """
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), dtype=np.uint8)


def check_image(path: Path) -> str:
    """What keeps a file from being an image, "" where nothing does; only its header is looked at."""
    try:
        with Image.open(path):
            return ""
    except OSError as error:
        return "a file of another kind" if path.is_file() else error.strerror or str(error)
