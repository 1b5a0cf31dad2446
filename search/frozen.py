"""Computing the frozen part of the backbone once for all trials, where that is possible and fits the memory."""

from dataclasses import replace

from rich.console import Console

from search.experiment import Experiment
from trainables.bases import BaseModel
from trainables.frozen_prefix import FrozenPrefix, kept_layers, state_bytes
from trainables.models import load_classifier
from trainables.prepare import PreparedData
from trainables.tasks import writes_answers

GIGABYTE = 2**30
# What a trial may vary without touching the frozen part; the choice of layers decides where it ends.
DECIDES_PREFIX = "model.lora.layers"


def with_frozen_states(data: PreparedData, experiment: Experiment, base: BaseModel, console: Console) -> PreparedData:
    """The data with the hidden states that trials start from, or as they are, with a line that says why."""
    model_config = experiment.model
    kept = kept_layers(model_config.adapter, model_config.lora.layers)
    if kept is None or model_config.frozen_cache_gb == 0 or DECIDES_PREFIX in experiment.full_space():
        return data

    def plainly(why: str) -> PreparedData:
        console.print(
            f"note: trials compute the frozen layers each time: {why}", style="yellow", markup=False, soft_wrap=True
        )
        return data

    if data.train.images is not None:
        return plainly("for images that is not built yet")
    if writes_answers(data.task):
        return plainly("a model that writes needs them for each token")
    model = load_classifier(base, data.task.output_names, data.pad_id)
    size = sum(state_bytes(split, model.config.hidden_size) for split in (data.train, data.validation)) / GIGABYTE
    if size > model_config.frozen_cache_gb:
        return plainly(
            f"their outputs take {size:.1f} GB, model.frozen_cache_gb allows {model_config.frozen_cache_gb:g}"
        )
    try:
        prefix = FrozenPrefix(model, kept)
    except ValueError as reason:
        return plainly(str(reason))
    with console.status(f"computing the frozen layers once ({size:.2f} GB)"):
        train = prefix.with_states(data.train, data.pad_id)
        return replace(data, train=train, validation=prefix.with_states(data.validation, data.pad_id))
