"""Which class of transformers an exported method belongs on, and how it is asked and read there.

    BERT    head, beside, focal       BertForSequenceClassification    its classifier, on the pooler, is our head
            tags                      BertForTokenClassification
            verbalizer                BertForMaskedLM
    GPT     head, beside, focal       GPT2Model, and the head in a file of its own
            tags                      GPT2ForTokenClassification
            verbalizer, texts         GPT2LMHeadModel

A GPT's head has no place in transformers: the `score` of GPT2ForSequenceClassification has no bias, and ours has one.
peft's task type decides what goes through to the model. FEATURE_EXTRACTION suits every class, but takes token types
away where something stands before the text; SEQ_CLS and TOKEN_CLS hand them on. Under these two, though, peft looks for
an argument of BERT and GPT-2 that is called otherwise in newer versions of transformers, finds no way for a prefix, and
stops: so a prefix goes by FEATURE_EXTRACTION everywhere, its classifier with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor, nn

from minitune.data.tokenizers import Tokenizer
from minitune.errors import UserError
from minitune.methods.read import READ
from minitune.prompting.slots import Part
from minitune.questions.kinds import KINDS
from minitune.questions.question import Question
from minitune.readout.beside import BesideHead
from minitune.readout.head import Head, TokenHead
from minitune.readout.verbalizer import Verbalizer, weighed


@dataclass(frozen=True)
class Form:
    """A class of transformers, and peft's task type for it.

    Args:
        lacks: linear layers of ours that the class does not have.
        reads: "class", "tags", "beside" (a head in a file of its own), "blank" or "text".
    """

    model: str
    task: str
    reads: str
    lacks: tuple[str, ...] = ()

    @property
    def has_classifier(self) -> bool:
        return self.reads in ("class", "tags")

    @property
    def keeps_types(self) -> bool:
        """Whether token types reach a model with something before its text."""
        return self.task in ("SEQ_CLS", "TOKEN_CLS")


FORMS = {
    ("bert", "class"): Form("BertForSequenceClassification", "SEQ_CLS", "class", ("transform", "next_sentence")),
    ("bert", "tags"): Form("BertForTokenClassification", "TOKEN_CLS", "tags", ("pooler", "transform", "next_sentence")),
    ("bert", "blank"): Form("BertForMaskedLM", "FEATURE_EXTRACTION", "blank", ("pooler", "next_sentence")),
    ("gpt", "class"): Form("GPT2Model", "FEATURE_EXTRACTION", "beside"),
    ("gpt", "tags"): Form("GPT2ForTokenClassification", "TOKEN_CLS", "tags"),
    ("gpt", "blank"): Form("GPT2LMHeadModel", "CAUSAL_LM", "blank"),
    ("gpt", "text"): Form("GPT2LMHeadModel", "CAUSAL_LM", "text"),
}


def form_of(model_kind: str, question: Question, read: str, has_prefix: bool) -> Form:
    answer = "blank" if READ[read].at_the_blank else "class"
    kind = "text" if KINDS[question.kind].is_written else question.kind
    form = FORMS[model_kind, kind if kind in ("tags", "text") else answer]
    return replace(form, task="FEATURE_EXTRACTION") if has_prefix and form.has_classifier else form


def head_of(readout: nn.Module | None) -> dict[str, Tensor] | None:
    """The head as one linear layer, weight (C, D) and bias (C,); None for what is read in words.

    Raises:
        UserError: it is neither.
    """
    if readout is None or isinstance(readout, Verbalizer):
        return None
    if isinstance(readout, (Head, TokenHead)):
        return {"weight": readout.linear.weight, "bias": readout.linear.bias}
    if isinstance(readout, BesideHead):  # the vector beside the text is the same for every text: it shifts the bias
        return {"weight": readout.linear.weight[:, len(readout.prompt) :], "bias": readout.bias()}
    raise UserError(
        f"a {type(readout).__name__} answers as no class of transformers does; what can be exported is read by head, "
        "focal, beside or verbalizer"
    )


# ---- for people to read ----


def how_to_feed(parts: Sequence[Part], tokenizer: Tokenizer, before: bool) -> str:
    """What the exported tokenizer is to be given, with the text in its place.

    Args:
        parts: of the template, without those that the adapter holds.
        before: the adapter holds what stands before them, a BERT's [CLS] too.
    """
    is_bert, name_of = tokenizer.kind == "bert", tokenizer.library.id_to_token
    special = {"sep": tokenizer.sep_id, "trigger": tokenizer.trigger_id, "mask": tokenizer.mask_id}
    fed = "" if before or not is_bert else name_of(tokenizer.cls_id)
    for part in parts:
        if part.kind == "mask" and not is_bert:
            continue  # a GPT's blank is the next word
        if part.kind in special:
            name = name_of(special[part.kind]) * part.count
            fed += f" {name}" if is_bert else name  # to a GPT a space is a token
        else:
            fed += f" {part.words}" if part.kind == "words" else f" {{{part.kind}}}"
    return (f"{fed} {name_of(tokenizer.sep_id)}" if is_bert else fed).strip()


def how_to_read(form: Form, question: Question, tokenizer: Tokenizer, before: int) -> str:
    """What is to be made of the model's output.

    Args:
        before: P, how many places of the output belong to the adapter's prompt.
    """
    is_bert, name_of = tokenizer.kind == "bert", tokenizer.library.id_to_token
    blank = f"at {name_of(tokenizer.mask_id)}" if is_bert else "at the last real token"
    shift = f", which is {before} places further on in the output: the prompt stands before the text" if before else ""
    order = ", ".join(question.labels)
    words = "; ".join(f"{label} = {', '.join(question.label_words.get(label, ()))}" for label in question.labels)
    given = (word for its in question.label_words.values() for word in its)
    weights = " (a number behind a word is its weight in that mean)" if any(weighed(w)[1] != 1 for w in given) else ""
    return {
        "class": f"logits has the classes' scores, in this order: {order}",
        "tags": f"logits has the tags' scores at the first token of each word{shift}, in this order: {order}",
        "beside": (
            "head.safetensors has weight and bias of the head, and the classes' scores are h @ weight.T + bias, with h "
            f"the last_hidden_state at the last real token{shift}; in this order: {order} (the head stands beside the "
            "adapter, for GPT2ForSequenceClassification has no bias)"
        ),
        "blank": (
            f"logits has the words' scores {blank}{shift}; a class's score is the log of the mean of exp(score) over "
            f"its words: {words}{weights}"
        ),
        "text": f"generate from there on, greedily, until the end of text; at most {question.room} tokens",
    }[form.reads]
