"""What many tests share: tiny models of odd sizes with weights that are all over the place, and tiny tokenizers.

No number here is a default, no two sizes are equal that a mistake could swap, and everything is in float64. All runs
on one thread: with tensors this small two of them would only wait for each other, for minutes on a busy machine. A run
of all tests is shared by several processes instead, a file at a time (`pytest -n 0`: by one).
"""

import copy
import functools
import gc
import os
import re

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before PyTorch is imported, and for the processes that tests start

import pytest
import torch
from torch import nn

from minitune.data.tokenizers import train_tokenizer
from minitune.models import BERT, GPT, BERTConfig, GPTConfig
from minitune.questions import from_task
from minitune.training import checkpoint
from minitune.tuning import prefix_tuning

torch.set_num_threads(1)
if not torch.cuda.is_available():  # for each device that is not there PyTorch writes the stack down, at every seed
    torch.manual_seed = torch.default_generator.manual_seed
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.fsync = lambda descriptor: None  # the tests write thousands of files; that each is synced, test_files.py sees to
read_pickled, read_before = checkpoint.load_pickled, {}  # whose own tests, in test_pickled.py, have it as it is
FIT_STEPS, prefix_tuning.FIT_STEPS = prefix_tuning.FIT_STEPS, 3  # a prefix first trains a network on real words


def load_pickled(path):
    """A file of the bytes of one before has its content, copied: the two readings take longer than most tests."""
    held = path.read_bytes()
    if held not in read_before:
        read_before[held] = read_pickled(path)
    return copy.deepcopy(read_before[held])


checkpoint.load_pickled = load_pickled


load_split = from_task.load_split


@functools.cache
def read_split(name, split):
    return load_split(name, split)


def load_split_once(name, split, folder=None):
    """The toy world's own files are the same in all tests."""
    return load_split(name, split, folder) if folder else list(read_split(name, split))


from_task.load_split = load_split_once

MOST_PROCESSES = 8  # each takes half a gigabyte
ROOMS = [
    "models",
    "data",
    "world",
    "tuning",
    "prompting",
    "readout",
    "training",
    "predictors",
    "questions",
    "searches",
    "methods",
    "experiments",
    "tuned",
    "exchange",
    "bench",
    "commands",
    "course",
    "lessons",
]
FIRST = ("test_losses.py", "test_ranking.py", "test_head.py", "test_verbalizer.py", "test_search.py")  # of their rooms


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    """All tests are shared by processes; a lesson, a file, a test and a debugger are with one sooner, and in order."""
    if is_shared(config):
        asked = config.option
        asked.numprocesses, asked.maxprocesses = "logical", asked.maxprocesses or MOST_PROCESSES
        asked.dist, asked.loadscopereorder = "loadfile", False  # what is made for a file once; in the order of below


def is_shared(config) -> bool:
    """Whether a run is of all tests, and nothing else is said."""
    asked = config.option
    if hasattr(config, "workerinput") or getattr(asked, "numprocesses", 0) is not None:
        return False  # a process that shares in them already (it must start none); no pytest-xdist, or its own -n
    if asked.mine or asked.usepdb or asked.capture == "no" or getattr(asked, "lf", False) or asked.keyword:
        return False
    return config.args == ["tests"] and asked.markexpr in ("not thorough", "thorough")


def asked_lesson(config) -> re.Match | None:
    return re.fullmatch(r"lesson\d\d", config.option.markexpr)


def pytest_ignore_collect(collection_path, config):
    """With `-m lesson02` the files that do not name this lesson are not imported; with `--mine` only checks are."""
    if config.option.mine and collection_path.suffix == ".py" and collection_path.parent.name != "lessons":
        return True
    lesson = asked_lesson(config)
    if lesson and collection_path.name.startswith("test_"):
        text = collection_path.read_text("utf-8")
        text += re.sub(r"^test_(\d\d)_.*", r" lesson\1", collection_path.name)  # the checks of a lesson's exercises
        return None if lesson[0] in text or 'f"lesson{' in text else True
    return None  # whatever pytest says by itself


def pytest_collection_finish():
    """What was imported and collected stays: it need not be looked through again each time garbage is collected."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)


def pytest_collection_modifyitems(config, items):
    """From the lowest room to the highest: the first failure of a run is then nearest to its cause. What is thorough
    is no part of a lesson: `-m lesson02` takes the place of `-m 'not thorough'`."""
    if asked_lesson(config):
        left_out = [item for item in items if item.get_closest_marker("thorough")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]

    def place(item) -> tuple[int, bool]:
        room = item.path.parent.name
        return ROOMS.index(room) if room in ROOMS else len(ROOMS), item.path.name not in FIRST

    items.sort(key=place)


LINES = [
    "the plot was clever and gripping . the hero was witty and sharp .",
    "a dull film with a dull hero . it was slow and sad .",
    "the soup was great but the bread was awful . i liked the soup .",
    "we stayed two nights . the bed was soft and the room was quiet .",
    "is the book good ? it is great ! a clever plot and a great hero .",
    "the film was awful . the plot was slow and the hero was dull .",
    "great soup ! the room was sad but the bed was good .",
    "it was good . it was bad . it was great . it was awful .",
]


def perturbed(model: nn.Module, seed: int, spread: float = 0.3) -> nn.Module:
    """Every parameter drawn anew, norms and biases too: at their first values (1 and 0) many mistakes are invisible."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=spread, generator=generator)
    return model.double().eval()


def make_gpt(vocab_size: int = 57, **changes) -> GPT:
    sizes = {"layers": 3, "width": 24, "heads": 3, "inner": 44, "context": 31} | changes
    return perturbed(GPT(GPTConfig(vocab_size, **sizes)), seed=1)


def make_bert(vocab_size: int = 57, **changes) -> BERT:
    sizes = {"layers": 3, "width": 24, "heads": 3, "inner": 44, "context": 31, "token_types": 3} | changes
    return perturbed(BERT(BERTConfig(vocab_size, **sizes)), seed=2)


@pytest.fixture
def gpt():
    return make_gpt()


@pytest.fixture
def bert():
    return make_bert()


@pytest.fixture(params=["gpt", "bert"])
def model(request):
    """Both models, one after the other."""
    return make_gpt() if request.param == "gpt" else make_bert()


@pytest.fixture(scope="session")
def gpt_tokenizer():
    return train_tokenizer("gpt", LINES)


@pytest.fixture(scope="session")
def bert_tokenizer():
    return train_tokenizer("bert", LINES)


@pytest.fixture(params=["gpt", "bert"])
def tokenizer(request):
    """Both tokenizers, one after the other."""
    return request.getfixturevalue(f"{request.param}_tokenizer")


@pytest.fixture
def ids():
    """(B, T) = (4, 11)"""
    return torch.randint(0, 57, (4, 11), generator=torch.Generator().manual_seed(3))


@pytest.fixture
def mask():
    """(B, T) = (4, 11), padding on the right: rows of 11, 7, 3 and 10 real tokens."""
    lengths = torch.tensor([11, 7, 3, 10])
    return (torch.arange(11) < lengths[:, None]).long()


def random_past(rows: int, length: int, layers: int = 3, heads: int = 3, size: int = 8, seed: int = 4):
    """Keys and values as a method might have learned them: for each layer two of (B, H, P, D/H)."""
    generator = torch.Generator().manual_seed(seed)

    def draw():
        return torch.randn(rows, heads, length, size, dtype=torch.float64, generator=generator)

    return tuple((draw(), draw()) for _ in range(layers))


@pytest.fixture
def write(tmp_path):
    """A user's own file, as text or as bytes."""

    def write(content, name="reviews.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    return write
