"""Speaking: a GPT, as it was pretrained or with what was tuned, continues a text token by token."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from minitune.data.tokenizers import Tokenizer
from minitune.models.attention import KeyValue
from minitune.models.generate import stream
from minitune.models.gpt import GPT
from minitune.training.loop import evaluation
from minitune.tuning.doors import Prefix, Tuned

UNFINISHED = "\N{REPLACEMENT CHARACTER}"  # what bytes that are no whole character are decoded to


@dataclass(frozen=True)
class Sampling:
    """How a token is chosen; the arguments are those of `generate`."""

    temperature: float = 0.0
    top_k: int | None = None
    top_p: float | None = None
    seed: int = 0


@dataclass(frozen=True)
class Speaker:
    """What writes: a model, and the past that it starts from. A learned prefix is such a past."""

    model: GPT | Tuned
    past: tuple[KeyValue, ...] | None = None

    @classmethod
    def of(cls, model: GPT | Tuned) -> Speaker:
        """A prefix is taken out of the door: behind it, what was read is kept token by token."""
        if prefix := prefix_of(model):
            with evaluation(model):
                return cls(model.model, prefix.past())
        return cls(model)

    def speak(self, ids: Sequence[int], most: int, stop_id: int, sampling: Sampling | None = None) -> Iterator[int]:
        """Continue `ids` by up to `most` tokens, one at a time, up to the stop token."""
        how = sampling or Sampling()
        for (token,) in stream(
            self.model,
            [list(ids)],
            most,
            temperature=how.temperature,
            top_k=how.top_k,
            top_p=how.top_p,
            stop_id=stop_id,
            past_key_values=self.past,
            seed=how.seed,
        ):
            if token == stop_id:
                return
            yield token


def prefix_of(model: GPT | Tuned) -> Prefix | None:
    return model.door if isinstance(model, Tuned) and isinstance(model.door, Prefix) else None


def spoken(tokenizer: Tokenizer, ids: Iterable[int], behind: Sequence[int] = ()) -> Iterator[str]:
    """The text of tokens while they come, piece by piece. A character whose bytes are not all there yet waits.

    Args:
        behind: tokens of a text that they go on from: whether a space belongs between the two, the tokens say.
    """
    read = list(behind)
    told = tokenizer.decode(read)
    for token in ids:
        read.append(token)
        text = tokenizer.decode(read)
        if not text.endswith(UNFINISHED) and text.startswith(told):
            yield text[len(told) :]
            told = text
    yield tokenizer.decode(read)[len(told) :]
