"""Every mistake in a YAML is one line that names file and key, with the nearest known key."""

from pathlib import Path

import pytest

from modelcore.config.reading import read_config, read_yaml
from modelcore.demo.config import Demo
from modelcore.errors import MindrailError
from tests.paths import ROOT

DEMO = ROOT / "configs" / "demo.yaml"


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("train.learning_rat=1", "train.learning_rat: unknown key; did you mean learning_rate?"),
        ("trian.steps=1", "trian: unknown key; did you mean train?"),
        ("train.zzz=1", "train.zzz: unknown key; known keys: steps, "),
        ("train.steps=abc", 'train.steps: input should be a valid integer, not "abc"'),
        ("train.steps=1.5", "train.steps: input should be a valid integer, not 1.5"),
        ("train.steps=true", "train.steps: input should be a valid integer, not true"),
        ("train.steps=0", "train.steps: input should be greater than or equal to 1, not 0"),
        ("train.learning_rate=.nan", "train.learning_rate: input should be a finite number"),
        ("train.beta1=1.0", "train.beta1: input should be less than 1, not 1.0"),
        ("preprocess.near_threshold=0", "preprocess.near_threshold: input should be greater than 0"),
        ("preprocess={input: a, format: text, pack: true}", "preprocess: pack is true, but format text"),
        (
            "preprocess={input: a, compat: mindformers, ngram: 9}",
            "preprocess: compat is mindformers, which has no ngram: use compat: model",
        ),
        (
            "preprocess={input: a, compat: mindformers, format: text}",
            "preprocess: compat is mindformers, but format text is none of MindFormers'",
        ),
        ("score.k=[]", "score.k: list should have at least 1 item"),
        ("download.sha256={a: b}", "download.sha256.a: string should match pattern"),
        ("launch.retry_delay=.inf", "launch.retry_delay: input should be a finite number"),
        ("train=", "train: input should be an object"),
        ("train.steps.more=1", "--set train.steps.more=1: steps is a value"),
        ("nonsense", "--set nonsense: not of the form"),
        ("train.steps=[1", "--set train.steps=[1: the value is not valid YAML"),
        ("preprocess.format=lama", "preprocess.format: input should be 'wizardcoder', 'llama'"),
        ("first_programs.model.num_heads=5", "first_programs.model: hidden_size"),
        (
            "parallel.model_parallel=2",
            "launch.world_size is 2, but parallel gives data_parallel 2 × model_parallel 2",
        ),
        ("parallel.offset=[1,-1]", "parallel: offset has 2 numbers, pipeline_stage is 1"),
        ("parallel.micro_batch_num=4", "micro_batch_num 4 is for several stages; with one: train.acc"),
        ("score.k=[1,10]", "score.k has 10, but generate.samples is 1"),
        (f"{'a.' * 60}a=1", "61 keys deep; at most 50"),
        ("first_programs=null", "first_programs: input should be an object"),
        ("train.warmup_steps=100000", "train: warmup_steps 100000 leaves nothing"),
        ("generate.samples=4", "generate: 4 greedy samples are all the same"),
    ],
)
def test_a_wrong_value_is_reported_with_file_and_key(override, said):
    with pytest.raises(MindrailError) as caught:
        read_config(DEMO, Demo, [override])
    line = str(caught.value)
    assert said in line
    assert "\n" not in line
    assert override in line or str(DEMO) in line


def test_several_errors_are_reported_at_once():
    with pytest.raises(MindrailError, match="train.steps: .*also wrong: score.kk"):
        read_config(DEMO, Demo, ["score.kk=1", "train.steps=x"])


def test_an_override_is_read_as_yaml_and_wins():
    config = read_config(DEMO, Demo, ["train.learning_rate=1e-4", "generate.temperature=0.5", "name=mine"])
    assert (config.train.learning_rate, config.generate.temperature, config.name) == (1e-4, 0.5, "mine")


def written(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "run.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [1", "run.yaml:1: not valid YAML"),
        ("a: 1\nb: 2\na: 3\n", "run.yaml:3: not valid YAML: the key 'a' is there twice"),
        ("- a\n", "holds list, not keys and values"),
        ("", "holds NoneType"),
        (b"\xff\xfe\x00", "not UTF-8"),
        ("a: !!python/object/apply:os.system [ls]\n", "not valid YAML"),
        ("a: \x07\n", "not valid YAML"),
    ],
)
def test_a_broken_file_is_reported_by_name_and_line(tmp_path, text, said):
    with pytest.raises(MindrailError) as caught:
        read_yaml(written(tmp_path, text))
    assert said in str(caught.value)


def test_a_missing_file_is_reported_with_the_nearest_name(tmp_path):
    written(tmp_path, "a: 1")
    with pytest.raises(MindrailError, match=r"there is no such file; did you mean .*run\.yaml"):
        read_yaml(tmp_path / "runn.yaml")


def test_words_stay_words_and_numbers_are_numbers(tmp_path):
    path = written(tmp_path, "a: yes\nb: on\nc: 1e-4\nd: true\ne: 12\nf: 1.\ng: .5e3\nh: 1_000\n")
    expected = {"a": "yes", "b": "on", "c": 1e-4, "d": True, "e": 12, "f": 1.0, "g": 500.0}
    assert {key: value for key, value in read_yaml(path).items() if key != "h"} == expected


def test_a_step_is_made_of_micro_batches_with_stages_and_of_accumulated_batches_without():
    without = read_config(DEMO, Demo, ["train.accumulate=3", "train.batch_size=2"])
    replicas = without.parallel.data_parallel
    assert (without.micro_batches, without.global_batch) == (3, 2 * replicas * 3)
    stages = ["parallel.data_parallel=2", "parallel.pipeline_stage=2", "launch.world_size=4"]
    staged = read_config(DEMO, Demo, [*stages, "parallel.micro_batch_num=8", "train.batch_size=2"])
    assert (staged.micro_batches, staged.global_batch) == (8, 2 * 2 * 8)
    with pytest.raises(MindrailError, match=r"train.accumulate is 3, but with 2 stages it is parallel.micro"):
        read_config(DEMO, Demo, [*stages, "train.accumulate=3"])


def test_rows_held_back_are_validated_at_every_checkpoint_by_default():
    held_back = ["preprocess.validation=0.1", "train.checkpoint_every=30"]
    assert read_config(DEMO, Demo, ["preprocess.validation=0"]).validate_every is None
    assert read_config(DEMO, Demo, held_back).validate_every == 30
    assert read_config(DEMO, Demo, [*held_back, "train.validate_every=7"]).validate_every == 7
    with pytest.raises(MindrailError, match=r"train.validate_every is 7, but preprocess.validation is 0"):
        read_config(DEMO, Demo, ["preprocess.validation=0", "train.validate_every=7"])
