"""`minitune import` of a model: a GPT-2 or a BERT that transformers saved becomes a model of minitune."""

from __future__ import annotations

import argparse

from minitune.commands.paths import inputs_of


def run(options: argparse.Namespace) -> None:
    from minitune.data.foreign_tokenizer import PLAIN
    from minitune.outputs import check_is_no_input
    from minitune.training.checkpoint import check_is_free, save_checkpoint
    from minitune.training.importing import WEIGHT, carry_out, check_memory, plan_import, pooler_is_new
    from minitune.writing import alone_in, check_can_write

    folder, out = options.folder, options.out
    check_can_write(out / "model.pt")
    check_is_no_input(out, inputs_of(options))
    check_is_free(out, options.force)
    plan = plan_import(folder)
    print(plan)
    if (unread := plan.tokenizer.unread) >= 0.5:
        print(
            f"warning: of {unread:.0%} of {len(PLAIN)} plain English texts the tokenizer knows no token: fine for "
            "another language; otherwise its rules are not those that the model was pretrained with"
        )
    check_memory(plan)
    check_can_write(out / "model.pt", WEIGHT * plan.parameters)
    with alone_in(out):
        checkpoint = carry_out(plan, options.seed or 0)
        save_checkpoint(out, checkpoint)
    for part in checkpoint.lacks:
        print(f"the folder has no {part}: {WITHOUT[part]}")
    if pooler_is_new(checkpoint):
        print("the folder's pooler was never trained (its bias is 0): a +head reads more where the method trains it")
    print(f"\nsaved: {out}\nuse it: minitune compare --data FILE --model {out}")
    if plan.times_the_work > MUCH:
        print(
            "the learning rates by default suit the small models that are shipped; a large one wants lower: --set lr=R"
        )


MUCH = 5  # times the work of the shipped model: a large model
WITHOUT = {  # what a BERT without a part cannot do
    "MLM head": "zero-shot and verbalizers are refused, a +head reads it",
    "pooler": "a +head is refused, but with methods that train the pooler (full, top, layerwise, gradual)",
    "next-sentence head": "no method here needs it",
}
