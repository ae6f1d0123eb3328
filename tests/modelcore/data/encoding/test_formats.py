"""The layouts equal the published ones, and their answers are in the loss."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelcore.data.encoding.compat import mindformers_encoder
from modelcore.data.encoding.encode import Encoded, InstructionEncoder, TextEncoder
from modelcore.data.encoding.formats import FORMATS
from modelcore.data.encoding.prompts import (
    CODELLAMA_INFILL,
    DEEPSEEK_INFILL,
    STARCODER_INFILL,
    alpaca_prompt,
)
from modelcore.data.encoding.rows import loss_tokens
from modelcore.data.sources.records import Dialogue, Exchange, Instruction
from modelcore.data.tokenizers import Tokenizer, load_tokenizer
from modelcore.errors import MindrailError

TWO_TURNS = Dialogue("", [Exchange("hi", "hello"), Exchange("bye", "see you")])


def text_of(name: str, dialogue: Dialogue) -> str:
    """The whole sample as the model reads it, with control tokens written out."""
    form = FORMATS[name]
    text = ""
    for index, turn in enumerate(form.turns(dialogue)):
        opens = form.opening and (index == 0 or form.opens == "each")
        text += f"{form.opening if opens else ''}{turn.prompt}{turn.answer}{form.closing}"
    return text


def trained_texts(encoded: Encoded, tokenizer: Tokenizer) -> list[str]:
    """The texts in the loss, run by run."""
    runs: list[list[int]] = []
    before = False
    for number, trained in zip(encoded.ids.tolist(), encoded.trained.tolist(), strict=True):
        if trained and not before:
            runs.append([])
        if trained:
            runs[-1].append(number)
        before = trained
    return [tokenizer.decode(run, skip_special=False, continues=True) for run in runs]


def test_wizardcoder_is_alpaca_with_its_end_token() -> None:
    asked = FORMATS["wizardcoder"].from_instruction(Instruction("Sort it.", "[2, 1]", "[1, 2]"))
    assert text_of("wizardcoder", Dialogue("", [asked])) == (
        "Below is an instruction that describes a task, paired with an input that provides further context. "
        "Write a response that appropriately completes the request.\n\n### Instruction:\nSort it.\n\n"
        "### Input:\n[2, 1]\n\n### Response:[1, 2]<|endoftext|>"
    )


def test_alpaca_without_an_input_has_no_input_section() -> None:
    assert alpaca_prompt("Sort {input}.") == (
        "Below is an instruction that describes a task. Write a response that appropriately completes the "
        "request.\n\n### Instruction:\nSort {input}.\n\n### Response:"
    )


def test_llama_is_vicuna_v1_1() -> None:
    assert text_of("llama", TWO_TURNS) == (
        "<s>A chat between a curious user and an artificial intelligence assistant. "
        "The assistant gives helpful, detailed, and polite answers to the user's questions. "
        "USER: hi ASSISTANT: hello</s>USER: bye ASSISTANT: see you</s>"
    )


def test_codellama_instruct_is_llama_2_chat() -> None:
    assert text_of("codellama-instruct", TWO_TURNS) == (
        "<s>[INST] hi [/INST] hello </s><s>[INST] bye [/INST] see you </s>"
    )
    with_system = TWO_TURNS._replace(system="Be brief.")
    assert text_of("codellama-instruct", with_system).startswith(
        "<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nhi [/INST] hello </s>"
    )


def test_deepseek_is_its_instruct_template() -> None:
    text = text_of("deepseek", TWO_TURNS)
    assert text.startswith(
        "<｜begin▁of▁sentence｜>You are an AI programming assistant, utilizing the DeepSeek"
    )
    assert text.endswith(
        "you will refuse to answer.\n### Instruction:\nhi\n### Response:\nhello\n<|EOT|>"
        "\n### Instruction:\nbye\n### Response:\nsee you\n<|EOT|>"
    )


def test_deepseek_and_codellama_put_an_input_below_its_instruction() -> None:
    for name in ("deepseek", "codellama-instruct"):
        assert FORMATS[name].from_instruction(Instruction("Sort.", "[1]", "x")) == Exchange("Sort.\n[1]", "x")


def test_infilling_strings_are_the_published_ones() -> None:
    assert CODELLAMA_INFILL.template.format(prefix="a", suffix="b") == "▁<PRE>a▁<SUF>b▁<MID>"
    assert (
        STARCODER_INFILL.template.format(prefix="a", suffix="b") == "<fim_prefix>a<fim_suffix>b<fim_middle>"
    )
    assert DEEPSEEK_INFILL.template.format(prefix="a", suffix="b") == (
        "<｜fim▁begin｜>a<｜fim▁hole｜>b<｜fim▁end｜>"
    )


def test_answers_and_their_end_tokens_are_in_the_loss_and_nothing_else(
    sentencepiece_dir: Path, tokenizer_json_dir: Path
) -> None:
    llama = load_tokenizer(sentencepiece_dir)
    encoded = InstructionEncoder.of(FORMATS["llama"], llama).encode([TWO_TURNS])
    assert trained_texts(encoded, llama) == [" hello</s>", " see you</s>"]
    encoded = InstructionEncoder.of(FORMATS["codellama-instruct"], llama).encode([TWO_TURNS])
    assert trained_texts(encoded, llama) == [" hello </s>", " see you </s>"]
    assert encoded.ids.tolist().count(1) == 2
    deepseek = load_tokenizer(tokenizer_json_dir)
    encoded = InstructionEncoder.of(FORMATS["deepseek"], deepseek).encode([TWO_TURNS])
    assert trained_texts(encoded, deepseek) == ["hello\n<|EOT|>", "see you\n<|EOT|>"]


@pytest.mark.parametrize(
    ("question", "answer"),
    [("hi", "one ASSISTANT: two"), ("say </s> now", "fine"), ("hi", ""), ("hi", "\n\n  indented"), ("", "x")],
)
def test_llama_masks_the_question_where_mindformers_masks_the_whole_sample(
    sentencepiece_dir: Path, question: str, answer: str
) -> None:
    tokenizer = load_tokenizer(sentencepiece_dir)
    dialogue = Dialogue("", [Exchange(question, answer)])
    encoded = InstructionEncoder.of(FORMATS["llama"], tokenizer).encode([dialogue])
    assert trained_texts(encoded, tokenizer) == [(f" {answer}" if answer else "") + "</s>"]


@pytest.mark.parametrize(
    ("question", "answer"), [("hi", "one ASSISTANT: two"), ("say </s> now", "fine"), ("hi", "")]
)
def test_compat_masks_the_whole_sample_where_mindformers_does(
    sentencepiece_dir: Path, question: str, answer: str
) -> None:
    tokenizer = load_tokenizer(sentencepiece_dir)
    theirs = mindformers_encoder(FORMATS["llama"], tokenizer, sentencepiece_dir, 2048)
    assert loss_tokens(theirs.encode([Dialogue("", [Exchange(question, answer)])])).tolist() == [0]


def test_compat_trains_on_every_answer_of_a_valid_conversation(sentencepiece_dir: Path) -> None:
    tokenizer = load_tokenizer(sentencepiece_dir)
    ours = InstructionEncoder.of(FORMATS["llama"], tokenizer).encode([TWO_TURNS])
    theirs = mindformers_encoder(FORMATS["llama"], tokenizer, sentencepiece_dir, 2048).encode([TWO_TURNS])
    assert ours.ids.tolist() == theirs.ids.tolist() and ours.trained.tolist() == theirs.trained.tolist()


def test_compat_refuses_formats_that_mindformers_does_not_have(
    sentencepiece_dir: Path, tokenizer_json_dir: Path
) -> None:
    tokenizer = load_tokenizer(sentencepiece_dir)
    with pytest.raises(MindrailError, match="MindFormers has no format codellama-instruct"):
        mindformers_encoder(FORMATS["codellama-instruct"], tokenizer, sentencepiece_dir, 9)
    with pytest.raises(MindrailError, match=r"vocab\.json: no such file"):
        mindformers_encoder(FORMATS["wizardcoder"], tokenizer, tokenizer_json_dir, 9)


def test_special_tokens_in_the_data_can_be_read_as_characters(sentencepiece_dir: Path) -> None:
    tokenizer = load_tokenizer(sentencepiece_dir)
    dialogue = Dialogue("", [Exchange("say </s>", "</s>")])
    form = FORMATS["llama"]
    assert InstructionEncoder.of(form, tokenizer).encode([dialogue]).ids.tolist().count(2) == 3
    plain = InstructionEncoder.of(form, tokenizer, specials=False).encode([dialogue])
    assert plain.ids.tolist().count(2) == 1


def test_a_vocabulary_without_the_control_tokens_is_refused(vocab_merges_dir: Path) -> None:
    with pytest.raises(MindrailError, match="format llama needs '<s>'"):
        InstructionEncoder.of(FORMATS["llama"], load_tokenizer(vocab_merges_dir))


def test_texts_are_between_bos_and_eos_and_entirely_in_the_loss(
    sentencepiece_dir: Path, vocab_merges_dir: Path
) -> None:
    llama = load_tokenizer(sentencepiece_dir)
    encoded = TextEncoder.of(llama).encode(["a b", ""])
    assert encoded.ids.tolist() == [1, *llama.encode("a b"), 2, 1, 2] and encoded.trained.all()
    starcoder = load_tokenizer(vocab_merges_dir)
    assert TextEncoder.of(starcoder).encode(["a"]).ids.tolist() == [*starcoder.encode("a"), 0]


@pytest.mark.parametrize("system", ["", "Answer in Rust."])
def test_chatml_gives_the_ids_of_qwens_chat_template(system: str, qwen2_dir: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = load_tokenizer(qwen2_dir)
    encoded = InstructionEncoder.of(FORMATS["chatml"], tokenizer).encode([TWO_TURNS._replace(system=system)])
    messages = [{"role": "system", "content": system}] if system else []
    for question, answer in TWO_TURNS.exchanges:
        messages += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    text = AutoTokenizer.from_pretrained(qwen2_dir).apply_chat_template(messages, tokenize=False)
    # The template ends with a newline after the last answer, which no one reads.
    assert encoded.ids.tolist() == tokenizer.encode(text.removesuffix("\n"))
    assert trained_texts(encoded, tokenizer) == ["hello<|im_end|>", "see you<|im_end|>"]


def test_chatml_needs_its_markers_read_as_tokens(qwen2_dir: Path, vocab_merges_dir: Path) -> None:
    with pytest.raises(MindrailError, match=r"literal_specials: format chatml writes '<\|im_start\|>'"):
        InstructionEncoder.of(FORMATS["chatml"], load_tokenizer(qwen2_dir), specials=False)
    with pytest.raises(MindrailError, match=r"format chatml needs '<\|im_start\|>', which is not in"):
        InstructionEncoder.of(FORMATS["chatml"], load_tokenizer(vocab_merges_dir))


def test_only_wizardcoder_holds_a_single_question() -> None:
    assert {name: form.multi_turn for name, form in FORMATS.items()} == {
        "wizardcoder": False,
        "llama": True,
        "codellama-instruct": True,
        "deepseek": True,
        "chatml": True,
    }
