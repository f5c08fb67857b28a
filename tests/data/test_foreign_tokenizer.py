"""A tokenizer of another library: its special tokens are found by their roles, wherever they stand."""

import json

import pytest

from minitune.data.foreign_tokenizer import read_foreign_tokenizer
from minitune.data.tokenizers import load_tokenizer
from minitune.errors import UserError
from tests.foreign import TEXTS, TOKENIZERS, WORDS, byte_level, word_level, word_piece, write_folder

KIND = {"word level": "bert", "word piece": "bert", "byte level": "gpt"}
SPOKEN = ["it was <mask> .", "<s> a </s> text <pad>", "a [MASK] , [SEP] [SOFT] it", "<|endoftext|> a <|soft|>", "[x]"]


@pytest.fixture(params=TOKENIZERS)
def foreign(request, tmp_path):
    """(ForeignTokenizer, the library's own), of a model that has three rows more than the tokenizer has tokens."""
    folder = write_folder(tmp_path / "source", KIND[request.param], request.param)
    library, _ = TOKENIZERS[request.param]()
    library.no_truncation()
    library.no_padding()
    return read_foreign_tokenizer(folder, KIND[request.param], library.get_vocab_size() + 3), library


def ids_of(tokenizer):
    names = ("pad", "unk", "cls", "sep", "mask", "end", "soft", "trigger")
    return {name: getattr(tokenizer, f"{name}_id") for name in names}


# by hand


@pytest.mark.parametrize(
    ("make", "kind", "expected"),
    [
        (word_level, "bert", {"pad": "<pad>", "unk": "<unk>", "cls": "<s>", "sep": "</s>", "mask": "<mask>"}),
        (word_piece, "bert", {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}),
        (byte_level, "gpt", {"end": "<|endoftext|>"}),
    ],
)
def test_each_role_is_found_at_its_own_id(tmp_path, make, kind, expected):
    library, _ = make()
    name = next(name for name, function in TOKENIZERS.items() if function is make)
    folder = write_folder(tmp_path, kind, name)
    foreign = read_foreign_tokenizer(folder, kind, library.get_vocab_size())
    assert foreign.found == expected and foreign.unnamed == 0
    ids = ids_of(foreign.tokenizer)
    for role, token in expected.items():
        assert ids[role] == library.token_to_id(token) and ids[role] > 2, f"{role} is not where {token} stands"
    assert len({i for i in ids.values() if i is not None}) == sum(i is not None for i in ids.values())


def test_what_is_lacking_stands_behind_all_rows_of_the_model(foreign):
    foreign, library = foreign
    first = library.get_vocab_size() + 3
    added = [foreign.tokenizer.library.token_to_id(name) for name in foreign.added]
    assert added == list(range(first, first + len(added))) and len(foreign.tokenizer) == first + len(added)
    of_gpt = ("<|pad|>", "<|soft|>", "<|trigger|>", "<|sep|>", "<|x|>", "<|y|>", "<|z|>")
    assert foreign.added == (
        of_gpt if foreign.tokenizer.kind == "gpt" else ("[SOFT]", "[TRIGGER]", "[X]", "[Y]", "[Z]")
    )
    assert foreign.unnamed == 3
    assert all(library.id_to_token(i) == foreign.tokenizer.library.id_to_token(i) for i in range(first - 3))


def test_words_are_those_of_the_vocabulary_and_no_special_token_is_one(foreign):
    tokenizer = foreign[0].tokenizer
    words, ids = tokenizer.words(), tokenizer.word_ids()
    assert {"clever", "dull", "was", "good", "the"} <= set(words) and ids == sorted(ids)
    assert not set(ids) & tokenizer.special_ids and not set(words) & {"pad", "mask", "ing", "unused0"}
    assert [tokenizer.encode(word) for word in words] == [[i] for i in ids]


# invariants


def test_text_is_read_as_the_source_reads_it(foreign):
    foreign, library = foreign
    space = " " if foreign.tokenizer.is_byte_level else ""
    for text in TEXTS[:-1]:
        assert foreign.tokenizer.encode(text) == library.encode(space + text, add_special_tokens=False).ids, (
            "truncation and padding of the file must be off, and no id may move"
        )


def test_no_text_becomes_a_special_token_also_after_save_and_load(foreign, tmp_path):
    tokenizer = foreign[0].tokenizer
    tokenizer.save(tmp_path / "t.json")
    for one in (tokenizer, load_tokenizer(tmp_path / "t.json")):
        for text in [*SPOKEN, *one.specials]:
            special = set(one.encode(text)) & one.special_ids - {one.unk_id}
            assert not special, f"{text!r} became {one.tokens(special)}"
            assert one.encode_many([text]) == [one.encode(text)]


def test_loaded_equals_saved(foreign, tmp_path):
    tokenizer = foreign[0].tokenizer
    tokenizer.save(tmp_path / "t.json")
    loaded = load_tokenizer(tmp_path / "t.json")
    assert (loaded.kind, len(loaded), loaded.specials) == (tokenizer.kind, len(tokenizer), tokenizer.specials)
    assert ids_of(loaded) == ids_of(tokenizer) and loaded.special_ids == tokenizer.special_ids
    assert loaded.encode_many([*TEXTS, *SPOKEN]) == tokenizer.encode_many([*TEXTS, *SPOKEN])


