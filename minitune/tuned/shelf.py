"""Several tuned methods of one base, swapped without a reload."""

from __future__ import annotations

from pathlib import Path

from minitune import given
from minitune.errors import UserError
from minitune.models.build import copied
from minitune.predictors.predictor import Predictor
from minitune.training.checkpoint import Checkpoint
from minitune.tuned.saved import read_tuned, rebuild
from minitune.tuning.lora import lora_layers
from minitune.tuning.lora_adapters import remove_lora, switch_lora


class Shelf:
    """Several tuned methods of one base, in memory together: one model, and beside it what each of them trained.

    shelf = Shelf(load_checkpoint("bert"))
    shelf.add("reviews", Path("runs/reviews"))
    shelf.add("news", Path("runs/news"))
    shelf.use("reviews").answers(examples)
    """

    def __init__(self, base: Checkpoint):
        given.model("base", base, Checkpoint)
        self.base, self.model = base, copied(base.model)
        self.kept: dict[str, Predictor] = {}

    def add(self, name: str, folder: str | Path) -> None:
        """Put a saved method on the shelf.

        Raises:
            UserError: the name is taken, another base, or a method that changes the base's own weights.
        """
        name = given.text("name", name, 'a name was expected, as in add("reviews", "runs/reviews")')
        folder = Path(given.path("folder", folder, 'a folder was expected, as in add("reviews", "runs/reviews")'))
        if name in self.kept:
            raise UserError(f"there is something called {name!r} on the shelf already; take another name")
        content = read_tuned(folder)
        of_base = {name for name, _ in self.base.model.named_parameters()}
        own = [key for key in content.weights if str(key).replace("model.", "") in of_base]  # untied: model.model.
        if own:
            raise UserError(
                f"{folder} holds weights of the base itself ({own[0]}), which cannot be swapped: load it by itself"
            )
        try:
            _, self.kept[name], _ = rebuild(folder, content, self.base, into=self.model, name=name)
        except UserError:
            if any(name in layer.adapters for layer in lora_layers(self.model).values()):
                remove_lora(self.model, name)  # it was put in before its weights were found not to fit
            raise

    def use(self, name: str) -> Predictor:
        """Switch to one of them; the others wait, unharmed.

        Raises:
            UserError: there is none of that name.
        """
        if given.text("name", name, "the name of one on the shelf was expected") not in self.kept:
            raise UserError(
                f"there is nothing called {name!r} on the shelf; it holds {', '.join(self.kept) or 'nothing'}"
            )
        if lora_layers(self.model):
            names = {adapter for layer in lora_layers(self.model).values() for adapter in layer.adapters}
            switch_lora(self.model, name if name in names else None)
        return self.kept[name]
