"""Action recognition as a downstream task."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import numpy as np

from hitrs.data.protocol import ProtocolSplit
from hitrs.data.recording import Recording
from hitrs.data.store import Store
from hitrs.errors import ConfigError, DataError
from hitrs.models.card import ModelCard
from hitrs.models.encoder import HiTRS
from hitrs.models.features import collect
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
from hitrs.tasks.graph import Answer, Graph, model_inputs
from hitrs.tasks.recognition.calibration import choose_confidence
from hitrs.tasks.recognition.config import RecognitionConfig
from hitrs.tasks.recognition.early import early_accuracy
from hitrs.tasks.recognition.floors import TITLES, recognition_floors
from hitrs.tasks.recognition.graph import AnsweredRecognizer, recognition_graph
from hitrs.tasks.recognition.job import RecognitionJob
from hitrs.tasks.recognition.metrics import (
    accuracy_table,
    confidence_metrics,
    confidence_tables,
    early_tables,
    split_metrics,
)
from hitrs.tasks.recognition.model import RecognitionModel
from hitrs.tasks.recognition.predict import predict
from hitrs.tasks.recognition.reply import recognition_replies
from hitrs.tasks.recognition.ridge import convolution_recognizer
from hitrs.tasks.recognition.serving import recognition_served
from hitrs.tasks.reply import Replier
from hitrs.tasks.serving import Served
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
    eval_options = frozenset({"views", "seen_as", "early"})
    ensembles = True
    refuses = True
    needs_rate = False
    store_columns = ("store", "stream")
    floor_titles = TITLES
    remedies: ClassVar[Mapping[str, str]] = {
        **Task.remedies,
        "convolutions": "make a recognizer of an encoder and random convolutions with `hitrs probe STORE "
        "ENCODER --out RECOGNIZER --convolutions`",
    }

    def check_options(self, models: Sequence[str], options: EvalOptions) -> None:
        super().check_options(models, options)
        if options.early and len(models) > 1:
            raise ConfigError(
                f"--early tells about one recognizer, got {len(models)}; evaluate them one by one"
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
        """Put random convolutions beside the encoder, unless that makes validation worse; then choose on it
        how sure the model may be."""
        assert isinstance(job, RecognitionJob)
        model, settings = job.model.eval(), job.settings
        if settings.head.convolutions:
            alone = 0.0 if validation is None else _accuracy(model, validation)
            model.add_convolutions(convolution_recognizer(job.dataset, settings.optim.seed))
            if validation is not None and _accuracy(model, validation) < alone:
                model.add_convolutions(None)
        if validation is not None:
            scores = collect(model, model, validation)
            model.confidence = choose_confidence(scores, validation.labels, settings.eval.refused)

    def evaluate(
        self,
        models: Sequence[TaskModel],
        split: ProtocolSplit,
        options: EvalOptions = EvalOptions(),
    ) -> Metrics:
        """Accuracy on the test part; several models are one recognizer, their probabilities are averaged.

        Classes of the models that the store does not have come behind the store's. A single model that can
        say "none of these" is also tested on recordings of classes that it does not know.

        Raises:
            DataError: for a class of the test part that a model does not know, and that it cannot refuse.
        """
        recognizers = [model for model in models if isinstance(model, RecognitionModel)]
        known = split.store.classes
        classes = (*known, *dict.fromkeys(n for m in recognizers for n in m.card.classes if n not in known))
        scores = np.zeros((len(split.test), len(classes)))
        threshold = recognizers[0].confidence.threshold if len(recognizers) == 1 else 0.0
        for model in recognizers:
            columns, card = [classes.index(name) for name in model.card.classes], model.card
            if not threshold:
                _check_known(model, split)
            query = SkeletonDataset(split.store, split.test, card.layout, card.preprocessing, options.seen_as)
            scores[:, columns] += predict(model, query, options.views or 1) / len(recognizers)
        labels = np.asarray(split.store.labels)[split.test]
        trained = np.isin(labels, np.flatnonzero(np.isin(classes, recognizers[0].card.classes)))
        if not trained.any():
            _check_known(recognizers[0], split)
        if not threshold:
            trained[:] = True
        metrics = split_metrics(
            scores[trained], dataclasses.replace(split, test=split.test[trained]), classes
        )
        metrics["all"].update(confidence_metrics(scores, labels, trained, threshold))
        if options.early:
            model, test = recognizers[0], split.test[trained]
            query = SkeletonDataset(
                split.store, test, model.card.layout, model.card.preprocessing, options.seen_as
            )
            own = [model.card.classes.index(classes[label]) for label in labels[trained]]
            metrics["all"]["early"] = early_accuracy(model, query, np.asarray(own))
        return metrics

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
        accuracy = [f"accuracy in % ({name})", *head], rows
        return [accuracy, *confidence_tables(metrics), *early_tables(metrics)]

    def answers(self, model: TaskModel, recordings: Sequence[Recording]) -> list[np.ndarray]:
        assert isinstance(model, RecognitionModel)
        return list(predict(model, model_inputs(recordings, model.card)))

    def graph(self, model: TaskModel) -> Graph:
        assert isinstance(model, RecognitionModel)
        return recognition_graph(model)

    def answered(self, model: TaskModel, answer: Answer) -> TaskModel:
        assert isinstance(model, RecognitionModel)
        return AnsweredRecognizer(model, answer)

    def replies(self, model: TaskModel, *, as_is: bool = False) -> Replier:
        assert isinstance(model, RecognitionModel)
        return recognition_replies(model, as_is=as_is)

    def served(self, model: TaskModel) -> Served:
        assert isinstance(model, RecognitionModel)
        return recognition_served(model)


def _accuracy(model: RecognitionModel, dataset: SkeletonDataset) -> float:
    return float((predict(model, dataset).argmax(1) == dataset.labels).mean())


def _check_known(model: RecognitionModel, split: ProtocolSplit) -> None:
    """Refuse a test part with a class that the model does not know."""
    own, names = model.card.classes, split.store.classes
    labels = np.unique(np.asarray(split.store.labels)[split.test])
    unknown = [names[label] for label in labels if names[label] not in own]
    if unknown:
        raise DataError(
            f"the model does not know the class '{unknown[0]}' of {split.store.path}; its classes: "
            f"{', '.join(own)}"
        )


TASK = RecognitionTask()
