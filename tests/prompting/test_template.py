"""Lesson 07, templates: what is written where, token by token, and what is cut when it does not fit."""

import random
from dataclasses import replace

import pytest

from minitune.data.examples import Example
from minitune.errors import UserError
from minitune.prompting.slots import Part
from minitune.prompting.template import Demonstration, Template, shorten, with_stop
from tests import tiny
from tests.naming import expect

pytestmark = pytest.mark.lesson07
PAIR = Example("the soup was great", "it was good !", label=1)
ADVERSARIES = [
    "[MASK]",
    "it was {mask} .",
    "{soft:3} {text_b}",
    "[SEP] [CLS]",
    "<|soft|><|end|>",
    "{",
    "}",
    "{0}",
    "%s",
]


def names(rendered, tokenizer):
    return " ".join(tokenizer.tokens(rendered.ids))


# shapes: what a template consists of


def test_parsing():
    template = Template.parse(" {text} it was {mask} , {soft:3}{ trigger:2 }so .{soft}  {text_b}{sep}")
    assert template.parts == (
        Part("text"), Part("words", "it was"), Part("mask"), Part("words", ","), Part("soft", count=3),
        Part("trigger", count=2), Part("words", "so ."), Part("soft", count=1), Part("text_b"), Part("sep"),
    )  # fmt: skip
    assert (template.blanks, template.count("soft"), template.count("trigger")) == (1, 4, 2)
    assert Template.parse(str(template)) == template
    assert str(template) == "{text} it was {mask} , {soft:3} {trigger:2} so . {soft:1} {text_b} {sep}"


@pytest.mark.parametrize(
    "slot",
    ["{text}", "{text:start}", "{text:whole}", "{text_b:whole}", "{soft:3}", "{tokens:9,4,9}", "{demonstrations}"],
)
def test_a_slot_is_written_as_it_was_read(slot):
    """Searches write a template back to text, and it is saved so."""
    written, name = str(Template.parse(f"{slot} so {{text}} {{mask}}")), slot.strip("{}").partition(":")[0]
    wrong = {"where the text is cut is lost": f"{{{name}}} so {{text}} {{mask}}"} if ":" in slot else {}
    wrong |= {"the order of the tokens is lost": "{tokens:4,9,9} so {text} {mask}"}
    expect(written, f"{slot} so {{text}} {{mask}}", wrong)


@pytest.mark.parametrize(
    ("string", "message"),
    [
        ("", "has no slot for the example"),
        ("it was great .", "has no slot for the example"),
        ("{soft:3} {sep}", "has no slot for the example"),
        ("{text} {blank}", r"unknown slot \{blank\}; the slots are \{text\}, \{text_b\}, \{mask\}"),
        ("{text} {}", r"unknown slot \{\}"),
        ("{text:3} {mask}", r"\{text:3\} in the template .* does not say where a text is cut"),
        ("{text} {mask:2}", r"unknown slot \{mask:2\}"),
        ("{Text} {mask}", r"unknown slot \{Text\}"),
        ("{text.__class__} {mask}", "unknown slot"),
        ("{text} {mask", "brace without its partner near '{mask'"),
        ("{text} mask}", "brace without its partner near 'mask}'"),
        ("{{text}}", "brace without its partner"),
        ("{text} {soft:0}", r"\{soft:0\} .* whole number from 1 to 10,000, as in \{soft:8\}"),
        ("{text} {soft:-1}", "whole number"),
        ("{text} {trigger:two}", r"whole number from 1 to 10,000, as in \{trigger:8\}"),
        ("{text} {soft:1.5}", "whole number"),
        ("{text} {soft:²}", "whole number"),
        ("{text} {soft:1000000000}", "whole number from 1 to 10,000"),
        ("{text} {trigger:" + "9" * 5000 + "}", "whole number from 1 to 10,000"),
    ],
)
def test_a_template_that_cannot_be_read_is_refused(string, message):
    with pytest.raises(UserError, match=message):
        Template.parse(string)


# by hand: token by token


