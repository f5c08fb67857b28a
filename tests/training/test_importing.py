"""A folder of another library becomes a checkpoint: the same scores, and what it lacks is known."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from minitune import outputs
from minitune.errors import UserError
from minitune.models.convert import PARTS
from minitune.training import importing
from minitune.training.checkpoint import (
    fingerprint,
    load_checkpoint,
    random_twin,
    read_tensors,
    save_checkpoint,
    write_tensors,
)
from minitune.training.importing import carry_out, check_memory, plan_import, pooler_is_new
from minitune.training.transformers_folder import transformers_files
from tests import tiny
from tests.conftest import perturbed
from tests.foreign import SIZES, TEXTS, TOKENIZERS, bert_config, gpt_config, tensors_of, write_folder


def imported(folder, seed=0):
    return carry_out(plan_import(folder), seed)


def padded(tokenizer, texts):
    """(B, T) ids and mask, of texts of unequal length."""
    rows = tokenizer.encode_many(texts)
    width = max(map(len, rows))
    ids = torch.tensor([row + [tokenizer.pad_id] * (width - len(row)) for row in rows])
    return ids, torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])


# by hand


@pytest.mark.parametrize("kind", ["gpt", "bert"])
def test_tensors_come_to_their_places(tmp_path, kind):
    checkpoint = imported(write_folder(tmp_path, kind, spare=2))
    rows, d = checkpoint.model.config.vocab_size - len(plan_import(tmp_path).tokenizer.added), SIZES["width"]
    state, model = tensors_of(kind, rows), checkpoint.model
    if kind == "gpt":
        assert torch.equal(model.token_embedding.weight[:rows], state["wte.weight"])
        fused = state["h.1.attn.c_attn.weight"]  # (D, 3 D), to be turned and cut
        assert torch.equal(model.blocks[1].attention.key.weight, fused[:, d : 2 * d].T), "c_attn is query, key, value"
    else:
        assert torch.equal(model.token_embedding.weight[:rows], state["bert.embeddings.word_embeddings.weight"])
        assert torch.equal(model.decoder_bias[:rows], state["cls.predictions.bias"])
        norm = state["bert.encoder.layer.1.output.LayerNorm.gamma"]
        assert torch.equal(model.blocks[1].mlp_norm.weight, norm)
    assert model.config.context == 47 and not model.training and checkpoint.lacks == ()


@pytest.mark.parametrize("twin", ["embeddings.word_embeddings.weight", "bert.embeddings.LayerNorm.weight"])
def test_a_tensor_under_two_names_is_taken_where_the_numbers_are_the_same_and_refused_where_not(tmp_path, twin):
    rows = imported(write_folder(tmp_path / "plain")).model.config.vocab_size - 5
    first = {"embeddings": "bert." + twin, "bert": "bert.embeddings.LayerNorm.gamma"}[twin.partition(".")[0]]
    numbers = tensors_of("bert", rows)[first]
    twice = imported(write_folder(tmp_path / "same", tensors={twin: numbers.double()}))
    assert fingerprint(twice.model) == fingerprint(imported(tmp_path / "plain").model)
    write_folder(tmp_path / "other", tensors={twin: numbers + 0.5})
    with pytest.raises(UserError, match=r"embeddings\..*weight is there twice, as .* with different numbers; save"):
        imported(tmp_path / "other")


def test_sizes_beyond_the_files_of_weights_are_refused_before_anything_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr(importing, "read_foreign_tokenizer", lambda *_: pytest.fail("a row gets a name of its own"))
    sizes = {"vocab_size": 10**6, "hidden_size": 24 * 10**4, "num_hidden_layers": 1000, "intermediate_size": 10**6}
    for key, value in sizes.items():
        write_folder(tmp_path, config={key: value})
        with pytest.raises(UserError, match=r"pytorch_model.bin is damaged or of another model: .* takes .* at least"):
            plan_import(tmp_path)


def test_one_block_of_a_bert_worked_out(tmp_path):
    """Post-LN by hand, from the source's tensors alone, on a padded row."""
    model = imported(write_folder(tmp_path, "bert")).model.double()
    rows, eps = model.config.vocab_size - 5, 3e-9
    s = {name.removeprefix("bert."): t.double() for name, t in tensors_of("bert", rows).items()}

    def norm(x, name):
        return F.layer_norm(x, (24,), s[f"{name}.LayerNorm.gamma"], s[f"{name}.LayerNorm.beta"], eps)

    def linear(x, name):
        return F.linear(x, s[f"{name}.weight"], s[f"{name}.bias"])

    ids, types = torch.tensor([8, 20, 3, 9, 0]), torch.tensor([0, 0, 1, 1, 0])
    table = {name: s[f"embeddings.{name}_embeddings.weight"] for name in ("word", "position", "token_type")}
    x = norm(table["word"][ids] + table["position"][:5] + table["token_type"][types], "embeddings")
    for layer in ("encoder.layer.0", "encoder.layer.1"):
        parts = (linear(x, f"{layer}.attention.self.{name}") for name in ("query", "key", "value"))
        query, key, value = (part.view(5, 3, 8).transpose(0, 1) for part in parts)  # (T, D) -> (H, T, D/H)
        weights = (query @ key.transpose(1, 2) / 8**0.5)[:, :, :4].softmax(dim=-1)  # the last token is padding
        mixed = (weights @ value[:, :4]).transpose(0, 1).flatten(1)
        x = norm(x + linear(mixed, f"{layer}.attention.output.dense"), f"{layer}.attention.output")
        x = norm(
            x + linear(F.gelu(linear(x, f"{layer}.intermediate.dense")), f"{layer}.output.dense"), f"{layer}.output"
        )
    mask = torch.tensor([[1, 1, 1, 1, 0]])
    hidden = model(ids[None], attention_mask=mask, token_type_ids=types[None]).hidden[0]
    torch.testing.assert_close(hidden[:4], x[:4], rtol=0, atol=1e-10)
    changed = norm(F.gelu(linear(x, "cls.predictions.transform.dense")), "cls.predictions.transform")
    expected = changed @ table["word"].T + s["cls.predictions.bias"]
    torch.testing.assert_close(model.logits(hidden)[:4, :rows], expected[:4], rtol=0, atol=1e-10)


