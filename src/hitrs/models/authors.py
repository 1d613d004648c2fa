"""The authors' parameter names, and ours.

Their released files hold one flat dictionary of tensors (with the prefix ``module.`` from data-parallel
training). Sizes are read from the shapes; only the number of attention heads cannot be, because heads and
head width are stored as their product.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from hitrs.errors import CheckpointError
from hitrs.models.config import ModelConfig

_PLAIN = {
    "s_input_map": "encoder.frame.embed",
    "s_pe.pe": "encoder.frame.pos_embed",
    "c_input_map": "encoder.clip.embed",
    "c_pe.pe": "encoder.clip.pos_embed",
    "clip_fuse_token": "encoder.clip.fusion_token",
    "v_input_map": "encoder.video.embed",
    "v_pe.pe": "encoder.video.pos_embed",
    "video_fuse_token": "encoder.video.fusion_token",
    "s_pose_reg": "tasks.masked_joint.head",
    "c_motion_cls": "tasks.clip_order.head",
    "v_motion_cls": "tasks.video_order.head",
    "v_ft_reg": "tasks.future_clip.head",
    "v_cls": "classifier",
}
_LEVELS = {"s_enc": "frame", "c_enc": "clip", "v_enc": "video"}
_IN_LAYER = {
    "self_attn_norm": "attention_norm",
    "slf_attn.fc": "out",
    "pff_norm": "ffn_norm",
    "pos_ffn.w_1": "fc1",
    "pos_ffn.w_2": "fc2",
}
_QKV = ("slf_attn.w_qs", "slf_attn.w_ks", "slf_attn.w_vs")
_LAYER = re.compile(r"([scv])_enc\.layer_stack\.(\d+)\.(.+)\.(weight|bias)")
_OUR_LAYER = re.compile(r"encoder\.(frame|clip|video)\.stack\.layers\.(\d+)\.(\w+)\.(weight|bias)")


def from_authors(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the authors' parameters to ours.

    Raises:
        CheckpointError: on a name that the authors' model lacks, or a layer without all of Q, K and V.
    """
    weights = {name.removeprefix("module."): value for name, value in weights.items()}
    ours: dict[str, Tensor] = {}
    for name, value in weights.items():
        if match := _LAYER.fullmatch(name):
            level, depth, part, kind = match.groups()
            prefix = f"encoder.{_LEVELS[level + '_enc']}.stack.layers.{depth}"
            if part in _IN_LAYER:
                ours[f"{prefix}.{_IN_LAYER[part]}.{kind}"] = value
                continue
            if part in _QKV:
                names = [f"{level}_enc.layer_stack.{depth}.{q}.weight" for q in _QKV]
                missing = [n for n in names if n not in weights]
                if missing:
                    raise CheckpointError(f"the checkpoint has {name} but not {missing[0]}; is it cut short?")
                if part == _QKV[0]:
                    ours[f"{prefix}.qkv.weight"] = torch.cat([weights[n] for n in names])
                continue
        for theirs, mine in _PLAIN.items():
            if name == theirs or name.startswith(theirs + "."):
                new = mine + name[len(theirs) :]
                ours[new] = value.flatten() if new.endswith(".fusion_token") else value
                break
        else:
            raise CheckpointError(
                f"'{name}' is not a parameter of the authors' Hi-TRS; "
                "expected names such as s_input_map.0.weight"
            )
    return ours


def to_authors(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename our parameters to the authors'; what their model does not have (the views task) is left out."""
    levels = {mine: theirs for theirs, mine in _LEVELS.items()}
    in_layer = {mine: theirs for theirs, mine in _IN_LAYER.items()}
    theirs: dict[str, Tensor] = {}
    for name, value in weights.items():
        if match := _OUR_LAYER.fullmatch(name):
            level, depth, part, kind = match.groups()
            prefix = f"{levels[level]}.layer_stack.{depth}"
            if part == "qkv":
                for q, chunk in zip(_QKV, value.chunk(3), strict=True):
                    theirs[f"{prefix}.{q}.weight"] = chunk.clone()
            else:
                theirs[f"{prefix}.{in_layer[part]}.{kind}"] = value
            continue
        for their, mine in _PLAIN.items():
            if name == mine or name.startswith(mine + "."):
                new = their + name[len(mine) :]
                theirs[new] = value.view(1, 1, -1) if new.endswith("fuse_token") else value
    return theirs


def infer_config(ours: Mapping[str, Tensor], heads: int = 8, **overrides) -> tuple[ModelConfig, int, int]:
    """Sizes of a converted checkpoint: its configuration, joints J and coordinates C.

    Raises:
        CheckpointError: if parameters are missing, or ``heads`` does not divide the attention width.
    """
    try:
        width, coords = ours["encoder.frame.embed.0.weight"].shape
        window, joints, _ = ours["encoder.clip.pos_embed"].shape
        attention_width = ours["encoder.frame.stack.layers.0.qkv.weight"].shape[0] // 3
        max_clips = ours["encoder.video.pos_embed"].shape[0]
    except (KeyError, ValueError, IndexError) as error:
        raise CheckpointError(
            f"the checkpoint lacks a part of the encoder or has it in another shape: {error}"
        ) from None
    layers = len({m[2] for name in ours if (m := _OUR_LAYER.fullmatch(name)) and m[1] == "frame"})
    if heads < 1 or attention_width % heads:
        raise CheckpointError(
            f"the attention of this checkpoint is {attention_width} wide, which {heads} heads do not divide; "
            "give its head count"
        )
    config = ModelConfig(
        width=width,
        heads=heads,
        head_width=attention_width // heads,
        layers=layers,
        window=window,
        max_clips=max_clips,
        mode="paper",
        **overrides,
    )
    return config, joints, coords