def test_bert_token_by_token(bert_tokenizer):
    template = Template.parse("{text} {soft:2} it was {mask} . {trigger:1} {sep} {text_b}")
    rendered = template.render(PAIR, bert_tokenizer, 40)
    expected = "[CLS] the soup was great [SOFT] [SOFT] it was [MASK] . [TRIGGER] [SEP] it was good ! [SEP]"
    assert names(rendered, bert_tokenizer) == expected
    wrong = {
        "the separator itself has token type 1, and it ends the first part": [0] * 12 + [1] * 6,
        "the last [SEP] has token type 0, and it belongs to the second part": [0] * 13 + [1] * 4 + [0],
        "what follows {sep} has token type 0": [0] * 18,
    }
    expect(rendered.types, [0] * 13 + [1] * 5, wrong)
    assert rendered.blanks == [9] and rendered.cut == 0
    origin = ["special", *["text"] * 4, "soft", "soft", "words", "words", "mask", "words", "trigger", "sep"]
    assert rendered.origin == [*origin, *["text_b"] * 4, "special"]


def test_gpt_token_by_token(gpt_tokenizer):
    template = Template.parse("{soft:2} {text} {sep} it was {trigger:1} {mask}")
    rendered = template.render(PAIR, gpt_tokenizer, 40)
    assert names(rendered, gpt_tokenizer) == "<|soft|> <|soft|> _the _soup _was _great <|sep|> _it _was <|trigger|>"
    message = "no token stands at GPT's blank: it is read at the token before it"
    assert rendered.blanks == [9] == [len(rendered.ids) - 1], message
    assert rendered.types == [0] * 10


def test_several_blanks_for_bert(bert_tokenizer):
    rendered = Template.parse("{mask} {text} {mask} {mask}").render(PAIR, bert_tokenizer, 40)
    assert rendered.blanks == [1, 6, 7]
    assert [rendered.ids[i] for i in rendered.blanks] == [bert_tokenizer.mask_id] * 3


@pytest.mark.parametrize("soft", [1, 7])
@pytest.mark.parametrize("trigger", [1, 3])
def test_placeholders_are_as_many_as_written(tokenizer, soft, trigger):
    template = Template.parse(f"{{soft:{soft}}} {{text}} {{trigger:{trigger}}} {{soft}} {{mask}}")
    ids = template.render(PAIR, tokenizer, 60).ids
    assert (ids.count(tokenizer.soft_id), ids.count(tokenizer.trigger_id)) == (soft + 1, trigger)


# invariants


def test_what_a_user_writes_is_text_and_nothing_else(tokenizer):
    template = Template.parse("{soft:2} {text} it was {mask}")
    plain = template.render(Example("soup"), tokenizer, 200)
    special = [i for i in plain.ids if i < len(tokenizer.specials)]
    for words in ADVERSARIES:
        rendered = template.render(Example(f"{words} soup {words}"), tokenizer, 200)
        specials = [i for i in rendered.ids if i < len(tokenizer.specials) and i != tokenizer.unk_id]
        assert specials == special, f"{words!r} in a text became a special token"
        message = f"{words!r} in a text was taken for the template's own"
        assert [rendered.origin[i] for i in rendered.blanks] == [plain.origin[i] for i in plain.blanks], message
        assert rendered.blanks[0] == len(rendered.ids) - len(plain.ids) + plain.blanks[0]


def test_white_space_around_a_text_or_a_slot_does_not_matter(tokenizer):
    one = Template.parse("{text} it was {mask}").render(Example("great soup"), tokenizer, 30)
    other = Template.parse("  {text}it was  {mask} ").render(Example("\n great soup  "), tokenizer, 30)
    assert one == other


def test_gpt_prompt_and_label_are_the_prompt_then_the_label(gpt_tokenizer):
    """A space at the end of the prompt would split the label off as another token, " " + "great"."""
    template = Template.parse("{text} it was {mask}")
    for text, label in (("the soup was great .", "good"), ("a dull film", "awful"), ("猫", "slow")):
        prompt = template.render(Example(text), gpt_tokenizer, 60).ids
        written = gpt_tokenizer.encode(f"{text} it was {label}")
        message = "the prompt ends in a space, or otherwise than where the label's token begins"
        assert written == [*prompt, gpt_tokenizer.word_id(label)], message


def test_the_label_changes_nothing(tokenizer):
    template = Template.parse("{text} it was {mask}")
    one, other = (template.render(Example("soup", label=label), tokenizer, 30) for label in (0, 1))
    assert one == other, "the label chooses how the question is asked: it can be read off the question"


