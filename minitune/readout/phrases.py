r"""A verbalizer whose label words may have several tokens, such as "not bad" or "magnificent".

    score(w) = 1/m  sum over j = 1..m of log p(w_j)                          a word of m tokens
    score(y) = log( sum over w in V_y of a_w exp(score(w)) )                 a_w: its weight, of a class they sum to 1

The mean over the tokens, not the sum: each token costs probability, and with sums the shortest word would win before
anything is read. A model that knows nothing gives every token 1 / V, so that words of all lengths tie.

A blank is one place, and a word of m tokens needs m. Each token is read with those before it in their places, so that
the product of the m is the word's own probability. The question is therefore put several times, each time with
something else in the blank:

    GPT     w_1 ... w_{m-1}, once for all tokens of the word: each is what follows those before it
    BERT    w_1 ... w_{j-1} and m - j + 1 [MASK]s for token j, which is read at the first of these

(To read all tokens at m [MASK]s would be cheaper. But of "mag ##n ##i ##fice ##n ##t" our BERT then finds no piece
likely, for none knows of the others: lesson 7 measures it.) A template of BERT that has m > 1 blanks of its own takes
words of exactly m tokens, one for each blank, all guessed at once. With words of one token and one blank all this is
the plain verbalizer, up to a constant that is the same for all classes.

Schick and Schütze 2021, "It's Not Just Size That Matters", section 3 (arXiv 2009.07118): as many masks as the word has
tokens, filled one after the other, the surest first; Brown et al. 2020, section 2.4 (GPT-3's answers, divided by their
length; arXiv 2005.14165).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from minitune.data.tokenizers import Tokenizer
from minitune.errors import UserError
from minitune.models.build import Model
from minitune.readout.losses import cross_entropy
from minitune.readout.verbalizer import Verbalizer, apart, chosen_words

Word = tuple[int, ...]  # its tokens


def fills_for(word: Word, mask_id: int | None, blanks: int = 1) -> list[Word | None]:
    """For each token of a word, what stands in the blank while it is read; None: the template has a blank for each.

    Args:
        mask_id: of BERT's [MASK]; None for GPT.
        blanks: of the template.
    """
    if blanks > 1:
        return [None] * len(word)
    if mask_id is None:
        return [word[:-1]] * len(word)
    return [word[:j] + (mask_id,) * (len(word) - j) for j in range(len(word))]


class Phrases(nn.Module):
    """Reads words of several tokens: hidden (B, K, L, D) -> class scores (B, C).

    K are the variations, in the order of `fills`; L is the length of the longest word. Token j of a word is read at
    the jth of the L places.

    Args:
        words: for each class, in the order of the labels, its words.
        mask_id: of BERT's [MASK]; None for GPT.
        blanks: of the template.
        weights: as many numbers above 0 for each class; by default all words weigh the same.
    """

    reads = "blanks"
    reads_words = True
    loss = staticmethod(cross_entropy)

    def __init__(
        self,
        words: Sequence[Sequence[Word]],
        mask_id: int | None = None,
        blanks: int = 1,
        weights: Sequence[Sequence[float]] | None = None,
    ):
        super().__init__()
        fills = [fill for of_class in words for word in of_class for fill in fills_for(word, mask_id, blanks)]
        self.fills = tuple(dict.fromkeys(fills))  # each once
        self.length = max(len(word) for of_class in words for word in of_class)  # L
        weights = weights or [[1.0] * len(of_class) for of_class in words]
        # A row for each word; a class with fewer words than another has words of weight 0 in their place.
        shape = len(words), max(map(len, words))
        tokens = torch.zeros(*shape, self.length, dtype=torch.long)
        used = torch.zeros(*shape, self.length, dtype=torch.bool)
        places = torch.zeros(*shape, self.length, dtype=torch.long)  # among the K L places that are read
        for c, of_class in enumerate(words):
            for w, word in enumerate(of_class):
                tokens[c, w, : len(word)], used[c, w, : len(word)] = torch.tensor(word), True
                for j, fill in enumerate(fills_for(word, mask_id, blanks)):
                    places[c, w, j] = self.fills.index(fill) * self.length + j
        # Only the places where some word has a token are scored: the output layer is half of the work.
        read, places[used] = places[used].unique(return_inverse=True)
        parts = [[*its, *[0.0] * (shape[1] - len(its))] for its in weights]
        self.register_buffer("read", read, persistent=False)  # (U,)
        self.register_buffer("places", places, persistent=False)  # (C, W, L), of the U
        self.register_buffer("tokens", tokens, persistent=False)  # (C, W, L)
        self.register_buffer("used", used, persistent=False)  # (C, W, L), False = padding
        self.register_buffer("weights", torch.tensor(parts), persistent=False)  # (C, W), 0 = padding

    def forward(self, hidden: Tensor, model: Model) -> Tensor:
        of_words = self.word_scores(hidden, model)
        weights = self.weights.to(of_words.dtype)
        total = (of_words + weights.log()).logsumexp(dim=-1)  # (B, C, W) -> (B, C)
        return total - weights.sum(dim=-1).log()

    def chances(self, hidden: Tensor, model: Model) -> Tensor:
        """The mean probability of each class's words, a word's being its tokens' geometric mean: -> (B, C)."""
        return self(hidden, model).exp()

    def word_scores(self, hidden: Tensor, model: Model) -> Tensor:
        """The mean log-probability of each word's tokens: (B, K, L, D) -> (B, C, W)."""
        at_places = hidden.flatten(1, 2)[:, self.read]  # (B, K, L, D) -> (B, U, D)
        log_p = model.logits(at_places).log_softmax(dim=-1)  # (B, U, V)
        of_tokens = log_p[:, self.places, self.tokens]  # (B, C, W, L)
        return of_tokens.masked_fill(~self.used, 0).sum(dim=-1) / self.used.sum(dim=-1).clamp(min=1)