def test_the_plan_tells_sizes_memory_and_work_before_the_weights_are_read(tmp_path):
    write_folder(tmp_path, "gpt", spare=3)
    weights = tmp_path / "pytorch_model.bin"
    weights.write_bytes(bytes(weights.stat().st_size))
    plan = plan_import(tmp_path)
    d, i, v = 24, 44, plan.config.vocab_size + 7
    blocks = 2 * (4 * d * d + 2 * d * i + 9 * d + i)
    assert plan.parameters == v * d + 47 * d + blocks + 2 * d
    shipped = 2 * (4 * 128**2 + 2 * 128 * 512 + 9 * 128 + 512)
    assert plan.times_the_work == pytest.approx(blocks / shipped)
    told = str(plan)
    assert f"{plan.parameters:,}" in told and f"{4 * plan.parameters / 1000:.1f} KB" in told
    assert f"{16 * plan.parameters / 1000:.1f} KB" in told, "weights, and 12 bytes a trained number"
    assert "7 new ones" in told and "<|endoftext|> = end" in told and "3, kept under names" in told


@pytest.mark.parametrize(("kind", "tokenizer"), [("gpt", "byte level"), ("bert", "word level"), ("bert", "word piece")])
def test_parameters_are_as_many_as_planned(tmp_path, kind, tokenizer):
    plan = plan_import(write_folder(tmp_path, kind, tokenizer, spare=1))
    assert plan.parameters == sum(p.numel() for p in carry_out(plan).model.parameters())


# invariants


@pytest.mark.parametrize("kind", ["gpt", "bert"])
def test_saved_and_loaded_it_is_the_same(tmp_path, kind):
    before = imported(write_folder(tmp_path / "source", kind, without=("bert.pooler", "cls.seq")))
    save_checkpoint(tmp_path / "out", before)
    after = load_checkpoint(tmp_path / "out")
    assert fingerprint(after.model) == fingerprint(before.model) and after.model.config == before.model.config
    assert after.lacks == before.lacks == (("pooler", "next-sentence head") if kind == "bert" else ())
    assert after.made == before.made and after.made["imported"]["from"] == "source"
    ids, mask = padded(after.tokenizer, TEXTS)
    assert after.tokenizer.encode_many(TEXTS) == before.tokenizer.encode_many(TEXTS)
    assert torch.equal(after.model(ids, attention_mask=mask).hidden, before.model(ids, attention_mask=mask).hidden)
    assert random_twin(after).lacks == after.lacks