def test_rendering_twice_gives_the_same_and_changes_nothing(tokenizer):
    template = Template.parse("{text} {sep} {text_b} {mask}")
    short, long = template.render(PAIR, tokenizer, 7), template.render(PAIR, tokenizer, 60)
    assert short.cut > 0, "it is not told that a text was cut"
    assert long.cut == 0
    assert template.render(PAIR, tokenizer, 7) == short and template.render(PAIR, tokenizer, 60) == long


def test_only_texts_are_cut_the_longest_first_at_the_end(tokenizer):
    rng = random.Random(0)
    parts = ["{text}", "{text_b}", "{soft:3}", "{trigger:2}", "{sep}", "it was great ,", "soup"]
    for _ in range(400):
        string = " ".join([*rng.sample(parts, rng.randrange(1, 8)), "{mask}"])
        if "{text" not in string:
            continue
        template = Template.parse(string)
        words = ["great", "soup", "plot", "hero", "was", "bad"]
        texts = {name: " ".join(rng.choices(words, k=rng.randrange(1, 30))) for name in ("text", "text_b")}
        example = Example(**texts)
        whole = template.render(example, tokenizer, 500)
        context = rng.randrange(8, 70)
        fixed = sum(part not in ("text", "text_b") for part in whole.origin)
        if fixed >= context:
            prompt = r" \(3 of them the prompt's; its setting is length\)" if "{soft" in string else ""
            with pytest.raises(UserError, match=rf"alone takes {fixed} tokens{prompt} and the context holds {context}"):
                template.render(example, tokenizer, context)
            continue
        rendered = template.render(example, tokenizer, context)
        assert len(rendered.ids) == min(context, len(whole.ids)), "cut too much or too little"
        assert rendered.cut == len(whole.ids) - len(rendered.ids)
        kept = {}
        for name in dict.fromkeys(whole.origin):
            before = [i for i, part in zip(whole.ids, whole.origin, strict=True) if part == name]
            after = [i for i, part in zip(rendered.ids, rendered.origin, strict=True) if part == name]
            if name in texts:
                assert after == before[: len(after)], f"{string}: {name} lost words elsewhere than at its end"
                kept[name] = (len(after), len(before))
            else:
                assert after == before, f"{string}: {name} was cut, and only texts may be"
        if len(kept) == 2 and rendered.cut:
            (a, a_before), (b, b_before) = kept.values()
            longest_first = abs(a - b) <= 1 or (a == a_before < b) or (b == b_before < a)
            assert longest_first, f"{string}: {a_before} and {b_before} tokens became {a} and {b}"


def test_shortening_by_hand():
    texts = [[1, 2, 3, 4, 5, 6], [7, 8, 9, 10], [11]]
    assert shorten(texts, room=7) == 4
    wrong = {
        "the first text is cut, not the longest": [[1, 2], [7, 8, 9, 10], [11]],
        "the start of a text is cut": [[4, 5, 6], [8, 9, 10], [11]],
        "the last text is cut, not the longest": [[1, 2, 3, 4, 5, 6], [7], []],
    }
    expect(texts, [[1, 2, 3], [7, 8, 9], [11]], wrong)
    assert shorten(texts, room=7) == 0
    assert shorten([], room=3) == 0


def test_shortening_where_the_slots_say():
    texts = [[1, 2, 3, 4, 5, 6], [7, 8, 9, 10], [11, 12, 13]]
    assert shorten(texts, room=10, cuts=["whole", "start", "end"]) == 3
    wrong = {
        "a text is cut that may not be": [[1, 2, 3], [7, 8, 9, 10], [11, 12, 13]],
        "the end is cut where the start is named": [[1, 2, 3, 4, 5, 6], [7, 8], [11, 12]],
    }
    expect(texts, [[1, 2, 3, 4, 5, 6], [9, 10], [11, 12]], wrong)


def test_with_stop_lets_bert_see_the_end():
    assert with_stop("{text} it was {mask}", "bert") == "{text} it was {mask} ."
    unsaid = "for GPT the blank is the next word: nothing may follow it"
    expect(with_stop("{text} it was {mask}", "gpt"), "{text} it was {mask}", {unsaid: "{text} it was {mask} ."})
    assert with_stop("{mask} : {text}", "bert") == "{mask} : {text}"


# what a kind of model cannot do


