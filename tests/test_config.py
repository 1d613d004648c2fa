"""Configuration files: what they may hold, and what is said about those that hold something else."""

import pickle
from importlib import resources
from pathlib import Path

import pytest

from hitrs.config import (
    Config,
    differences,
    dump_config,
    list_configs,
    load_config,
    load_run_config,
    renamed_key,
)
from hitrs.errors import ConfigError


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_paper_is_the_defaults_and_what_the_defaults_leave_open() -> None:
    changed = {name: value for name, value, _ in differences(load_config("paper"), Config())}
    assert changed == {"model.mode": "paper", "min_frames": 19, "pretrain.optim.eval_every": 5000}


@pytest.mark.parametrize("name", list_configs())
def test_every_configuration_says_how_to_launch_it(name: str) -> None:
    text = (resources.files("hitrs") / "configs" / f"{name}.yaml").read_text(encoding="utf-8")
    header = text[: text.index("\nmodel:")]
    assert all(line.startswith("#") for line in header.splitlines() if line)
    for verb in ("pretrain", "finetune"):
        assert f"--config {name}" in next(line for line in header.splitlines() if f"hitrs {verb}" in line)


def test_the_sizes_rise() -> None:
    widths = [load_config(name).model.width for name in ("tiny", "small", "base", "paper")]
    assert widths == sorted(set(widths))


def test_a_dumped_configuration_is_read_back(tmp_path: Path) -> None:
    config = load_config(
        "small", {"pretrain.optim.precision": "bf16", "pretrain.optim.lr": 3e-5, "preprocessing.up": "z"}
    )
    dump_config(config, tmp_path / "deep" / "config.yaml", comment="first\nsecond")
    text = (tmp_path / "deep" / "config.yaml").read_text(encoding="utf-8")
    assert text.startswith("# first\n# second\nmodel:")
    assert load_config(tmp_path / "deep" / "config.yaml") == config


def test_numbers_and_words_as_people_write_them(tmp_path: Path) -> None:
    text = "pretrain: {optim: {lr: 1e-3, final_lr: 2E-6, weight_decay: 1}}\npreprocessing: {center: none}\n"
    config = load_config(write(tmp_path / "a.yaml", text))
    optim = config.pretrain.optim
    assert (optim.lr, optim.final_lr, optim.weight_decay) == (1e-3, 2e-6, 1.0)
    assert isinstance(optim.weight_decay, float)
    assert config.preprocessing.center == "none"


def test_an_empty_file_is_the_paper_s_defaults(tmp_path: Path) -> None:
    assert load_config(write(tmp_path / "empty.yaml", "# nothing yet\n")) == Config()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model: {widht: 3}", "unknown key 'model.widht'; did you mean 'width'?"),
        ("modle: {}", "unknown key 'modle'; did you mean 'model'?"),
        ("steps: 3", "unknown key 'steps' ('pretrain.optim.steps' exists)"),
        ("model: {min_frames: 3}", "unknown key 'model.min_frames' ('min_frames' exists)"),
        ("model: 3", "'model' must be a section of keys and values, got 3"),
        ("[1, 2]", "a configuration must be a section of keys and values"),
        ("model: {width: 8.5}", "model.width must be a whole number, got 8.5"),
        ("model: {width: wide}", "model.width must be a whole number, got 'wide'"),
        ("model: {dropout: true}", "model.dropout must be a number, got True"),
        ("detect: {head: {causal: maybe}}", "detect.head.causal must be true or false, got 'maybe'"),
        (
            "pretrain: {optim: {precision: bf15}}",
            "must be one of fp32, bf16, fp16, got 'bf15'; did you mean 'bf16'?",
        ),
        ("pretrain: {optim: {precision: no}}", "'no' is called 'fp32' now"),
        ("pretrain: {steps: 3}", "'pretrain.steps' is called 'pretrain.optim.steps' now"),
        ("finetune: {test_views: 3}", "'finetune.test_views' is 'recognize.eval.test_views'"),
        ("augment: {noise: 0}", "'augment.noise' is called 'augment.views.noise' now"),
        ("pretext: {vievs: 1}", "there is no pretext task 'vievs'; did you mean 'views'?"),
        ("pretext: {views: -1}", "must not be negative"),
        ("model: {width: 6}", "model.width must be a multiple of 4"),
        ("model: {width: 4, width: 8}", "the key 'width' stands here twice"),
        ("model: [", "is not valid YAML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path / "mine.yaml", text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("smal", "there is no configuration 'smal'; did you mean 'small'?"),
        ("nowhere.yaml", "cannot read the configuration nowhere.yaml"),
    ],
)
def test_a_configuration_that_is_not_there(source: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace("?", r"\?")):
        load_config(source)