def word_reader(
    label_words: Mapping[str, Sequence[str]], labels: Sequence[str], tokenizer: Tokenizer, blanks: int = 1
) -> Verbalizer | Phrases:
    """The read-out that suits these words, in the order of `labels`: the plain verbalizer where each is one token and
    the template has one blank.

    Args:
        blanks: of the template.

    Raises:
        UserError: as of `chosen_words` and `tokens_of`.
    """
    words, weights = apart(chosen_words(label_words, labels, partial(tokens_of, tokenizer=tokenizer, blanks=blanks)))
    if blanks < 2 and all(len(word) == 1 for of_class in words for word in of_class):
        return Verbalizer([[token for (token,) in of_class] for of_class in words], weights)
    return Phrases(words, tokenizer.mask_id if tokenizer.kind == "bert" else None, blanks, weights)


def tokens_of(word: str, tokenizer: Tokenizer, blanks: int = 1) -> Word:
    """Raises:
    UserError: the word has no token, or one that the tokenizer does not know; it is the name of a special token; it has
        not one token for each of several blanks.
    """
    ids = tokenizer.encode(word)
    pieces = " + ".join(tokenizer.tokens(ids)) or "nothing"
    if word in tokenizer.specials:
        raise UserError(
            f"the label word {word!r} is the name of a special token, which no text says; choose a word that stands "
            "for the class"
        )
    if not ids or tokenizer.unk_id in ids:
        raise UserError(
            f"the label word {word!r} cannot be read at a blank: the {tokenizer.kind} tokenizer makes it {pieces}; "
            "choose a word whose letters it knows"
        )
    if blanks > 1 and len(ids) != blanks:
        raise UserError(
            f"the label word {word!r} does not fit the template: it becomes {pieces}, and the template has {blanks} "
            f"blanks, one for each token; take words of {blanks} tokens, or a template with one {{mask}}"
        )
    return tuple(ids)