@pytest.mark.parametrize(
    ("string", "message"),
    [
        ("{text} it was {mask} .", "does not end with its only blank, .* next word"),
        ("{mask} {text}", "does not end with its only blank"),
        ("{mask} {text} {mask}", "does not end with its only blank"),
        ("{mask}", "nothing to read before the blank"),
    ],
)
def test_gpt_fills_a_blank_only_at_the_end(string, message, gpt_tokenizer, bert_tokenizer):
    template = Template.parse(string)
    with pytest.raises(UserError, match=message):
        template.check("gpt")
    with pytest.raises(UserError, match=message):
        template.render(PAIR, gpt_tokenizer, 40)
    template.check("bert", needs_blank=True)
    assert template.render(PAIR, bert_tokenizer, 40).blanks


@pytest.mark.parametrize("kind", ["gpt", "bert"])
def test_a_verbalizer_needs_a_blank_and_a_head_does_not(kind):
    template = Template.parse("{text} it was")
    template.check(kind)
    with pytest.raises(UserError, match=r"has no blank: write \{mask\}"):
        template.check(kind, needs_blank=True)


def test_a_text_that_is_asked_for_and_not_there(tokenizer):
    with pytest.raises(UserError, match=r"asks for \{text_b\}, and the example has no such text"):
        Template.parse("{text} {text_b} {mask}").render(Example("a text"), tokenizer, 30)


def test_a_text_with_no_token_in_it(gpt_tokenizer, bert_tokenizer):
    with pytest.raises(UserError, match="no token in it"):
        Template.parse("{text}").render(Example("  "), gpt_tokenizer, 30)
    assert len(Template.parse("{text}").render(Example("  "), bert_tokenizer, 30).ids) == 2


# ---- demonstrations, tokens by id, and where a text is cut ----


def test_a_text_loses_the_end_that_its_slot_names(bert_tokenizer):
    text = Example("the plot was dull but the cast was charming .")
    ids = bert_tokenizer.encode(text.text)
    for slot, kept in (("{text}", ids[:4]), ("{text:start}", ids[-4:])):
        rendered = Template.parse(f"{slot} it was {{mask}}").render(text, bert_tokenizer, context=4 + 5)
        of_text = [i for i, part in zip(rendered.ids, rendered.origin, strict=True) if part.startswith("text")]
        assert of_text == kept and rendered.cut == len(ids) - 4, f"{slot} lost the wrong end"
    with pytest.raises(UserError, match=f"a text of {len(ids)} tokens may not be cut, and .* there is room for 4"):
        Template.parse("{text:whole} it was {mask}").render(text, bert_tokenizer, context=4 + 5)


def test_tokens_by_id_survive_being_written_out(bert_tokenizer):
    piece = bert_tokenizer.library.token_to_id("##a")
    template = Template.parse("{text} {trigger:1} it was {mask} {trigger:2}").with_triggers([piece, 40, piece])
    again = Template.parse(str(template))
    assert again == template and template.count("trigger") == 0
    rendered = again.render(Example("fine"), bert_tokenizer, 40)
    tokens = [i for i, part in zip(rendered.ids, rendered.origin, strict=True) if part == "tokens"]
    wrong = {"every trigger slot begins with the first id": [piece, piece, 40]}
    wrong |= {"a piece is written as text, which is another token": bert_tokenizer.encode("##a 40 ##a")}
    expect(tokens, [piece, 40, piece], wrong)
    with pytest.raises(ValueError, match="2 ids are given for the 3 triggers"):
        Template.parse("{text} {trigger:3} {mask}").with_triggers([1, 2])
    with pytest.raises(UserError, match=r"\{tokens:99999\} names the token 99999, and the tokenizer has"):
        Template.parse("{text} {tokens:99999} {mask}").render(Example("fine"), bert_tokenizer, 40)


SHOWN = (Demonstration("the {mask} food was [MASK] .", "so", "so bad"), Demonstration("a great cast", "yes", "good"))


def of_part(rendered, *parts):
    return [i for i, part in zip(rendered.ids, rendered.origin, strict=True) if part in parts]


