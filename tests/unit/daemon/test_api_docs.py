import json
import re

from daemon.api.docs import PAGE, renewed
from daemon.api.models import Problem
from daemon.api.models_status import SessionStatus
from daemon.api.problems import Reason


def test_the_tables_of_the_page_are_up_to_date() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == renewed(page), "run: python -m daemon.api.docs"


def test_the_examples_have_the_keys_of_the_models() -> None:
    examples = [
        json.loads(text) for text in re.findall(r"```json\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    ]
    status = next(example for example in examples if "sessionId" in example)
    problem = next(example for example in examples if "remedy" in example)
    assert status.keys() == SessionStatus.model_json_schema(mode="serialization")["properties"].keys()
    assert problem.keys() == Problem.model_json_schema()["properties"].keys()


def test_every_problem_has_a_title_and_a_remedy() -> None:
    for reason in Reason:
        assert 400 <= reason.status <= 599
        assert reason.title
        assert not reason.title.endswith(".")
        assert reason.remedy.endswith(".")
