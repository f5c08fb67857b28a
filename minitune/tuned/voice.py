"""What can continue a text, and what can be talked to: a GPT by its name or folder, and a tuned writer by its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from minitune.data.tokenizers import Tokenizer
from minitune.errors import UserError
from minitune.files import at_home, is_there
from minitune.predictors.speaker import Sampling, Speaker, spoken
from minitune.predictors.writer import Writer
from minitune.training.checkpoint import SHIPPED, load_checkpoint
from minitune.tuned.saved import FILE
from minitune.tuned.tuned import TunedMethod, open_tuned

TUNE_ONE = "minitune tune lora --task instruct makes one"


@dataclass(frozen=True)
class Voice:
    """Continues texts.

    Args:
        before: tokens before every text, the placeholders of a soft prompt.
        context: tokens that a text and what is written behind it have room for, `before` among them.
    """

    speaker: Speaker
    tokenizer: Tokenizer
    context: int
    before: tuple[int, ...] = ()

    def read(self, text: str, most: int) -> list[int]:
        """The tokens of a text that `most` others shall follow.

        Raises:
            UserError: there is no token in it; it leaves them no room.
        """
        ids = self.tokenizer.encode(text)
        if not ids:
            raise UserError("there is nothing to continue: write a text, between quotes")
        room = self.context - len(self.before) - len(ids)
        if room < most:
            instead = f"ask for at most {room} with --max-new-tokens, or shorten it" if room > 0 else "shorten it"
            raise UserError(
                f"it has {len(ids)} tokens, and beside {most} new ones the context has room for "
                f"{max(0, self.context - len(self.before) - most)}: {instead}"
            )
        return [*self.before, *ids]

    def go_on(self, ids: list[int], most: int, sampling: Sampling) -> Iterator[str]:
        """What is written behind `ids`, piece by piece, up to the end of text."""
        yield from spoken(self.tokenizer, self.speaker.speak(ids, most, self.tokenizer.end_id, sampling), behind=ids)


def voice_of(name: str, model: str | None = None, device: torch.device | str = "cpu") -> Voice:
    """A GPT, "gpt" or a folder of one, or a folder with a tuned writer.

    Args:
        model: where the base of a tuned writer is now, if not where it was.

    Raises:
        UserError: a model that writes no text, or one with a base beside it; something that was tuned for something
            else; all that loading raises.
    """
    if is_tuned(name):
        writer = tuned_writer(name, model, device).predictor
        before = (writer.tokenizer.soft_id,) * writer.template.count("soft")
        return Voice(Speaker.of(writer.model), writer.tokenizer, writer.model.context, before)
    if model is not None:
        raise UserError(f"--model names what a writer was tuned on, and {name} holds no tuned writer; leave it out")
    base = load_checkpoint(name, device)
    if base.kind != "gpt":
        raise UserError(f"{name} is a {base.kind}, which fills blanks and writes no text; take a GPT")
    return Voice(Speaker(base.model), base.tokenizer, base.model.context)


def tuned_writer(name: str, model: str | None = None, device: torch.device | str = "cpu") -> TunedMethod:
    """Raises:
    UserError: a model that was not tuned; what was tuned for something else than to write; all that loading raises.
    """
    folder = at_home(Path(name))
    if not is_tuned(name) and (name in SHIPPED or is_there(folder / "model.pt")):
        raise UserError(
            f"{name} is a {load_checkpoint(name, device).kind} as it was pretrained, and nobody to talk to; give the "
            f"folder of a writer that was tuned ({TUNE_ONE})"
        )
    tuned = open_tuned(folder, model, device)
    if not isinstance(tuned.predictor, Writer):
        answers = f"the classes {', '.join(tuned.labels[:5])}" if tuned.labels else "something else"
        raise UserError(f"{name} was tuned for {answers}, and writes no text; give the folder of a writer ({TUNE_ONE})")
    return tuned


def is_tuned(name: str) -> bool:
    return is_there(at_home(Path(name)) / FILE)