@pytest.mark.parametrize("place", ["", "{text_b} {demonstrations} "])
def test_demonstrations_are_the_template_filled_in(place, tokenizer):
    template = Template.parse(f"{place}{{text}} {{soft:2}} it {{trigger:1}} was {{mask}}")
    rendered = replace(template, demonstrations=SHOWN).render(PAIR, tokenizer, 100)
    encode, soft, trigger = tokenizer.encode, [tokenizer.soft_id] * 2, [tokenizer.trigger_id]

    def shown(answers=("so bad", "good"), stop=" .", placeholders=False, second=("so", "yes"), texts=None):
        ids = []
        for one, answer, b in zip(SHOWN, answers, second, strict=True):
            ids += encode(b) if place else []
            ids += encode(texts or one.text) + (soft if placeholders else []) + encode("it")
            ids += (trigger if placeholders else []) + encode(f"was {answer}{stop}")
        return ids

    wrong = {
        "a soft prompt and triggers are in each demonstration: they are for the question alone": shown(
            placeholders=True
        ),
        "there is no full stop between demonstrations": shown(stop=""),
        "the answers went to other texts": shown(answers=("good", "so bad")),
        "the first token of an answer alone is shown": shown(answers=("so", "good")),
        "the question's own text is in its demonstrations": shown(texts=PAIR.text, second=(PAIR.text_b,) * 2),
    }
    if place:
        wrong["the first text is written in place of the second"] = shown(second=[one.text for one in SHOWN])
        wrong["demonstrations are shown twice, before everything and in their place"] = shown() * 2
    expect(of_part(rendered, "demonstrations"), shown(), wrong)
    assert len(rendered.blanks) == 1 and rendered.cut == 0
    plain = template.render(PAIR, tokenizer, 100)
    assert [i for i, part in zip(rendered.ids, rendered.origin, strict=True) if part != "demonstrations"] == plain.ids


def test_demonstrations_stand_between_cls_and_the_question(bert_tokenizer):
    shown = (Demonstration("a great cast", None, "good"),)
    rendered = replace(Template.parse("{text} it was {mask} ."), demonstrations=shown).render(PAIR, bert_tokenizer, 60)
    told, asked = (" ".join(bert_tokenizer.tokens(bert_tokenizer.encode(text))) for text in (
        "a great cast it was good .", "the soup was great it was"))  # fmt: skip
    wrong = {
        "demonstrations stand before [CLS], where a head reads": f"{told} [CLS] {asked} [MASK] . [SEP]",
        "the template's own full stop is doubled in a demonstration": f"[CLS] {told} . {asked} [MASK] . [SEP]",
        "demonstrations stand behind the question": f"[CLS] {asked} [MASK] . {told} [SEP]",
    }
    expect(names(rendered, bert_tokenizer), f"[CLS] {told} {asked} [MASK] . [SEP]", wrong)


def test_a_demonstration_of_this_very_example_is_left_out_and_no_other(tokenizer):
    """Two pairs share their first text: one of them is the question, the other is shown."""
    asked = PAIR
    shown = (
        Demonstration(asked.text, asked.text_b, "good"),
        Demonstration(asked.text, "no , it was bad", "bad"),
        Demonstration("a dull film", asked.text_b, "sad"),
    )
    template = Template.parse("{text} {text_b} it was {mask}")
    rendered = replace(template, demonstrations=shown).render(asked, tokenizer, 100)
    each = [tokenizer.encode(f"{one.text} {one.text_b} it was {one.answer} .") for one in shown]
    wrong = {
        "the example is among its own demonstrations: its answer is given away": each[0] + each[1] + each[2],
        "a pair is left out for its first text alone": each[2],
        "a pair is left out for its second text alone": each[1],
    }
    expect(of_part(rendered, "demonstrations"), each[1] + each[2], wrong)


def test_room_is_left_for_the_demonstrations(tokenizer):
    template = Template.parse("{text} it was {mask}")
    long = Example("the soup was great " * 9)
    for context in (30, 31):
        rendered = replace(template, demonstrations=SHOWN[1:]).render(long, tokenizer, context)
        lost = len(template.render(long, tokenizer, 200).ids) + 7 - context  # the demonstration has 7 tokens
        taken = len(tokenizer.encode("a great cast it was good ."))
        wrong = {"demonstrations are not counted in the room": context + taken, "one token too many": context + 1}
        expect(len(rendered.ids), context, wrong)
        expect(rendered.cut, lost - 7 + taken, {"what was cut is not told": 0})