def test_the_saved_file_can_be_read_without_us(foreign, tmp_path):
    from tokenizers import Tokenizer

    tokenizer = foreign[0].tokenizer
    tokenizer.save(tmp_path / "t.json")
    ids = Tokenizer.from_file(str(tmp_path / "t.json")).encode("it was good").ids
    if tokenizer.kind == "bert":
        assert ids == [tokenizer.cls_id, *tokenizer.encode("it was good"), tokenizer.sep_id]


def test_decoding_leaves_special_tokens_out(foreign):
    tokenizer = foreign[0].tokenizer
    ids = tokenizer.encode("it was good")
    around = [tokenizer.pad_id, tokenizer.soft_id, *ids, tokenizer.sep_id, len(tokenizer) - 1]
    assert tokenizer.decode(around) == "it was good"


def test_what_has_been_here_before_gets_nothing_new(foreign, tmp_path):
    tokenizer = foreign[0].tokenizer
    tokenizer.save(tmp_path / "again" / "tokenizer.json")
    said = {f"{role}_token": name for role, name in foreign[0].found.items()} | {"eos_token": "<|endoftext|>"}
    (tmp_path / "again" / "special_tokens_map.json").write_text(json.dumps(said))
    again = read_foreign_tokenizer(tmp_path / "again", tokenizer.kind, len(tokenizer))
    assert again.added == () and ids_of(again.tokenizer) == ids_of(tokenizer)


def test_a_role_whose_token_is_not_said_to_be_special_is_special_all_the_same(tmp_path):
    plain = read_foreign_tokenizer(write_folder(tmp_path, "bert"), "bert", 99).tokenizer
    content = json.loads((tmp_path / "tokenizer.json").read_text())
    for token in content["added_tokens"]:
        token["special"] = False
    changes = {"some": content["added_tokens"][:2], "all": content["added_tokens"], "none": []}
    for name, added in changes.items():
        (tmp_path / "tokenizer.json").write_text(json.dumps(content | {"added_tokens": added}))
        read_foreign_tokenizer(tmp_path, "bert", 99).tokenizer.save(tmp_path / "saved.json")
        tokenizer = load_tokenizer(tmp_path / "saved.json")
        assert tokenizer.special_ids == plain.special_ids, name
        assert [tokenizer.encode(text) for text in SPOKEN] == [plain.encode(text) for text in SPOKEN], name


@pytest.mark.parametrize("file", ["tokenizer_config.json", "special_tokens_map.json"])
def test_a_name_may_be_given_with_its_settings(tmp_path, file):
    folder = write_folder(tmp_path, "bert", "word level")
    said = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").unlink()
    settings = {key: {"content": name, "lstrip": False, "__type": "AddedToken"} for key, name in said.items()}
    (folder / file).write_text(json.dumps(settings))
    assert read_foreign_tokenizer(folder, "bert", 99).found["mask"] == "<mask>"


def test_a_word_that_is_called_like_a_placeholder_stays_a_word(tmp_path):
    folder = write_folder(tmp_path, "bert", "word level")
    content = json.loads((folder / "tokenizer.json").read_text())
    content["model"]["vocab"]["[SOFT]"] = len(content["model"]["vocab"])
    (folder / "tokenizer.json").write_text(json.dumps(content))
    foreign = read_foreign_tokenizer(folder, "bert", len(content["model"]["vocab"]))
    assert "[[SOFT]]" in foreign.added
    assert foreign.tokenizer.encode("[SOFT]") == [len(content["model"]["vocab"]) - 1] != [foreign.tokenizer.soft_id]


def test_a_pad_token_that_is_the_end_token_too_is_none(tmp_path):
    folder = write_folder(tmp_path, "gpt")
    (folder / "special_tokens_map.json").write_text(json.dumps({"pad_token": "<|endoftext|>"}))
    foreign = read_foreign_tokenizer(folder, "gpt", 999)
    assert "<|pad|>" in foreign.added and foreign.tokenizer.pad_id != foreign.tokenizer.end_id


def test_a_gpt_without_an_end_token_gets_one(tmp_path):
    folder = write_folder(tmp_path, "gpt")
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|stop|>"}))
    foreign = read_foreign_tokenizer(folder, "gpt", 999)
    assert foreign.added[:2] == ("<|pad|>", "<|end|>") and foreign.found == {}


# what cannot be read


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["model"]["vocab"].pop("</s>"), "ids of .*tokenizer.json are not the numbers from 0 to"),
        (lambda c: c["model"]["vocab"].update(more=1000), "are not the numbers from 0 to"),
        (lambda c: c.update(model={"type": "Magic"}), "is no tokenizer of the tokenizers library"),
        (lambda c: c["model"].update(unk_token="[nothing]"), "cannot read any text"),
    ],
)
def test_a_damaged_tokenizer_is_refused(tmp_path, change, message):
    folder = write_folder(tmp_path, "bert", "word level")
    content = json.loads((folder / "tokenizer.json").read_text())
    change(content)
    (folder / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=message):
        read_foreign_tokenizer(folder, "bert", 2000)


