"""Computing the frozen part of the backbone once for all trials, where that is possible and fits the memory."""

from dataclasses import replace

import psutil
from rich.console import Console

from rarecall.analysis.settings import LAYERS
from rarecall.search.experiment.schema import Experiment
from rarecall.trainables.config import AugmentationConfig
from rarecall.trainables.data.prepared import PreparedData
from rarecall.trainables.models.bases import BaseModel
from rarecall.trainables.models.classifier import load_classifier
from rarecall.trainables.models.frozen.frozen_prefix import FrozenPrefix, entry_width, kept_layers, state_bytes
from rarecall.trainables.tasks import writes_answers
from rarecall.trainables.training.optimisation import frozen_precision

GIGABYTE = 2**30
# What a trial may vary without touching the frozen part; the choice of layers decides where it ends.
VARIED = "training.augmentation."


def keeps_states(experiment: Experiment) -> bool:
    """Whether all trials share a frozen part, whose outputs are to be kept."""
    model = experiment.model
    frozen = kept_layers(model.adapter, model.lora.layers) is not None and model.frozen_cache_gb > 0
    return frozen and LAYERS not in experiment.full_space()


def obstacle(experiment: Experiment, *, images: bool, writes: bool) -> str:
    """Why the outputs would not be the same in each epoch, or are not enough; empty where nothing is in the way."""
    if writes:
        return "a model that writes needs them for each token"
    varied = experiment.training.augmentation != AugmentationConfig()
    varied = varied or any(key.startswith(VARIED) for key in experiment.full_space())
    return "images that are varied (training.augmentation) differ from epoch to epoch" if images and varied else ""


def with_frozen_states(data: PreparedData, experiment: Experiment, base: BaseModel, console: Console) -> PreparedData:
    """The data with the hidden states that trials start from, or as they are, with a line that says why."""
    model_config = experiment.model
    kept, precision = kept_layers(model_config.adapter, model_config.lora.layers), model_config.frozen_cache_precision
    if kept is None or not keeps_states(experiment):
        return data

    def plainly(why: str) -> PreparedData:
        console.print(
            f"note: trials compute the frozen layers each time: {why}", style="yellow", markup=False, soft_wrap=True
        )
        return data

    if why := obstacle(experiment, images=data.train.images is not None, writes=writes_answers(data.task)):
        return plainly(why)
    model = load_classifier(base, data.task.output_names, data.pad_id)
    width = entry_width(model.config)
    size = sum(state_bytes(split, width, precision) for split in (data.train, data.validation)) / GIGABYTE
    if size > model_config.frozen_cache_gb:
        return plainly(
            f"their outputs take {size:.1f} GB, model.frozen_cache_gb allows {model_config.frozen_cache_gb:g}"
        )
    # For a moment they are there twice, here and in Ray's store.
    if 2 * size > (free := psutil.virtual_memory().available / GIGABYTE):
        return plainly(f"their outputs take {size:.1f} GB, twice that for a moment, and {free:.1f} GB are free")
    try:
        prefix = FrozenPrefix(model, kept)
    except ValueError as reason:
        return plainly(str(reason))
    with console.status(f"computing the frozen layers once ({size:.2f} GB)"):
        dtype = frozen_precision(experiment.training.precision, next(model.parameters()).device)
        train, validation = (
            prefix.with_states(part, data.pad_id, precision, dtype) for part in (data.train, data.validation)
        )
        return replace(data, train=train, validation=validation)
