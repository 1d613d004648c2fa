"""Action detection as a downstream task."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hitrs.data.protocol import ProtocolSplit
from hitrs.data.recording import Recording
from hitrs.data.store import Store
from hitrs.errors import ConfigError
from hitrs.models.card import ModelCard
from hitrs.models.encoder import HiTRS
from hitrs.tasks.base import EvalOptions, FinetuneJob, MetricColumn, Metrics, RunConfig, Task, TaskModel
from hitrs.tasks.deployed import FrameAnswer
from hitrs.tasks.detection.choose import choose_settings
from hitrs.tasks.detection.config import DetectionConfig
from hitrs.tasks.detection.floors import detection_floors
from hitrs.tasks.detection.graph import AnsweredDetector, detection_graph
from hitrs.tasks.detection.job import DetectionJob
from hitrs.tasks.detection.metrics.frames import latency
from hitrs.tasks.detection.metrics.score import score_detection, to_percent
from hitrs.tasks.detection.model import DetectionModel
from hitrs.tasks.detection.online_graph import online_detection_graph
from hitrs.tasks.detection.predict import predict
from hitrs.tasks.detection.reply import detection_replies
from hitrs.tasks.detection.segments import propose
from hitrs.tasks.detection.serving import detection_served
from hitrs.tasks.detection.stepping import FrameByFrame
from hitrs.tasks.detection.truth import true_labels, true_segments
from hitrs.tasks.graph import Answer, Graph, model_inputs
from hitrs.tasks.reply import Replier
from hitrs.tasks.serving import Served
from hitrs.transforms.config import PreprocessingConfig
from hitrs.transforms.dataset import SkeletonDataset
from hitrs.transforms.preprocessing import frame_by_frame

CONFIRM = 3
"""Online, an action counts as named where so many frames in a row have its label."""


class DetectionTask(Task):
    """Segments of untrimmed recordings, each with a class."""

    name = "detection"
    verb = "detect"
    about = "actions in untrimmed recordings, from where to where"
    needs = "labeled segments; add segments.csv"
    config_class = DetectionConfig
    model_class = DetectionModel
    columns = (
        MetricColumn("frame accuracy", "all", "frame/accuracy", headline=True),
        MetricColumn("F1@50", "all", "frame/f1@50"),
        *(
            MetricColumn(f"mAP@{iou} (VOC)", "all", f"voc/map@{iou}", headline=iou == 0.5)
            for iou in (0.1, 0.3, 0.5, 0.7)
        ),
        MetricColumn("mAP_a@0.5 (PKU)", "all", "pku/map_action@0.5"),
    )

    def usable(self, store: Store) -> np.ndarray:
        return np.asarray(store.segment_counts) > 0

    def preprocessing(self, settings: PreprocessingConfig, config: RunConfig) -> PreprocessingConfig:
        """All but resampling: every frame of the recording gets an answer. A causal detector turns and scales
        by the frames up to each one, where its encoder did so by the whole recording."""
        settings = dataclasses.replace(settings, frames=0)
        return frame_by_frame(settings) if config.section(self.name).head.causal else settings

    def job(
        self,
        dataset: SkeletonDataset,
        config: RunConfig,
        encoder: HiTRS | None = None,
        validation: SkeletonDataset | None = None,
    ) -> DetectionJob:
        return DetectionJob(dataset, config, encoder, validation)

    def after_training(self, job: FinetuneJob, validation: SkeletonDataset | None) -> None:
        """Choose segment settings, thresholds among them, on the validation recordings."""
        model = job.model
        if validation is None or not isinstance(model, DetectionModel):
            return
        truths = true_segments(validation, validation.store.classes)
        chosen = choose_settings(predict(model, validation), truths)
        postprocessing = {**model.card.postprocessing, "segments": dataclasses.asdict(chosen)}
        model.card = dataclasses.replace(model.card, postprocessing=postprocessing)

    def evaluate(
        self,
        models: Sequence[TaskModel],
        split: ProtocolSplit,
        options: EvalOptions = EvalOptions(),
    ) -> Metrics:
        """Scores on the test part in percent; of a causal detector also how late it names actions.

        Raises:
            DataError: for a class of the test part that the model does not know.
        """
        (model,) = models
        if not isinstance(model, DetectionModel):
            raise ConfigError(f"expected a detector to evaluate, got {type(model).__name__}")
        dataset = SkeletonDataset(split.store, split.test, model.card.layout, model.card.preprocessing)
        classes, probabilities = model.card.classes, predict(model, dataset)
        labels = [rows.argmax(1) for rows in probabilities]
        actions = true_segments(dataset, classes)
        proposals = [propose(rows, model.segments) for rows in probabilities]
        scores: dict[str, Any] = to_percent(
            score_detection(actions, proposals, true_labels(dataset, classes), labels, classes)
        )
        if model.settings.causal:
            delays = latency(actions, labels, CONFIRM)
            scores |= {key: value if value is None else round(value, 2) for key, value in delays.items()}
        return {"all": scores}

    def floors(
        self,
        card: ModelCard,
        split: ProtocolSplit,
        metrics: Metrics,
        options: EvalOptions = EvalOptions(),
        tell: Callable[[str], None] = lambda line: None,
    ) -> dict[str, Metrics]:
        return detection_floors(split, card, tell)

    def answers(self, model: TaskModel, recordings: Sequence[Recording]) -> list[np.ndarray]:
        assert isinstance(model, DetectionModel)
        return predict(model, model_inputs(recordings, model.card))

    def frame_by_frame(self, model: TaskModel, persons: int) -> FrameAnswer:
        assert isinstance(model, DetectionModel)
        return FrameByFrame(model, persons)

    def graph(self, model: TaskModel) -> Graph:
        assert isinstance(model, DetectionModel)
        return detection_graph(model)

    def online_graph(self, model: TaskModel) -> Graph:
        assert isinstance(model, DetectionModel)
        return online_detection_graph(model)

    def answered(self, model: TaskModel, answer: Answer) -> TaskModel:
        assert isinstance(model, DetectionModel)
        return AnsweredDetector(model, answer)

    def replies(self, model: TaskModel, *, as_is: bool = False) -> Replier:
        assert isinstance(model, DetectionModel)
        return detection_replies(model, as_is=as_is)

    def served(self, model: TaskModel) -> Served:
        assert isinstance(model, DetectionModel)
        return detection_served(model)


TASK = DetectionTask()