def test_triggers_are_filled_in_and_the_demonstrations_stay():
    template = replace(Template.parse("{trigger:2} {text} {trigger:1} {mask}"), demonstrations=SHOWN)
    filled = template.with_triggers([7, 8, 9])
    wrong = {
        "every trigger slot begins with the first id": "{tokens:7,8} {text} {tokens:7} {mask}",
        "the ids are written backwards": "{tokens:9,8} {text} {tokens:7} {mask}",
    }
    expect(str(filled), "{tokens:7,8} {text} {tokens:9} {mask}", wrong)
    assert filled.demonstrations == SHOWN, "the demonstrations are lost where triggers are filled in"


def test_more_demonstrations_than_fit_are_refused(gpt_tokenizer):
    shown = (Demonstration("a great cast", None, "good"),) * 9
    with pytest.raises(UserError, match=r"of them the 9 demonstrations'\) and the context holds 40: show fewer"):
        replace(Template.parse("{text} it was {mask}"), demonstrations=shown).render(PAIR, gpt_tokenizer, 40)


@pytest.mark.parametrize("count", [1, 3])
def test_a_blank_holds_a_word_of_several_tokens(count, bert_tokenizer, gpt_tokenizer):
    template = Template.parse("{text} it was {mask}")
    for tokenizer, fill in ((bert_tokenizer, [bert_tokenizer.mask_id] * count), (gpt_tokenizer, [50] * (count - 1))):
        plain, rendered = (template.render(PAIR, tokenizer, 40, blank) for blank in (None, fill))
        first = plain.blanks[0]
        wrong = {"each of GPT's tokens is read one place too far": [i + 1 for i in range(first, first + count)]}
        wrong |= {"all but the first of the word's places are lost": [first]} if count > 1 else {}
        expect(rendered.blanks, list(range(first, first + count)), wrong)
        assert len(rendered.ids) == len(plain.ids) + count - 1


def test_a_label_word_that_fills_the_context_is_named(tokenizer):
    fill = [50] * 29
    with pytest.raises(
        UserError, match=r"29 of them a label word's\) and the context holds 30: .* shorter label words"
    ):
        Template.parse("{text} it was {mask}").render(PAIR, tokenizer, 30, fill)


# long texts


@pytest.mark.parametrize("kind", ["gpt", "bert"])
@pytest.mark.parametrize(
    "written",
    [
        "{text} it was {mask}",
        "{text:start} so {mask}",
        "{text} {sep} {text_b:start} was {mask}",
        "{text_b} {text} {mask}",
    ],
)
def test_a_long_text_is_read_as_it_is_where_nothing_is_cut_beforehand(kind, written, monkeypatch):
    tokenizer, template, rng = tiny.checkpoint(kind).tokenizer, Template.parse(written), random.Random(written)
    words = ["great", "soup", ",", "the", "film", "was", "!", "'s", "猫", "x" * 40, "\n", " "]
    more = 0
    for number in range(12):
        texts = [" ".join(rng.choices(words, k=rng.choice((2, 30, 400, 1500)))) for _ in range(2)]
        example, context = Example(*(f"a {text} z" for text in texts)), 20 + number
        whole = template.render(example, tokenizer, context)
        with monkeypatch.context() as patch:
            patch.setattr("minitune.data.long_texts.READ_WHOLE", 600)
            found = template.render(example, tokenizer, context)
        assert (found.ids, found.types, found.blanks, found.origin) == (
            whole.ids,
            whole.types,
            whole.blanks,
            whole.origin,
        )
        assert found.cut == whole.cut if not found.is_cut_more else 0 < found.cut < whole.cut, (
            "the number is none of this"
        )
        assert not whole.is_cut_more
        more += found.is_cut_more
    assert more > 2, "no text was long: this test shows nothing"


def test_what_is_cut_is_as_many_tokens_whatever_stands_beside_it():
    """By hand: the longest first, of equals the first, until both fit."""
    for lengths, room, kept in (((9, 4), 6, (3, 3)), ((9, 4), 7, (3, 4)), ((2, 50), 6, (2, 4)), ((8, 8), 5, (2, 3))):
        texts = [list(range(length)) for length in lengths]
        assert shorten(texts, room) == sum(lengths) - room
        assert texts == [list(range(count)) for count in kept], "the longest loses first, of two equals the first"
    text = list(range(9))
    shorten([text], 4, ["start"])
    assert text == [5, 6, 7, 8]
