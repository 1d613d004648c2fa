"""``hitrs export``: a model as an ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, arg

from hitrs.cli.console import print_line, print_table
from hitrs.cli.options import ModelArgument, Name
from hitrs.errors import ConfigError

if TYPE_CHECKING:
    from hitrs.tasks.base import TaskModel


def run(
    model: ModelArgument,
    out: Annotated[Positional[Path], arg(metavar="OUT")],
    *,
    encoder: bool = False,
    online: bool = False,
    precision: Literal["fp32", "fp16", "int8"] = "fp32",
    store: Annotated[Path | None, arg(metavar="STORE")] = None,
    protocol: Name = None,
) -> None:
    """Write a model as an ONNX file that needs neither PyTorch nor hitrs: a raw recording in, the answer out.

    The file is run in onnxruntime on recordings of several sizes, with missing joints and bodies, and is left
    only if its answers are those of the model to 1e-4 (docs/export.md).

    Args:
        model: model directory, the run that made it, or `hub://OWNER/NAME`.
        out: the file to write, OUT.onnx; an older one is replaced.
        encoder: of a model for a task only the encoder; of a pre-trained one there is nothing else.
        online: of a causal detector: one frame in, its probabilities out, and what the model remembers as
            inputs and outputs.
        precision: of the weights. fp16: stored with half the bytes, computed with as before; int8: a quarter,
            for matrix products, which changes answers.
        store: test the file and the model on this store, and print the figures side by side.
        protocol: whose test part; the store's first protocol if left out.
    """
    from hitrs.export import export_model
    from hitrs.export.encoder import encoder_graph
    from hitrs.models.card import PRETRAINING
    from hitrs.models.card_files import read_card, resolve_pretrained
    from hitrs.models.encoder import HiTRS
    from hitrs.tasks.base import get_task

    card, _ = read_card(resolve_pretrained(model))
    alone = encoder or card.task == PRETRAINING
    if alone and (store is not None or protocol is not None):
        raise ConfigError("an encoder alone has no figures to test: leave --store out")
    if alone and online:
        raise ConfigError("an encoder alone does not answer frame by frame: leave --online out")
    if protocol is not None and store is None:
        raise ConfigError("--protocol says which part of a store to test: name the store, --store STORE")
    print_line(f"exporting   {model}: made and compared in half a minute, on a busy machine more")
    loaded: TaskModel | None = None
    if alone:
        graph, card = encoder_graph(HiTRS.from_pretrained(model))
    else:
        loaded = get_task(card.task).load(model)
        task = get_task(card.task)
        graph, card = (task.online_graph if online else task.graph)(loaded), loaded.card
    done = export_model(graph, card, out, precision=precision)
    frames = [frames for frames, _ in done.sizes]
    print_line(f"exported    {out} ({done.size / 1e6:.2f} MB, {precision})")
    print_line(
        f"checked     in onnxruntime, {len(frames)} recordings of {min(frames)} to {max(frames)} frames with "
        f"missing joints and bodies: answers differ from the model's by {done.difference:.1e} at most"
    )
    if store is not None and loaded is not None:
        _print_figures(loaded, out, store, protocol)


def _print_figures(loaded: TaskModel, out: Path, store: Path, protocol: str | None) -> None:
    """The model's figures on a store, and the file's."""
    from hitrs.data.store import Store
    from hitrs.experiments.evaluation import evaluate_loaded
    from hitrs.export import ExportedModel
    from hitrs.tasks.base import get_task
    from hitrs.tasks.stores import converted_store

    task = get_task(loaded.card.task)
    data = converted_store(Store.open(store), loaded.card, print_line)
    both = [loaded, task.answered(loaded, ExportedModel(out))]
    ours, files = (evaluate_loaded(task, [each], data, protocol) for each in both)
    rows = []
    for column in task.columns:
        pair = [column.value(done.metrics) for done in (ours, files)]
        if pair[0] is not None:
            rows.append([column.title, *(f"{value:.2f}" for value in pair)])
    print_line()
    print_table([f"{store}, {ours.protocol}", "model", "file"], rows)
