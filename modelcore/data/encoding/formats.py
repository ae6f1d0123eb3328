"""The row formats: the text of a record before it is tokenized.

An instruction format is a function from a record's content to turns, and the control tokens around them. The
format `wiki` has no turns; see `wikitext`. Tokenizing and masking are in `encode`, padding in `rows`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from modelcore.data.encoding.prompts import (
    CHATML_SYSTEM,
    CHATML_TURN,
    DEEPSEEK_SYSTEM,
    DEEPSEEK_TURN,
    INST_BEGIN,
    INST_END,
    QWEN_SYSTEM,
    SYS_BEGIN,
    SYS_END,
    VICUNA_SYSTEM,
    alpaca_prompt,
)
from modelcore.data.sources.records import Dialogue, Exchange, Instruction

__all__ = ["FORMATS", "Format", "Turn"]


class Turn(NamedTuple):
    """A part of a sample between control tokens: `prompt` is masked, `answer` is trained on."""

    prompt: str
    answer: str


@dataclass(frozen=True)
class Format:
    """The layout of one model family's samples.

    Attributes:
        name: as on the command line.
        turns: converts a conversation into its turns.
        from_instruction: converts an Alpaca record into a question and an answer.
        opening: text of the token before a turn; None for BOS if the model's prompts begin with it.
        opens: whether the opening token is before the first turn only or before each.
        closing: text of the token that ends each answer; it is in the loss like the answer.
        multi_turn: whether the layout allows several turns and a system text.
        inline: control tokens written out in the text of the prompts.
    """

    name: str
    turns: Callable[[Dialogue], list[Turn]]
    from_instruction: Callable[[Instruction], Exchange]
    opening: str | None
    closing: str
    opens: Literal["first", "each"] = "first"
    multi_turn: bool = True
    inline: tuple[str, ...] = ()


def _wizardcoder(dialogue: Dialogue) -> list[Turn]:
    return [Turn(*dialogue.exchanges[0])]


def _llama(dialogue: Dialogue) -> list[Turn]:
    """Vicuna v1.1: `SYSTEM USER: q ASSISTANT: a</s>USER: q ASSISTANT: a</s>`."""
    opening = f"{dialogue.system or VICUNA_SYSTEM} "
    # The space before an answer belongs to the answer: sentencepiece encodes it in one token with the word.
    return [
        Turn(f"{'' if index else opening}USER: {question} ASSISTANT:", f" {answer}" if answer else "")
        for index, (question, answer) in enumerate(dialogue.exchanges)
    ]


def _codellama_instruct(dialogue: Dialogue) -> list[Turn]:
    """Llama 2 chat: `<s>[INST] <<SYS>>..<</SYS>> q [/INST] a </s>`; turns are stripped, as Meta does.

    A turn's system text is stripped with its question: white space between the two stays.
    """
    system = f"{SYS_BEGIN}{dialogue.system}{SYS_END}" if dialogue.system else ""
    return [
        Turn(
            f"{INST_BEGIN} {(('' if index else system) + question).strip()} {INST_END}", f" {answer.strip()} "
        )
        for index, (question, answer) in enumerate(dialogue.exchanges)
    ]


def _deepseek(dialogue: Dialogue) -> list[Turn]:
    opening = dialogue.system or DEEPSEEK_SYSTEM
    return [
        Turn(f"{'' if index else opening}\n{DEEPSEEK_TURN.format(instruction=question)}", f"{answer}\n")
        for index, (question, answer) in enumerate(dialogue.exchanges)
    ]


def _chatml(dialogue: Dialogue) -> list[Turn]:
    """Qwen2.5's chat template; the newline that it puts after an answer begins the next turn."""
    opening = CHATML_SYSTEM.format(system=dialogue.system or QWEN_SYSTEM)
    return [
        Turn(("\n" if index else opening) + CHATML_TURN.format(instruction=question), answer)
        for index, (question, answer) in enumerate(dialogue.exchanges)
    ]


def _with_alpaca_prompt(record: Instruction) -> Exchange:
    return Exchange(alpaca_prompt(record.instruction, record.input), record.output)


def _without_frame(record: Instruction) -> Exchange:
    """Instruction and input on separate lines: these models were not trained with Alpaca's prompt."""
    question = f"{record.instruction}\n{record.input}" if record.input else record.instruction
    return Exchange(question, record.output)


FORMATS = {
    form.name: form
    for form in (
        Format("wizardcoder", _wizardcoder, _with_alpaca_prompt, None, "<|endoftext|>", multi_turn=False),
        Format("llama", _llama, _with_alpaca_prompt, opening="<s>", closing="</s>"),
        Format("codellama-instruct", _codellama_instruct, _without_frame, "<s>", "</s>", opens="each"),
        Format("deepseek", _deepseek, _without_frame, opening="<｜begin▁of▁sentence｜>", closing="<|EOT|>"),
        Format("chatml", _chatml, _without_frame, None, "<|im_end|>", inline=("<|im_start|>", "<|im_end|>")),
    )
}
