"""The keys and values of what was read before: for each layer two of (B, H, P, D/H), given as they are or in a `Cache`.

They do not depend on what comes after them (in GPT), so a text that grows needs them computed only once.
"""

from __future__ import annotations

from torch import Tensor

KeyValue = tuple[Tensor, Tensor]  # one layer's keys and values, each (B, H, P, D/H)


class Cache:
    """One layer's keys and values while a text is written: a past to which each call adds its own, in place.

    It has room for all S positions from the start, where `torch.cat` would copy the whole past for every token. It is
    for generation alone: no gradient goes through what is written in place.
    """

    def __init__(self, past: KeyValue, room: int):
        rows, heads, self.length, size = past[0].shape
        self.keys, self.values = (part.new_empty(rows, heads, room, size) for part in past)  # each (B, H, S, D/H)
        self.keys[:, :, : self.length], self.values[:, :, : self.length] = past

    def append(self, key: Tensor, value: Tensor) -> KeyValue:
        """Each (B, H, T, D/H) -> all keys and all values so far, each (B, H, P + T, D/H).

        Raises:
            ValueError: there is no room for them.
        """
        start, self.length = self.length, self.length + key.shape[2]
        if self.length > self.keys.shape[2]:
            raise ValueError(f"the cache has room for {self.keys.shape[2]} positions, and these are {self.length}")
        self.keys[:, :, start : self.length] = key
        self.values[:, :, start : self.length] = value
        return self.keys[:, :, : self.length], self.values[:, :, : self.length]
