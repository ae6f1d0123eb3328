"""The models' texts, character for character as their authors publish them."""

from __future__ import annotations

from modelcore.data.encoding import prompts


def test_wizardcoder_is_asked_as_its_authors_ask() -> None:
    assert prompts.WIZARDCODER_TASK.format(prompt="P") == (
        "Below is an instruction that describes a task. Write a response that appropriately completes the "
        "request.\n\n\n### Instruction:\nCreate a Python script for this problem:\nP\n\n### Response:"
    )


def test_deepseek_is_asked_as_its_chat_template_asks() -> None:
    asked = prompts.DEEPSEEK_CHAT_SYSTEM + prompts.DEEPSEEK_TURN.format(instruction="P")
    assert asked == (
        "You are an AI programming assistant, utilizing the Deepseek Coder model, developed by Deepseek "
        "Company, and you only answer questions related to computer science. For politically sensitive "
        "questions, security and privacy issues, and other non-computer science questions, you will refuse "
        "to answer\n### Instruction:\nP\n### Response:\n"
    )


def test_deepseek_is_tuned_with_the_spelling_of_its_script() -> None:
    assert "utilizing the DeepSeek Coder model, developed by DeepSeek Company," in prompts.DEEPSEEK_SYSTEM
    assert prompts.DEEPSEEK_SYSTEM.endswith("you will refuse to answer.")


def test_llama_chat_has_metas_marks() -> None:
    marks = (prompts.INST_BEGIN, prompts.INST_END, prompts.SYS_BEGIN, prompts.SYS_END)
    assert marks == ("[INST]", "[/INST]", "<<SYS>>\n", "\n<</SYS>>\n\n")


def test_alpaca_is_stanfords() -> None:
    assert prompts.alpaca_prompt("I") == (
        "Below is an instruction that describes a task. Write a response that appropriately completes the "
        "request.\n\n### Instruction:\nI\n\n### Response:"
    )
    assert prompts.alpaca_prompt("{input}", "C") == (
        "Below is an instruction that describes a task, paired with an input that provides further context. "
        "Write a response that appropriately completes the request.\n\n"
        "### Instruction:\n{input}\n\n### Input:\nC\n\n### Response:"
    )


def test_filling_in_has_each_familys_tokens() -> None:
    forms = {
        prompts.CODELLAMA_INFILL: ("▁<PRE>a▁<SUF>b▁<MID>", "▁<EOT>"),
        prompts.DEEPSEEK_INFILL: ("<｜fim▁begin｜>a<｜fim▁hole｜>b<｜fim▁end｜>", "<｜end▁of▁sentence｜>"),
        prompts.STARCODER_INFILL: ("<fim_prefix>a<fim_suffix>b<fim_middle>", "<|endoftext|>"),
    }
    for form, (text, end) in forms.items():
        assert (form.template.format(prefix="a", suffix="b"), form.end) == (text, end)
