"""Lesson 02, checkpoints: what is saved comes back, what is damaged is refused, and loading runs no code."""

import io
import os
import pickle
import random
import zipfile

import pytest
import torch

from minitune.data.tokenizers import train_tokenizer
from minitune.errors import UserError
from minitune.models import BERT, GPT, BERTConfig, GPTConfig
from minitune.models.build import random_model
from minitune.training import checkpoint as module
from minitune.training.checkpoint import (
    Checkpoint,
    fingerprint,
    identity,
    load_checkpoint,
    random_twin,
    read_tensors,
    save_checkpoint,
    write_tensors,
)
from tests.conftest import perturbed

pytestmark = [pytest.mark.lesson02, pytest.mark.lesson03]


def make(tokenizer, seed=1):
    sizes = {"layers": 2, "width": 6, "heads": 2, "inner": 10, "context": 17, "norm_eps": 3e-5, "spread": 0.07}
    if tokenizer.kind == "gpt":
        model = GPT(GPTConfig(len(tokenizer), **sizes))
    else:
        model = BERT(BERTConfig(len(tokenizer), token_types=3, **sizes))
    return Checkpoint(perturbed(model, seed).float(), tokenizer, {"seed": seed, "reached": {"loss": 0.5}})


@pytest.fixture
def saved(tokenizer, tmp_path):
    checkpoint = make(tokenizer)
    save_checkpoint(tmp_path / "deep" / "folder", checkpoint)
    return tmp_path / "deep" / "folder", checkpoint


class Evil:
    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


# what is saved comes back


def test_round_trip(saved):
    folder, before = saved
    after = load_checkpoint(str(folder))
    assert after.kind == before.kind and type(after.model) is type(before.model)
    assert after.model.config == before.model.config and after.made == before.made
    weights = after.model.state_dict()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in before.model.state_dict().items())
    assert set(weights) == set(before.model.state_dict())
    assert after.tokenizer.encode("a [MASK] great <|end|> soup") == before.tokenizer.encode(
        "a [MASK] great <|end|> soup"
    )
    assert not any(part.training for part in after.model.modules()), "a loaded model must be in eval mode"
    ids = torch.tensor([before.tokenizer.encode("great soup")])
    assert torch.equal(after.model(ids).hidden, before.model(ids).hidden)
    assert sorted(path.name for path in folder.iterdir()) == ["model.pt", "tokenizer.json"], "something was left over"


def test_saving_does_not_change_the_model_and_may_be_repeated(saved):
    folder, checkpoint = saved
    print_before = fingerprint(checkpoint.model)
    content = (folder / "model.pt").read_bytes()
    save_checkpoint(folder, checkpoint)
    assert fingerprint(checkpoint.model) == print_before == fingerprint(load_checkpoint(str(folder)).model)
    assert (folder / "model.pt").read_bytes() == content


def test_fingerprints_tell_every_weight(tokenizer):
    model = make(tokenizer).model
    first = fingerprint(model)
    assert first == fingerprint(make(tokenizer).model) != fingerprint(make(tokenizer, seed=2).model)
    for parameter in model.parameters():
        with torch.no_grad():
            parameter.view(-1)[-1] += 1e-6 + 1e-6 * parameter.view(-1)[-1].abs()
        assert fingerprint(model) != first
        first = fingerprint(model)


def test_a_random_twin_has_the_shape_and_nothing_else(saved):
    _, checkpoint = saved
    twin = random_twin(checkpoint, seed=3)
    assert twin.model.config == checkpoint.model.config and twin.tokenizer is checkpoint.tokenizer
    assert (
        fingerprint(twin.model)
        == fingerprint(random_model(checkpoint.model.config, 3))
        != fingerprint(checkpoint.model)
    )
    assert not twin.model.training and twin.made == {}


def test_plain_values_come_back_as_they_were(tmp_path):
    content = {
        "step": 7,
        "losses": [0.5, 1e-30],
        "scores": [(3, {"accuracy": 0.5})],
        "best": None,
        "rng": torch.arange(5),
    }
    write_tensors(tmp_path / "x.pt", "pretraining", content)
    read = read_tensors(tmp_path / "x.pt", "pretraining")
    assert torch.equal(read.pop("rng"), content.pop("rng")) and read == content


# what is refused


def test_nothing_there(tmp_path):
    with pytest.raises(UserError, match="no model 'nowhere': it is none of bert, gpt, gpt-lists, and no folder"):
        load_checkpoint("nowhere")
    with pytest.raises(UserError, match=r"there is no .*model.pt; expected a checkpoint"):
        load_checkpoint(str(tmp_path))


