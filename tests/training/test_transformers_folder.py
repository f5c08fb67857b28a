"""A checkpoint that transformers loads: every number at its place, the same scores, the same tokens."""

import pytest
import torch

from minitune.models.convert import load_transformers, translate_back
from minitune.models.generate import generate
from minitune.outputs import write_folder
from minitune.training.checkpoint import fingerprint
from minitune.training.importing import carry_out, plan_import
from minitune.training.transformers_folder import transformers_files
from tests import foreign, tiny

transformers = pytest.importorskip("transformers", reason="needs the extra `parity`")
pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore:.*is deprecated")]
CLASSES = {"gpt": "GPT2LMHeadModel", "bert": "BertForPreTraining"}
TEXTS = ["the plot was clever , so", "Great SOUP , ünï 猫 !", "it's  a [MASK] or <|end|> [SEP]", "x"]


@pytest.fixture(scope="module", params=["gpt", "bert"])
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def folder(kind, tmp_path_factory):
    folder = tmp_path_factory.mktemp(kind)
    write_folder(folder, transformers_files(tiny.checkpoint(kind)))
    return folder


@pytest.fixture(scope="module")
def theirs(kind, folder):
    return getattr(transformers, CLASSES[kind]).from_pretrained(folder).eval()


def test_nothing_is_missing_and_nothing_is_left_over(kind, folder):
    _, loaded = getattr(transformers, CLASSES[kind]).from_pretrained(folder, output_loading_info=True)
    assert not any(loaded.values()), loaded
    auto = transformers.AutoConfig.from_pretrained(folder)
    assert auto.architectures == [CLASSES[kind]] and auto.max_position_embeddings == 61


def test_the_same_scores(kind, theirs, ids, mask):
    ours = tiny.checkpoint(kind).model
    ids, real = ids.clamp(max=40), mask.bool()
    inputs = {"input_ids": ids, "attention_mask": mask}
    if kind == "bert":
        inputs["token_type_ids"] = (torch.arange(11) > 4).long() + (torch.arange(11) > 8).long() + torch.zeros_like(ids)
    with torch.no_grad():
        output, hidden = theirs(**inputs), ours(**inputs).hidden
        logits = output.logits if kind == "gpt" else output.prediction_logits
        torch.testing.assert_close(logits[real], ours.logits(hidden)[real], rtol=1e-5, atol=1e-5)
        if kind == "bert":
            follows = ours.next_sentence(ours.pool(hidden[:, 0]))
            torch.testing.assert_close(output.seq_relationship_logits, follows, rtol=1e-5, atol=1e-5)


def test_the_way_back_is_the_inverse(kind, theirs):
    ours = tiny.checkpoint(kind).model
    again = load_transformers(type(ours)(ours.config), theirs.state_dict())
    assert all(torch.equal(p, again.get_parameter(name)) for name, p in ours.named_parameters())
    state = translate_back(kind, ours.state_dict())
    tied = set(theirs.state_dict()) - set(state)
    assert set(state) <= set(theirs.state_dict())
    assert tied <= {"lm_head.weight", "cls.predictions.decoder.weight", "cls.predictions.decoder.bias"}, tied


def test_the_same_tokens_but_for_special_ones_in_a_text(kind, folder):
    ours = tiny.checkpoint(kind).tokenizer
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    cls, sep = ([ours.cls_id], [ours.sep_id]) if kind == "bert" else ([], [])
    for text in TEXTS:
        assert tokenizer(text, split_special_tokens=True).input_ids == [*cls, *ours.encode(text), *sep], text
        if "[" not in text:
            assert tokenizer(text).input_ids == [*cls, *ours.encode(text), *sep], text
    inside = tokenizer("a [MASK] <|end|>", add_special_tokens=False).input_ids
    assert (ours.mask_id if kind == "bert" else ours.end_id) in inside, "this is what the docstring warns of"
    assert tokenizer.model_max_length == 61 and tokenizer.pad_token_id == ours.pad_id
    first, second = (tokenizer("great soup", "a dull plot")[name] for name in ("input_ids", "attention_mask"))
    if kind == "bert":
        assert tokenizer("great", "dull").token_type_ids == [0, 0, 0, 1, 1]
        assert first == [*cls, *ours.encode("great soup"), *sep, *ours.encode("a dull plot"), *sep]
    assert second == [1] * len(first)


