"""Lessons 02 and 03, pretraining: text in, checkpoint out, and whatever stops a run, it resumes to the same weights."""

import functools
import json
import shutil

import pytest
import torch

from minitune.errors import UserError
from minitune.training import checkpoint as checkpoints
from minitune.training import pretrain as module
from minitune.training.checkpoint import load_checkpoint
from minitune.training.pretrain import LOOKS, Pretraining, pretrain
from minitune.training.run import Asked, Recipe, read_run
from tests.training.shared import RECIPE, STEPS, TEXTS, Kill, run, tiny

__all__ = ["tiny"]
pytestmark = [pytest.mark.lesson02, pytest.mark.lesson03]
RARELY = 1e9  # seconds between two saves: there is but the last


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """For each kind the folder and the result of a run that nothing stopped; to look at, not to change."""

    @functools.cache
    def whole(kind):
        out = tmp_path_factory.mktemp("whole")
        return out, run(kind, out, watch=Kill(at=None), save_seconds=RARELY)

    return whole


@pytest.fixture(scope="module")
def killed_at_3(tmp_path_factory):
    """Puts a run that was killed at its third look into a folder."""

    @functools.cache
    def killed(kind):
        out = tmp_path_factory.mktemp("killed")
        with pytest.raises(KeyboardInterrupt):
            run(kind, out, watch=Kill(3))
        return out

    return lambda kind, folder: shutil.copytree(killed(kind), folder, dirs_exist_ok=True)


def weights(result):
    return result.checkpoint.model.state_dict()


def assert_equal_weights(one, two):
    assert set(one) == set(two)
    different = [name for name in one if not torch.equal(one[name], two[name])]
    assert not different, f"not the same, bit for bit: {different}"


@pytest.fixture(params=["gpt", "bert"])
def kind(request):
    return request.param


# what comes out


def test_a_folder_with_everything_and_nothing_else(kind, whole):
    out, result = whole(kind)
    names = {path.name for path in out.iterdir()}
    assert {"model.pt", "tokenizer.json", "run.json"} <= names and "state.pt" not in names
    loaded = load_checkpoint(str(out))
    assert_equal_weights(loaded.model.state_dict(), weights(result))
    assert loaded.made["run"]["steps"] == STEPS and loaded.made["run"]["seed"] == 3
    assert loaded.made["reached"]["looks"] == 1.0 and loaded.made["reached"]["held-out loss"] > 0
    assert len(result.history.losses) == STEPS and result.parameters == sum(t.numel() for t in weights(result).values())
    assert result.history.scores[-1][0] == STEPS and len(result.history.scores) <= LOOKS
    assert read_run(out) == result.run


def test_the_last_weights_stay_not_the_best(kind, whole):
    """Held-out loss is the first of what is measured, and lower is better: no look at it may choose the weights."""
    _, result = whole(kind)
    final = result.history.scores[-1][1]["held-out loss"]
    store = Pretraining(kind, "pico", TEXTS, result.checkpoint.tokenizer, 3, RECIPE)
    store.model.load_state_dict(weights(result))
    assert store.held_out_loss() == pytest.approx(final, rel=1e-6)


def test_held_out_texts_are_not_learned(tokenizer):
    texts = [f"{i // 100} {i % 100 // 10} {i % 10} ." for i in range(250)]
    parts = Pretraining(tokenizer.kind, "pico", texts, tokenizer, 0, RECIPE)

    def known(store):
        return {tuple(store[i].tolist()) for i in range(len(store))}

    learned, held_out = known(parts.batches.store), known(parts.held_out.store)
    assert len(held_out) == 3 and len(learned) == 247 and not learned & held_out


def test_the_same_run_gives_the_same_weights_and_another_seed_others(kind, whole, tmp_path):
    _, one = whole(kind)
    two, other = (run(kind, tmp_path / str(seed), seed=seed, save_seconds=RARELY) for seed in (3, 4))
    assert_equal_weights(weights(one), weights(two))
    assert one.history.losses == two.history.losses
    assert not torch.equal(weights(one)["token_embedding.weight"], weights(other)["token_embedding.weight"])


