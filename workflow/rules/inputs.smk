# From a rule's wildcards to its inputs and its spec. The study's grid knows; these only ask it.
import functools
import os

from transferscale.artefacts import read_json
from transferscale.medical.size import size_of
from transferscale.medical.state import state_of
from transferscale.models.architecture import scale_from
from transferscale.study import memory
from transferscale.study.behaviour_cells import ContinualCell


def rung_stores(wildcards):
    """Clip stores of the parts of a corpus."""
    return [f"{R}/{store}" for store, _ in GRID.rung_inputs(wildcards.corpus)]


def rung_indexes(wildcards):
    """Tables of clips of the parts of a corpus."""
    return [f"{R}/{index}" for _, index in GRID.rung_inputs(wildcards.corpus)]


def previous_trunk(wildcards):
    """Trunk of the rung before; nothing for the first rung."""
    w, rung = wildcards, int(wildcards.rung) - 1
    reader = GRID.checkpoint(w.family, int(w.depth), int(w.seed), rung, w.corpus)
    return f"{R}/{reader.folder}/trunk.ckpt" if rung else []


def rung_spec(wildcards):
    w = wildcards
    return canonical_json(GRID.rung_spec(w.family, int(w.depth), int(w.seed), int(w.rung), w.corpus))


def origin(wildcards):
    """Folder of a simulated dataset, record of a downloaded one; nothing for one that is there."""
    dataset = STUDY.dataset(wildcards.dataset)
    if dataset.simulate:
        return f"{R}/simulated/{wildcards.dataset}"
    return f"{R}/fetched/{wildcards.dataset}.json" if dataset.fetch else []


@functools.cache
def own_state(dataset):
    return state_of(GRID.recordings_spec(dataset), STUDY.dataset(dataset).view.spec())


def state(wildcards):
    """What a dataset's files are like now; a change reruns whatever reads them. Asked anew of a dataset that a job makes
    first, and once of one that is there."""
    return (own_state.__wrapped__ if origin(wildcards) else own_state)(wildcards.dataset)


def checkpoint(wildcards):
    """Model of a pretrained reader; nothing for one that starts from random weights."""
    reader = Reader.parse(wildcards.reader)
    return f"{R}/{reader.folder}/model.safetensors" if reader.pretrained else []


def features_spec(wildcards):
    return canonical_json(GRID.features_spec(wildcards.dataset, Reader.parse(wildcards.reader)))


def fit_spec(wildcards):
    w = wildcards
    return canonical_json(GRID.fit_spec(GRID.cell(w.dataset, w.read_out, w.reader, w.n)))


def behaviour_spec(wildcards):
    w = wildcards
    return canonical_json(GRID.behaviour_spec(GRID.behaviour_cell(w.dataset, w.read_out, w.reader, w.n)))


def onto(wildcards):
    """Views of the datasets that the tasks of a dataset are also asked of."""
    w = wildcards
    spec = GRID.behaviour_spec(GRID.behaviour_cell(w.dataset, w.read_out, w.reader, w.n))
    return [f"{R}/medical/{one['dataset']}/{w.view}" for one in spec["onto"]]


def sequence_spec(wildcards):
    w = wildcards
    return GRID.continual_spec(ContinualCell(int(w.sequence), w.read_out, Reader.parse(w.reader), w.n))


def continual_spec(wildcards):
    return canonical_json(sequence_spec(wildcards))


def sequence_folders(wildcards):
    """Folder of every dataset of a sequence of tasks, and its view, in the order of their first task."""
    stages = sequence_spec(wildcards)["stages"]
    return [(f"{R}/medical/{name}", view) for name, view in {s["dataset"]: s["view"] for s in stages}.items()]


def network_shape(wildcards):
    """Shape of a reader's network, that of published weights from beside them; None for arms without an encoder."""
    reader = Reader.parse(wildcards.reader)
    if reader.published:
        weights = checkpoint(wildcards)
        os.stat(weights)
        return scale_from(
            read_json(os.path.join(os.path.dirname(weights), "model.json"))["model"]["architecture"]
        )
    return memory.shape_of(GRID.model_spec(reader.family, reader.depth)) if reader.network else None


# How many windows there are is known when a view is there; until then Snakemake writes <TBD>, and asks again before the
# job starts.
def features_mb(wildcards, input):
    return memory.features_mb(network_shape(wildcards), size_of(input.view))


def trained_mb(wildcards, input):
    w = wildcards
    spec = GRID.fit_spec(GRID.cell(w.dataset, w.read_out, w.reader, w.n))
    return memory.trained_mb(spec, network_shape(w), size_of(input.view))


def behaviour_mb(wildcards, input):
    w = wildcards
    spec = GRID.behaviour_spec(GRID.behaviour_cell(w.dataset, w.read_out, w.reader, w.n))
    others = [size_of(view) for view in onto(w)]
    return memory.behaviour_mb(spec, network_shape(w), size_of(input.view), others, STUDY.transfer.folds)


def continual_mb(wildcards, input):
    shown = [size_of(f"{folder}/{view}") for folder, view in sequence_folders(wildcards)]
    spec = sequence_spec(wildcards)
    return memory.continual_mb(spec, network_shape(wildcards), shown, STUDY.transfer.folds)