def test_what_is_new_is_drawn_by_seed(tmp_path):
    folder = write_folder(tmp_path, "bert", without=("bert.pooler",))
    one, same, other = (imported(folder, seed).model for seed in (1, 1, 2))
    assert fingerprint(one) == fingerprint(same) != fingerprint(other)
    assert not torch.equal(one.pooler.weight, other.pooler.weight)
    assert torch.equal(one.blocks[1].mlp.up.weight, other.blocks[1].mlp.up.weight)


@pytest.mark.parametrize("part", PARTS)
def test_each_part_that_is_lacking_is_named(tmp_path, part):
    theirs = {"MLM head": "cls.predictions", "pooler": "bert.pooler", "next-sentence head": "cls.seq_relationship"}
    assert imported(write_folder(tmp_path, "bert", without=(theirs[part],))).lacks == (part,)


def test_a_pooler_that_was_never_trained_is_noticed(tmp_path):
    new = {"bert.pooler.dense.bias": torch.zeros(24)}
    assert pooler_is_new(imported(write_folder(tmp_path / "new", "bert", tensors=new)))
    assert not pooler_is_new(imported(write_folder(tmp_path / "trained", "bert")))
    assert not pooler_is_new(imported(write_folder(tmp_path / "none", "bert", without=("bert.pooler",))))
    assert not pooler_is_new(imported(write_folder(tmp_path / "gpt", "gpt")))


def test_an_old_checkpoint_lacks_nothing(tmp_path):
    checkpoint = imported(write_folder(tmp_path / "source", "bert"))
    save_checkpoint(tmp_path / "out", checkpoint)
    content = read_tensors(tmp_path / "out" / "model.pt", "checkpoint")
    assert "lacks" not in content and load_checkpoint(tmp_path / "out").lacks == ()
    write_tensors(tmp_path / "out" / "model.pt", "checkpoint", content | {"lacks": ["soul"]})
    with pytest.raises(UserError, match=r"lacks names soul, and the parts are MLM head, pooler"):
        load_checkpoint(tmp_path / "out")


def test_half_precision_becomes_float32(tmp_path):
    rows = plan_import(write_folder(tmp_path / "a", "gpt")).config.vocab_size
    halved = {name: tensor.bfloat16() for name, tensor in tensors_of("gpt", rows).items()}
    model = imported(write_folder(tmp_path / "b", "gpt", tensors=halved)).model
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert torch.equal(model.position_embedding.weight, halved["wpe.weight"].float())


# what is refused


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        ("gpt", {"tensors": {"h.1.mlp.c_fc.bias": None}}, r"do not fit its config.json: .*blocks.1.mlp.up.bias"),
        ("bert", {"tensors": {"bert.pooler.dense.bias": None}}, r"nothing for \['pooler.bias'\]"),
        ("bert", {"tensors": {"cls.predictions.bias": None}}, r"nothing for \['decoder_bias'\]"),
        ("gpt", {"config": {"n_layer": 3}}, "nothing for .*blocks.2"),
        ("gpt", {"config": {"n_layer": 1}}, "no such parameter: another size"),
        ("gpt", {"config": {"n_inner": 45}}, r"is \(44, 24\) in the source and \(45, 24\) here"),
        ("bert", {"config": {"max_position_embeddings": 48}}, r"position_embedding.weight is \(47, 24\)"),
        ("gpt", {"tensors": {"h.0.attn.c_attn.weight": torch.zeros(24, 71)}}, "do not fit its config.json"),
        ("gpt", {"tensors": {"h.0.attn.c_attn.weight": torch.zeros(2, 3, 4)}}, "do not fit its config.json"),
        ("gpt", {"tensors": {"h.0.attn.rotary": torch.zeros(3)}}, "no place is known for .*rotary"),
        ("gpt", {"tensors": {"wpe.weight": torch.full((47, 24), torch.nan)}}, "wpe.weight has numbers that are not"),
        (
            "gpt",
            {"tensors": {"wpe.weight": torch.zeros(47, 24, dtype=torch.int8)}},
            "position_embedding.weight is of torch.int8",
        ),
    ],
)
def test_weights_that_do_not_fit_are_refused(tmp_path, kind, changes, message):
    folder = write_folder(tmp_path, kind, **changes)
    with pytest.raises(UserError, match=message):
        imported(folder)