# parity: a run that was killed against one that was not


@pytest.mark.parametrize(("at", "kind"), [(1, "gpt"), (2, "gpt"), (7, "gpt"), (7, "bert"), (STEPS, "bert")])
def test_killed_at_any_look_it_resumes_to_the_same_weights(kind, whole, tmp_path, at):
    _, expected = whole(kind)
    out = tmp_path / "killed"
    with pytest.raises(KeyboardInterrupt):
        run(kind, out, watch=Kill(at))
    assert (out / "state.pt").exists() == (at > 1) and not (out / "model.pt").exists()
    torch.manual_seed(99)
    watch = Kill(at=None)
    resumed = pretrain(kind, TEXTS, out, resume=True, watch=watch)
    assert watch.looks == STEPS - (at - 1), "it went back further than to the last save"
    assert_equal_weights(weights(resumed), weights(expected))
    assert (resumed.history.losses, resumed.history.scores) == (expected.history.losses, expected.history.scores)
    assert resumed.checkpoint.made == expected.checkpoint.made
    assert not (out / "state.pt").exists()


@pytest.mark.parametrize(("at", "kind"), [(4, "bert"), (STEPS + 1, "gpt")])
def test_killed_while_saving_it_resumes_from_the_save_before(kind, whole, tmp_path, monkeypatch, at):
    """At 4 in the middle of a state, at the end in the middle of the finished model."""
    out, saves, save = tmp_path / "killed", [], torch.save

    def cut_off(content, file):
        saves.append(file)
        if len(saves) == at:
            file.write(b"half of a file")
            raise KeyboardInterrupt
        save(content, file)

    monkeypatch.setattr(torch, "save", cut_off)
    with pytest.raises(KeyboardInterrupt):
        run(kind, out)
    monkeypatch.setattr(torch, "save", save)
    assert checkpoints.read_tensors(out / "state.pt", "pretraining")["step"] == at - 1, "the last save must stay good"
    assert_equal_weights(weights(run(kind, out, resume=True, save_seconds=RARELY)), weights(whole(kind)[1]))
    assert {p.suffix for p in out.iterdir()} <= {".pt", ".json", ".png"}, "half a file was left over"


