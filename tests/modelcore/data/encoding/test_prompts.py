"""The models' prompts equal the published ones, character by character."""

from __future__ import annotations

from modelcore.data.encoding import prompts


def test_wizardcoders_prompt_is_its_authors() -> None:
    assert prompts.WIZARDCODER_TASK.format(prompt="P") == (
        "Below is an instruction that describes a task. Write a response that appropriately completes the "
        "request.\n\n\n### Instruction:\nCreate a Python script for this problem:\nP\n\n### Response:"
    )


def test_deepseeks_prompt_is_its_chat_templates() -> None:
    asked = prompts.DEEPSEEK_CHAT_SYSTEM + prompts.DEEPSEEK_TURN.format(instruction="P")
    assert asked == (
        "You are an AI programming assistant, utilizing the Deepseek Coder model, developed by Deepseek "
        "Company, and you only answer questions related to computer science. For politically sensitive "
        "questions, security and privacy issues, and other non-computer science questions, you will refuse "
        "to answer\n### Instruction:\nP\n### Response:\n"
    )


def test_deepseeks_training_rows_have_the_spelling_of_its_script() -> None:
    assert "utilizing the DeepSeek Coder model, developed by DeepSeek Company," in prompts.DEEPSEEK_SYSTEM
    assert prompts.DEEPSEEK_SYSTEM.endswith("you will refuse to answer.")


def test_llama_chat_has_metas_markers() -> None:
    marks = (prompts.INST_BEGIN, prompts.INST_END, prompts.SYS_BEGIN, prompts.SYS_END)
    assert marks == ("[INST]", "[/INST]", "<<SYS>>\n", "\n<</SYS>>\n\n")


def test_alpacas_prompt_is_stanfords() -> None:
    assert prompts.alpaca_prompt("I") == (
        "Below is an instruction that describes a task. Write a response that appropriately completes the "
        "request.\n\n### Instruction:\nI\n\n### Response:"
    )
    assert prompts.alpaca_prompt("{input}", "C") == (
        "Below is an instruction that describes a task, paired with an input that provides further context. "
        "Write a response that appropriately completes the request.\n\n"
        "### Instruction:\n{input}\n\n### Input:\nC\n\n### Response:"
    )


def test_fill_in_the_middle_has_the_tokens_of_each_family() -> None:
    forms = {
        prompts.CODELLAMA_INFILL: ("▁<PRE>a▁<SUF>b▁<MID>", "▁<EOT>"),
        prompts.DEEPSEEK_INFILL: ("<｜fim▁begin｜>a<｜fim▁hole｜>b<｜fim▁end｜>", "<｜end▁of▁sentence｜>"),
        prompts.STARCODER_INFILL: ("<fim_prefix>a<fim_suffix>b<fim_middle>", "<|endoftext|>"),
    }
    for form, (text, end) in forms.items():
        assert (form.template.format(prefix="a", suffix="b"), form.end) == (text, end)
