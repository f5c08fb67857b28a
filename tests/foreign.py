"""Folders as `transformers` saves them, written by hand: odd sizes, random weights, special tokens of other names.

The vocabularies hold the words of the reviews in `tests/commands/helpers.py`, so that every command can read them.
"""

import json

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from tests.commands.helpers import REVIEWS

SIZES = {"layers": 2, "width": 24, "heads": 3, "inner": 44, "context": 47}
TEXTS = [*(text for text, _ in REVIEWS), "it was good and great .", "it was bad , or not", "a [MASK] in a text"]
WORDS = sorted({word for text in TEXTS for word in text.split()} - {"[MASK]"})


def word_level():
    """Whole words, with special tokens in the middle; what is between spaces is a word, "<mask>" too."""
    names = [*WORDS[:5], "</s>", "<mask>", *WORDS[5:], "<s>", "<unk>", "<pad>"]
    library = Tokenizer(models.WordLevel({name: i for i, name in enumerate(names)}, unk_token="<unk>"))
    library.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    said = {"pad": "<pad>", "unk": "<unk>", "cls": "<s>", "sep": "</s>", "mask": "<mask>"}
    return library, {f"{role}_token": name for role, name in said.items()}


def word_piece():
    """BERT's own names behind some words; three rows that no word has are called [unused0] and so on."""
    pieces = ["s", "o", "##s", "##o", "##ing"]
    names = [*WORDS[:3], "[PAD]", "[unused0]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS[3:], *pieces]
    library = Tokenizer(models.WordPiece({name: i for i, name in enumerate(names)}, unk_token="[UNK]"))
    library.normalizer = normalizers.BertNormalizer(lowercase=True)
    library.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    library.decoder = decoders.WordPiece()
    library.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    library.enable_truncation(4)
    library.enable_padding(length=9)
    return library, {}


def byte_level():
    """Bytes and merges, <|endoftext|> behind them, as of a GPT-2."""
    library = Tokenizer(models.BPE())
    library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    library.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=360, initial_alphabet=alphabet, show_progress=False)
    library.train_from_iterator([" " + text for text in TEXTS * 3], trainer)
    library.add_special_tokens(["<|endoftext|>"])
    return library, dict.fromkeys(("bos_token", "eos_token", "unk_token"), "<|endoftext|>")


TOKENIZERS = {"word level": word_level, "word piece": word_piece, "byte level": byte_level}


def gpt_config(rows):
    s = SIZES
    return {
        "model_type": "gpt2",
        "vocab_size": rows,
        "n_layer": s["layers"],
        "n_embd": s["width"],
        "n_head": s["heads"],
        "n_inner": s["inner"],
        "n_positions": s["context"],
        "resid_pdrop": 0.0,
        "initializer_range": 0.07,
        "layer_norm_epsilon": 3e-5,
    }


def bert_config(rows):
    s = SIZES
    return {
        "model_type": "bert",
        "vocab_size": rows,
        "num_hidden_layers": s["layers"],
        "hidden_size": s["width"],
        "num_attention_heads": s["heads"],
        "intermediate_size": s["inner"],
        "max_position_embeddings": s["context"],
        "type_vocab_size": 3,
        "hidden_dropout_prob": 0.25,
        "initializer_range": 0.07,
        "layer_norm_eps": 3e-9,
    }


def gpt_shapes(rows):
    d, i = SIZES["width"], SIZES["inner"]
    shapes = {"wte.weight": (rows, d), "wpe.weight": (SIZES["context"], d), "ln_f.weight": (d,), "ln_f.bias": (d,)}
    for layer in range(SIZES["layers"]):
        for norm in ("ln_1", "ln_2"):
            shapes |= {f"h.{layer}.{norm}.{part}": (d,) for part in ("weight", "bias")}
        linear = {"attn.c_attn": (d, 3 * d), "attn.c_proj": (d, d), "mlp.c_fc": (d, i), "mlp.c_proj": (i, d)}
        for name, shape in linear.items():
            shapes |= {f"h.{layer}.{name}.weight": shape, f"h.{layer}.{name}.bias": shape[1:]}
    return shapes


def bert_shapes(rows):
    d, i = SIZES["width"], SIZES["inner"]
    embeddings = {"word": rows, "position": SIZES["context"], "token_type": 3}
    shapes = {f"bert.embeddings.{name}_embeddings.weight": (count, d) for name, count in embeddings.items()}
    linear = {"bert.pooler.dense": (d, d), "cls.predictions.transform.dense": (d, d), "cls.seq_relationship": (2, d)}
    norms = ["bert.embeddings", "cls.predictions.transform"]
    for layer in range(SIZES["layers"]):
        at = f"bert.encoder.layer.{layer}"
        linear |= {f"{at}.attention.self.{name}": (d, d) for name in ("query", "key", "value")}
        linear |= {f"{at}.attention.output.dense": (d, d), f"{at}.intermediate.dense": (i, d)}
        linear |= {f"{at}.output.dense": (d, i)}
        norms += [f"{at}.attention.output", f"{at}.output"]
    for name, shape in linear.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    for name in norms:  # the names that the oldest files have
        shapes |= {f"{name}.LayerNorm.gamma": (d,), f"{name}.LayerNorm.beta": (d,)}
    return shapes | {"cls.predictions.bias": (rows,)}


def tensors_of(kind, rows, seed=5):
    generator = torch.Generator().manual_seed(seed)
    shapes = gpt_shapes(rows) if kind == "gpt" else bert_shapes(rows)
    return {name: 0.2 * torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def write_folder(folder, kind="bert", tokenizer=None, spare=0, config=None, tensors=None, without=()):
    """Write a folder and return it.

    Args:
        tokenizer: one of `TOKENIZERS`; by default what the kind usually has.
        spare: rows of the model that no token has.
        config: changes of config.json; a value None leaves the key out.
        tensors: changes of the tensors, likewise.
        without: beginnings of the names of tensors that are left out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    library, said = TOKENIZERS[tokenizer or ("byte level" if kind == "gpt" else "word piece")]()
    rows = library.get_vocab_size() + spare
    library.save(str(folder / "tokenizer.json"))
    if said:
        (folder / "tokenizer_config.json").write_text(json.dumps(said), encoding="utf-8")
    values = (gpt_config if kind == "gpt" else bert_config)(rows) | (config or {})
    (folder / "config.json").write_text(json.dumps({k: v for k, v in values.items() if v is not None}))
    state = tensors_of(kind, rows) | (tensors or {})
    state = {name: t for name, t in state.items() if t is not None and not name.startswith(tuple(without) or ("\0",))}
    torch.save(state, folder / "pytorch_model.bin")
    return folder
