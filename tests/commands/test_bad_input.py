"""Bad input in: one sentence out, status 2, nothing written. One table for all commands.

A row is a command, what its sentence must say, and the files that it needs. `B` and `G` stand for a tiny BERT and GPT,
`T` for a tuned method, `OWN` for a good file with the tiny BERT.
"""

import contextlib
import io
import json
import re
import shlex

import pytest
import torch

from tests.commands.helpers import REVIEWS, run

PICTURE = b"\x89PNG\r\n\x1a\n a photo of the user's"
OWN = "--data reviews.csv --model B --shots 2"
ONE = f"compare {OWN} --seeds 1 --methods zero-shot"
DATA = "--model B --shots 2 --seeds 1 --methods zero-shot --data"
TUNE = f"tune lora+head {OWN} --set steps=2 --out t"
NANO = "pretrain gpt --text mine.txt --size nano --steps 1"

TEACH = "tune lora --model G --set steps=2 --out t --instructions"
RECORD = {"instruction": "say it .", "input": "the plot", "output": "the plot ."}


def records(second):
    """A file of two records, of which the first is good."""
    return {"a.json": json.dumps([RECORD, second])}


OTHERS = ("method", "question", "base", "weights")


def saved(content):
    """A file of torch.save, as bytes."""
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def lines(*rows, header="text,label"):
    return "\n".join([header, *rows]) + "\n"