def test_changes_by_dotted_name() -> None:
    config = load_config("tiny", {"pretrain.optim.steps": 7, "min_frames": 3, "model.mode": "paper"})
    assert (config.pretrain.optim.steps, config.min_frames, config.model.mode) == (7, 3, "paper")
    rest = {name for name, *_ in differences(config, load_config("tiny"))}
    assert rest == {"pretrain.optim.steps", "min_frames", "model.mode"}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("pretrain.optim.stpes", 3, "unknown key 'pretrain.optim.stpes'; did you mean 'steps'?"),
        ("pretrain.steps", 3, "'pretrain.steps' is called 'pretrain.optim.steps' now"),
        ("pretrian.optim.steps", 3, "unknown key 'pretrian'; did you mean 'pretrain'?"),
        ("min_frames.x", 3, "unknown key 'min_frames.x': 'min_frames' is a single value"),
        ("pretrain", 3, "'pretrain' must be a section"),
        ("pretrain.optim.steps", "many", "pretrain.optim.steps must be a whole number"),
        ("pretrain.optim.steps", 0, "pretrain.optim.steps must be at least 1, got 0"),
        ("recognize.optim.lr", -1, "recognize.optim.lr must be above 0, got -1"),
        ("predict.head.observed", 0, "predict.head.observed must be at least 1, got 0"),
    ],
)
def test_changes_that_are_not_possible(name: str, value: object, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config("tiny", {name: value})
    assert str(caught.value).startswith(message)


def test_every_field_has_a_type_that_files_can_hold(tmp_path: Path) -> None:
    """A field of a kind that the reader does not know would otherwise show when somebody uses it."""
    config = Config()
    dump_config(config, tmp_path / "all.yaml")
    assert load_config(tmp_path / "all.yaml") == config
    sections = {"model", "preprocessing", "augment", "pretext", "pretrain", "probe"}
    assert sections | {"recognize", "detect", "predict"} <= config.to_dict().keys()


def test_sections_of_tasks_are_attributes_and_go_through_pickle() -> None:
    config = load_config("tiny", {"detect.head.causal": True})
    assert config.detect.head.causal
    assert config.section("detection") is config.detect
    again = pickle.loads(pickle.dumps(config))
    assert again == config
    with pytest.raises(AttributeError, match="no section or value 'detcet'"):
        _ = config.detcet


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("finetune.encoder_lr", "recognize.optim.encoder_lr_scale"),
        ("detect.frames", "detect.chunk_frames"),
        ("predict.step", "predict.head.frame_step"),
        ("predict.steps", "predict.optim.steps"),
        ("pretrain.recompute", "pretrain.optim.activation_checkpointing"),
        ("probe.strength", "probe.C"),
        ("model.width", None),
        ("detect.head.hidden", None),
    ],
)
def test_keys_of_earlier_releases(old: str, new: str | None) -> None:
    assert renamed_key(old) == new


def test_the_configuration_of_a_run_of_an_earlier_release(tmp_path: Path) -> None:
    text = """
        pretrain: {steps: 7, accumulate: 2, clip: 0.5, precision: 'no'}
        finetune: {steps: 5, test_views: 3, encoder_lr: 0.3, precision: bf16}
        detect: {causal: true, hidden: 12, frames: 99, frozen: true}
        predict: {step: 2, observed: 30, context: 20, reverse: 0.3}
        augment: {policy: views, noise: 0.0}
        pretext: {views: 1.0}
        probe: {neighbors: 3, strength: 0.1}
        max_frames: 96
    """
    config = load_run_config(write(tmp_path / "config.yaml", text), version=1)
    assert config == Config().changed(
        {
            "pretrain.optim.steps": 7, "pretrain.optim.accumulation_steps": 2,
            "pretrain.optim.max_grad_norm": 0.5,
            "recognize.optim.steps": 5, "recognize.eval.test_views": 3,
            "recognize.optim.encoder_lr_scale": 0.3,
            "recognize.optim.precision": "bf16", "detect.head.causal": True, "detect.head.hidden": 12,
            "detect.chunk_frames": 99, "detect.freeze_encoder": True, "predict.head.frame_step": 2,
            "predict.head.observed": 30, "predict.head.context": 20, "predict.reverse": 0.3,
            "augment.policy": "views", "augment.views.noise": 0.0, "pretext.views": 1.0, "probe.k": 3,
            "probe.C": 0.1, "max_frames": 96,
        }
    )  # fmt: skip
