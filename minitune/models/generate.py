r"""Generation: feed a GPT its own words.

    p(x_t) = softmax(logits_t / temperature), cut to the k likeliest tokens, or to the fewest that hold mass p

The keys and values of what was read are kept, so each new token costs one position, not all of them.
Prompts of unequal length are padded on the left: every row then ends, and continues, in the same column.

Holtzman et al. 2020, "The Curious Case of Neural Text Degeneration", section 3.1 (top-p; arXiv 1904.09751).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from minitune.errors import UserError
from minitune.models.attention import SelfAttention
from minitune.models.cache import Cache, KeyValue
from minitune.models.gpt import GPT

COLDEST = 1e-6  # below it the likeliest token has all the mass, and logits that are divided by it may be infinite


def generate(
    model: GPT,
    prompts: list[list[int]],
    max_new_tokens: int = 32,
    *,
    temperature: float = 0.0,
    top_k: int | None = None,
    top_p: float | None = None,
    stop_id: int | None = None,
    past_key_values: tuple[KeyValue, ...] | None = None,
    use_cache: bool = True,
    seed: int = 0,
) -> list[list[int]]:
    """Continue each prompt: token ids in, the new token ids out (the stop token, if one came, is not in them).

    Args:
        prompts: B lists of token ids, each of one token at least.
        temperature: 0 takes the likeliest token (greedy); above 0 draws, the flatter the higher.
        top_k: draw among the k likeliest tokens.
        top_p: draw among the fewest likeliest tokens that hold this share of the probability.
        stop_id: a row ends when it writes this token.
        past_key_values: a past to start from, for each layer (1 or B, H, P, D/H), as prefix tuning learns it.
        use_cache: keep keys and values; without it everything is read again for each token (same result, slower).

    Raises:
        UserError: an empty prompt; a number out of range; prompt, past and new tokens exceed the context.
    """
    steps = stream(
        model,
        prompts,
        max_new_tokens,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        stop_id=stop_id,
        past_key_values=past_key_values,
        use_cache=use_cache,
        seed=seed,
    )
    written = [list(row) for row in zip(*steps, strict=True)]  # the tokens of each step -> those of each row
    return [row[: row.index(stop_id)] if stop_id in row else row for row in written]


@torch.inference_mode()
def stream(
    model: GPT,
    prompts: list[list[int]],
    max_new_tokens: int = 32,
    *,
    temperature: float = 0.0,
    top_k: int | None = None,
    top_p: float | None = None,
    stop_id: int | None = None,
    past_key_values: tuple[KeyValue, ...] | None = None,
    use_cache: bool = True,
    seed: int = 0,
) -> Iterator[list[int]]:
    """The same while it is written: at each step the new token of every row, the stop token among them. What a row
    writes behind its stop token, while others go on, means nothing.

    The arguments, and what is raised at the first step, are those of `generate`. No weight may change meanwhile.
    """
    check_settings(max_new_tokens, temperature, top_k, top_p)
    if not prompts or not all(prompts):
        raise UserError("there is nothing to continue: each prompt needs one token at least")
    device = next(model.parameters()).device
    rows, longest = len(prompts), max(map(len, prompts))
    start = past_key_values[0][0].shape[2] if past_key_values else 0
    if start + longest + max_new_tokens > model.context:
        raise UserError(
            f"a past of {start}, a prompt of {longest} and {max_new_tokens} new tokens exceed the context of "
            f"{model.context}: ask for at most {max(0, model.context - start - longest)} new tokens"
        )
    room = longest + max_new_tokens  # C, the columns that prompts and answers take
    ids = [[0] * (longest - len(prompt)) + prompt + [0] * max_new_tokens for prompt in prompts]
    ids, columns = torch.tensor(ids, device=device), torch.arange(room, device=device)  # (B, C), (C,)
    padding = torch.tensor([[longest - len(prompt)] for prompt in prompts], device=device)  # (B, 1)
    positions = (start + columns - padding).clamp(min=0)  # (B, C): padding takes no position
    mask = None
    if padding.any():  # without padding, nothing needs hiding
        mask = torch.cat([padding.new_ones(rows, start), (columns >= padding).long()], dim=1)  # (B, P + C)
    if past_key_values:
        past_key_values = tuple((k.expand(rows, -1, -1, -1), v.expand(rows, -1, -1, -1)) for k, v in past_key_values)

    generator = torch.Generator(device).manual_seed(seed)
    finished = torch.zeros(rows, dtype=torch.bool, device=device)
    read, past = 0, past_key_values  # `read`: how many columns of ids the past holds already
    with weights_together(model):
        for end in range(longest, room):
            output = model(
                ids[:, read:end],
                attention_mask=None if mask is None else mask[:, : start + end],
                position_ids=positions[:, read:end],
                past_key_values=past,
            )
            if use_cache:
                if read == 0:  # from now on, keys and values are written behind these
                    past = tuple(Cache(layer, start + room) for layer in output.past_key_values)
                read = end
            token = choose(model.logits(output.hidden[:, -1]), temperature, top_k, top_p, generator)  # (B,)
            ids[:, end] = token
            yield token.tolist()
            if stop_id is not None:
                finished |= token == stop_id
                if finished.all():
                    return


def choose(
    logits: Tensor, temperature: float, top_k: int | None, top_p: float | None, generator: torch.Generator | None
) -> Tensor:
    """One token a row: (B, V) -> (B,)."""
    if temperature < COLDEST:
        return logits.argmax(dim=-1)
    ranked, order = (logits / temperature).sort(dim=-1, descending=True)  # (B, V)
    if top_k is not None:
        ranked[:, top_k:] = -torch.inf
    probability = ranked.softmax(dim=-1)
    if top_p is not None:
        before = probability.cumsum(dim=-1) - probability  # the mass of the tokens ranked above this one
        out = before >= top_p
        out[:, 0] = False  # the first token always stays, also where top_p is 0 among numbers of its precision
        probability = probability.masked_fill(out, 0.0)
    rank = torch.multinomial(probability, 1, generator=generator)  # (B, 1)
    return order.gather(1, rank).squeeze(1)


def check_settings(max_new_tokens: int, temperature: float, top_k: int | None, top_p: float | None) -> None:
    if max_new_tokens < 1:
        raise UserError(f"max_new_tokens is {max_new_tokens}; it must be 1 or more")
    if not 0 <= temperature < math.inf:
        raise UserError(f"temperature is {temperature}; it must be 0 (greedy) or more")
    if top_k is not None and top_k < 1:
        raise UserError(f"top_k is {top_k}; it must be 1 or more")
    if top_p is not None and not 0 < top_p <= 1:
        raise UserError(f"top_p is {top_p}; it must be above 0 and at most 1")


@contextmanager
def weights_together(model: nn.Module) -> Iterator[None]:
    """Inside, each attention has its queries, keys and values from one product, and no weight may change.

    For one new token most of the time goes into calling layers, however little they compute, so one call instead of
    three pays. In training it does not: there the products themselves take the time, and the weights would have to be
    put together anew at every step.
    """
    layers = [module for module in model.modules() if isinstance(module, SelfAttention)]
    for layer in layers:
        layer.together = side_by_side([layer.query, layer.key, layer.value])
    try:
        yield
    finally:
        for layer in layers:
            layer.together = None


def side_by_side(layers: Sequence[nn.Module]) -> tuple[Tensor, Tensor] | None:
    """The weights and the biases of linear layers as those of one layer: 3 of (D, D) -> (3 D, D), 3 of (D,) -> (3 D,).

    None if a layer has to be called by itself: a method has wrapped it, somebody listens to it with a hook, or it is
    not like the others.
    """
    for layer in layers:
        hooks = layer._forward_hooks or layer._forward_pre_hooks or layer._backward_hooks or layer._backward_pre_hooks
        if hooks or type(layer) is not nn.Linear or layer.bias is None or layer.weight.shape != layers[0].weight.shape:
            return None
    return torch.cat([layer.weight for layer in layers]), torch.cat([layer.bias for layer in layers])