def test_a_shipped_model_that_is_not_there(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "shared", lambda name: tmp_path / name)
    with pytest.raises(UserError, match="there is no model 'bert'"):
        load_checkpoint("bert")


def test_a_truncated_file_is_refused_wherever_it_was_cut(saved):
    folder, _ = saved
    whole = (folder / "model.pt").read_bytes()
    rng = random.Random(0)
    for length in [0, 1, 4, len(whole) - 1, *(rng.randrange(len(whole)) for _ in range(60))]:
        (folder / "model.pt").write_bytes(whole[:length])
        with pytest.raises(UserError, match=r"model.pt is damaged or no checkpoint"):
            load_checkpoint(str(folder))


def test_a_weight_that_changed_on_the_disk_is_noticed(saved):
    folder, _ = saved
    path = folder / "model.pt"
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        parts = [info for info in archive.infolist() if "/data/" in info.filename and info.file_size > 8]
        contents = {info.filename: archive.read(info) for info in parts}
    rng = random.Random(1)
    for part in rng.sample(parts, 6):
        damaged = bytearray(whole)
        start = whole.index(contents[part.filename], part.header_offset)
        damaged[start + part.file_size // 2] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(UserError, match="damaged"):
            load_checkpoint(str(folder))
        path.write_bytes(whole)
    load_checkpoint(str(folder))


def test_garbage_is_refused(saved):
    folder, _ = saved
    whole = (folder / "model.pt").read_bytes()
    rng = random.Random(2)
    contents = [bytes(rng.randrange(256) for _ in range(rng.randrange(1, 200))) for _ in range(60)]
    contents += [b"PK\x03\x04", b"hello", pickle.dumps({"minitune": "checkpoint"}), whole[100:], whole[::-1]]
    for content in contents:
        (folder / "model.pt").write_bytes(content)
        with pytest.raises(UserError, match=r"model.pt .*checkpoint"):
            load_checkpoint(str(folder))


def test_anything_flipped_is_refused_or_harmless(saved):
    """The format has unused bytes, where a change does nothing. Anywhere else it must be noticed."""
    folder, checkpoint = saved
    whole = (folder / "model.pt").read_bytes()
    rng = random.Random(3)
    for _ in range(25):
        damaged = bytearray(whole)
        damaged[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        (folder / "model.pt").write_bytes(damaged)
        try:
            loaded = load_checkpoint(str(folder))
        except UserError:
            continue
        assert fingerprint(loaded.model) == fingerprint(checkpoint.model), "damaged weights were loaded"


def test_a_zip_of_something_else_is_refused(saved):
    folder, _ = saved
    with zipfile.ZipFile(folder / "model.pt", "w") as archive:
        archive.writestr("letter.txt", "hello")
    with pytest.raises(UserError, match="damaged or no checkpoint"):
        load_checkpoint(str(folder))


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_that_would_run_code_is_refused_and_does_not_run(saved, tmp_path, zipped):
    folder, _ = saved
    trace = tmp_path / "it_ran"
    content = {"minitune": "checkpoint", "version": module.VERSIONS["checkpoint"], "weights": Evil(trace)}
    if zipped:
        torch.save(content, folder / "model.pt")
    else:
        (folder / "model.pt").write_bytes(pickle.dumps(content))
    message = "might run code" if zipped else "damaged or no checkpoint"
    with pytest.raises(UserError) as refusal:
        load_checkpoint(str(folder))
    assert not trace.exists(), "loading ran code from the file"
    assert message in str(refusal.value)
    torch.load(folder / "model.pt", weights_only=False) if zipped else pickle.loads((folder / "model.pt").read_bytes())
    assert trace.exists(), "the file was harmless: this test shows nothing"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "is of version 2; this minitune reads version 1"),
        ({"version": None}, "is of version None"),
        ({"minitune": "lora"}, "is no checkpoint of minitune"),
        ({"minitune": None}, "is no checkpoint of minitune"),
        ({"kind": "rnn"}, r"model.pt, config is of the kind 'rnn'; known are"),
        ({"kind": 7}, r"model.pt, kind is 7; a text was expected"),
        ({"config": {"vocab_size": 5}}, "lacks the field 'layers'"),
        ({"config": {}}, "lacks the field 'vocab_size'"),
        ({"config": None}, "config is None; a mapping was expected"),
        ({"weights": {}}, "holds 0 weights"),
        ({"weights": 7}, "weights is 7; a mapping was expected"),
        ({"weights": {"a": 7}}, "7; a Tensor was expected"),
        ({"more": 7}, "has the unknown field 'more'"),
    ],
)
@pytest.mark.parametrize("tokenizer", ["gpt"], indirect=True)  # nothing of it is of one kind of model
def test_another_sort_version_or_shape_is_refused(saved, change, message):
    folder, _ = saved
    content = torch.load(folder / "model.pt", weights_only=True)
    torch.save(content | change, folder / "model.pt")
    with pytest.raises(UserError, match=message):
        load_checkpoint(str(folder))


