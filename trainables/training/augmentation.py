"""Training images varied at random, each time anew, in ways that leave their label what it is."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Flip = Literal["none", "horizontal", "both"]
# Of images [batch, channels, height, width].
HEIGHT, WIDTH = 2, 3
FLIP_DIMENSIONS: dict[Flip, tuple[int, ...]] = {"none": (), "horizontal": (WIDTH,), "both": (HEIGHT, WIDTH)}


@dataclass(frozen=True)
class Augmentation:
    """How images are varied; by default not at all. Pixels are moved and never mixed, so that small signs stay sharp.

    flip: along which dimensions, each with a chance of one half. turn: by none to three quarters of a circle, all four
    equally often; by none or a half where images are not square. shift: by up to this share of their sides in either
    direction, all whole pixels equally often; what moves in repeats the edge.
    """

    flip: Flip = "none"
    turn: bool = False
    shift: float = 0.0

    def __call__(self, pixels: Tensor) -> Tensor:
        """Images [batch, channels, height, width], each varied by itself; torch's generator decides how."""
        for dimension in FLIP_DIMENSIONS[self.flip]:
            pixels = _some(pixels, pixels.flip(dimension))
        if self.turn:
            pixels = _turned(pixels)
        return _shifted(pixels, self.shift) if self.shift else pixels


def _some(pixels: Tensor, changed: Tensor) -> Tensor:
    """About half of the images as they were, the others changed."""
    chosen = torch.rand(len(pixels), device=pixels.device) < 0.5
    return torch.where(chosen[:, None, None, None], changed, pixels)


def _turned(pixels: Tensor) -> Tensor:
    pixels = _some(pixels, pixels.flip((HEIGHT, WIDTH)))
    square = pixels.shape[HEIGHT] == pixels.shape[WIDTH]
    return _some(pixels, pixels.rot90(1, (HEIGHT, WIDTH))) if square else pixels


def _shifted(pixels: Tensor, share: float) -> Tensor:
    down, right = (_places(pixels, dimension, share) for dimension in (HEIGHT, WIDTH))
    image = torch.arange(len(pixels), device=pixels.device)[:, None, None]
    # Indexing puts what is indexed in front: [batch, height, width, channels].
    return pixels[image, :, down[:, :, None], right[:, None, :]].permute(0, 3, 1, 2).contiguous()


def _places(pixels: Tensor, dimension: int, share: float) -> Tensor:
    """Where the pixels of each image come from along a dimension [batch, pixels]."""
    size = pixels.shape[dimension]
    most = round(share * size)
    moved = torch.randint(-most, most + 1, (len(pixels), 1), device=pixels.device)
    return (torch.arange(size, device=pixels.device) + moved).clamp(0, size - 1)
