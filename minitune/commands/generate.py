"""`minitune generate`: a GPT continues a text, word by word."""

from __future__ import annotations

import argparse
import sys

from minitune.commands.options import add_device, add_sampling, one_or_more, sampling_asked_for
from minitune.commands.paths import named
from minitune.commands.terminal import is_heard
from minitune.errors import UserError

DESCRIPTION = """
A GPT continues a text, and prints each word as soon as it is written: the shipped one, one of your own, or what was
tuned to write. A tuned one reads the text as it stands, without the template of its task; `minitune chat` and
`minitune predict` put it into its template. Write -- before a text that begins with -.
"""
ENDED = "the model ended the text at once, and wrote nothing; another --seed or a higher --temperature may go on"
WANTED = "give a text, between quotes, or --stdin and a text a line"


def add(group) -> argparse.ArgumentParser:
    g = group.add_parser("generate", help="a GPT, or a tuned writer, continues a text", description=DESCRIPTION)
    g.add_argument("source", metavar="DIR|gpt", help="a GPT, a folder of one, or a folder with a tuned writer")
    g.add_argument("text", nargs="?", metavar="TEXT", help="what is continued, between quotes")
    g.add_argument("--stdin", action="store_true", help="continue each line of standard input, a line each")
    g.add_argument(
        "--max-new-tokens", type=one_or_more, default=32, metavar="N", help="tokens that are written (default: 32)"
    )
    g.add_argument(
        "--samples", type=one_or_more, default=1, metavar="N", help="continuations, of the seeds from --seed on"
    )
    add_sampling(g, temperature=1.0)
    g.add_argument(
        "--model", type=named, metavar="gpt|DIR", help="the model that a writer was tuned on, if it has moved"
    )
    add_device(g)
    return g


def run(options: argparse.Namespace) -> None:
    check(options)

    from dataclasses import replace

    from minitune.methods.ask import placed
    from minitune.training.loop import pick_device
    from minitune.tuned.queries import Written, piped_texts
    from minitune.tuned.voice import voice_of

    sampling = sampling_asked_for(options)
    texts = piped_texts(WANTED)[0] if options.stdin else [Written("the text", options.text)]
    voice = voice_of(options.source, options.model, pick_device(options.device))
    prompts = []
    for written in texts:  # all are looked at before any is continued
        with placed(written.where):
            prompts.append((written.content.strip(), voice.read(written.content.strip(), options.max_new_tokens)))
    for text, ids in prompts:
        for sample in range(options.samples):
            print(text, end="", flush=True)
            is_empty = True
            for piece in voice.go_on(ids, options.max_new_tokens, replace(sampling, seed=sampling.seed + sample)):
                print(piece.replace("\n", "\\n") if options.stdin else piece, end="", flush=True)
                is_empty = is_empty and not piece
                if not is_heard():
                    return
            print(flush=True)
            if is_empty:
                which = f"sample {sample + 1}: " if options.samples > 1 else ""
                print(f"minitune generate: {which}{ENDED}", file=sys.stderr, flush=True)


def check(options: argparse.Namespace) -> None:
    """Raises:
    UserError: no text, or two sources of it; several samples that would be the same.
    """
    if options.stdin and options.text is not None:
        raise UserError("give either a text, between quotes, or --stdin for a text a line")
    if not options.stdin and options.text is None:
        raise UserError(f"there is nothing to continue: {WANTED}")
    if options.samples > 1 and options.temperature == 0:
        raise UserError(
            f"--temperature 0 always takes the likeliest token, so {options.samples} samples would be the same; take "
            "a temperature above 0"
        )