def test_a_machine_without_the_memory_is_told_before_any_weight_is_read(tmp_path, monkeypatch):
    plan = plan_import(write_folder(tmp_path, "bert"))
    check_memory(plan)
    for there, is_enough in ((8 * plan.parameters, True), (8 * plan.parameters - 1, False), (None, True)):
        monkeypatch.setattr(importing, "machine_memory", lambda there=there: there)
        if is_enough:
            check_memory(plan)
            continue
        with pytest.raises(UserError, match=r"takes .* of memory, and this machine has .*: take a smaller model"):
            check_memory(plan)


def test_a_folder_of_the_other_library_given_as_a_model_is_told_what_to_do(tmp_path):
    folder = write_folder(tmp_path, "gpt")
    with pytest.raises(UserError, match=rf"minitune import {folder} --out DIR makes a model of it"):
        load_checkpoint(folder)


@pytest.mark.thorough
def test_nothing_but_the_reading_of_safetensors_needs_a_library(tmp_path):
    """The default install: with no transformers and no safetensors in sight, pickled weights come in. And where no
    model is trained, PyTorch's compiler is not imported: it takes longer than all the rest."""
    folder = write_folder(tmp_path, "bert")
    code = (
        "import sys; sys.modules['transformers'] = sys.modules['safetensors'] = None\n"
        "import importlib.util as u; u.find_spec = lambda name, package=None: None\n"
        "from pathlib import Path; from minitune.training.importing import carry_out, plan_import\n"
        f"print(carry_out(plan_import(Path({str(folder)!r}))).lacks)\n"
        "from minitune.training.checkpoint import load_checkpoint; load_checkpoint('bert')\n"
        "print('torch._dynamo' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.stdout.splitlines() == ["()", "False"], ran.stderr


# parity with the reference library


@pytest.fixture
def transformers():
    library = pytest.importorskip("transformers", reason="needs the extra `parity`")
    library.logging.set_verbosity_error()
    library.logging.disable_progress_bar()
    return library


def saved_by_them(transformers, folder, model_class, tokenizer, spare=0, **how):
    """A folder that the library itself wrote, with random weights; returns its model, and its tokenizer's ids."""
    library, said = TOKENIZERS[tokenizer]()
    said = said or {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
    theirs = transformers.PreTrainedTokenizerFast(tokenizer_object=library, **said)
    theirs.save_pretrained(folder)
    rows = library.get_vocab_size() + spare
    if model_class.startswith("GPT2"):
        config = transformers.GPT2Config(**gpt_config(rows), bos_token_id=None, eos_token_id=None)
    else:
        config = transformers.BertConfig(**bert_config(rows), pad_token_id=None)
    model = perturbed(getattr(transformers, model_class)(config), seed=7, spread=0.15).float()
    if how.pop("pickled", False):
        config.save_pretrained(folder)
        torch.save(model.state_dict(), folder / "pytorch_model.bin")
    else:
        model.save_pretrained(folder, **how)
    return model.eval()


@pytest.mark.parity
@pytest.mark.parametrize("how", [{}, {"max_shard_size": "9KB"}, {"pickled": True}], ids=["one file", "shards", "bin"])
@pytest.mark.parametrize(
    ("model_class", "tokenizer", "lacks"),
    [
        ("GPT2LMHeadModel", "byte level", ()),
        ("GPT2Model", "byte level", ()),
        ("BertForPreTraining", "word level", ()),
        ("BertForMaskedLM", "word piece", ("pooler", "next-sentence head")),
        ("BertModel", "word piece", ("MLM head", "next-sentence head")),
    ],
)
def test_padded_batches_get_the_same_scores(tmp_path, transformers, how, model_class, tokenizer, lacks):
    theirs = saved_by_them(transformers, tmp_path, model_class, tokenizer, spare=2, **how)
    assert len(list(tmp_path.glob("*model*"))) == (1 if "max_shard_size" not in how else 1 + len(shards(tmp_path)))
    checkpoint = imported(tmp_path)
    assert checkpoint.lacks == lacks
    ours, rows = checkpoint.model, theirs.config.vocab_size
    assert len(checkpoint.tokenizer) > rows, "nothing was added: this test shows nothing"
    ids, mask = padded(checkpoint.tokenizer, ["the plot was clever .", "dull", "the soup was awful . it was bad , or"])
    ids, real = ids.masked_fill(mask == 0, 0), mask.bool()  # GPT-2 has no pad token: ours is new, and unknown to it
    inputs = {"attention_mask": mask}
    if ours.kind == "bert":
        inputs["token_type_ids"] = (torch.arange(ids.shape[1]) > 3).long().expand_as(ids)
    for tolerance, dtype in ((1e-5, torch.float32), (1e-10, torch.float64)):
        ours, theirs = ours.to(dtype), theirs.to(dtype)
        with torch.no_grad():
            hidden, reference = ours(ids, **inputs).hidden, theirs(ids, output_hidden_states=True, **inputs)
        close = {"rtol": 0, "atol": tolerance}
        torch.testing.assert_close(hidden[real], reference.hidden_states[-1][real], **close)
        scores = getattr(reference, "prediction_logits", None)
        scores = getattr(reference, "logits", None) if scores is None else scores
        if scores is not None:
            torch.testing.assert_close(ours.logits(hidden)[..., :rows][real], scores[real], **close)
        if ours.kind == "bert" and "pooler" not in lacks and hasattr(reference, "pooler_output"):
            torch.testing.assert_close(ours.pool(hidden[:, 0]), reference.pooler_output, **close)


def shards(folder):
    return set(json.loads((folder / "model.safetensors.index.json").read_text())["weight_map"].values())


@pytest.mark.parity
def test_texts_are_read_as_the_librarys_own_tokenizer_reads_them(tmp_path, transformers):
    for name, model_class in (("byte level", "GPT2Model"), ("word level", "BertModel"), ("word piece", "BertModel")):
        saved_by_them(transformers, tmp_path / name, model_class, name)
        theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / name)
        ours = plan_import(tmp_path / name).tokenizer.tokenizer
        for text in TEXTS[:-1]:
            spaced = " " + text if ours.is_byte_level else text
            assert ours.encode(text) == theirs(spaced, add_special_tokens=False, truncation=False).input_ids
        if ours.kind == "bert":
            ids = [theirs.pad_token_id, theirs.unk_token_id, theirs.cls_token_id, theirs.sep_token_id]
            assert [ours.pad_id, ours.unk_id, ours.cls_id, ours.sep_id] == ids and ours.mask_id == theirs.mask_token_id
        else:
            assert ours.end_id == theirs.eos_token_id


@pytest.mark.parity
def test_a_roberta_is_refused(tmp_path, transformers):
    sizes = {"vocab_size": 40, "hidden_size": 24, "num_hidden_layers": 1, "num_attention_heads": 3}
    transformers.RobertaModel(transformers.RobertaConfig(**sizes, intermediate_size=32)).save_pretrained(tmp_path)
    with pytest.raises(UserError, match="of the type 'roberta'; minitune reads gpt2 and bert"):
        plan_import(tmp_path)


@pytest.mark.parity
def test_an_untied_output_is_refused(tmp_path, transformers):
    saved_by_them(transformers, tmp_path, "GPT2LMHeadModel", "byte level", pickled=True)
    state = torch.load(tmp_path / "pytorch_model.bin", weights_only=True)
    state["lm_head.weight"] = state["lm_head.weight"] + 0.1
    torch.save(state, tmp_path / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"lm_head.weight and wte.weight differ"):
        imported(tmp_path)


# there and back


@pytest.mark.parametrize(("kind", "lacks"), [("gpt", ()), ("bert", ()), ("bert", ("MLM head", "pooler"))])
def test_what_is_exported_comes_back_as_it_was(tmp_path, kind, lacks):
    pytest.importorskip("safetensors", reason="needs the extra `real`")
    before = replace(tiny.checkpoint(kind), lacks=lacks)
    outputs.write_folder(tmp_path, transformers_files(before))
    plan = plan_import(tmp_path)
    after = carry_out(plan)
    assert after.lacks == lacks and plan.tokenizer.added == () and plan.config == before.model.config
    new = tuple(name for part in lacks for name in PARTS[part])
    for name, tensor in before.model.state_dict().items():
        same = torch.equal(tensor, after.model.state_dict()[name])
        assert same != name.startswith(new or ("\0",)), f"{name}: what nobody trained is not handed on, all else is"
    texts = [*TEXTS, "it's a [MASK] or <|end|> [SEP]", "Great SOUP , ünï !"]
    assert after.tokenizer.encode_many(texts) == before.tokenizer.encode_many(texts)
    assert after.tokenizer.specials == before.tokenizer.specials and after.tokenizer.end_id == before.tokenizer.end_id
