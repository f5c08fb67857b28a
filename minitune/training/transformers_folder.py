"""A checkpoint as a folder that the library transformers loads: GPT2LMHeadModel or BertForPreTraining, with tokenizer.

`config.json`, `model.safetensors`, `tokenizer.json`, `tokenizer_config.json`. From a BertForPreTraining every other
class of BERT is loaded as well; what a class adds (a classifier) is drawn anew there, and so is what an imported BERT
came without.

Two of our tokenizer's habits move into the file: a GPT's text starts with a space, and `tokenizer(text)` puts [CLS] and
[SEP] around a BERT's. A third cannot: transformers takes "[MASK]" in a text for the mask, here it is six letters like
any others. Where texts are strangers', call `tokenizer(text, split_special_tokens=True)`.
"""

from __future__ import annotations

import json
from typing import Any

from tokenizers import Tokenizer as Library
from tokenizers import processors

from minitune.data.tokenizers import Tokenizer
from minitune.models.bert import BERTConfig
from minitune.models.convert import PARTS, translate_back
from minitune.models.gpt import GPTConfig
from minitune.models.tensor_file import to_bytes
from minitune.training.checkpoint import Checkpoint


def transformers_files(checkpoint: Checkpoint) -> dict[str, bytes]:
    """Each file of the folder, by name. A part that the checkpoint came without is not among the weights either.

    Raises:
        UserError: the library safetensors is not there.
    """
    lacking = tuple(beginning for part in checkpoint.lacks for beginning in PARTS[part])
    state = checkpoint.model.state_dict()
    learned = {name: tensor for name, tensor in state.items() if not name.startswith(lacking or ("\0",))}
    weights = to_bytes(translate_back(checkpoint.kind, learned))
    config = (gpt_config if checkpoint.kind == "gpt" else bert_config)(checkpoint.model.config, checkpoint.tokenizer)
    return {
        "model.safetensors": weights,
        "config.json": as_json(config),
        "tokenizer.json": library_with_habits(checkpoint.tokenizer).to_str(pretty=False).encode(),
        "tokenizer_config.json": as_json(tokenizer_config(checkpoint)),
    }


def gpt_config(config: GPTConfig, tokenizer: Tokenizer) -> dict[str, Any]:
    return {
        "model_type": "gpt2",
        "architectures": ["GPT2LMHeadModel"],
        "dtype": "float32",
        "vocab_size": config.vocab_size,
        "n_positions": config.context,
        "n_embd": config.width,
        "n_layer": config.layers,
        "n_head": config.heads,
        "n_inner": config.inner,
        "activation_function": "gelu_new",
        "layer_norm_epsilon": config.norm_eps,
        "initializer_range": config.spread,
        "embd_pdrop": config.dropout,
        "resid_pdrop": config.dropout,
        "attn_pdrop": 0.0,  # ours drops none of the attention's weights
        "bos_token_id": tokenizer.end_id,
        "eos_token_id": tokenizer.end_id,
        "pad_token_id": tokenizer.pad_id,
        "tie_word_embeddings": True,
    }


def bert_config(config: BERTConfig, tokenizer: Tokenizer) -> dict[str, Any]:
    return {
        "model_type": "bert",
        "architectures": ["BertForPreTraining"],
        "dtype": "float32",
        "vocab_size": config.vocab_size,
        "max_position_embeddings": config.context,
        "type_vocab_size": config.token_types,
        "hidden_size": config.width,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "intermediate_size": config.inner,
        "hidden_act": "gelu",
        "layer_norm_eps": config.norm_eps,
        "initializer_range": config.spread,
        "hidden_dropout_prob": config.dropout,
        "classifier_dropout": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "pad_token_id": tokenizer.pad_id,
        "tie_word_embeddings": True,
    }


def library_with_habits(tokenizer: Tokenizer) -> Library:
    """A copy of ours that writes the space before a text, and [CLS] and [SEP] around it, by itself."""
    state = json.loads(tokenizer.library.to_str())
    before = state["pre_tokenizer"] or {}
    for part in [before, *before.get("pretokenizers", [])]:
        if part.get("type") == "ByteLevel":
            part["add_prefix_space"] = True
    library = Library.from_str(json.dumps(state))
    if tokenizer.kind == "bert":
        cls, sep = (library.id_to_token(i) for i in (tokenizer.cls_id, tokenizer.sep_id))
        library.post_processor = processors.TemplateProcessing(
            single=f"{cls} $A {sep}",
            pair=f"{cls} $A {sep} $B:1 {sep}:1",
            special_tokens=[(cls, tokenizer.cls_id), (sep, tokenizer.sep_id)],
        )
    return library


def tokenizer_config(checkpoint: Checkpoint) -> dict[str, Any]:
    tokenizer = checkpoint.tokenizer
    ids = {name: getattr(tokenizer, f"{name}_id") for name in ("pad", "unk", "cls", "sep", "mask")}
    if checkpoint.kind == "gpt":
        ids = {"pad": tokenizer.pad_id, "eos": tokenizer.end_id}
    specials = {f"{name}_token": tokenizer.library.id_to_token(i) for name, i in ids.items() if i is not None}
    inputs = ["input_ids", "attention_mask"] + ["token_type_ids"] * (checkpoint.kind == "bert")
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": checkpoint.model.config.context,
        "model_input_names": inputs,
        "padding_side": "right",
        "clean_up_tokenization_spaces": False,
        **specials,
    }


def as_json(content: Any) -> bytes:
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()
