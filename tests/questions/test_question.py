"""A user's own way of asking: a template and label words in place of the task's."""

import pytest

from minitune.errors import UserError
from minitune.models import BERTConfig
from minitune.models.build import random_model
from minitune.questions.from_task import task_data
from minitune.questions.otherwise import asked_otherwise
from minitune.training.checkpoint import Checkpoint

pytestmark = pytest.mark.lesson07


@pytest.fixture
def checkpoint(bert_tokenizer):
    config = BERTConfig(len(bert_tokenizer), layers=1, width=12, heads=2, inner=20, context=16)
    return Checkpoint(random_model(config, seed=0), bert_tokenizer)


def test_a_users_own_words_and_template_replace_the_tasks(checkpoint):
    question = task_data("sentiment").question
    own = asked_otherwise(question, "{text} so {mask} !", "positive=great,good;negative=awful", checkpoint)
    assert own.template == "{text} so {mask} !" and own.label_words["positive"] == ("great", "good")
    with pytest.raises(UserError, match="no blank"):
        asked_otherwise(question, "{text}", None, checkpoint)
    spelled = asked_otherwise(question, None, "positive=unheard:2;negative=awful", checkpoint)
    assert spelled.label_words["positive"] == ("unheard:2",), "a word in pieces can be read, and weighed"
    with pytest.raises(UserError, match="'猫' cannot be read at a blank"):
        asked_otherwise(question, None, "positive=猫;negative=awful", checkpoint)


def test_words_have_to_fit_the_blanks(checkpoint):
    question = task_data("sentiment").question
    two = "{text} {mask} {mask}"
    own = asked_otherwise(question, two, "positive=was great;negative=was awful", checkpoint)
    assert own.blanks == 2
    with pytest.raises(UserError, match=r"'great' does not fit .* 2 blanks, one for each token; take words of 2"):
        asked_otherwise(question, two, "positive=great;negative=was awful", checkpoint)
    with pytest.raises(UserError, match="does not fit the template"):
        asked_otherwise(question, two, None, checkpoint)
    assert asked_otherwise(question, two, None, checkpoint, needs_blank=False).blanks == 2, "a head reads no words"


def test_a_template_of_ones_own_needs_a_blank_where_one_is_read(checkpoint):
    question = task_data("sentiment").question
    own = asked_otherwise(question, "{soft:4} {text}", None, checkpoint, needs_blank=False)
    assert own.template == "{soft:4} {text}" and own.is_own and not question.is_own
    assert asked_otherwise(question, None, None, checkpoint) == question
    with pytest.raises(UserError, match="no label word"):
        asked_otherwise(question, None, "positive=great", checkpoint)
