"""Action recognition as a downstream task."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from hitrs.data.protocol import ProtocolSplit
from hitrs.data.store import Store
from hitrs.errors import DataError
from hitrs.models.card import ModelCard
from hitrs.models.encoder import HiTRS
from hitrs.tasks.base import (
    EvalOptions,
    FinetuneJob,
    MetricColumn,
    Metrics,
    ReportTable,
    RunConfig,
    Task,
    TaskModel,
)
from hitrs.tasks.recognition.config import RecognitionConfig
from hitrs.tasks.recognition.floors import TITLES, recognition_floors
from hitrs.tasks.recognition.job import RecognitionJob
from hitrs.tasks.recognition.metrics import accuracy_table, split_metrics
from hitrs.tasks.recognition.model import RecognitionModel
from hitrs.tasks.recognition.predict import predict
from hitrs.tasks.recognition.ridge import convolution_recognizer
from hitrs.transforms.dataset import SkeletonDataset


class RecognitionTask(Task):
    """One class for a whole recording."""

    name = "recognition"
    verb = "recognize"
    about = "one class for a recording"
    needs = "a label; add labels.csv (`hitrs cut` makes labeled recordings of segments)"
    config_class = RecognitionConfig
    model_class = RecognitionModel
    columns = (
        MetricColumn("top-1, all", "all", "top1", headline=True),
        MetricColumn("top-1, deduplicated", "deduplicated", "top1"),
    )
    eval_options = frozenset({"views", "seen_as"})
    ensembles = True
    needs_rate = False
    store_columns = ("store", "stream")
    floor_titles = TITLES
    remedies = (
        f"{Task.remedies}; `hitrs probe STORE ENCODER --out RECOGNIZER --convolutions` makes a recognizer of "
        "an encoder and random convolutions"
    )

    def usable(self, store: Store) -> np.ndarray:
        return np.asarray(store.labels) >= 0

    def strata(self, store: Store, indices: np.ndarray) -> np.ndarray:
        """The class of each recording."""
        return np.asarray(store.labels)[indices]

    def job(
        self,
        dataset: SkeletonDataset,
        config: RunConfig,
        encoder: HiTRS | None = None,
        validation: SkeletonDataset | None = None,
    ) -> RecognitionJob:
        return RecognitionJob(dataset, config, encoder, validation)

    def after_training(self, job: FinetuneJob, validation: SkeletonDataset | None) -> None:
        """Put random convolutions beside the encoder, unless that makes validation worse."""
        assert isinstance(job, RecognitionJob)
        model, settings = job.model.eval(), job.settings
        if not settings.head.convolutions:
            return
        alone = 0.0 if validation is None else _accuracy(model, validation)
        model.add_convolutions(convolution_recognizer(job.dataset, settings.optim.seed))
        if validation is not None and _accuracy(model, validation) < alone:
            model.add_convolutions(None)

    def evaluate(
        self,
        models: Sequence[TaskModel],
        split: ProtocolSplit,
        options: EvalOptions = EvalOptions(),
    ) -> Metrics:
        """Accuracy on the test part; several models are one recognizer, their probabilities are averaged.

        Classes of the models that the store does not have come behind the store's.

        Raises:
            DataError: for a class of the test part that a model does not know.
        """
        recognizers = [model for model in models if isinstance(model, RecognitionModel)]
        known = split.store.classes
        classes = (*known, *dict.fromkeys(n for m in recognizers for n in m.card.classes if n not in known))
        scores = np.zeros((len(split.test), len(classes)))
        for model in recognizers:
            columns = _columns(model, split, classes)
            card = model.card
            query = SkeletonDataset(split.store, split.test, card.layout, card.preprocessing, options.seen_as)
            scores[:, columns] += predict(model, query, options.views or 1) / len(recognizers)
        return split_metrics(scores, split, classes)

    def default_options(self, config: RunConfig) -> EvalOptions:
        return EvalOptions(views=config.section(self.name).eval.test_views)

    def floors(
        self,
        card: ModelCard,
        split: ProtocolSplit,
        metrics: Metrics,
        options: EvalOptions = EvalOptions(),
        tell: Callable[[str], None] = lambda line: None,
    ) -> dict[str, Metrics]:
        return recognition_floors(split, card, options.seen_as, tell=tell)

    def report(
        self, name: str, metrics: Metrics, floors: Mapping[str, Metrics] | None = None
    ) -> list[ReportTable]:
        beside = {self.floor_titles.get(floor, floor): values for floor, values in (floors or {}).items()}
        (_, *head), rows = accuracy_table({"model": metrics, **beside})
        return [([f"accuracy in % ({name})", *head], rows)]


def _accuracy(model: RecognitionModel, dataset: SkeletonDataset) -> float:
    return float((predict(model, dataset).argmax(1) == dataset.labels).mean())


def _columns(model: RecognitionModel, split: ProtocolSplit, classes: Sequence[str]) -> list[int]:
    """Where each class of a model stands among ``classes``."""
    own, names = model.card.classes, split.store.classes
    labels = np.unique(np.asarray(split.store.labels)[split.test])
    unknown = [names[label] for label in labels if names[label] not in own]
    if unknown:
        raise DataError(
            f"the model does not know the class '{unknown[0]}' of {split.store.path}; its classes: "
            f"{', '.join(own)}"
        )
    return [classes.index(name) for name in own]


TASK = RecognitionTask()