@pytest.mark.parametrize("value", [[1, 2], torch.ones(3), "text", {"weights": {}}])
def test_a_torch_file_that_is_no_checkpoint_is_refused(saved, value):
    folder, _ = saved
    torch.save(value, folder / "model.pt")
    with pytest.raises(UserError, match=r"model.pt is no checkpoint of minitune; check the path"):
        load_checkpoint(str(folder))


def test_weights_of_another_size_are_refused(saved):
    folder, _ = saved
    content = torch.load(folder / "model.pt", weights_only=True)
    content["config"]["inner"] += 1
    torch.save(content, folder / "model.pt")
    with pytest.raises(UserError, match="weights and its configuration is of a model of"):
        load_checkpoint(str(folder))
    content["config"]["inner"] -= 1
    name = "blocks.0.mlp.up.weight"
    content["weights"][name] = content["weights"][name].T.contiguous()  # as many numbers
    torch.save(content, folder / "model.pt")
    with pytest.raises(UserError, match=rf"{name} has the shape \(6, 10\); \(10, 6\) was expected"):
        load_checkpoint(str(folder))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("layers", 20_000, "layers is 20000; 0 to 1000 was expected"),
        ("layers", 2.0, "layers'?.* is 2.0; a whole number was expected"),
        ("width", 2**40, "width is 1099511627776; 1 to 1,048,576"),
        ("heads", 4, "a width of 6 cannot be shared by 4 heads"),
        ("heads", True, "True; a whole number was expected"),
        ("context", -3, "context is -3"),
        ("dropout", float("nan"), "nan; a finite number was expected"),
        ("spread", -1.0, "spread is -1.0"),
    ],
)
@pytest.mark.parametrize("tokenizer", ["gpt"], indirect=True)  # nothing of it is of one kind of model
def test_a_configuration_is_checked_before_anything_is_made(saved, monkeypatch, field, value, message):
    folder, _ = saved
    content = torch.load(folder / "model.pt", weights_only=True)
    content["config"][field] = value
    torch.save(content, folder / "model.pt")
    monkeypatch.setattr(module, "empty_model", lambda config: pytest.fail("a model of that size was begun"))
    with pytest.raises(UserError, match=message):
        load_checkpoint(str(folder))


def test_numbers_that_are_none_are_refused(saved):
    folder, _ = saved
    content = torch.load(folder / "model.pt", weights_only=True)
    content["weights"]["blocks.1.mlp.down.bias"][2] = float("nan")
    torch.save(content, folder / "model.pt")
    with pytest.raises(UserError, match=r"model.pt, blocks.1.mlp.down.bias holds numbers that are not finite"):
        load_checkpoint(str(folder))


def test_a_small_file_cannot_ask_for_much_memory(saved):
    folder, checkpoint = saved
    content = torch.load(folder / "model.pt", weights_only=True)
    shown_often = torch.zeros(1).expand(content["weights"]["blocks.0.mlp.up.weight"].shape)
    torch.save(content | {"weights": content["weights"] | {"blocks.0.mlp.up.weight": shown_often}}, folder / "model.pt")
    with pytest.raises(UserError, match="with fewer numbers than that"):
        load_checkpoint(str(folder))
    save_checkpoint(folder, checkpoint)
    with zipfile.ZipFile(folder / "model.pt") as parts, zipfile.ZipFile(folder / "p.zip", "w", 8) as packed:
        for part in parts.namelist():
            packed.writestr(part, parts.read(part))
    os.replace(folder / "p.zip", folder / "model.pt")
    with pytest.raises(UserError, match=r"its part .* is packed"):
        load_checkpoint(str(folder))


def test_the_same_model_gives_the_same_bytes(saved, tmp_path):
    folder, checkpoint = saved
    save_checkpoint(tmp_path / "again", checkpoint)
    for name in ("model.pt", "tokenizer.json"):
        assert (folder / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), f"{name} holds what differs"


