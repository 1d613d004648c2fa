"""A keyed random generator: random numbers of each sample of a batch, whatever the batch is.

What is drawn for a sample follows from its key, the name of the draw and the place in it, and from nothing
else: not from the other samples of the batch, its padding, the number of processes or the order of calls. So
a batch that is shared out over processes sees the same numbers as in one. A number is the hash of a counter,
splitmix64's finalizer (Steele, Lea & Flood 2014), on whole tensors at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

_GOLDEN = -0x61C8864680B583EB  # 2^64 / golden ratio, as int64
_FIRST, _SECOND = -0x40A7B892E31B1A47, -0x6B2FB644ECCEEE15


class KeyedGenerator:
    """A keyed random generator for S samples; asking twice for the same name gives the same numbers.

    >>> generator = KeyedGenerator.from_seed(0, [17, 42])  # samples 17 and 42 of a run with seed 0
    >>> generator.uniform("crop").shape, generator.normal("noise", 25, 3).shape
    (torch.Size([2]), torch.Size([2, 25, 3]))
    >>> views = generator.fold_in(0).concatenate(generator.fold_in(1))  # two views of each, other numbers

    Args:
        keys: (S,) int64.
    """

    def __init__(self, keys: Tensor):
        self.keys = keys

    @classmethod
    def from_seed(cls, seed: int, items: Sequence[int] | np.ndarray) -> KeyedGenerator:
        """Samples that are numbered ``items`` in a run of this seed."""
        return cls(torch.full((len(items),), seed)).fold_in(torch.as_tensor(items, dtype=torch.int64))

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, rows: Tensor) -> KeyedGenerator:
        """Those of the given samples."""
        return KeyedGenerator(self.keys[rows])

    def fold_in(self, number: Tensor | int) -> KeyedGenerator:
        """Samples made from these, for example view or body ``number`` (S,) of each."""
        return KeyedGenerator(_mix(_mix(self.keys + _GOLDEN) ^ (torch.as_tensor(number) + 1)))

    def concatenate(self, other: KeyedGenerator) -> KeyedGenerator:
        """These samples and those of ``other`` behind them."""
        return KeyedGenerator(torch.cat([self.keys, other.keys]))

    def to(self, device: torch.device) -> KeyedGenerator:
        return KeyedGenerator(self.keys.to(device))

    def uniform(self, name: str, *shape: int) -> Tensor:
        """(S, *shape) float32 in [0, 1); an entry does not depend on the sizes in ``shape``."""
        return self.uniform_at(name, self._places(shape))

    def uniform_at(self, name: str, places: Tensor) -> Tensor:
        """(S, *places.shape) float32 in [0, 1) for any int64 numbers of places."""
        return (self._bits(name, places) >> 40).bitwise_and_((1 << 24) - 1).float().mul_(2.0**-24)

    def normal(self, name: str, *shape: int) -> Tensor:
        """(S, *shape) float32 of the standard normal distribution."""
        middle = (self._bits(name, self._places(shape)) >> 41).bitwise_and_((1 << 23) - 1).float().add_(0.5)
        return middle.mul_(2.0**-22).sub_(1.0).erfinv_().mul_(2.0**0.5)

    def _places(self, shape: tuple[int, ...]) -> Tensor:
        """A number for each entry of a tensor of this shape that stays the same in a larger tensor."""
        place = torch.zeros((), dtype=torch.int64, device=self.keys.device)
        for size in shape:
            place = (place[..., None] << 16) + torch.arange(size, device=self.keys.device)
        return place

    def _bits(self, name: str, places: Tensor) -> Tensor:
        """(S, *places.shape) int64, all bits random."""
        state = _mix(self.keys ^ _number(name)).view(-1, *(1 for _ in places.shape))
        return _mix(state + places * _GOLDEN)


def _mix(z: Tensor) -> Tensor:
    """A bijection of int64 in which every bit of the input changes half of the output's."""
    z = z ^ ((z >> 30) & ((1 << 34) - 1))  # the masks make the shifts logical
    z *= _FIRST
    z ^= (z >> 27) & ((1 << 37) - 1)
    z *= _SECOND
    z ^= (z >> 31) & ((1 << 33) - 1)
    return z


@lru_cache(maxsize=256)
def _number(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little", signed=True)
