"""Batches for pretraining, each a pure function of (seed, number): nothing to save, nothing to lose.

GPT reads rows that are full to the last position, packed with whole texts one after another. BERT reads pairs,
in batches of like length, and its positions sometimes start late: between [CLS] and the text stands a gap of
random width, where later a prompt may stand. So both learn every position of the context.
"""

from __future__ import annotations

import copy
from array import array
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from minitune.data.tokenizers import Tokenizer
from minitune.data.words import pieces_of
from minitune.errors import UserError

IGNORED = -100  # a label that no loss counts


def encoded(tokenizer: Tokenizer, texts: Iterable[str], at_once: int = 1_000_000) -> Iterator[np.ndarray]:
    """The ids of each text, as `Tokenizer.encode` gives them, each (T,) in int32.

    In bounded memory: the library takes some hundred bytes a token until a batch is done, so it is given about
    `at_once` characters at a time, many short texts or a part of a long one.
    """
    parts = []
    for batch in batches_of(texts, tokenizer, at_once):
        encodings = tokenizer.library.encode_batch_fast([piece for piece, _ in batch], add_special_tokens=False)
        for encoding, (_, is_last) in zip(encodings, batch, strict=True):
            parts.append(np.array(encoding.ids, dtype=np.int32))
            if is_last:
                yield np.concatenate(parts) if len(parts) > 1 else parts[0]
                parts = []


def batches_of(texts: Iterable[str], tokenizer: Tokenizer, at_once: int) -> Iterator[list[tuple[str, bool]]]:
    """The pieces of all texts, and whether each is its text's last, in lists of about `at_once` characters."""
    batch, size = [], 0
    for text in texts:
        for piece in pieces_of(tokenizer.spaced(text)):
            batch.append((piece, False))
            size += len(piece) + 50  # what a string takes beside its characters
            if size >= at_once and len(batch) > 1:
                yield batch[:-1]  # not the last one: it may be its text's last, which the next turn tells
                batch, size = batch[-1:], len(piece)
        batch[-1] = (batch[-1][0], True)
    if batch:
        yield batch


class TextStore:
    """Many tokenized texts in one array: text i is ids[start[i] : start[i + 1]]. Longer ones are cut into pieces.

    Args:
        texts: the ids of each; they may come one by one, as `encoded` gives them.
        longest: tokens of a piece.
    """

    def __init__(self, texts: Iterable[Sequence[int] | np.ndarray], longest: int):
        ids, lengths, self.cut = array("i"), array("i"), 0  # four bytes a token, and no list of Python's numbers
        for text in texts:
            ids.frombytes(np.asarray(text, dtype=np.int32).tobytes())
            pieces, rest = divmod(len(text), longest)
            lengths.extend([longest] * pieces + [rest] * (rest > 0))
            self.cut += len(text) > longest
        if not lengths:
            raise UserError("the text is empty; pretraining needs some words")
        self.ids = np.frombuffer(ids, dtype=np.int32)
        self.start = starts_of(np.frombuffer(lengths, dtype=np.int32))

    def __len__(self) -> int:
        return len(self.start) - 1

    def __getitem__(self, index: int) -> np.ndarray:
        return self.ids[self.start[index] : self.start[index + 1]]

    def part(self, chosen: np.ndarray) -> TextStore:
        """A store of the texts that are True in `chosen` (N,)."""
        part, lengths = copy.copy(self), np.diff(self.start)
        part.ids, part.start = self.ids[np.repeat(chosen, lengths)], starts_of(lengths[chosen])
        return part


def starts_of(lengths: np.ndarray) -> np.ndarray:
    """Where each text starts in the array of all, and where the last ends: (N,) -> (N + 1,)."""
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])