PANICS = {  # of the library's Rust code, which raises no Exception then
    "when it is made": {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}},
    "when it reads": {"pre_tokenizer": {"type": "FixedLength", "length": 0}},
}


@pytest.mark.parametrize("case", PANICS, ids=[name.replace(" ", "-") for name in PANICS])
def test_a_tokenizer_that_panics_is_refused_in_a_sentence(tmp_path, case):
    folder = write_folder(tmp_path, "bert")
    tokenizer = read_foreign_tokenizer(folder, "bert", 99).tokenizer
    tokenizer.save(tmp_path / "ours.json")
    for name, read in (
        ("tokenizer.json", lambda: read_foreign_tokenizer(folder, "bert", 99)),
        ("ours.json", lambda: load_tokenizer(tmp_path / "ours.json")),
    ):
        path = tmp_path / name
        path.write_text(json.dumps(json.loads(path.read_text()) | PANICS[case]))
        with pytest.raises(UserError, match=rf"{name} (is no tokenizer|cannot read any text).*save the tokenizer anew"):
            read()


ERASED = {
    "everything is dropped": ({"type": "Replace", "pattern": {"Regex": "."}, "content": ""}, "nothing"),
    "everything is one sign": ({"type": "Replace", "pattern": {"Regex": ".+"}, "content": "\u4e00"}, r"\[UNK\]"),
    "everything is one word": ({"type": "Replace", "pattern": {"Regex": ".+"}, "content": "was"}, "was"),
    "all letters are strange": ({"type": "Replace", "pattern": {"Regex": r"\w"}, "content": "\u2654"}, r"\[UNK\]"),
}


@pytest.mark.parametrize("case", ERASED, ids=[name.replace(" ", "-") for name in ERASED])
def test_a_tokenizer_that_erases_what_it_is_given_is_refused(tmp_path, case):
    normalizer, left = ERASED[case]
    folder = write_folder(tmp_path, "bert")
    content = json.loads((folder / "tokenizer.json").read_text())
    (folder / "tokenizer.json").write_text(json.dumps(content | {"normalizer": normalizer}))
    with pytest.raises(
        UserError, match=rf"reads \d+ texts, of its own vocabulary too, as one and the same \({left}.*\)"
    ):
        read_foreign_tokenizer(folder, "bert", 99)


def test_the_share_of_plain_texts_that_are_not_read_is_told(foreign, tmp_path):
    assert foreign[0].unread <= 3 / 8
    folder = write_folder(tmp_path, "bert", "word level")
    content = json.loads((folder / "tokenizer.json").read_text())
    upper = {"type": "Replace", "pattern": {"Regex": "[a-z]+ [a-z]+"}, "content": "?"}  # of its own words each is read
    (folder / "tokenizer.json").write_text(json.dumps(content | {"normalizer": upper}))
    assert read_foreign_tokenizer(folder, "bert", 99).unread > 3 / 8


def test_a_vocabulary_beyond_the_models_rows_is_refused_before_the_library_makes_it(tmp_path, monkeypatch):
    for kind in ("bert", "gpt"):
        folder = write_folder(tmp_path / kind, kind)
        content = json.loads((folder / "tokenizer.json").read_text())
        content["model"]["vocab"] |= {f"word{i}": 1000 + i for i in range(9000)}
        (folder / "tokenizer.json").write_text(json.dumps(content))
        monkeypatch.setattr("minitune.data.foreign_tokenizer.read_library", lambda *_: pytest.fail("it was made"))
        with pytest.raises(UserError, match=r"has 9,\d\d\d tokens, and config.json says that the model knows 500"):
            read_foreign_tokenizer(folder, kind, 500)


@pytest.mark.parametrize("key", ["cls_token", "sep_token", "mask_token"])
def test_a_bert_without_a_token_that_it_was_pretrained_with_is_refused(tmp_path, key):
    folder = write_folder(tmp_path, "bert", "word level")
    said = json.loads((folder / "tokenizer_config.json").read_text()) | {key: "<elsewhere>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(said))
    with pytest.raises(UserError, match=f"has no token '<elsewhere>' of its own for {key}"):
        read_foreign_tokenizer(folder, "bert", 99)


def test_other_files_that_are_refused(tmp_path):
    folder = write_folder(tmp_path, "bert", "word level")
    with pytest.raises(UserError, match=r"has \d\d tokens, and config.json says that the model knows 9: it belongs to"):
        read_foreign_tokenizer(folder, "bert", 9)
    (folder / "tokenizer_config.json").write_text("[1]")
    with pytest.raises(UserError, match=r"tokenizer_config.json holds no JSON object"):
        read_foreign_tokenizer(folder, "bert", 99)
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises(UserError, match=r"tokenizer.json is no valid JSON"):
        read_foreign_tokenizer(folder, "bert", 99)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(UserError, match=r"has no tokenizer.json; save a fast tokenizer there"):
        read_foreign_tokenizer(folder, "bert", 99)


def test_the_vocabularies_of_these_tests_are_of_words():
    assert len(WORDS) > 20
