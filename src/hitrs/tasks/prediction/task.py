"""Motion prediction as a downstream task: what it trains, its errors under a protocol, and their tables."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeAlias, cast

import numpy as np

from hitrs.data.protocol import ProtocolSplit
from hitrs.data.recording import Recording
from hitrs.errors import ConfigError
from hitrs.models.card import ModelCard
from hitrs.models.encoder import HiTRS
from hitrs.skeleton.mapping import check_layouts
from hitrs.tasks.base import EvalOptions, MetricColumn, Metrics, ReportTable, RunConfig, Task, TaskModel
from hitrs.tasks.graph import Answer, Graph
from hitrs.tasks.markdown import markdown, mean_text
from hitrs.tasks.prediction.config import PredictionConfig
from hitrs.tasks.prediction.graph import AnsweredPredictor, prediction_graph
from hitrs.tasks.prediction.job import PredictionJob
from hitrs.tasks.prediction.metrics import HORIZONS, model_metrics
from hitrs.tasks.prediction.model import PredictionModel
from hitrs.tasks.prediction.poses import BASELINES
from hitrs.tasks.prediction.predict import predict
from hitrs.tasks.prediction.reply import prediction_replies
from hitrs.tasks.prediction.serving import prediction_served
from hitrs.tasks.prediction.windows import protocol_windows
from hitrs.tasks.reply import Replier
from hitrs.tasks.serving import Served
from hitrs.transforms.config import PreprocessingConfig
from hitrs.transforms.dataset import SkeletonDataset

Part: TypeAlias = Mapping[str, Any]
"""Metrics of one part of the test recordings, see ``prediction_metrics``."""
Rows: TypeAlias = dict[str, list[tuple[Mapping[str, Any], Part]]]
"""Name of a row of a table -> of every run its result (empty for a baseline) and its metrics."""


class PredictionTask(Task):
    """The frames that come next."""

    name = "prediction"
    verb = "predict"
    about = "the frames that come next"
    needs = "frames; add recordings"  # the future needs no labels
    config_class = PredictionConfig
    model_class = PredictionModel
    columns = tuple(
        MetricColumn(f"mm at frame {h}", "all", f"mpjpe@{h}", headline=True, lower_is_better=True)
        for h in HORIZONS
    )
    remedies: ClassVar[Mapping[str, str]] = {
        "steps": "train for more steps or on more recordings",
        "predicted": "predict fewer frames (`--predict.head.predicted`)",
        "data": Task.remedies["data"],
    }

    def preprocessing(self, settings: PreprocessingConfig, config: RunConfig) -> PreprocessingConfig:
        """Of what is made for an encoder of groups of frames nothing, where the decoder works alone."""
        if config.section(self.name).head.context:
            return settings
        return dataclasses.replace(settings, stream="joint", frames=0, tubelet=1)

    def check_test(self, split: ProtocolSplit, config: RunConfig) -> None:
        protocol_windows(split.store, split.test, config.section(self.name).head.span)

    def check_encoder(self, card: ModelCard, config: RunConfig) -> None:
        settings, context = card.preprocessing, config.section(self.name).head.context
        alone = "leave --from out, and the decoder works without an encoder"
        if settings.frames or settings.tubelet > 1:
            raise ConfigError(
                "a predictor needs an encoder that sees every frame as it comes, but this one was "
                f"pre-trained on groups of {settings.tubelet} frames (preprocessing.frames is "
                f"{settings.frames}, preprocessing.tubelet {settings.tubelet}): {alone}; or pre-train one "
                "with `hitrs pretrain STORE --config small`"
            )
        if not context:
            raise ConfigError(
                "predict.head.context is 0, so that the predictor is the decoder alone, and the encoder "
                f"that --from names would be dropped: {alone}; or let it see the last observed frames, for "
                "example `--predict.head.context 26`"
            )

    def job(
        self,
        dataset: SkeletonDataset,
        config: RunConfig,
        encoder: HiTRS | None = None,
        validation: SkeletonDataset | None = None,
    ) -> PredictionJob:
        return PredictionJob(dataset, config, encoder, validation)

    def evaluate(
        self,
        models: Sequence[TaskModel],
        split: ProtocolSplit,
        options: EvalOptions = EvalOptions(),
    ) -> Metrics:
        """Errors on the test windows of the store's protocol, part by part, beside the baselines'.

        Raises:
            DataError: if no test recording is long enough, or the protocol takes other frames than the model.
            LayoutError: if the model cannot read the store.
        """
        model, store = cast(PredictionModel, models[0]), split.store
        check_layouts(store.layout, model.card.layout, f"the store {store.path}")
        windows = protocol_windows(store, split.test, model.head_config.span)
        return {part: model_metrics(model, store, part_windows) for part, part_windows in windows.items()}

    def floors(
        self,
        card: ModelCard,
        split: ProtocolSplit,
        metrics: Metrics,
        options: EvalOptions = EvalOptions(),
        tell: Callable[[str], None] = lambda line: None,
    ) -> dict[str, Metrics]:
        """The baselines, which were measured with the model: on the joints that it predicts."""
        return {
            name: {part: values["baselines"][name] for part, values in metrics.items()} for name in BASELINES
        }

    def answers(self, model: TaskModel, recordings: Sequence[Recording]) -> list[np.ndarray]:
        assert isinstance(model, PredictionModel)
        windows = [(recording.positions, recording.valid) for recording in recordings]
        futures = predict(model, windows, model.card.layout)
        return [np.where(valid[..., None], future, np.float32(np.nan)) for future, valid in futures]

    def graph(self, model: TaskModel) -> Graph:
        assert isinstance(model, PredictionModel)
        return prediction_graph(model)

    def answered(self, model: TaskModel, answer: Answer) -> TaskModel:
        assert isinstance(model, PredictionModel)
        return AnsweredPredictor(model, answer)

    def replies(self, model: TaskModel, *, as_is: bool = False) -> Replier:
        assert isinstance(model, PredictionModel)
        return prediction_replies(model, as_is=as_is)

    def served(self, model: TaskModel) -> Served:
        assert isinstance(model, PredictionModel)
        return prediction_served(model)

    def report(
        self, name: str, metrics: Metrics, floors: Mapping[str, Metrics] | None = None
    ) -> list[ReportTable]:
        """A table for each part of the test windows: the model, the baselines, the model action by action."""
        return [_report_table(name if part == "all" else part, values) for part, values in metrics.items()]

    def tables(self, results: Sequence[dict[str, Any]]) -> str:
        """A table for each store and part of its test windows, and one for each action.

        Every table has the rows of zero and constant velocity. A row is the mean over seeds and folds, with
        the deviation of the mean over actions.
        """
        tables: dict[tuple[str, str, str], Rows] = defaultdict(lambda: defaultdict(list))
        counted_baselines = set()
        for result in results:
            for metrics in result.get("metrics", {}).values():
                for part, values in metrics.items():
                    rows = tables[(result["store"], result["fold_group"], part)]
                    rows[_row_name(result)].append((result, values))
                    for name, baseline in values["baselines"].items():
                        key = (result["store"], result["protocol"], part, name)
                        if key not in counted_baselines:  # the same in every result
                            times = {"horizons": values["horizons"], "ms": values["ms"]}
                            rows[name].append(({}, {**baseline, **times}))
                        counted_baselines.add(key)
        texts = []
        for (store, folds, part), rows in sorted(tables.items()):
            title = f"{store}, {folds}" if part == "all" else f"{store}, {part}"
            texts.append(f"**{title}**, MPJPE in mm, mean over actions\n\n{_mean_table(rows)}")
            actions = _first_part(rows)["actions"]
            if len(actions) > 1:
                texts += [f"**{title}: {action}**\n\n{_action_table(rows, action)}" for action in actions]
        return "\n".join(texts)


def _report_table(name: str, values: Part) -> ReportTable:
    horizons = values["horizons"]
    rows = [["model", *_errors(values, horizons)]]
    rows += [[baseline, *_errors(errors, horizons)] for baseline, errors in values["baselines"].items()]
    if len(values["actions"]) > 1:
        rows += [[f"model: {a}", *_errors(errors, horizons)] for a, errors in values["actions"].items()]
    return [f"MPJPE, {values['windows']} windows ({name})", *_horizon_titles(values)], rows


def _errors(values: Part, horizons: Sequence[int]) -> list[str]:
    errors = [values.get(f"mpjpe@{h}") for h in horizons]
    return ["-" if error is None else f"{error:.1f}" for error in errors]


def _horizon_titles(values: Part) -> list[str]:
    if values["ms"] is None:
        return [f"frame {h}" for h in values["horizons"]]
    return [f"frame {h} ({ms:.0f} ms)" for h, ms in zip(values["horizons"], values["ms"], strict=True)]


def _mean_table(rows: Rows) -> str:
    """MPJPE and bone drift of every row, its number of runs, and what one costs."""
    first = _first_part(rows)
    horizons, last = first["horizons"], first["horizons"][-1]
    lines = []
    for name in _ordered(rows):
        runs, parts = zip(*rows[name], strict=True)
        cost = ["-"] * 3
        if name not in BASELINES:
            minutes = sum(run["seconds"] for run in runs) / len(runs) / 60
            cost = [str(len(runs)), str(runs[0]["steps"]), f"{minutes:.1f}"]
        drift = mean_text([values.get(f"bone_drift@{last}") for values in parts])
        lines.append([name, *_mean_errors(parts, horizons), drift, *cost])
    titles = [*_horizon_titles(first), f"bone drift, frame {last}"]
    return markdown(["prediction", *titles, "runs", "steps", "minutes"], lines)


def _action_table(rows: Rows, action: str) -> str:
    """MPJPE of every row on one action."""
    first = _first_part(rows)
    lines = [
        [name, *_mean_errors([values["actions"][action] for _, values in rows[name]], first["horizons"])]
        for name in _ordered(rows)
    ]
    return markdown(["prediction", *_horizon_titles(first)], lines)


def _mean_errors(parts: Sequence[Part], horizons: Sequence[int]) -> list[str]:
    return [mean_text([values.get(f"mpjpe@{h}") for values in parts]) for h in horizons]


def _first_part(rows: Rows) -> Part:
    """Of a row, for what is the same in all rows: horizons and actions."""
    return next(iter(rows.values()))[0][1]


def _row_name(result: Mapping[str, Any]) -> str:
    start = result["start"]
    name = result["label"] or f"encoder {'from scratch' if start == 'scratch' else start}"
    fraction = result["label_fraction"]
    return f"{name}, {100 * fraction:g}% of the recordings" if fraction < 1 else str(name)


def _ordered(rows: Rows) -> list[str]:
    """The baselines, then the other rows by name."""
    return [*(name for name in BASELINES if name in rows), *sorted(rows.keys() - BASELINES.keys())]


TASK = PredictionTask()