class PackedRows:
    """GPT's batches: `input_ids` (B, context). Every row starts with the start of a text, ends wherever it is full,
    and has the end token between texts."""

    def __init__(self, store: TextStore, tokenizer: Tokenizer, context: int, batch_size: int, seed: int):
        self.store, self.end_id, self.context, self.seed = store, tokenizer.end_id, context, seed
        lengths = np.diff(store.start) + 1  # with its end token
        self.per_epoch = max(1, int(lengths.sum() // (context * batch_size * 1.15)))  # some is cut at row ends
        self.batch_size = batch_size
        self.epoch, self.rows = -1, []

    def batch(self, number: int) -> dict[str, Tensor]:
        epoch, place = divmod(number, self.per_epoch)
        if epoch != self.epoch:
            self.epoch, self.rows = epoch, self.pack(np.random.default_rng((self.seed, epoch)))
        chosen = [self.rows[(place * self.batch_size + i) % len(self.rows)] for i in range(self.batch_size)]
        return {"input_ids": torch.from_numpy(np.stack([self.row(texts) for texts in chosen]))}

    def pack(self, rng: np.random.Generator) -> list[np.ndarray]:
        """Which texts make each row, in a new order."""
        order = rng.permutation(len(self.store))
        ends, filled = array("q"), 0
        for place, length in enumerate(np.diff(self.store.start)[order] + 1, 1):
            filled += length
            if filled >= self.context:
                ends.append(place)
                filled = 0
        if not ends:  # a text too small for one row is repeated
            return [np.tile(order, self.context // filled + 1)]
        return np.split(order[: ends[-1]], ends[:-1])

    def row(self, texts: np.ndarray) -> np.ndarray:
        return np.concatenate([part for text in texts for part in (self.store[text], [self.end_id])])[: self.context]


class MaskedPairs:
    """BERT's batches, [CLS] first part [SEP] second part [SEP], half of the second parts from another text.

    `input_ids`, `attention_mask`, `token_type_ids`, `position_ids`, `labels` (B, T), `next_sentence` (B,), where
    0 = the second part follows, 1 = it does not. Of all words, `mask_share` are guessed: 80% of them are hidden
    by [MASK], 10% by a random word, 10% stand as they are (Devlin et al. 2019, section 3.1).
    """

    def __init__(
        self,
        store: TextStore,
        tokenizer: Tokenizer,
        context: int,
        batch_size: int,
        seed: int,
        *,
        mask_share: float = 0.35,
        gap_share: float = 0.5,
    ):
        self.store, self.tokenizer, self.context = store, tokenizer, context
        self.batch_size, self.seed = batch_size, seed
        self.mask_share, self.gap_share = mask_share, gap_share
        self.ordinary = np.array(tokenizer.ordinary_ids())
        self.per_epoch = max(1, len(store) // batch_size)
        stops = [i for i in map(tokenizer.library.token_to_id, ".?!") if i is not None]
        self.after_stop = np.flatnonzero(np.isin(store.ids, stops)) + 1  # where a new sentence may start
        self.epoch, self.pairs, self.order = -1, np.empty(0), np.empty(0)

    def batch(self, number: int) -> dict[str, Tensor]:
        epoch, place = divmod(number, self.per_epoch)
        if epoch != self.epoch:
            self.epoch = epoch
            self.draw_pairs(np.random.default_rng((self.seed, epoch)))
        rows = self.pairs[self.order[place]]  # (B, 5)
        return self.collate(rows, np.random.default_rng((self.seed, 1, number)))

    def draw_pairs(self, rng: np.random.Generator) -> None:
        """The epoch's pairs, as places in the store, and batches of them of like length."""
        start, end = self.store.start[:-1], self.store.start[1:]
        first_cut = np.searchsorted(self.after_stop, start, side="right")
        cuts = np.searchsorted(self.after_stop, end, side="left") - first_cut  # sentence ends inside the text
        chosen = first_cut + (rng.random(len(start)) * cuts).astype(int)
        at_stop = self.after_stop[np.minimum(chosen, len(self.after_stop) - 1)] if len(self.after_stop) else end
        cut = np.where(cuts > 0, at_stop, (start + end + 1) // 2)  # a single sentence is cut in its middle
        other = rng.permutation(len(start))
        is_other = rng.random(len(start)) < 0.5
        second = np.where(is_other, other, np.arange(len(start)))
        pairs = np.stack([start, cut, cut[second], end[second], is_other & (second != np.arange(len(start)))], axis=1)
        lengths = (pairs[:, 1] - pairs[:, 0]) + (pairs[:, 3] - pairs[:, 2])
        shuffled = rng.permutation(len(pairs))[: self.per_epoch * self.batch_size]
        pool = 64 * self.batch_size  # sorted by length within a pool, so that a batch has little padding
        by_length = [
            piece[np.argsort(lengths[piece], kind="stable")]
            for piece in np.split(shuffled, range(pool, len(pairs), pool))
        ]
        ordered = np.concatenate(by_length)
        ordered = np.resize(ordered, self.per_epoch * self.batch_size).reshape(self.per_epoch, self.batch_size)
        self.pairs, self.order = pairs, rng.permutation(ordered)

    def collate(self, pairs: np.ndarray, rng: np.random.Generator) -> dict[str, Tensor]:
        t, room = self.tokenizer, self.context - 3
        rows, first_lengths = [], []
        for a, b, c, d, _ in pairs:
            first, second = self.store.ids[a:b], self.store.ids[c:d]
            second = second[: max(room // 2, room - len(first))]
            first = first[: room - len(second)]
            rows.append(np.concatenate([[t.cls_id], first, [t.sep_id], second, [t.sep_id]]))
            first_lengths.append(len(first) + 2)
        lengths = np.array([len(row) for row in rows])
        width = lengths.max()
        columns = np.arange(width)  # (T,)
        ids = np.full((len(rows), width), t.pad_id)
        for row, words in zip(ids, rows, strict=True):
            row[: len(words)] = words
        real = columns < lengths[:, None]  # (B, T)
        types = (columns >= np.array(first_lengths)[:, None]) & real
        widest_gap = (self.context - lengths + 1)[:, None]
        gap = (rng.random((len(rows), 1)) * widest_gap).astype(int) * (rng.random((len(rows), 1)) < self.gap_share)
        positions = np.where(columns > 0, np.minimum(columns + gap, self.context - 1), 0)
        labels = self.hide_words(ids, real, rng)
        arrays = {
            "input_ids": ids,
            "attention_mask": real.astype(np.int64),
            "token_type_ids": types.astype(np.int64),
            "position_ids": positions,
            "labels": labels,
            "next_sentence": pairs[:, 4].astype(np.int64),
        }
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    def hide_words(self, ids: np.ndarray, real: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Hide words of `ids` (B, T) in place; returns what they were, IGNORED elsewhere."""
        t = self.tokenizer
        is_word = real & np.isin(ids, self.ordinary)
        guessed = is_word & (rng.random(ids.shape) < self.mask_share)
        guessed[0] |= is_word[0] & ~guessed.any()  # one word at the least
        labels = np.where(guessed, ids, IGNORED)
        fate = rng.random(ids.shape)
        random_words = self.ordinary[rng.integers(0, len(self.ordinary), ids.shape)]
        ids[guessed & (fate < 0.8)] = t.mask_id
        swapped = guessed & (fate >= 0.8) & (fate < 0.9)
        ids[swapped] = random_words[swapped]
        return labels
