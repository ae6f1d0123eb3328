"""The prompt texts of the models' training and inference, each defined once.

`ALPACA_*`: Stanford Alpaca, also used by WizardCoder. `WIZARDCODER_TASK`: the prompt of WizardCoder's authors
for benchmark problems (WizardLM, humaneval_gen.py). `VICUNA_SYSTEM`: FastChat's Vicuna v1.1. DeepSeek-Coder
has two spellings of its system sentence: `DEEPSEEK_SYSTEM` in its fine-tuning script, `DEEPSEEK_CHAT_SYSTEM`
in its published chat template. `INST_*`, `SYS_*`: Meta's Llama 2 chat, also used by CodeLlama-Instruct.
`CHATML_*`, `QWEN_SYSTEM`: the chat template in Qwen2.5-Coder's tokenizer_config.json.
Fill-in-the-middle: the families' model cards; `infilling` converts them into ids.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = [
    "ALPACA_PREAMBLE",
    "ALPACA_WITHOUT_INPUT",
    "ALPACA_WITH_INPUT",
    "CHATML_SYSTEM",
    "CHATML_TURN",
    "CODELLAMA_INFILL",
    "DEEPSEEK_CHAT_SYSTEM",
    "DEEPSEEK_INFILL",
    "DEEPSEEK_SYSTEM",
    "DEEPSEEK_TURN",
    "INST_BEGIN",
    "INST_END",
    "QWEN_SYSTEM",
    "STARCODER_INFILL",
    "SYS_BEGIN",
    "SYS_END",
    "VICUNA_SYSTEM",
    "WIZARDCODER_TASK",
    "Infill",
    "alpaca_prompt",
]

ALPACA_WITH_INPUT = (
    "Below is an instruction that describes a task, paired with an input that provides further context. "
    "Write a response that appropriately completes the request.\n\n"
    "### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:"
)
ALPACA_PREAMBLE = (
    "Below is an instruction that describes a task. "
    "Write a response that appropriately completes the request.\n\n"
)
ALPACA_WITHOUT_INPUT = ALPACA_PREAMBLE + "### Instruction:\n{instruction}\n\n### Response:"
VICUNA_SYSTEM = (
    "A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions."
)
DEEPSEEK_SYSTEM = (
    "You are an AI programming assistant, utilizing the DeepSeek Coder model, developed by DeepSeek Company, "
    "and you only answer questions related to computer science. For politically sensitive questions, "
    "security and privacy issues, and other non-computer science questions, you will refuse to answer."
)
DEEPSEEK_CHAT_SYSTEM = (
    "You are an AI programming assistant, utilizing the Deepseek Coder model, developed by Deepseek Company, "
    "and you only answer questions related to computer science. For politically sensitive questions, "
    "security and privacy issues, and other non-computer science questions, you will refuse to answer\n"
)
DEEPSEEK_TURN = "### Instruction:\n{instruction}\n### Response:\n"
# Their script has two blank lines, not one, between Alpaca's preamble and the instruction.
WIZARDCODER_TASK = (
    ALPACA_PREAMBLE
    + "\n### Instruction:\nCreate a Python script for this problem:\n{prompt}\n\n### Response:"
)
CHATML_SYSTEM = "<|im_start|>system\n{system}<|im_end|>\n"
CHATML_TURN = "<|im_start|>user\n{instruction}<|im_end|>\n<|im_start|>assistant\n"
QWEN_SYSTEM = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
INST_BEGIN, INST_END = "[INST]", "[/INST]"
SYS_BEGIN, SYS_END = "<<SYS>>\n", "\n<</SYS>>\n\n"


class Infill(NamedTuple):
    """The tokens around a gap, in the order prefix, suffix, middle (or DeepSeek's begin, hole, end).

    Attributes:
        template: the prompt, with `{prefix}` and `{suffix}`.
        end: the token that ends the filled middle.
    """

    template: str
    end: str


CODELLAMA_INFILL = Infill("▁<PRE>{prefix}▁<SUF>{suffix}▁<MID>", "▁<EOT>")
DEEPSEEK_INFILL = Infill(
    "<｜fim▁begin｜>{prefix}<｜fim▁hole｜>{suffix}<｜fim▁end｜>", "<｜end▁of▁sentence｜>"
)
STARCODER_INFILL = Infill("<fim_prefix>{prefix}<fim_suffix>{suffix}<fim_middle>", "<|endoftext|>")


def alpaca_prompt(instruction: str, context: str = "") -> str:
    """Return Stanford Alpaca's prompt; the version with an input is used if `context` is not empty."""
    template = ALPACA_WITH_INPUT if context else ALPACA_WITHOUT_INPUT
    # In one pass, so that a `{input}` inside the instruction is kept.
    return template.format(instruction=instruction, input=context)