@pytest.mark.parametrize("kind", ["gpt"])  # its state is saved sooner, and is no other than a BERT's
def test_killed_twice(kind, whole, killed_at_3, tmp_path):
    killed_at_3(kind, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run(kind, tmp_path, watch=Kill(5), resume=True)
    resumed = run(kind, tmp_path, resume=True, save_seconds=RARELY)
    assert_equal_weights(weights(resumed), weights(whole(kind)[1]))
    assert resumed.history.losses == whole(kind)[1].history.losses


def test_the_number_of_threads_is_stored_and_restored(tmp_path, monkeypatch):
    restored = []
    monkeypatch.setattr(torch, "get_num_threads", lambda: 7)
    monkeypatch.setattr(torch, "set_num_threads", restored.append)
    with pytest.raises(KeyboardInterrupt):
        run("gpt", tmp_path, watch=Kill(2))
    assert json.loads((tmp_path / "run.json").read_text())["threads"] == 7 and not restored
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    run("gpt", tmp_path, resume=True, save_seconds=RARELY)
    assert restored[0] == 7, "another number of threads adds in another order"


def test_minutes_are_turned_into_steps_that_are_stored(kind, whole, tmp_path, monkeypatch):
    monkeypatch.setattr(Pretraining, "seconds_per_step", lambda self, config: 0.05)
    timed = run(kind, tmp_path, steps=None, minutes=STEPS * 0.05 / 60, save_seconds=RARELY)
    assert json.loads((tmp_path / "run.json").read_text())["steps"] == STEPS
    assert_equal_weights(weights(timed), weights(whole(kind)[1]))


def test_timing_the_first_steps_disturbs_nothing(tokenizer):
    parts = Pretraining(tokenizer.kind, "pico", TEXTS, tokenizer, 3, RECIPE)
    before = {name: tensor.clone() for name, tensor in parts.model.state_dict().items()}
    assert parts.seconds_per_step(module.TrainConfig(lr=0.1), steps=8) > 0
    assert_equal_weights(parts.model.state_dict(), before)


# does it learn?


def test_learns(kind, tmp_path):
    result = run(kind, tmp_path, steps=40, save_seconds=RARELY)
    first, last = result.history.scores[0][1]["held-out loss"], result.history.scores[-1][1]["held-out loss"]
    assert last < 0.75 * first


# the end of a run


@pytest.mark.parametrize(("at", "kind"), [("report", "gpt"), ("model", "bert")])
def test_killed_after_the_training_it_resumes_to_the_same_model_and_the_same_report(
    kind, whole, tmp_path, monkeypatch, at
):
    """The report was lost for good when the state was gone before it was written."""
    reports = []

    def report(result):
        if not reports:
            reports.append(result)
            raise KeyboardInterrupt
        reports.append(result)

    out = tmp_path / "killed"
    if at == "model":
        monkeypatch.setattr(module, "save_checkpoint", lambda folder, checkpoint: report("none yet"))
    with pytest.raises(KeyboardInterrupt):
        run(kind, out, finish=report, watch=Kill(at=None), save_seconds=RARELY)
    assert (out / "state.pt").exists() and (out / "model.pt").exists() == (at == "report")
    monkeypatch.setattr(module, "save_checkpoint", checkpoints.save_checkpoint)
    resumed = pretrain(kind, TEXTS, out, resume=True, finish=report)
    first, second = reports
    assert second is resumed and not (out / "state.pt").exists()
    if at == "report":
        assert (first.seconds, first.history, first.run) == (second.seconds, second.history, second.run)
    assert resumed.seconds > 0 and resumed.history.losses == whole(kind)[1].history.losses
    assert (out / "model.pt").read_bytes() == (whole(kind)[0] / "model.pt").read_bytes()


def test_what_the_file_of_the_model_tells_is_the_same_however_the_run_went(kind, whole, tmp_path, monkeypatch):
    """No time, no path, no --minutes: the command of the report makes the very same file."""
    monkeypatch.setattr(Pretraining, "seconds_per_step", lambda self, config: 0.05)
    asked = Asked(text_file="here/my text.txt", minutes=1.0, probe="p.csv")
    with pytest.raises(KeyboardInterrupt):
        run(kind, tmp_path, steps=None, minutes=STEPS * 0.05 / 60, asked=asked, watch=Kill(4))
    run(kind, tmp_path, resume=True, watch=Kill(at=None), save_seconds=RARELY)
    assert (tmp_path / "model.pt").read_bytes() == (whole(kind)[0] / "model.pt").read_bytes()
    assert read_run(tmp_path).asked == asked


def test_a_long_text_is_held_out_in_pieces(tokenizer):
    """Held out whole, one long line left nothing to learn, and was learned all the same."""
    text = " ".join(f"{i // 1000} {i % 1000 // 100} {i % 100 // 10} {i % 10} ." for i in range(4000))
    parts = Pretraining(tokenizer.kind, "pico", [text], tokenizer, 0, RECIPE)
    pieces = len(parts.texts)
    assert pieces > 500 and len(parts.held_out.store) == -(-pieces // 100)
    assert len(parts.batches.store) + len(parts.held_out.store) == pieces


# what is refused


def test_nothing_to_resume(kind, whole, tmp_path):
    with pytest.raises(UserError, match="there is nothing to resume"):
        run(kind, tmp_path / "nowhere", resume=True)
    with pytest.raises(UserError, match="is finished: there is nothing to resume"):
        run(kind, whole(kind)[0], resume=True)


def test_what_stands_there_is_not_overwritten(kind, whole, killed_at_3, tmp_path):
    killed_at_3(kind, tmp_path)
    with pytest.raises(UserError, match="holds an unfinished run: add --resume"):
        run(kind, tmp_path)
    with pytest.raises(UserError, match="holds a finished model"):
        run(kind, whole(kind)[0])


def test_another_text_or_kind_is_refused(kind, killed_at_3, tmp_path):
    killed_at_3(kind, tmp_path)
    state = (tmp_path / "state.pt").read_bytes()
    with pytest.raises(UserError, match="was started with text"):
        run(kind, tmp_path, texts=TEXTS[1:], resume=True)
    with pytest.raises(UserError, match=f"was started with kind '{kind}', not"):
        run("gpt" if kind == "bert" else "bert", tmp_path, resume=True)
    assert (tmp_path / "state.pt").read_bytes() == state
    run(kind, tmp_path, resume=True, save_seconds=RARELY)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 7}, "was started with seed 3, not with 7: leave it out"),
        ({"steps": 999}, "with steps 11, not with 999"),
        ({"size": "nano"}, "with size 'pico', not with 'nano'"),
        ({"minutes": 2.0, "steps": None}, "without minutes, not with 2.0"),
        ({"recipe": Recipe(lr=0.1, batch_size=5, spread=0.1)}, "with recipe"),
    ],
)
def test_other_settings_than_the_run_was_started_with_are_refused(killed_at_3, tmp_path, change, message):
    """A run of another size and seed "went on", and nothing was said."""
    killed_at_3("gpt", tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(UserError, match=message):
        run("gpt", tmp_path, resume=True, **change)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert not set(before) & {"model.pt"}


@pytest.mark.parametrize(("what", "word"), [("state.pt", "great"), ("run.json", "great"), ("tokenizer.json", "awful")])
def test_the_state_of_another_run_is_refused(killed_at_3, tmp_path, what, word):
    """Of another seed on the same text, or with the tokenizer of another text."""
    killed_at_3("gpt", tmp_path / "one")
    with pytest.raises(KeyboardInterrupt):
        run("gpt", tmp_path / "two", texts=[t.replace("great", word) for t in TEXTS], seed=4, watch=Kill(3))
    (tmp_path / "one" / what).write_bytes((tmp_path / "two" / what).read_bytes())
    with pytest.raises(UserError, match="was saved by another run"):
        pretrain("gpt", TEXTS, tmp_path / "one", resume=True)


def test_two_runs_in_one_folder_are_refused(tmp_path):
    def meanwhile(work, run_, per_step):
        with pytest.raises(UserError, match="another run is writing to"):
            run("gpt", tmp_path)
        with pytest.raises(UserError, match="another run is writing to"):
            run("gpt", tmp_path, resume=True)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run("gpt", tmp_path, begin=meanwhile)
    assert len(run("gpt", tmp_path, steps=2).history.losses) == 2, "the folder is free again"


def test_where_nothing_can_be_written_nothing_is_begun(tmp_path):
    (tmp_path / "file").write_text("")
    begun = []
    with pytest.raises(UserError, match="cannot write"):
        run("gpt", tmp_path / "file" / "out", begin=lambda *_: begun.append(1))
    assert not begun


@pytest.mark.parametrize("name", ["run.json", "state.pt", "tokenizer.json"])
@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", None])
def test_a_damaged_run_is_refused(killed_at_3, tmp_path, name, content):
    killed_at_3("gpt", tmp_path)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(UserError, match=name):
        run("gpt", tmp_path, resume=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "t5"}, "there is no model 't5' to pretrain"),
        ({"size": "huge"}, "there is no size 'huge'; choose one of nano, micro, mini"),
        ({"steps": 0}, "steps is 0"),
        ({"texts": []}, "text is empty"),
        ({"texts": ["", ""]}, "text is empty"),
    ],
)
def test_what_cannot_be_pretrained_is_refused(tmp_path, change, message):
    arguments = {"kind": "gpt", "out": tmp_path} | change
    with pytest.raises(UserError, match=message):
        run(**arguments)


@pytest.mark.parametrize("texts", [["one text alone"], ["."], ["a . b", "c"]])
def test_very_little_text_is_enough(kind, tmp_path, texts):
    assert len(run(kind, tmp_path, texts=texts, steps=2).history.losses) == 2
