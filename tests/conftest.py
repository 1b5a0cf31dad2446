"""What holds for every test: nothing is fetched from a hub, and a slow machine fails no property test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from rarecall.trainables.models.bases import BaseModel

HERE = Path(__file__).parent

# Set before transformers, tokenizers or Ray are imported by a test.
os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", RAY_USAGE_STATS_ENABLED="0")

settings.register_profile("rarecall", deadline=None, max_examples=50)
settings.load_profile("rarecall")

RAY_CPUS = 4
# Tests that start Ray or measure time; all others may share the machine with another process of tests.
ALONE = ("search/cluster", "search/end_to_end", "search/engine", "trainables/slot", "rarecall/test_installed.py")
ALONE += ("rarecall/test_notebooks.py", "search/predict/test_ray_prediction.py", "search/display")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what must run alone, by place or because it uses the tests' own Ray."""
    for item in items:
        place = item.path.relative_to(HERE).as_posix() if HERE in item.path.parents else ""
        if place.startswith(ALONE) or "local_ray" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.alone)


@pytest.fixture(autouse=True, scope="session")
def empty_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tiny models are built anew, as on a new machine; what an older version left behind would hide that it fails."""
    os.environ["RARECALL_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def local_ray() -> Iterator[str]:
    """One Ray on this machine for all tests that need one, without a GPU; gives its address."""
    import ray  # noqa: PLC0415  # most tests do without its second of imports

    from rarecall.search.cluster.session import quiet  # noqa: PLC0415

    quiet()
    context = ray.init(
        num_cpus=RAY_CPUS,
        num_gpus=0,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
        object_store_memory=200 * 2**20,
    )
    yield context.address_info["gcs_address"]
    ray.shutdown()


@pytest.fixture(scope="session")
def still_minilm(tmp_path_factory: pytest.TempPathFactory) -> BaseModel:
    """MiniLM without dropout."""
    from tests.still_minilm import write_still_minilm  # noqa: PLC0415  # most tests do without torch

    return write_still_minilm(tmp_path_factory.mktemp("still-minilm"))