def test_an_identity_tells_the_weights_the_configuration_and_the_tokenizer(saved):
    folder, checkpoint = saved
    first = identity(checkpoint)
    assert first == identity(load_checkpoint(folder)), "a model that was only saved and read is the same"
    text = (folder / "tokenizer.json").read_text(encoding="utf-8")
    swapped = text.replace("great", "\n").replace("awful", "great").replace("\n", "awful")
    (folder / "tokenizer.json").write_text(swapped, encoding="utf-8")
    assert identity(load_checkpoint(folder)) != first, "with two words swapped, every answer turns round"
    save_checkpoint(folder, checkpoint)
    content = torch.load(folder / "model.pt", weights_only=True)
    content["config"]["norm_eps"] = 0.5
    torch.save(content, folder / "model.pt")
    assert identity(load_checkpoint(folder)) != first, "another constant of the norms gives other answers"


def test_another_tokenizer_is_refused(saved, gpt_tokenizer, bert_tokenizer):
    folder, checkpoint = saved
    other = bert_tokenizer if checkpoint.kind == "gpt" else gpt_tokenizer
    other.save(folder / "tokenizer.json")
    with pytest.raises(UserError, match=rf"is a {other.kind} tokenizer of {len(other)} tokens, and the model is a"):
        load_checkpoint(str(folder))
    larger = train_tokenizer(checkpoint.kind, ["more words", "than before"] * 3)
    larger.save(folder / "tokenizer.json")
    with pytest.raises(UserError, match=rf"of {len(larger)} tokens, and the model is a {checkpoint.kind} of"):
        load_checkpoint(str(folder))
    (folder / "tokenizer.json").unlink()
    with pytest.raises(UserError, match=r"there is no file .*tokenizer.json"):
        load_checkpoint(str(folder))


def test_a_checkpoint_is_no_pretraining_state(saved):
    folder, _ = saved
    with pytest.raises(UserError, match="is no pretraining of minitune"):
        read_tensors(folder / "model.pt", "pretraining")


# writing that fails


def failing_save(error):
    def save(content, file):
        file.write(b"half of a file")
        raise error

    return save


class Full(io.BytesIO):
    """A file on a disk that soon is full."""

    def write(self, data):
        if self.tell() > 100:
            raise OSError(28, "No space left on device")
        return super().write(data)


def test_a_full_disk_is_called_so(tmp_path, monkeypatch):
    """torch.save hides the reason behind words of its own ("unexpected pos")."""
    monkeypatch.setattr("builtins.open", lambda *_, **__: Full())
    with pytest.raises(UserError, match=r"cannot write .*model.pt: No space left on device; free some space"):
        write_tensors(tmp_path / "model.pt", "checkpoint", {"weights": torch.ones(10_000)})


@pytest.mark.parametrize("error", [OSError(28, "No space left on device")])
def test_a_full_disk_leaves_the_old_checkpoint(saved, monkeypatch, error):
    folder, before = saved
    other = make(before.tokenizer, seed=9)
    other.tokenizer = type(before.tokenizer)(before.tokenizer.library, before.kind)
    other.tokenizer.save = lambda path: path.write_text("another tokenizer")
    monkeypatch.setattr(torch, "save", failing_save(error))
    with pytest.raises(UserError, match=r"cannot write .*model.pt: .*free some space"):
        save_checkpoint(folder, other)
    after = load_checkpoint(str(folder))
    assert fingerprint(after.model) == fingerprint(before.model)
    assert sorted(path.name for path in folder.iterdir()) == ["model.pt", "tokenizer.json"], "half a file was left over"


def test_a_tokenizer_that_cannot_be_written_leaves_the_old_model(saved, monkeypatch):
    folder, before = saved

    def no_space(path):
        raise UserError("cannot write it")

    monkeypatch.setattr(before.tokenizer, "save", no_space)
    with pytest.raises(UserError, match="cannot write it"):
        save_checkpoint(folder, make(before.tokenizer, seed=9))
    monkeypatch.undo()
    assert fingerprint(load_checkpoint(str(folder)).model) == fingerprint(before.model), "a model without its tokenizer"


def test_ctrl_c_while_saving_leaves_the_old_checkpoint(saved, monkeypatch):
    folder, before = saved
    monkeypatch.setattr(torch, "save", failing_save(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(folder, make(before.tokenizer, seed=9))
    assert fingerprint(load_checkpoint(str(folder)).model) == fingerprint(before.model)
    assert len(list(folder.iterdir())) == 2


def test_a_folder_that_cannot_be_written_is_a_sentence(tokenizer, tmp_path):
    (tmp_path / "file").write_text("I am a file")
    with pytest.raises(UserError, match="cannot write"):
        save_checkpoint(tmp_path / "file" / "folder", make(tokenizer))
    assert (tmp_path / "file").read_text() == "I am a file"
