"""config.json of another library: the sizes are read, and what is computed otherwise is refused by name."""

import json

import pytest

from minitune.errors import UserError
from minitune.models import BERTConfig, GPTConfig
from minitune.models.build import count_in_blocks, parameter_count, random_model
from minitune.models.foreign_config import read_foreign_config
from tests.foreign import bert_config, gpt_config


def written(folder, values, **changes):
    values = {key: value for key, value in (values | changes).items() if value != "leave out"}
    (folder / "config.json").write_text(json.dumps(values))
    return folder


def test_the_sizes_of_a_gpt2(tmp_path):
    expected = GPTConfig(91, 2, 24, 3, 44, context=47, dropout=0.15, spread=0.07, norm_eps=3e-5)
    assert read_foreign_config(written(tmp_path, gpt_config(91), resid_pdrop=0.15)) == expected


def test_the_sizes_of_a_bert(tmp_path):
    expected = BERTConfig(91, 2, 24, 3, 44, context=47, token_types=3, dropout=0.25, spread=0.07, norm_eps=3e-9)
    assert read_foreign_config(written(tmp_path, bert_config(91))) == expected


def test_what_the_file_leaves_out_is_as_in_the_library(tmp_path):
    gpt = GPTConfig(50257, 12, 768, 12, 3072, context=1024, dropout=0.1, spread=0.02, norm_eps=1e-5)
    bert = BERTConfig(30522, 12, 768, 12, 3072, context=512, dropout=0.1, spread=0.02, norm_eps=1e-12)
    assert read_foreign_config(written(tmp_path, {"model_type": "gpt2", "n_inner": None})) == gpt
    assert read_foreign_config(written(tmp_path, {"model_type": "bert"})) == bert


@pytest.mark.parity
def test_the_defaults_are_the_librarys_own(tmp_path):
    transformers = pytest.importorskip("transformers", reason="needs the extra `parity`")
    for kind, whole in (("gpt2", transformers.GPT2Config()), ("bert", transformers.BertConfig())):
        short = read_foreign_config(written(tmp_path, {"model_type": kind}))
        whole.save_pretrained(tmp_path)
        assert read_foreign_config(tmp_path) == short


@pytest.mark.parametrize("values", [gpt_config(91), bert_config(91)])
def test_parameters_are_counted_without_a_model(tmp_path, values):
    config = read_foreign_config(written(tmp_path, values))
    model = random_model(config, 0)
    assert parameter_count(config) == sum(p.numel() for p in model.parameters())
    assert count_in_blocks(config) == sum(p.numel() for p in model.blocks.parameters())


@pytest.mark.parametrize(
    ("values", "changes", "message"),
    [
        (bert_config(9), {"model_type": "roberta"}, "of the type 'roberta'; minitune reads gpt2 and bert"),
        (bert_config(9), {"model_type": "leave out"}, "of the type None"),
        (bert_config(9), {"model_type": ["bert"]}, r"of the type \['bert'\]"),
        (bert_config(9), {"hidden_act": "relu"}, 'hidden_act "relu", and the bert that minitune computes has "gelu"'),
        (bert_config(9), {"hidden_act": "gelu_new"}, "hidden_act"),
        (bert_config(9), {"position_embedding_type": "relative_key"}, 'position_embedding_type .* has "absolute"'),
        (bert_config(9), {"is_decoder": True}, "is_decoder true, .* has false"),
        (bert_config(9), {"tie_word_embeddings": False}, "tie_word_embeddings false"),
        (bert_config(9), {"add_cross_attention": True}, "add_cross_attention"),
        (bert_config(9), {"quantization_config": {"bits": 4}}, "has a quantization_config"),
        (bert_config(9), {"pruned_heads": {"1": [2]}}, "has a pruned_heads"),
        (gpt_config(9), {"activation_function": "gelu"}, '"gelu", and the gpt2 .* has "gelu_new" or "gelu_pytorch'),
        (gpt_config(9), {"activation_function": "relu"}, "activation_function"),
        (gpt_config(9), {"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx true"),
        (gpt_config(9), {"scale_attn_weights": False}, "scale_attn_weights false"),
        (gpt_config(9), {"tie_word_embeddings": False}, "tie_word_embeddings false"),
        (gpt_config(9), {"add_cross_attention": True}, "add_cross_attention true"),
        (gpt_config(9), {"n_head": 5}, "a width of 24, which does not divide into 5 heads"),
        (gpt_config(9), {"n_layer": "two"}, 'n_layer "two", and a whole number above 0'),
        (gpt_config(9), {"n_layer": 0}, "n_layer 0"),
        (gpt_config(9), {"n_embd": 24.5}, "n_embd 24.5"),
        (gpt_config(9), {"n_positions": True}, "n_positions true"),
        (gpt_config(9), {"n_inner": -1}, "n_inner -1"),
        (bert_config(9), {"hidden_dropout_prob": 1.5}, "hidden_dropout_prob 1.5, and a number from 0 to 1"),
        (bert_config(9), {"layer_norm_eps": 0}, "layer_norm_eps 0, and a number above 0"),
        (bert_config(9), {"vocab_size": None}, "vocab_size null"),
        (bert_config(9), {"vocab_size": 10**400}, "vocab_size 10000.*[.][.][.], and a whole number above 0"),
        (bert_config(9), {"layer_norm_eps": 10**400}, "layer_norm_eps 1000.*, and a number above 0"),
        (
            bert_config(9),
            {"hidden_dropout_prob": -(10**400)},
            "hidden_dropout_prob -1000.*[.][.][.], and a number from",
        ),
        (gpt_config(9), {"n_inner": 2**31}, "n_inner 2147483648"),
        (gpt_config(9), {"scale_attn_weights": 10**400}, "scale_attn_weights 1000"),
        (gpt_config(9), {"model_type": 10**400}, "of the type a number of more than 60 digits"),
    ],
)
def test_what_is_computed_otherwise_is_refused_by_name(tmp_path, values, changes, message):
    with pytest.raises(UserError, match=message):
        read_foreign_config(written(tmp_path, values, **changes))


def test_a_folder_that_is_none(tmp_path):
    with pytest.raises(UserError, match=r"there is no folder .*bert-base-uncased; .*downloads nothing"):
        read_foreign_config(tmp_path / "bert-base-uncased")
    with pytest.raises(UserError, match=r"has no config.json"):
        read_foreign_config(tmp_path)
    for damaged in ("", "{", "nothing"):
        (tmp_path / "config.json").write_text(damaged)
        with pytest.raises(UserError, match=r"config.json is no valid JSON"):
            read_foreign_config(tmp_path)
    (tmp_path / "config.json").write_text("[1]")
    with pytest.raises(UserError, match="of the type None"):
        read_foreign_config(tmp_path)
