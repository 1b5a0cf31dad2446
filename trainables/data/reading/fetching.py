"""Data from elsewhere, kept in the cache folder: files by their URI, datasets by their name."""

import hashlib
from pathlib import Path
from typing import Any

import fsspec
import pyarrow
import pyarrow.parquet

from rarecall.analysis.errors import Fault, InputError, first_line
from rarecall.trainables.data.files.folders import dataset_rows
from rarecall.trainables.models.cache import cache_folder

# What a URI needs beside fsspec.
_EXTRAS = {"s3": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "hf": "huggingface_hub", "http": "aiohttp", "https": "aiohttp"}


def fetched(uri: str) -> Path:
    """The file of a URI (`https`, `s3`, `gs`, `hf` and whatever else fsspec knows), fetched again where it changed.

    Raises:
        InputError: it cannot be had, or what fsspec needs for it is not installed.
    """
    scheme = uri.partition("://")[0]
    remedy = f"pip install {_EXTRAS.get(scheme, 'fsspec')}"
    storage = {"cache_storage": str(cache_folder() / "files"), "check_files": True, "same_names": False}
    try:
        place = Path(fsspec.open_local(f"filecache::{uri}", filecache=storage))
    except (ImportError, ValueError) as error:
        raise InputError("data", [Fault(uri, "must be a URI that can be fetched", first_line(error), remedy)]) from None
    except Exception as error:  # networks and stores fail in a hundred ways
        raise InputError("data", [Fault(uri, "must be a URI that can be fetched", first_line(error))]) from None
    return _named(place, uri)


def _named(place: Path, uri: str) -> Path:
    """A link to the file under the name it has there, which says its format."""
    name = uri.partition("?")[0].rstrip("/").rpartition("/")[2] or "file"
    link = place.parent / hashlib.sha256(uri.encode()).hexdigest()[:16] / name
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(place)
    return link


def saved_splits(name: str) -> dict[str, Path]:
    """The splits of a dataset that `datasets.load_dataset` takes, each as a Parquet file; class labels by their names.

    Raises:
        InputError: the package `datasets` is missing, or there is no such dataset.
    """
    where, remedy = "data.dataset", "pip install 'rarecall[datasets]'"
    try:
        import datasets  # noqa: PLC0415  # an extra
    except ImportError:
        raise InputError(where, [Fault(where, "needs the package datasets", repr(name), remedy)]) from None
    try:
        loaded = _loaded(datasets, name)
    except Exception as error:  # the hub, files and formats fail in a hundred ways
        raise InputError(where, [Fault(where, "must be a dataset that can be had", first_line(error))]) from None
    folder = cache_folder() / "datasets"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return {split: _stored(part, folder / f"{_key(name, split)}.parquet") for split, part in loaded.items()}
    except pyarrow.ArrowException as error:
        rule = "must hold texts, numbers and lists of them"
        raise InputError(where, [Fault(where, rule, first_line(error))]) from None


def _loaded(datasets: Any, name: str) -> Any:
    """A dataset's splits; what follows a second slash, or the first of a name without owner, is its configuration."""
    if Path(name).is_dir():
        return datasets.load_dataset(name)
    *owner, last = name.split("/", 2)
    return datasets.load_dataset("/".join(owner), last) if len(owner) == 2 else datasets.load_dataset(name)


def _key(name: str, split: str) -> str:
    return hashlib.sha256(f"{name} {split}".encode()).hexdigest()[:16]


def _stored(dataset: Any, path: Path) -> Path:
    rows = [row.cells for row in dataset_rows(path, dataset, None)]
    scratch = path.with_suffix(".part")
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), scratch)
    return scratch.replace(path)
