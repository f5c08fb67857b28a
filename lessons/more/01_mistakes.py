# %% [markdown]
# # Lesson 1, more: the table of mistakes
#
# **Belongs to** lesson 1. **To run:** about a minute on one CPU core. **Writes** `01-mistakes.json`; the lesson prints
# its table from the committed one.
#
# The shipped models rate the 1,000 test reviews of `sentiment` without training: is *great* or *terrible* likelier in the
# blank of "... it was ___"? Each mistake is one that a tokenizer lets pass without an error.

# %%
import torch

import minitune
from minitune.course.lessons import is_fast, save_result

gpt, bert = minitune.load("gpt"), minitune.load("bert")
data = minitune.task("sentiment").dataset
reviews = data.test[: 20 if is_fast() else None]
assert data.labels == ("negative", "positive")
WORDS = ("terrible", "great")


@torch.no_grad()
def scores_after(ids: list[int], model=gpt.model) -> torch.Tensor:
    """The log-probability of every token as the next one, after as many ids as the context holds."""
    hidden = model(torch.tensor([ids[-model.config.context :]])).hidden[0, -1]
    return model.logits(hidden).log_softmax(dim=-1)


def accuracy(read, pair: tuple[int, int]) -> float:
    """Of GPT, where `read` makes a prompt's ids of a review and `pair` holds the tokens that are compared; a tie is no answer."""
    right = 0
    for review in reviews:
        first, second = scores_after(read(review.text))[list(pair)].tolist()
        right += first > second if review.label == 0 else second > first
    return right / len(reviews)


def first_piece(word: str) -> int:
    return gpt.tokenizer.encode(word)[0]


def unspaced(word: str) -> int:
    """The first piece of the word without the space before it."""
    return gpt.tokenizer.library.encode(word).ids[0]


encode = gpt.tokenizer.encode
pair = tuple(map(gpt.tokenizer.word_id, WORDS))
rare = ("unpleasant", "unforgettable")


def prompt(review: str) -> list[int]:
    return encode(f"{review} it was")


def read_by_bert(review: str) -> list[int]:
    return bert.tokenizer.encode(f"{review} it was")


found = {
    "right": accuracy(prompt, pair),
    "a space at the end of the prompt": accuracy(lambda review: encode(f"{review} it was "), pair),
    "label words without their space": accuracy(prompt, tuple(map(unspaced, WORDS))),
    "first pieces of split words": accuracy(prompt, tuple(map(first_piece, rare))),
    "BERT's tokenizer for GPT": accuracy(read_by_bert, pair),
    "BERT's tokenizer for both": accuracy(read_by_bert, tuple(map(bert.tokenizer.word_id, WORDS))),
    "reviews in capitals": accuracy(lambda review: prompt(review.upper()), pair),
}
for name, value in found.items():
    print(f"{name:40} {value:.3f}")
print({word: gpt.tokenizer.tokens(encode(word)) for word in rare})
for word in WORDS:
    print(word, gpt.tokenizer.tokens(gpt.tokenizer.library.encode(word).ids))
lengths = {
    name: sum(len(encode(change(review.text))) for review in reviews)
    / sum(len(review.text.split()) for review in reviews)
    for name, change in {"tokens per word": str, "tokens per word, in capitals": str.upper}.items()
}
print(lengths)
save_result(found | lengths, "01-mistakes.json")
