"""Tests on several hosts; each takes minutes, so `make test-cluster` runs them and `make test` does not."""

from pathlib import Path

import pytest

from tests.cluster.hosts import possible

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.cluster)
            item.add_marker(pytest.mark.skipif(not possible(), reason="needs root, iproute2 and util-linux"))