ROWS = {
    # ---- the command line itself
    "no command": ("", "COMMAND"),
    "no such command": ("compose", "invalid choice: 'compose'"),
    "an option that is none": ("methods --wings", "unrecognized arguments: --wings"),
    "an abbreviation": (f"{ONE} --meth zero-shot", "unrecognized arguments: --meth"),
    "an option without its value": ("compare --data", "--data: expected one argument"),
    "a lone control character": ("lesson '\x1b[31m'", r"'\\x1b\[31m' is out of range"),
    "half a byte": ("lesson '\udcff'", "is out of range"),
    # ---- files of examples
    "no such file": (f"compare {DATA} nowhere.csv", "there is no file nowhere.csv"),
    "a folder for a file": (f"compare {DATA} a.csv", "a.csv: it is a folder", {"a.csv/x": ""}),
    "an empty file": (f"compare {DATA} a.csv", "a.csv is empty", {"a.csv": ""}),
    "another encoding": (f"compare {DATA} a.csv", "not UTF-8", {"a.csv": b"text,label\ncaf\xe9,good\n"}),
    "no header": (f"compare {DATA} a.csv", "first line", {"a.csv": "the plot was dull .,bad\nit was clever .,good\n"}),
    "a header alone": (f"compare {DATA} a.csv", "no rows below it", {"a.csv": "text,label\n"}),
    "another column": (f"compare {DATA} a.csv", "'text'.*'review'", {"a.csv": "review,label\na plot,good\n"}),
    "one class": (f"compare {DATA} a.csv", "two classes", {"a.csv": lines("a,good", "b,good")}),
    "a field too few": (f"compare {DATA} a.csv", "line 3.*1 field", {"a.csv": lines("a,good", "b")}),
    "a field too many": (f"compare {DATA} a.csv", "line 2.*3 fields", {"a.csv": lines("a,b,good")}),
    "a column twice": (f"compare {DATA} a.csv", "'text' twice", {"a.csv": "text,text,label\na,b,c\n"}),
    "JSON cut off": (
        f"compare {DATA} a.jsonl",
        "line 2.*JSON",
        {"a.jsonl": '{"text": "a", "label": "x"}\n{"text": \n'},
    ),
    "JSON of another form": (f"compare {DATA} a.jsonl", "line 1.*object", {"a.jsonl": "[1, 2]\n"}),
    "JSON without end": (f"compare {DATA} a.jsonl", "cannot be read", {"a.jsonl": "[" * 100_000}),
    "a number beyond all measure": (f"compare {DATA} a.jsonl", "cannot be read", {"a.jsonl": "1" * 5_000}),
    "half a character": (
        f"compare {DATA} a.jsonl",
        "half a character",
        {"a.jsonl": '{"text": "a \\ud83c", "label": "x"}\n'},
    ),
    "a list for a text": (f"compare {DATA} a.jsonl", "'text'", {"a.jsonl": '{"text": ["a"], "label": "x"}\n'}),
    "an empty text": (f"compare {DATA} a.csv", "line 3.*empty", {"a.csv": lines("a,good", " ,bad")}),
    "several rows that cannot be used": (
        f"compare {DATA} a.csv",
        "4 rows that cannot be used: line 3: .*; line 4: .*; line 5: .*; and 1 more.*--skip-bad",
        {"a.csv": lines("a,good", " ,bad", "b,", "c", "d,,", "e,bad").replace("\nc\n", "\nc,\n").replace("d,,", "d,")},
    ),
    "no row that can be used": (
        f"compare {DATA} a.csv --skip-bad",
        "line 2.*empty.*none can be used",
        {"a.csv": lines(" ,good", "b,")},
    ),
    "a zero byte": (f"compare {DATA} a.csv", "line 2.*zero byte", {"a.csv": lines("a\0b,good", "c,bad")}),
    "a field twice in JSON": (
        f"compare {DATA} a.jsonl",
        "line 1: the field 'text' is there twice",
        {"a.jsonl": '{"text": "a", "text": "b", "label": "x"}\n'},
    ),
    "a text without a token": (
        f"compare {DATA} a.csv",
        "line 3: the model reads no token of a text",
        {"a.csv": lines("the plot was dull,bad", "\u0301,good", "a,good", "b,good", "c,good", "d,bad", "e,bad")},
    ),
    "a separator of two characters": (f"{ONE} --separator ::", "'::' is not one character"),
    "a quote of none": (f"{ONE} --quote none", "'none' is not one character"),
    "a separator of a task": ("compare --task topic --separator ;", "--separator belongs to --data"),
    "rows to skip of a task": ("compare --task topic --skip-bad", "--skip-bad belongs to --data or --instructions"),
    "another ending": (f"compare {DATA} a.xls", "xls.*csv", {"a.xls": lines("a,good")}),
    "a quote without end": (f"compare {DATA} a.csv", "line", {"a.csv": 'text,label\n"a,good\n'}),
    "a class for each row": (
        f"compare {DATA} a.csv",
        "30 different labels.*--label-column",
        {"a.csv": lines(*(f"a {i},b{i}" for i in range(30)))},
    ),
    "bytes in a name": (f"compare {DATA} '\udcff.csv'", "no file"),
    "the home of nobody": (f"compare {DATA} '~nobody_of_that_name/a.csv'", "not known here"),
    "the training file as test file": (f"{ONE} --test-data ./reviews.csv", "training file itself"),
    "one column for two": (f"{ONE} --text-column label", "--text-column and by --label-column"),
    "half of the second texts": (
        f"compare {DATA} a.csv",
        "line 3.*'text_b'",
        {"a.csv": "text,text_b,label\na,b,good\nc,,bad\n"},
    ),
    "a second text that is not there": (f"{ONE} --text-b-column other", "'other'"),
    "an encoding that is none": (f"{ONE} --encoding klingon", "no encoding 'klingon'"),
    "another encoding than named": (
        f"compare {DATA} a.csv --encoding ascii",
        "not ASCII",
        {"a.csv": "text,label\né,a\n"},
    ),
    "no such kind": (f"{ONE} --kind stars", "classes, number, tags"),
    "labels in words for numbers": (f"compare {OWN} --seeds 1 --kind number", "line 2: the label 'good' is no number"),
    "tags for words that are not there": (
        "compare --model B --shots 2 --data a.jsonl",
        "line 1.*2 .*1 ",
        {"a.jsonl": '{"tokens": ["a", "b"], "tags": ["O"]}\n'},
    ),
    "a token without a tag": (
        "compare --model B --shots 2 --data a.conll",
        "line 2",
        {"a.conll": "rose B-NAME\ngave\n"},
    ),
    "an empty field between tabs": (
        "compare --model B --shots 2 --data a.conll",
        "line 2 has 2 columns.*most lines have 3",
        {"a.conll": "rose\tN\tB-X\ngave\tO\nrose\tN\tO\n"},
    ),
    "words without tags": (
        "compare --model B --shots 2 --data a.conll",
        "has one column",
        {"a.conll": "rose\ngave\n"},
    ),
    "a class too small": (
        f"compare {DATA} a.csv",
        "'good' has 1.*--shots",
        {"a.csv": lines("a,good", "b,bad", "c,bad", "d,bad")},
    ),
    "a test file alone": ("compare --test-data reviews.csv", "--test-data belongs to --data"),
    "a kind alone": ("compare --task topic --kind number", "--kind belongs to --data"),
    "columns alone": ("tune lora --text-column review", "--text-column belongs to --data"),
    "a task beside a file": (f"{ONE} --task topic", "--task topic and --data reviews.csv"),
    "a label that training lacks": (
        f"{ONE} --test-data t.csv",
        "'strange'",
        {"t.csv": lines("the plot was odd .,strange")},
    ),
    # ---- compare
    "no such method": (f"{ONE},lorra+head", "'lorra' is unknown"),
    "a method of another form": (f"{ONE},full+head+head", "what@asked"),
    "a list of nothing": (f"compare {OWN} --methods ,", "empty"),
    "no such task": ("compare --task sentimint", "sentiment"),
    "facts as a whole": ("compare --task facts", "one relation at a time"),
    "no such relation": ("compare --task facts:eats", "born_in"),
    "parts of a task without parts": ("compare --task topic:sports", "has no parts"),
    "no such model": ("compare --model gtp", "no model 'gtp'"),
    "a file for a model": ("compare --model reviews.csv", "no folder of that name"),
    "a folder without a model": ("compare --model a", "no a/model.pt", {"a/x": ""}),
    "a name beyond all length": (f"compare --model {'n' * 300}", "no folder of that name"),
    "no such control": (f"{ONE} --control none", "shuffled-labels"),
    "a control of classes": (
        "compare --task tags --methods frozen --control shuffled-labels",
        "belongs to tasks of classes or number",
    ),
    "no such device": (f"{ONE} --device tpu", "cpu"),
    "a device that is not there": (f"{ONE} --device mps", "finds no mps"),
    "a figure of no format": (f"{ONE} --plot figure.doc", ".png"),
    "no blank": (f"{ONE} --template '{{text}} it was'", "{mask}"),
    "no such slot": (f"{ONE} --template '{{text}} {{maks}}'", "{maks}"),
    "half a brace": (f"{ONE} --template '{{text}} {{mask'", "brace"),
    "code in a template": (f"{ONE} --template '{{text}} {{mask.__class__}}'", "unknown slot"),
    "a count of nothing": (f"{ONE} --template '{{soft:0}} {{text}} {{mask}}'", "from 1 to 10,000"),
    "a word of unknown letters": (f"{ONE} --label-words 'good=猫;bad=dull'", "'猫' cannot be read.*makes it .UNK"),
    "a word of no letters": (f"{ONE} --label-words 'good=\u0301;bad=dull'", "makes it nothing"),
    "words for one blank, and two": (
        f"{ONE} --template '{{text}} {{mask}} {{mask}}' --label-words 'good=very clever;bad=dull'",
        "'dull' does not fit the template",
    ),
    "a word of two classes": (f"{ONE} --label-words 'good=dull;bad=dull'", "one of them"),
    "a class that is none": (f"{ONE} --label-words 'fine=clever;bad=dull'", "'fine'"),
    "a class without words": (f"{ONE} --label-words good=clever", "'bad'"),
    "a class twice": (f"{ONE} --label-words 'good=clever;good=witty'", "twice"),
    "no label words": (f"{ONE} --label-words clever", "label=word"),
    "empty label words": (f"{ONE} --label-words ';'", "empty"),
    "half a character for a label word": (f"{ONE} --label-words 'good=\udcff;bad=dull'", "half a character"),
    "a word twice": (f"{ONE} --label-words 'good=clever,clever;bad=dull'", "given twice for 'good'"),
    "a blank alone": (f"{ONE} --template '{{mask}}'", "would not depend on the text"),
    "bytes in a template": (f"{ONE} --template '{{text}} \udcff {{mask}}'", "half a character"),
    "a setting that none has": (f"{ONE} --set rang=3", "no method here has a setting 'rang'"),
    "the option of another command": (f"{ONE} --seed 3", "did you mean --seeds"),
    "half an option": (f"{ONE} --text a", "did you mean --text-column or --text-b-column"),
    "no shots": (f"{ONE} --shots 0", "from 1 on"),
    "shots in words": (f"{ONE} --shots few", "from 1 on"),
    "more shots than rows": (f"{ONE} --shots 13", "lower --shots"),
    "no seeds": (f"{ONE} --seeds 0", "from 1 on"),
    "seeds beyond all measure": (f"{ONE} --seeds {10**30}", "from 1 on"),
    "a GPT asked to look ahead": (
        f"{ONE.replace('model B', 'model G')} --template '{{text}} it was {{mask}} .'",
        "end the template",
    ),
    # ---- outputs, before the work
    "a file for the table's folder": (f"{ONE} --json reviews.csv/rows.json", "cannot write.*reviews.csv is a file"),
    "a folder for the table": (f"{ONE} --json a", "cannot write a: it is a folder", {"a/x": ""}),
    "a file for the figure's folder": (f"{ONE} --plot reviews.csv/a.png", "cannot write.*is a file"),
    "a folder for the figure": (f"{ONE} --plot a.png", "cannot write a.png: it is a folder", {"a.png/x": ""}),
    "a long name for the table": (f"{ONE} --json {'n' * 300}", "too long"),
    "a file for the tuned folder": (f"{TUNE}/x".replace("t/x", "reviews.csv"), "cannot write.*reviews.csv is a file"),
    "a file for the sweep's folder": (
        "sweep frozen+head --shots 2 --seeds 1 --json reviews.csv/s.json",
        "cannot write",
    ),
    "a file for the bench's folder": ("bench --seconds 0.1 --json reviews.csv/b.json", "cannot write"),
    "a file for the model's folder": (f"{NANO} --out reviews.csv", "cannot write", {"mine.txt": "a text\n" * 9}),
    "a file for the notebooks' folder": ("notebook 1 --no-outputs --out reviews.csv", "cannot write"),
    "a file for the site's folder": ("site --out reviews.csv", "cannot write"),
    "a file for a learner's folder": ("start reviews.csv", "cannot write"),
    "a file for the figures' folder": ("lesson 1 --fast --figures reviews.csv", "cannot write"),
    "a file for the world's folder": ("data --out reviews.csv", "cannot write"),
    # ---- what a user has stays
    "another tuned method": ("tune full+head --data reviews.csv --model B --shots 2 --set steps=2 --out T", "--force"),
    "an edited notebook": (
        "notebook 1 --no-outputs --out .",
        "was edited",
        {"01_tokens_and_the_toy_world.ipynb": '{"cells": ["mine"]}'},
    ),
    "a site over something else": ("site --out a", "holds something that is not a site", {"a/thesis.txt": "mine"}),
    "lessons among something else": ("start a", "holds something else", {"a/thesis.txt": "mine"}),
    "a record of lessons that is damaged": ("start a", "a name and a digest", {"a/minitune-lessons.json": "[1]"}),
    "a record of lessons that was cut off": ("start a", "no valid JSON", {"a/minitune-lessons.json": "{"}),
    "a world that is there": ("data --out w", "is there already.*--force", {"w/words/common.toml": "mine"}),
    # ---- tune
    "no method": ("tune", "METHOD"),
    "a method that is none": (TUNE.replace("lora+head", "lorra+head"), "'lorra' is unknown"),
    "nothing to train": (TUNE.replace("lora+head", "zero-shot"), "nothing to train"),
    "a setting that is none": (f"{TUNE} --set rang=8", "no setting 'rang'; it has rank, alpha"),
    "a setting without value": (f"{TUNE} --set rank", "write name=value"),
    "a value of another kind": (f"{TUNE} --set rank=high", "whole number"),
    "a setting of another method": (f"{TUNE.replace('lora', 'full')} --set rank=8", "none of its own"),
    "a rank of nothing": (f"{TUNE} --set rank=0", "rank is 0"),
    "a rank beyond the width": (f"{TUNE} --set rank=17", "16 wide"),
    "an alpha beyond all measure": (f"{TUNE} --set alpha=1e308", "at most 10,000"),
    "an alpha that is none": (f"{TUNE} --set alpha=nan", "finite"),
    "a dropout of all": (f"{TUNE} --set dropout=1", "below 1"),
    "no such layer": (f"{TUNE} --set targets=querry", "no linear layer is named 'querry'"),
    "a tied weight": (f"{TUNE} --set targets=token_embedding", "tied to the output"),
    "a prompt beyond the context": (TUNE.replace("lora+head", "prompt-tuning --set length=40"), "no room for a text"),
    "a prompt and a template beyond it": (
        TUNE.replace("lora+head", "prompt-tuning --set length=38"),
        "context holds 40",
    ),
    "a prefix and a template beyond it": (
        TUNE.replace("lora+head", "prefix-tuning --set length=37"),
        "37 of its 40 places .* length",
    ),
    "placeholders that no memory holds": (
        TUNE.replace("lora+head", "prompt-tuning --template '{text} {soft:999999999} {mask}'"),
        "to 10,000",
    ),
    "a template without a blank": (TUNE.replace("lora+head", "lora --template '{text}'"), "no blank"),
    "a template without a slot": (f"{TUNE} --template 'so it was'", "no slot"),
    "batches that never come to an end": (f"{TUNE} --set accumulate=1000000000", "accumulate is 1000000000"),
    "a prefix beyond the context": (TUNE.replace("lora+head", "prefix-tuning --set length=99"), "no room for a text"),
    "a network beyond the memory": (
        TUNE.replace("lora+head", "prefix-tuning --set inner=1000000000"),
        "would train .* this machine has",
    ),
    "a spread beyond all measure": (TUNE.replace("lora+head", "p-tuning-v2 --set spread=1e300"), "from 0 to 100"),
    "a prompt without its text": (TUNE.replace("lora+head", "prompt-tuning --set start=text"), "set text"),
    "a template without placeholders": (
        TUNE.replace("lora+head", "prompt-tuning --template '{text} it was {mask} .'"),
        "no placeholder",
    ),
    "placeholders without a prompt": (f"{TUNE} --template '{{soft:2}} {{text}}'", "learns no soft prompt"),
    "two texts asked of one": (f"{TUNE} --template '{{text}} {{text_b}}'", "no such text"),
    "half the betas": (f"{TUNE} --set betas=0.9", "betas"),
    "a rate below 0": (f"{TUNE} --set lr=-1", "lr is -1"),
    "steps of nothing": (f"{TUNE} --set steps=0", "steps is 0"),
    "a rate that blows up": (
        f"{TUNE.replace('lora', 'full')} --set lr=1e30 --set warmup=0 --set clip=1e30 --set steps=9",
        "lower the learning rate",
    ),
    "labels that are no numbers": (TUNE.replace("lora+head", "lora+number"), "no number"),
    "a writer of a BERT": ("tune lora --task describe --model bert", "take a GPT"),
    "a tagger with another read-out": ("tune lora+focal --task tags", "read by head"),
    "facts with a head": ("tune lora+head --task facts:born_in", "read by verbalizer"),
    "word scores of a tagger": ("tune output --task tags", "scores of words"),
    "word scores under a head": ("tune output+head", "scores of words"),
    "help on a method that is none": ("tune lorra --help", "'lorra' is unknown"),
    # ---- what is searched, shown, or weighed
    "a special token for a label word": (
        f"{ONE} --label-words 'good=[MASK];bad=dull'",
        "name of a special token",
    ),
    "a label word beyond all weight": (
        f"{ONE} --label-words 'good=clever:1e39;bad=dull'",
        "the weight 1e39; a number above 0 .from 1e-30 to 1e.30. was expected, as in clever:2",
    ),
    "a label word of no weight": (f"{ONE} --label-words 'good=clever:0;bad=dull'", "the weight 0; .* as in clever:2"),
    "triggers that nothing searches for": (
        TUNE.replace("lora+head", "lora --template '{text} {trigger:2} {mask} .'"),
        "searches for none: take @autoprompt",
    ),
    "a search without a place": (
        TUNE.replace("lora+head", "frozen@autoprompt --template '{text} it was {mask} .'"),
        r"write \{trigger:3\} where they shall stand",
    ),
    "a search of no rounds": (TUNE.replace("lora+head", "frozen@autoprompt --set rounds=0"), "rounds is 0"),
    "more demonstrations than there are": (
        TUNE.replace("lora+head", "frozen@demonstrations+verbalizer --set shown=50"),
        "50 demonstrations are asked for, and there are 4 examples",
    ),
    "demonstrations without a blank": (
        TUNE.replace("lora+head", "frozen@demonstrations+head --template '{text}'"),
        "has no blank",
    ),
    "label words for tags": ("tune lora+petal --task tags", "no classes"),
    "a calibrated tagger": ("tune lora+calibrated --task tags", "calibration is of classes"),
    "prototypes of no size": (TUNE.replace("lora+head", "full@manual+prototypes --set size=0"), "size is 0"),
    "classes from nowhere": (TUNE.replace("lora+head", "full+soft --set classes_from=here"), "classes_from is 'here'"),
    "PET of tags": ("tune pet --task tags", "take another method"),
    "tokens that are none": (
        TUNE.replace("lora+head", "full --template '{text} {tokens:9999999} {mask} .'"),
        "names the token",
    ),
    "a text cut nowhere": (
        TUNE.replace("lora+head", "full --template '{text:middle} {mask} .'"),
        "does not say where a text is cut",
    ),
    # ---- files of instructions
    "no file of instructions": (f"{TEACH} nowhere.json", "there is no file nowhere.json"),
    "instructions that are no JSON": (
        f"{TEACH} a.json",
        "a.json is no valid JSON: line 2, column 12",
        {"a.json": '[{"instruction": "a",\n  "output" "b"}]'},
    ),
    "a broken line of instructions": (
        f"{TEACH} a.jsonl",
        "a.jsonl, line 2: no valid JSON",
        {"a.jsonl": json.dumps(RECORD) + '\n{"instruction": "say\n'},
    ),
    "instructions of no format": (f"{TEACH} a.txt", "ends in .txt; a .csv", {"a.txt": "[]"}),
    "an object for the list": (f"{TEACH} a.json", "a.json holds an object; a list of", {"a.json": json.dumps(RECORD)}),
    "a number for the list": (f"{TEACH} a.json", "a.json holds a number; a list of", {"a.json": "0"}),
    "no instructions": (f"{TEACH} a.json", "a.json holds an empty list", {"a.json": "[]"}),
    "a record that is a text": (f"{TEACH} a.json", "record 2: a text where an object", records("say it")),
    "a record without an output": (
        f"{TEACH} a.json",
        "a.json, record 2: there is no 'output', only 'instruction', 'input', 'answer'",
        records({"instruction": "a", "input": "", "answer": "b"}),
    ),
    "a record of nothing": (f"{TEACH} a.json", "record 2: there is no 'instruction'", records({})),
    "an empty output": (f"{TEACH} a.json", "record 2: the field 'output' is empty", records(RECORD | {"output": " "})),
    "no output": (f"{TEACH} a.json", "record 2: the field 'output' is empty", records(RECORD | {"output": None})),
    "an empty instruction": (f"{TEACH} a.json", "record 2: .*'instruction'", records(RECORD | {"instruction": ""})),
    "a number for an input": (f"{TEACH} a.json", "record 2: .*'input' is a number", records(RECORD | {"input": 5})),
    "a list for an output": (f"{TEACH} a.json", "record 2: .*'output' is a list", records(RECORD | {"output": ["a"]})),
    "half a character in an instruction": (
        f"{TEACH} a.json",
        "record 2: .*'instruction' holds half a character",
        records(RECORD | {"instruction": "say \ud83c"}),
    ),
    "an instruction beyond the context": (
        f"{TEACH} a.json",
        "a.json, record 2: .* a text of 80 tokens may not be cut.* room for 20",
        records(RECORD | {"instruction": "the plot " * 40}),
    ),
    "an output beyond the context": (
        f"{TEACH} a.json",
        "a.json, record 2: the answer takes 8\\d of the 40 tokens .* shorten it",
        records(RECORD | {"output": "the plot " * 40 + "."}),
    ),
    "one record alone": (f"{TEACH} a.json", "a.json has 1 example", {"a.json": json.dumps([RECORD])}),
    "more shots than records": (f"{TEACH} a.json --shots 2", "lower --shots", records(RECORD)),
    "one field": (f"{TEACH} a.json --fields instruction", "two or three different names", records(RECORD)),
    "a field twice": (f"{TEACH} a.json --fields output,output", "two or three different names", records(RECORD)),
    "four fields": (f"{TEACH} a.json --fields a,b,c,d", "two or three different names", records(RECORD)),
    "no fields": (f"{TEACH} a.json --fields ''", "two or three different names", records(RECORD)),
    "fields of another name": (
        f"{TEACH} a.json --fields question,answer",
        "no column 'question'.*--fields",
        records(RECORD),
    ),
    "fields alone": ("tune lora --task instruct --fields a,b", "--fields belongs to --instructions"),
    "instructions beside a task": (f"{TEACH} a.json --task topic", "--task topic and --instructions", records(RECORD)),
    "instructions beside a file": (f"{TEACH} a.json --data reviews.csv", "--data .* and --inst", records(RECORD)),
    "a column of instructions": (f"{TEACH} a.json --text-column a", "--text-column belongs to --data", records(RECORD)),
    "instructions that are the test file": (
        f"{TEACH} a.json --test-data ./a.json",
        "training file itself",
        records(RECORD),
    ),
    "a table to test instructions on": (
        f"{TEACH} a.json --test-data reviews.csv",
        "reviews.csv has no column",
        records(RECORD),
    ),
    "instructions for a BERT": (f"{TEACH.replace('model G', 'model B')} a.json", "take a GPT", records(RECORD)),
    "instructions for a head": (f"{TEACH.replace('lora', 'lora+head')} a.json", "write lora alone", records(RECORD)),
    "instructions that nothing learns": (f"{TEACH.replace('lora', 'frozen')} a.json", "to train", records(RECORD)),
    "an input that is left out": (
        f"{TEACH} a.json --template '{{text:whole}} so'",
        "leaves a part out.*text_b",
        records(RECORD),
    ),
    "words for instructions": (f"{TEACH} a.json --label-words 'a=b'", "label words stand for", records(RECORD)),
    "no kind of instructions": ("tune lora --task instruct:sing", "together"),
    "a blank before an answer": (
        "tune lora --task instruct --template '{text} {text_b} {mask}'",
        r"is written behind the whole: leave \{mask\} out",
    ),
    # ---- sweep
    "a sweep of nothing": ("sweep zero-shot --seeds 1", "nothing to train"),
    "a sweep of no methods": ("sweep ,", "empty"),
    "rates in words": ("sweep lora --rates fast", "above 0"),
    "a rate of nothing": ("sweep lora --rates 0", "above 0"),
    "no rates": ("sweep lora --rates ,", "the list is empty; numbers above 0"),
    "a setting that all lack": ("sweep full+head,frozen+head --set rank=8", "no method here has a setting 'rank'"),
    # ---- outputs that would replace something else, --force or not
    "a table over the training data": (f"{ONE} --json reviews.csv", "reviews.csv is used by the same command"),
    "a table over a link to the data": (f"{ONE} --json DATA.json", "DATA.json is used by the same command"),
    "a table over the test data": (
        f"{ONE} --test-data a.csv --json ./a.csv",
        "a.csv is used by the same command",
        {"a.csv": lines("a,good", "b,bad")},
    ),
    "a table over a model": (f"{ONE} --json B/model.pt", "B/model.pt is used by the same command as B"),
    "a table over a tuned method": (f"{ONE} --json T/tuned.pt", "T/tuned.pt is there and is not a table of minitune"),
    "a table over a user's JSON": (f"{ONE} --json a.json", "a.json is there and is not a", records(RECORD)),
    "a table that is the figure": (f"{ONE} --json a.png --plot a.png", "a.png is used by the same command"),
    "a figure over a user's picture": (f"{ONE} --plot a.png", "a.png is there and is not a figure", {"a.png": PICTURE}),
    "a figure over the usual one's place": (ONE, "is not a figure of minitune", {"runs/compare.png": b"not a figure"}),
    "a sweep over the training data": (f"sweep lora {OWN} --json reviews.csv", "reviews.csv is used by the same"),
    "a sweep over a comparison": (
        f"sweep lora {OWN} --json a.json",
        "a.json is there and is not a table of minitune sweep",
        {"a.json": '{"task": "a", "model": "b", "metric": "c", "rows": []}'},
    ),
    "measurements over a user's JSON": ("bench --json a.json", "is not a table of minitune bench", records(RECORD)),
    "a tuned method over something else": (f"{TUNE} --force", "t/tuned.pt .* not a tuned", {"t/tuned.pt": "mine"}),
    "a curve over a user's picture": (f"{TUNE} --force", "t/curve.png .* not a figure", {"t/curve.png": PICTURE}),
    "an explanation over a picture": ("explain T 'a text' --plot a.png", "not a figure", {"a.png": PICTURE}),
    "an explanation over the tuned method": ("explain T 'a text' --plot T/curve.png", "is used by the same command"),
    "answers over their texts": ("predict T --data reviews.csv --out ./reviews.csv --force", "is used by the same"),
    "answers over other rows": (
        "predict T 'a text' --out a.csv --force",
        "a.csv is there and is not a file of answers",
        {"a.csv": "text,label\na,b\n"},
    ),
    "a model over another library's tokenizer": (
        f"{NANO} --out a",
        "a holds a tokenizer.json that no run of minitune",
        {"mine.txt": "a text\n" * 9, "a/tokenizer.json": "{}", "a/config.json": "{}"},
    ),
    "a model over its text": (
        "pretrain gpt --text a/report.json --size nano --steps 1 --out a",
        "a/report.json is used by the same command",
        {"a/report.json": "a text\n" * 9},
    ),
    "an import over something else": (
        "import a --out o --force",
        "o/model.pt is there and is not a model of minitune",
        {"a/config.json": "{}", "o/model.pt": "mine"},
    ),
    "an import over another library's tokenizer": (
        "import a --out o --force",
        "o/tokenizer.json is there and belongs to no model of minitune",
        {"a/config.json": "{}", "o/tokenizer.json": "{}"},
    ),
    "an import into its own folder": ("import a --out a --force", "is used by the same", {"a/config.json": "{}"}),
    "an export into its own folder": ("export B --transformers B --force", "B is used by the same command"),
    "an adapter into its own folder": ("export T --peft ./T --force", "T is used by the same command"),
    "an export into another model": ("export B --transformers G --force", "G.* is there and is not|holds a model.pt"),
    "an export over other files": (
        "export B --transformers a --force",
        "a/config.json is there and is not a model's configuration",
        {"a/config.json": '{"mine": 1}'},
    ),
    "an adapter over a user's README": (
        "export T --peft a --force",
        "a/README.md is there and is not the README of an exported adapter",
        {"a/README.md": "# my project\n"},
    ),
    "a world over a user's text": ("data --out a --force", "a/text.txt is there and belongs", {"a/text.txt": "mine"}),
    "a notebook over a user's file": (
        "notebook 1 --no-outputs --out a --force",
        "is there and is not a notebook",
        {"a/01_tokens_and_the_toy_world.ipynb": "mine"},
    ),
    "a tuned method to nowhere": (TUNE.replace("--out t", "--out ''"), "--out: nothing was given"),
    "a table to nowhere": (f"{ONE} --json ''", "--json: nothing was given"),
    "a model of no name": ("predict T 'a text' --model ''", "--model: nothing was given"),
    "a tuned method to the home of nobody": (TUNE.replace("--out t", "--out ~nobody_of_that_name/x"), "not known here"),
    "a world to the home of nobody": ("data --out ~nobody_of_that_name/x", "not known here"),
    # ---- predict and explain
    "nothing tuned there": ("predict nowhere 'a text'", "no nowhere/tuned.pt"),
    "a damaged method": ("predict a 'a text'", "damaged", {"a/tuned.pt": b"no file of this kind"}),
    "a checkpoint for a method": ("predict B 'a text'", "B holds a model as it was pretrained, and no tuned.pt"),
    "a pair for a text": ("predict T 'a || b'", "single texts"),
    "a text of nothing": ("predict T ' '", "empty text"),
    "half a byte in a text": ("predict T 'a \udce9'", "half a character"),
    "another base": ("predict T --model G 'a text'", "fingerprint .*--model"),
    "a tuned method with a sparse tensor": (
        "predict a 'a text'",
        "a/tuned.pt is refused: it holds a sparse tensor",
        {"a/tuned.pt": saved({"minitune": "tuned method", "weights": torch.eye(2).to_sparse()})},
    ),
    "a tuned method with one number shown a billion times": (
        "predict a 'a text'",
        "a/tuned.pt is refused: it holds a tensor of the shape .* with fewer numbers than that",
        {"a/tuned.pt": saved({"minitune": "tuned method", "weights": torch.zeros(1).expand(2**30)})},
    ),
    "a tuned method with a text for a list": (
        "predict a 'a text'",
        "a/tuned.pt, settings is 'rank=2'; a list was expected",
        {"a/tuned.pt": saved({"minitune": "tuned method", "version": 2, "settings": "rank=2"} | dict.fromkeys(OTHERS))},
    ),
    "no text": ("predict T -", "standard input"),
    "texts and a file": ("predict T 'a text' --data reviews.csv", "either texts"),
    "standard input beside a text": ("predict T - 'a text'", "stands for the lines of standard input"),
    "answers of no format": ("predict T 'a text' --out o.doc", "let it end in .csv"),
    "answers over a file": ("predict T --data reviews.csv --out reviews.csv", "reviews.csv.*--force"),
    "answers over a column": ("predict T --data a.csv --out o.csv", "--answer-column", {"a.csv": "text,answer\na,b\n"}),
    "JSON into a table": ("predict T 'a text' --json --out o.csv", "JSON Lines"),
    "a safe table of nothing": ("predict T 'a text' --safe-csv", "--safe-csv belongs to --out"),
    "no such column of texts": ("predict T --data reviews.csv --text-column review", "'review'"),
    "nothing but gaps in a file of texts": ("predict T --data a.csv", "line 2.*no text", {"a.csv": 'text,n\n" ",2\n'}),
    "nothing tuned to explain": ("explain nowhere 'a text'", "no nowhere/tuned.pt"),
    "nothing to explain": ("explain T", "TEXT"),
    "a pair to explain": ("explain T 'a || b'", "single texts"),
    "no text to explain": ("explain T ''", "empty text"),
    "an explanation of no format": ("explain T 'a text' --plot f.doc", "f.doc is no name for a figure"),
    "a figure into a file": ("explain T 'a text' --plot reviews.csv/f.png", "reviews.csv"),
    # ---- generate and chat
    "a BERT that writes": ("generate B 'a text'", "B is a bert.* take a GPT"),
    "classes that write": ("generate T 'a text'", "T was tuned for the classes bad, good, and writes no text"),
    "nothing that writes": ("generate nowhere 'a text'", "no model 'nowhere'"),
    "a damaged writer": ("generate a 'a text'", "a/tuned.pt is damaged", {"a/tuned.pt": b"no file of this kind"}),
    "nothing to continue": ("generate G", "nothing to continue: give a text"),
    "an empty text to continue": ("generate G ' '", "nothing to continue"),
    "half a byte to continue": ("generate G 'a \udce9'", "half a character"),
    "a text and lines to continue": ("generate G 'a text' --stdin", "either a text.* or --stdin"),
    "more new tokens than the context": (
        "generate G 'the plot' --max-new-tokens 50",
        "has 2 tokens, and beside 50 new .* at most 38 with --max-new-tokens",
    ),
    "a text that fills the context": (f"generate G '{'the plot ' * 30}'", "60 tokens.* room for 8: shorten it"),
    "no new tokens": ("generate G 'a text' --max-new-tokens 0", "from 1 on"),
    "samples that are the same": ("generate G 'a text' --samples 3 --temperature 0", "3 samples would be the same"),
    "a temperature below 0": ("generate G 'a text' --temperature -1", "--temperature: '-1'.* from 0 on"),
    "a temperature that is none": ("generate G 'a text' --temperature nan", "--temperature: 'nan'"),
    "more than all the probability": ("generate G 'a text' --top-p 2", "--top-p: '2'.* at most 1"),
    "the likeliest none": ("generate G 'a text' --top-k 0", "--top-k: '0'.* from 1 on"),
    "a base for a model": ("generate G 'a text' --model B", "--model names.* G holds no tuned writer"),
    "a BERT to talk to": ("chat B", "B is a bert as it was pretrained.* tune lora --task instruct"),
    "a GPT to talk to": ("chat G", "G is a gpt as it was pretrained.* tune lora --task instruct"),
    "the shipped GPT to talk to": ("chat gpt", "gpt is a gpt as it was pretrained"),
    "classes to talk to": ("chat T", "T was tuned for the classes bad, good, and writes no text"),
    "nobody to talk to": ("chat nowhere", "no nowhere/tuned.pt"),
    "nobody named to talk to": ("chat ''", "no tuned.pt; expected a tuned method"),
    "a temperature in words": ("chat T --temperature warm", "--temperature: 'warm'"),
    # ---- pretrain
    "a kind that is none": (NANO.replace("gpt", "elmo"), "gpt or bert", {"mine.txt": "a text\n"}),
    "a size that is none": (f"{NANO} --size huge", "nano, micro, mini", {"mine.txt": "a text\n" * 9}),
    "no such text": ("pretrain gpt --text nowhere.txt --steps 1", "no file"),
    "nothing to resume": (f"{NANO} --resume --out a", "nothing to resume", {"mine.txt": "a text\n" * 9}),
    "no minutes": ("pretrain gpt --minutes 0", "above 0"),
    "minutes and steps": ("pretrain gpt --minutes 1 --steps 1", "not allowed"),
    "a binary text": (NANO, "not UTF-8", {"mine.txt": bytes(range(256))}),
    "a codec that is not for text": (f"{NANO} --encoding rot13", "no encoding 'rot13'", {"mine.txt": "a text\n" * 9}),
    "an encoding that reads nothing": (f"{NANO} --encoding undefined", "no encoding", {"mine.txt": "a text\n" * 9}),
    "an encoding of host names": (f"compare {DATA} reviews.csv --encoding idna", "no encoding 'idna'"),
    "UTF-16 without its mark": (NANO, "--encoding utf-16-le", {"mine.txt": ("a text\n" * 9).encode("utf-16-le")}),
    "a few bad bytes": (
        f"compare {DATA} a.csv",
        "1 byte is not UTF-8: 0xff in line 3, column 6, all else is; .*--encoding utf-8-replace",
        {"a.csv": "text,label\nü é,good\né ö ü".encode() + b"\xff,bad\n"},
    ),
    "seed of 400 digits": (f"{NANO} --seed {'9' * 400}", "out of range", {"mine.txt": "a text\n" * 9}),
    "an empty text file": (NANO, "mine.txt", {"mine.txt": ""}),
    "blank lines alone": (NANO, "mine.txt", {"mine.txt": "\n \n\t\n"}),
    "a world beside a text": (f"{NANO} --world 3", "--world", {"mine.txt": "a text\n" * 9}),
    "paragraphs of the toy world": ("pretrain gpt --paragraphs", "--paragraphs"),
    "threads beyond the machine": (f"{NANO} --threads 100000", "100000", {"mine.txt": "a text\n" * 9}),
    "a probe that is not there": (f"{NANO} --probe nowhere.csv", "no file nowhere.csv", {"mine.txt": "a text\n" * 9}),
    "a probe of one class": (
        f"{NANO} --probe a.csv",
        "two classes",
        {"mine.txt": "a text\n" * 9, "a.csv": lines("a,good", "b,good")},
    ),
    "a damaged run": (
        f"{NANO} --resume --out a",
        "run.json",
        {"mine.txt": "a text\n" * 9, "a/run.json": '{"kind": 3}', "a/state.pt": b""},
    ),
    # ---- import and export
    "nothing to import": ("import nowhere --out o", "nowhere"),
    "no --out": ("import nowhere", "--out"),
    "a folder without a config": ("import a --out o", "config.json", {"a/model.safetensors": b""}),
    "a config that is none": ("import a --out o", "config.json.*no valid JSON", {"a/config.json": "{"}),
    "a config with a number of 400 digits": (
        "import a --out o",
        r"vocab_size 1000.*\.\.\., and a whole number above 0",
        {"a/config.json": json.dumps({"model_type": "bert", "vocab_size": 10**400})},
    ),
    "a config in another encoding": (
        "import a --out o",
        r"config.json is damaged: it is not UTF-8 from byte 15 on; restore it$",  # import has no --encoding
        {"a/config.json": b'{"model_type": \xff}'},
    ),
    "sizes beyond the weights": (
        "import a --out o",
        "model.bin is damaged or of another model: .* takes .* at least, and the files of weights have 9 B;",
        {"a/config.json": '{"model_type": "gpt2"}', "a/pytorch_model.bin": b"PK\3\4 what"},
    ),
    "a model of another kind": (
        "import a --out o",
        "roberta.*gpt2.*bert|roberta",
        {"a/config.json": '{"model_type": "roberta"}'},
    ),
    "words for a model": ("import a --out o --labels x,y", "--labels belongs to a LoRA", {"a/config.json": "{}"}),
    "an adapter without its model": ("import a --out o", "--model", {"a/adapter_config.json": "{}"}),
    "a damaged adapter": ("import a --out o --model B", "adapter_config.json", {"a/adapter_config.json": "[]"}),
    "a pattern without end in an adapter": (
        "import a --out o --model B",
        r"rank_pattern=\{'\(a\+\)\+\$': 3\}.*names of layers, with dots, alternatives",
        {"a/adapter_config.json": json.dumps({"peft_type": "LORA", "rank_pattern": {"(a+)+$": 3}})},
    ),
    "an adapter with a rank of 400 digits": (
        "import a --out o --model B",
        "r=a number of more than 60 digits, which cannot be imported",
        {"a/adapter_config.json": json.dumps({"peft_type": "LORA", "r": 10**400})},
    ),
    "export of a tuned method as a model": (
        "export T --transformers o",
        r"T holds a tuned method.*--peft OUT.*minitune export \S+bert --transformers OUT$",
    ),
    "export to nowhere": ("export T", "--peft"),
    "export to both": ("export T --peft o --transformers p", "not allowed"),
    "export of nothing": ("export nowhere --peft o", r"nowhere/tuned.pt|minitune\[real\]"),
    "export into a full folder": ("export T --peft a", "a holds x already.*--force", {"a/x": ""}),
    # ---- the course
    "no such lesson": ("lesson 99", "no lesson 99"),
    "a page of no such lesson": ("lesson 99 --page", "no lesson 99"),
    "a page of no lesson": ("lesson --page", "--page: which lesson"),
    "a page in fast mode": ("lesson 1 --page --fast", "--page runs the whole lesson"),
    "a lesson in words": ("lesson first", "whole number"),
    "no such notebook": ("notebook 99", "no lesson 99"),
    "a seed in words": ("data --seed first", "whole number"),
    "a seed below 0": ("data --seed -1", "whole number|expected one argument"),
    "seconds of nothing": ("bench --seconds 0", "above 0"),
    # ---- names that no file can have
    "a tuned folder behind a circle of links": (TUNE.replace("--out t", "--out LOOP"), "cannot write"),
    "a tuned method beyond all length": (f"predict {'n' * 300} 'a text'", "expected a tuned method"),
    "a writer beyond all length": (f"chat {'n' * 300}", "expected a tuned method"),
    "a text continued beyond all length": (f"generate {'n' * 300} 'a text'", "no model"),
    "a model in the home of nobody": (
        f"compare {OWN.replace('model B', 'model ~nobody_of_that_name')}",
        "not known here",
    ),
    "a tuned method in the home of nobody": ("predict ~nobody_of_that_name/t 'a text'", "not known here"),
    "a writer in the home of nobody": ("chat ~nobody_of_that_name/t", "not known here"),
    "a text continued in the home of nobody": ("generate ~nobody_of_that_name/t 'a text'", "not known here"),
    "a base in the home of nobody": ("predict T --model ~nobody_of_that_name/t 'a text'", "not known here"),
    "a model behind a circle of links": (f"{NANO} --out LOOP", "cannot write", {"mine.txt": "a text\n" * 9}),
    "a table behind a circle of links": (f"{ONE} --json LOOP", "cannot write"),
    "a notebook behind a circle of links": ("notebook 1 --no-outputs --out LOOP", "cannot write"),
    "an import behind a circle of links": ("import B --out LOOP", "cannot write"),
    "a zero byte for the table": (f"{ONE} --json 'a\0b'", "cannot write"),
    "a zero byte for the tuned folder": (TUNE.replace("--out t", "--out 'a\0b'"), "cannot write"),
    "a zero byte for the notebook": ("notebook 1 --no-outputs --out 'a\0b'", "cannot write"),
    "a long name for the tuned folder": (TUNE.replace("--out t", f"--out {'n' * 300}"), "cannot write"),
    "a long name for the notebook": (f"notebook 1 --no-outputs --out {'n' * 300}", "cannot write"),
    "a line break in a file's name": (f"compare {DATA} 'a\nb.csv'", r"there is no file a\\nb\.csv"),
    "a line break in a setting": (f"{TUNE} --set 'rank=a\nb'", "whole number"),
    "a decay beyond all measure": (f"{TUNE} --set weight_decay=1e30", "from 0 to 1,000"),
}


