"""Folders as data: what `datasets` saved, or images in a folder for each class."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rarecall.analysis.errors import first_line
from rarecall.trainables.data.files.columnar import BATCH_ROWS
from rarecall.trainables.data.files.columns import check_columns
from rarecall.trainables.data.files.options import Row, unusable

SAVED, SAVED_SPLITS = "state.json", "dataset_dict.json"
IMAGE, LABEL = "image", "label"
IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}


def folder_rows(path: Path, names: Sequence[str] | None) -> Iterator[Row]:
    """The rows of a folder: of a saved dataset its own, else each image with the name of its folder.

    Raises:
        InputError: neither, or a saved dataset without the package `datasets`.
    """
    if (path / SAVED_SPLITS).is_file():
        parts = sorted(part.name for part in path.iterdir() if part.is_dir())
        rule = "must be one split of a saved dataset"
        raise unusable(path, rule, f"all of {', '.join(parts)}", f"name {path.name}/{parts[0] if parts else 'train'}")
    rows = _saved(path, names) if (path / SAVED).is_file() else _images(path, names)
    yield from rows


def _saved(path: Path, names: Sequence[str] | None) -> Iterator[Row]:
    try:
        import datasets  # noqa: PLC0415  # an extra
    except ImportError:
        rule, remedy = "is a saved dataset, which needs the package `datasets`", "pip install 'rarecall[datasets]'"
        raise unusable(path, rule, "", remedy) from None
    try:
        dataset = datasets.load_from_disk(str(path), keep_in_memory=False)
    except Exception as error:  # a broken folder gives almost any error
        raise unusable(path, "must be a dataset that `save_to_disk` wrote", first_line(error)) from error
    yield from dataset_rows(path, dataset, names)


def dataset_rows(path: object, dataset: Any, names: Sequence[str] | None) -> Iterator[Row]:
    """The rows of a `datasets.Dataset`, class labels by their names."""
    check_columns(path, dataset.column_names if names is None else names, dataset.column_names)
    named = {name: feature for name, feature in dataset.features.items() if hasattr(feature, "int2str")}
    line = 0
    for start in range(0, len(dataset), BATCH_ROWS):
        batch = dataset[start : start + BATCH_ROWS]
        for values in zip(*batch.values(), strict=True):
            line += 1
            cells = dict(zip(batch, values, strict=True))
            yield Row(line, cells | {name: _class_name(named[name], cells[name]) for name in named})


def _class_name(feature: Any, number: Any) -> str | None:
    return None if number is None or number < 0 else str(feature.int2str(int(number)))


def _images(path: Path, names: Sequence[str] | None) -> Iterator[Row]:
    check_columns(path, (IMAGE, LABEL) if names is None else names, (IMAGE, LABEL))
    found = [
        (folder.name, image)
        for folder in sorted(path.iterdir())
        if folder.is_dir()
        for image in sorted(folder.rglob("*"))
        if image.suffix.lower() in IMAGE_SUFFIXES
    ]
    if not found:
        raise unusable(path, "must be a saved dataset, or hold a folder of images for each class", "none of them")
    for line, (label, image) in enumerate(found, start=1):
        yield Row(line, {IMAGE: str(image.relative_to(path)), LABEL: label})
