"""A conversation grows with each answer, also a stopped one, and shrinks with none that was refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelcore.data.tokenizers.chat_template import find_chat_template
from modelcore.errors import MindrailError
from modelcore.generation.engine import Engine
from modelcore.generation.sampling import Sampling
from modelcore.serving.conversation import Conversation
from tests.modelcore.serving.small_server import END, Alphabet, served_alphabet


def conversation(directory: Path, system: str = "") -> Conversation:
    served = served_alphabet(directory)
    letters = [served.tokenizer.encode(chr(c))[0] for c in range(ord("a"), ord("z") + 1)]
    letters.insert(0, served.tokenizer.encode("]")[0])  # the template ends with it
    model = Alphabet(letters, served.tokenizer.vocab_size, slots=1, length=64)
    return Conversation(
        served, Engine(model, served.tokenizer, frozenset({END})), Sampling(99), system=system
    )


def never() -> bool:
    return False


def test_question_and_answer_are_remembered(tmp_path: Path) -> None:
    talk = conversation(tmp_path, system="s")
    assert "".join(talk.ask("q", never)) == "abcdefghijklmnopqrstuvwxyz"
    assert [message["role"] for message in talk.messages] == ["system", "user", "assistant"]
    assert talk.tokens == len("[system]s[user]q[a]") + 26
    talk.reset()
    assert talk.messages == [{"role": "system", "content": "s"}]
    talk.reset("")
    assert talk.messages == []


def test_a_stopped_answer_is_remembered_as_far_as_it_went(tmp_path: Path) -> None:
    talk = conversation(tmp_path)
    said: list[str] = []
    for text in talk.ask("q", lambda: len(said) >= 3):
        said.append(text)
    assert "".join(said) == talk.messages[-1]["content"]
    assert 3 <= len(said) < 26
    assert "".join(talk.ask("r", lambda: True)) == "a"


def test_a_question_that_does_not_fit_is_forgotten(tmp_path: Path) -> None:
    talk = conversation(tmp_path)
    with pytest.raises(
        MindrailError, match="messages: .* tokens, of 64 that prompt and answer have together"
    ):
        list(talk.ask("q" * 60, never))
    assert talk.messages == []


def test_a_template_that_refuses_or_is_none_is_one_line(tmp_path: Path) -> None:
    talk = conversation(tmp_path)
    talk.messages = [{"role": "tool", "content": ""}]
    with pytest.raises(MindrailError, match="messages: the model's chat template refuses this: no tools"):
        list(talk.ask("q", never))
    (tmp_path / "chat_template.jinja").write_text("{% if %}")
    template = find_chat_template(tmp_path)
    assert template is not None
    with pytest.raises(MindrailError, match="chat_template.jinja: the chat template is not Jinja"):
        template.render([])
