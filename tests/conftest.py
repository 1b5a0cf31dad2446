"""What holds for every test: nothing is fetched from a hub, and a slow machine fails no property test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from rarecall.trainables.models.bases import BaseModel

# Set before transformers, tokenizers or Ray are imported by a test.
os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", RAY_USAGE_STATS_ENABLED="0")

settings.register_profile("rarecall", deadline=None, max_examples=50)
settings.load_profile("rarecall")

RAY_CPUS = 4


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