def tree(folder):
    return {path.relative_to(folder): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.mark.parametrize("name", ROWS)
def test_one_sentence_and_nothing_written(capsys, models, tuned, here, name):
    command, expected, *files = ROWS[name]
    for path, content in (files[0] if files else {}).items():
        (here / path).parent.mkdir(parents=True, exist_ok=True)
        (here / path).write_bytes(content if isinstance(content, bytes) else content.encode())
    for link, target in {"B": models / "bert", "G": models / "gpt", "T": tuned}.items():
        with contextlib.suppress(FileExistsError):
            (here / link).symlink_to(target)
    (here / "LOOP").symlink_to("LOOP")
    (here / "DATA.json").symlink_to("reviews.csv")
    before = tree(here), tree(tuned)
    status, _, err = run(capsys, *shlex.split(command))
    assert status == 2 and "Traceback" not in err, err
    assert len(err.strip().splitlines()) == 1, f"more than a sentence: {err!r}"
    assert re.search(expected, err), f"{err!r} does not say {expected!r}"
    assert (tree(here), tree(tuned)) == before, "something was written"


def test_the_good_command_beside_them_works(capsys, models, here):
    """Else every row above could fail for a reason of its own."""
    (here / "B").symlink_to(models / "bert")
    status, _, err = run(capsys, *shlex.split(f"{ONE} --json rows.json"))
    assert (status, err) == (0, "") and json.loads((here / "rows.json").read_text())["task"] == "reviews"
    assert len(ROWS) >= 150 and len(REVIEWS) == 24