def test_ours_stays_as_it_is(kind):
    tokenizer = tiny.checkpoint(kind).tokenizer
    before = tokenizer.library.to_str()
    transformers_files(tiny.checkpoint(kind))
    assert tokenizer.library.to_str() == before and tokenizer.encode("[MASK]") != [tokenizer.mask_id]


def test_a_gpt_writes_the_same_there(tmp_path):
    checkpoint = tiny.checkpoint("gpt")
    write_folder(tmp_path, transformers_files(checkpoint))
    theirs = transformers.GPT2LMHeadModel.from_pretrained(tmp_path).eval()
    assert theirs.config.eos_token_id == checkpoint.tokenizer.end_id
    prompt = checkpoint.tokenizer.encode("the plot was")
    ours = generate(checkpoint.model, [prompt], 12, stop_id=checkpoint.tokenizer.end_id)[0]
    written = theirs.generate(torch.tensor([prompt]), max_new_tokens=12, do_sample=False)[0].tolist()[len(prompt) :]
    assert [i for i in written if i != checkpoint.tokenizer.end_id] == ours and len(set(ours)) > 2


FOREIGN = [("bert", "word level"), ("bert", "word piece"), ("gpt", "byte level")]


@pytest.mark.parametrize(("of", "tokenizer"), FOREIGN, ids=[" ".join(pair).replace(" ", "-") for pair in FOREIGN])
def test_a_model_that_was_imported_goes_there_and_comes_back(of, tokenizer, tmp_path):
    """With special tokens of other names, and new ones of ours behind the vocabulary."""
    foreign.write_folder(tmp_path / "foreign", of, tokenizer)
    checkpoint = carry_out(plan_import(tmp_path / "foreign"), 0)
    write_folder(tmp_path / "out", transformers_files(checkpoint))
    theirs = getattr(transformers, CLASSES[of]).from_pretrained(tmp_path / "out").eval()
    read = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    ours = checkpoint.tokenizer
    around = ([ours.cls_id], [ours.sep_id]) if of == "bert" else ([], [])
    for text in foreign.TEXTS[:-1]:
        ids = [*around[0], *ours.encode(text), *around[1]]
        assert read(text).input_ids == ids, text
        with torch.no_grad():
            output = theirs(torch.tensor([ids]))
            logits = checkpoint.model.logits(checkpoint.model(torch.tensor([ids])).hidden)
        torch.testing.assert_close(
            output.logits if of == "gpt" else output.prediction_logits, logits, rtol=1e-5, atol=1e-5
        )
    again = carry_out(plan_import(tmp_path / "out"), 1)
    assert fingerprint(again.model) == fingerprint(checkpoint.model), "a row was added, or lost"
    assert [again.tokenizer.encode(text) for text in foreign.TEXTS] == [ours.encode(text) for text in foreign.TEXTS]
    roles = ("pad_id", "soft_id", "trigger_id", "sep_id", "cls_id", "mask_id", "end_id")
    assert [getattr(again.tokenizer, role) for role in roles] == [getattr(ours, role) for role in roles]


@pytest.mark.parametrize("part", ["cls.predictions", "bert.pooler"])
def test_what_nothing_has_trained_is_not_written(part, tmp_path):
    foreign.write_folder(tmp_path / "foreign", "bert", without=(part,))
    checkpoint = carry_out(plan_import(tmp_path / "foreign"), 0)
    write_folder(tmp_path / "out", transformers_files(checkpoint))
    _, loaded = transformers.BertForPreTraining.from_pretrained(tmp_path / "out", output_loading_info=True)
    assert loaded["missing_keys"] and all(name.startswith(part) for name in loaded["missing_keys"])
    assert carry_out(plan_import(tmp_path / "out"), 0).lacks == checkpoint.lacks != ()
