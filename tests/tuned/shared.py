"""What the tests of answers and of explanations share: a method that is built and not trained, and tables read back."""

from minitune.methods.method import Method
from tests import tiny

PAIRS = {"gpt": tiny.question("gpt", is_pair=True), "bert": tiny.question("bert", is_pair=True)}
TEXTS = ["great soup", "the film was awful , and the hero was dull", "猫 great ünï", 'a "dull" plot,\tnot so\ngood']


def build(kind, name="frozen+head", question=None, *settings):
    return Method.parse(name, settings).build(tiny.checkpoint(kind), question or tiny.question(kind), seed=1)


def lines_of(text):
    """The rows of the table of tokens: (token, what is said of it)."""
    block = next(part for part in text.split("\n\n") if part.startswith("place"))
    return [tuple(line.split(maxsplit=2)[1:]) for line in block.splitlines()[2:]]


def rows_under(text, header):
    """The rows of the table whose header begins so."""
    block = next(part for part in text.split("\n\n") if part.startswith(header))
    return [line.split() for line in block.splitlines()[2:]]
