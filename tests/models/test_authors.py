"""The authors' names without their file: sizes, and checkpoints that are not what they should be."""

import pytest
import torch
from torch import Tensor

from factories import JOINTS, LAYOUT, tiny
from hitrs.errors import CheckpointError
from hitrs.models.authors import from_authors, infer_config, to_authors
from hitrs.models.card import ModelCard
from hitrs.models.config import ModelConfig
from hitrs.models.encoder import HiTRS
from hitrs.pretext.objective import PretextObjective
from hitrs.tasks.recognition.model import RecognitionModel


@pytest.fixture(scope="module")
def theirs() -> dict[str, Tensor]:
    return to_authors(PretextObjective(HiTRS(tiny(), JOINTS), {"views": 1.0}).state_dict())


def test_parameters_of_the_paper_configuration() -> None:
    encoder = HiTRS(ModelConfig(), 25, 3)
    objective = PretextObjective(encoder)
    classifier = torch.nn.Linear(encoder.video_width, 60)
    count = sum(p.numel() for module in (objective, classifier) for p in module.parameters())
    assert count == 7_081_923


def test_a_pretraining_checkpoint_has_the_authors_parts(theirs) -> None:
    heads = {"s_pose_reg", "c_motion_cls", "v_motion_cls", "v_ft_reg"}
    assert heads <= {name.split(".")[0] for name in theirs}
    assert not any(name.startswith("v_cls") or "views" in name for name in theirs)
    assert theirs["clip_fuse_token"].shape == (1, 1, 16)
    assert theirs["s_enc.layer_stack.1.slf_attn.w_ks.weight"].shape == (8, 8)


def test_a_recognizer_goes_round() -> None:
    card = ModelCard(tiny(), LAYOUT, classes=("a", "b"))
    weights = RecognitionModel(HiTRS(tiny(), JOINTS), card).state_dict()
    back = from_authors({f"module.{k}": v for k, v in to_authors(weights).items()})
    assert back.keys() == weights.keys()
    assert all(torch.equal(back[name], weights[name]) for name in weights)


def test_sizes_are_read_from_the_shapes(theirs) -> None:
    config, joints, coords = infer_config(from_authors(theirs), heads=2, stride=3)
    assert (joints, coords) == (JOINTS, 3)
    assert config == tiny(mode="paper", stride=3, dropout=ModelConfig.dropout)


@pytest.mark.parametrize("heads", [3, 0, -1])
def test_heads_that_do_not_divide_the_width(theirs, heads: int) -> None:
    with pytest.raises(CheckpointError, match=f"8 wide, which {heads} heads do not divide"):
        infer_config(from_authors(theirs), heads=heads)


def test_an_unknown_name(theirs) -> None:
    with pytest.raises(CheckpointError, match=r"'backbone\.conv1\.weight' is not a parameter"):
        from_authors({**theirs, "backbone.conv1.weight": torch.zeros(3)})


@pytest.mark.parametrize("part", ["w_qs", "w_ks", "w_vs"])
def test_a_layer_without_all_of_query_key_and_value(theirs, part: str) -> None:
    name = f"c_enc.layer_stack.0.slf_attn.{part}.weight"
    with pytest.raises(CheckpointError, match=f"not {name}"):
        from_authors({k: v for k, v in theirs.items() if k != name})


@pytest.mark.parametrize("name", ["s_input_map.0.weight", "c_pe.pe", "v_pe.pe"])
def test_a_missing_part(theirs, name: str) -> None:
    with pytest.raises(CheckpointError, match="lacks a part of the encoder"):
        infer_config(from_authors({k: v for k, v in theirs.items() if k != name}), heads=2)


def test_a_part_of_another_shape(theirs) -> None:
    for shape in ((), (4,)):
        with pytest.raises(CheckpointError, match="another shape"):
            infer_config(from_authors({**theirs, "c_pe.pe": torch.zeros(shape)}), heads=2)
