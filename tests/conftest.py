"""What holds for every test: nothing is fetched from a hub, and a slow machine fails no property test."""

import os

from hypothesis import settings

# Set before transformers, tokenizers or Ray are imported by a test.
os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", RAY_USAGE_STATS_ENABLED="0")

settings.register_profile("rarecall", deadline=None, max_examples=50)
settings.load_profile("rarecall")
