"""MindFormers' names: what each key of its YAML is called here, or why there is none and what to do instead.

The keys are those of the run_*.yaml of releases 1.0 to 1.3 for CodeLlama, WizardCoder and DeepSeek-Coder,
and the flags of run_mindformer.py. Items of a list (`callbacks`) count as keys below it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["MINDFORMERS", "Counterpart", "explain_name"]


@dataclass(frozen=True)
class Counterpart:
    """What stands here for a key of MindFormers.

    Attributes:
        key: our dotted key; "" if there is none.
        note: with a key, how its values differ; without, why there is none and what to do instead.
    """

    key: str = ""
    note: str = ""


def _no(note: str) -> Counterpart:
    return Counterpart("", note)


_SIZES = _no("sizes are read from the model's config.json")
_TOKENS = _no("special tokens are the tokenizer's own, from the source's tokenizer files")
_ROWS = "MindRecord rows are taken as they are; preprocess.input makes them from instructions or texts"
_TOKENIZER = Counterpart("download.source", "the tokenizer's files lie beside the model's")
_DEVICE = _no("set for each rank when it starts; environment variables of ranks are launch.environment")
_GRAPH = _no("compiler settings are MindSpore's defaults; its environment variables are launch.environment")
_PROFILE = _no("MindSpore's profiler is not started; times per step are in logs/timings.jsonl of `launch`")
_TUNING = _no("there is no automatic tuning; `mindrail layout` compares layouts by memory")
_READER = _no("rows are read from the MindRecord as each step needs them")
_RECOMPUTE = _no("parallel.recompute recomputes whole layers; there is no finer choice")
_AUTO_PARALLEL = _no("the layout of `parallel` alone says how the model is divided")
_FP32 = _no("norms, softmax and rotary positions are computed in fp32")
_CACHE = _no("generation always keeps keys and values, with a cache of its own layout")
_LOSS_SCALE = _no("with train.precision fp16 the loss scale is dynamic; other precisions need none")
_LAYER_RATES = _no("every layer has the same learning rate")
_EVALUATION = _no("use preprocess.validation for a validation loss, `mindrail run` or `evaluate` for pass@k")
_WHOLE_ACTIVATIONS = _no(
    "every rank keeps whole activations between the layers' matrices; parallel.recompute saves their memory"
)
_EXPERTS = _no("models here have no mixture of experts")
_STRATEGY = _no("strategy files are written beside every sharded checkpoint and found there")

MINDFORMERS: Mapping[str, Counterpart] = {
    # the run
    "seed": Counterpart("seed"),
    "output_dir": Counterpart("store", "every step's output is an artifact in it"),
    "load_checkpoint": Counterpart("download.source"),
    "resume_training": Counterpart(
        "train.resume_from", "a directory; the same run resumes where it was without it"
    ),
    "auto_trans_ckpt": _no("leave it out: every run divides the checkpoint for its layout"),
    "transform_process_num": _no("leave it out: dividing a checkpoint reads tensor by tensor in one process"),
    "only_save_strategy": _no(
        "`mindrail layout` shows what each rank holds; `mindrail shard` writes strategy files"
    ),
    "src_strategy_path_or_dir": _STRATEGY,
    "load_ckpt_format": Counterpart("convert.format"),
    "run_mode": _no("the command says it: `mindrail pretrain`, `finetune`, `run` or `evaluate`"),
    "use_parallel": _no("leave it out: several ranks in `parallel` are a parallel run"),
    "trainer.type": _no("leave it out: every model here is a causal language model"),
    "trainer.model_name": _no("leave it out: config.json of download.source says which model it is"),
    "do_eval": _EVALUATION,
    "eval_step_interval": Counterpart("train.validate_every", "needs preprocess.validation"),
    "eval_epoch_interval": Counterpart("train.validate_every", "in steps; needs preprocess.validation"),
    "eval_callbacks": _EVALUATION,
    "eval_dataset": _EVALUATION,
    "eval_dataset_task": _EVALUATION,
    "metric": _EVALUATION,
    "remote_save_url": _no("copy the store where you want it"),
    # runner
    "runner_config.epochs": Counterpart("train.epochs", "or train.steps"),
    "runner_config.batch_size": Counterpart("train.batch_size"),
    "runner_config.gradient_accumulation_steps": Counterpart("train.accumulate"),
    "runner_config.sink_mode": _no(
        "leave it out: every step is one call, so that each has its loss and checks"
    ),
    "runner_config.sink_size": _no(
        "leave it out: every step is one call, so that each has its loss and checks"
    ),
    "runner_wrapper.type": _no("leave it out: there is one training step"),
    "runner_wrapper.use_clip_grad": Counterpart("train.clip_norm", "a norm; gradients are always clipped"),
    "runner_wrapper.max_grad_norm": Counterpart("train.clip_norm"),
    "runner_wrapper.scale_sense": _LOSS_SCALE,
    "runner_wrapper.scale_sense.type": _LOSS_SCALE,
    "runner_wrapper.scale_sense.loss_scale_value": _LOSS_SCALE,
    "runner_wrapper.scale_sense.scale_factor": _LOSS_SCALE,
    "runner_wrapper.scale_sense.scale_window": _LOSS_SCALE,
    # optimizer and schedule
    "optimizer.type": _no("leave it out: the optimizer is AdamW with states in fp32"),
    "optimizer.beta1": Counterpart("train.beta1"),
    "optimizer.beta2": Counterpart("train.beta2"),
    "optimizer.eps": Counterpart("train.epsilon"),
    "optimizer.weight_decay": Counterpart("train.weight_decay", "norms and biases have none"),
    "optimizer.learning_rate": Counterpart("train.learning_rate"),
    "lr_schedule.type": _no("leave it out: the schedule is a linear warm-up and a cosine"),
    "lr_schedule.learning_rate": Counterpart("train.learning_rate"),
    "lr_schedule.lr_end": Counterpart("train.final_rate", "a share of learning_rate: lr_end / learning_rate"),
    "lr_schedule.warmup_steps": Counterpart("train.warmup_steps"),
    "lr_schedule.warmup_ratio": Counterpart("train.warmup_ratio"),
    "lr_schedule.total_steps": Counterpart("train.total_steps", "-1 is the run's last step there, too"),
    "lr_schedule.warmup_lr_init": _no("the first of n warm-up steps has the n-th part of the peak"),
    "lr_schedule.num_cycles": _no("leave it out: the cosine is half a wave"),
    "lr_schedule.decay_steps": _no("give train.total_steps: the cosine ends there"),
    "layer_scale": _LAYER_RATES,
    "layer_decay": _LAYER_RATES,
    "lr_scale": _LAYER_RATES,
    "lr_scale_factor": _LAYER_RATES,
    # data
    "train_dataset_dir": Counterpart("preprocess.rows", _ROWS),
    "train_data": Counterpart("preprocess.rows", _ROWS),
    "train_dataset.data_loader.dataset_dir": Counterpart("preprocess.rows", _ROWS),
    "train_dataset.data_loader.dataset_files": Counterpart("preprocess.rows", _ROWS),
    "train_dataset.data_loader.type": _READER,
    "train_dataset.data_loader.shuffle": _no("leave it out: every epoch has an order of its own, by `seed`"),
    "train_dataset.seed": Counterpart("seed"),
    "train_dataset.batch_size": Counterpart("train.batch_size"),
    "train_dataset.tokenizer.type": _TOKENS,
    "train_dataset.tokenizer.max_length": Counterpart("preprocess.seq_length"),
    "train_dataset.input_columns": _no("leave it out: the columns are those of the rows"),
    "train_dataset.num_parallel_workers": _READER,
    "train_dataset.python_multiprocessing": _READER,
    "train_dataset.numa_enable": _READER,
    "train_dataset.prefetch_size": _READER,
    "train_dataset.drop_remainder": _no("leave it out: rows left over at an epoch's end begin the next step"),
    "train_dataset.repeat": Counterpart("train.epochs"),
    "train_dataset_task": _READER,
    "train_dataset_task.type": _READER,
    "train_dataset_task.dataset_config": _READER,
    # parallel
    "parallel_config.data_parallel": Counterpart("parallel.data_parallel"),
    "parallel_config.model_parallel": Counterpart("parallel.model_parallel"),
    "parallel_config.pipeline_stage": Counterpart("parallel.pipeline_stage"),
    "parallel_config.micro_batch_num": Counterpart("parallel.micro_batch_num"),
    "parallel_config.vocab_emb_dp": Counterpart("parallel.vocab_emb_dp"),
    "parallel_config.optimizer_shard": Counterpart("parallel.shard_optimizer"),
    "parallel_config.context_parallel": _no(
        "sequences are not divided among ranks; lower preprocess.seq_length"
    ),
    "parallel_config.expert_parallel": _EXPERTS,
    "parallel_config.use_seq_parallel": _WHOLE_ACTIVATIONS,
    "parallel_config.gradient_aggregation_group": _no("leave it out: gradients are summed once per step"),
    "micro_batch_interleave_num": _no("leave it out: a rank computes one micro-batch at a time"),
    "parallel.enable_parallel_optimizer": Counterpart("parallel.shard_optimizer"),
    "parallel.parallel_mode": _AUTO_PARALLEL,
    "parallel.search_mode": _AUTO_PARALLEL,
    "parallel.full_batch": _AUTO_PARALLEL,
    "parallel.dataset_strategy": _AUTO_PARALLEL,
    "parallel.enable_alltoall": _AUTO_PARALLEL,
    "parallel.gradients_mean": _no(
        "leave it out: the gradient is of the mean over all tokens in the loss of a step"
    ),
    "parallel.loss_repeated_mean": _no(
        "leave it out: the loss is the mean over all tokens in the loss of a step"
    ),
    "parallel.strategy_ckpt_save_file": _STRATEGY,
    "parallel.strategy_ckpt_config": _STRATEGY,
    "parallel.parallel_optimizer_config": _no("parallel.shard_optimizer divides every state that divides"),
    "parallel.parallel_optimizer_config.gradient_accumulation_shard": _no(
        "summed gradients are whole on every replica"
    ),
    "parallel.parallel_optimizer_config.parallel_optimizer_threshold": _no(
        "parallel.shard_optimizer divides every state that divides"
    ),
    "parallel.parallel_optimizer_config.optimizer_weight_shard_size": _no(
        "parallel.shard_optimizer divides states among all replicas"
    ),
    "moe_config": _EXPERTS,
    "device_num": Counterpart("launch.world_size"),
    "worker_num": Counterpart("launch.world_size"),
    "local_worker_num": Counterpart("launch.cluster.ranks_per_host"),
    "cluster_time_out": Counterpart("launch.start_timeout"),
    # recomputing
    "recompute_config.recompute": Counterpart("parallel.recompute"),
    "recompute_config.select_recompute": _RECOMPUTE,
    "recompute_config.select_comm_recompute": _RECOMPUTE,
    "recompute_config.parallel_optimizer_comm_recompute": _RECOMPUTE,
    "recompute_config.mp_comm_recompute": _RECOMPUTE,
    "recompute_config.recompute_slice_activation": _RECOMPUTE,
    # checkpoints
    "callbacks.type": _no("leave it out: loss, times and checkpoints are always written"),
    "callbacks.prefix": _no("leave it out: files are named after their rank, artifacts after their contents"),
    "callbacks.checkpoint_prefix": _no(
        "leave it out: files are named after their rank, artifacts after their contents"
    ),
    "callbacks.save_checkpoint_steps": Counterpart("train.checkpoint_every"),
    "callbacks.save_checkpoint_seconds": Counterpart("train.checkpoint_every", "in steps"),
    "callbacks.keep_checkpoint_max": Counterpart("train.keep"),
    "callbacks.integrated_save": _no(
        "leave it out: `merge` writes the whole checkpoint at the end of every run"
    ),
    "callbacks.async_save": _no("leave it out: a step waits until its checkpoint is complete"),
    "callbacks.per_print_times": _no("leave it out: every step is in metrics.jsonl"),
    # devices
    "context.max_device_memory": Counterpart(
        "launch.device_memory", "checked before work, no limit while it runs"
    ),
    "context.mode": _GRAPH,
    "context.device_target": _DEVICE,
    "context.device_id": _DEVICE,
    "context.runtime_num_threads": _DEVICE,
    "context.max_call_depth": _GRAPH,
    "context.save_graphs": _GRAPH,
    "context.save_graphs_path": _GRAPH,
    "context.enable_graph_kernel": _GRAPH,
    "context.graph_kernel_flags": _GRAPH,
    "context.jit_config": _GRAPH,
    "context.jit_config.jit_level": _GRAPH,
    "context.memory_optimize_level": _GRAPH,
    "context.ascend_config": _GRAPH,
    "context.ascend_config.precision_mode": Counterpart("train.precision"),
    # model
    "model.arch.type": _no("leave it out: config.json of download.source says which network it is"),
    "model.model_config.type": _no("leave it out: config.json of download.source says which network it is"),
    "model.model_config.seq_length": Counterpart("preprocess.seq_length"),
    "model.model_config.batch_size": Counterpart(
        "batch_size", "of a `predict` run; generate.batch_size otherwise"
    ),
    "model.model_config.checkpoint_name_or_path": Counterpart("download.source"),
    "model.model_config.compute_dtype": Counterpart("train.precision", "float16 is fp16, bfloat16 is bf16"),
    "model.model_config.param_init_type": Counterpart(
        "convert.dtype", "of the files; training keeps weights in fp32"
    ),
    "model.model_config.layernorm_compute_type": _FP32,
    "model.model_config.layernorm_dtype": _FP32,
    "model.model_config.softmax_compute_type": _FP32,
    "model.model_config.softmax_dtype": _FP32,
    "model.model_config.rotary_dtype": _FP32,
    "model.model_config.offset": Counterpart("parallel.offset"),
    "model.model_config.use_seq_parallel": _WHOLE_ACTIVATIONS,
    "model.model_config.use_select_recompute": _RECOMPUTE,
    "model.model_config.use_flash_attention": _no("leave it out: there is one attention"),
    "model.model_config.fine_grain_interleave": _no(
        "leave it out: a rank computes one micro-batch at a time"
    ),
    "model.model_config.compute_in_2d": _no("leave it out: it changes no result"),
    "model.model_config.qkv_concat": _no("leave it out: queries, keys and values are matrices of their own"),
    "model.model_config.use_past": _CACHE,
    "model.model_config.use_past_shard": _CACHE,
    "model.model_config.block_size": _CACHE,
    "model.model_config.num_blocks": _CACHE,
    "model.model_config.num_block": _CACHE,
    "model.model_config.is_dynamic": _CACHE,
    "model.model_config.max_decode_length": Counterpart(
        "generate.max_new_tokens", "tokens of the answer alone, without the prompt's"
    ),
    "model.model_config.max_new_tokens": Counterpart("generate.max_new_tokens"),
    "model.model_config.do_sample": Counterpart("generate.temperature", "0 is greedy, above 0 samples"),
    "model.model_config.temperature": Counterpart("generate.temperature"),
    "model.model_config.top_p": Counterpart("generate.top_p"),
    "model.model_config.top_k": Counterpart("generate.top_k"),
    "model.model_config.repetition_penalty": Counterpart("generate.repetition_penalty"),
    "model.model_config.ignore_token_id": _no("leave it out: -100, as everywhere"),
    "model.model_config.hidden_size": _SIZES,
    "model.model_config.embedding_size": _SIZES,
    "model.model_config.num_layers": _SIZES,
    "model.model_config.num_heads": _SIZES,
    "model.model_config.n_kv_heads": _SIZES,
    "model.model_config.vocab_size": _SIZES,
    "model.model_config.multiple_of": _SIZES,
    "model.model_config.ffn_dim_multiplier": _SIZES,
    "model.model_config.intermediate_size": _SIZES,
    "model.model_config.expand_ratio": _SIZES,
    "model.model_config.n_position": _SIZES,
    "model.model_config.max_position_embedding": _SIZES,
    "model.model_config.pretrain_seqlen": _SIZES,
    "model.model_config.multi_query_group_num": _SIZES,
    "model.model_config.layernorm_epsilon": _SIZES,
    "model.model_config.rms_norm_eps": _SIZES,
    "model.model_config.theta": _SIZES,
    "model.model_config.extend_method": _SIZES,
    "model.model_config.scaling_factor": _SIZES,
    "model.model_config.hidden_act": _SIZES,
    "model.model_config.initializer_range": _SIZES,
    "model.model_config.dropout_prob": _no("leave it out: there is no dropout"),
    "model.model_config.hidden_dropout_prob": _no("leave it out: there is no dropout"),
    "model.model_config.attention_probs_dropout_prob": _no("leave it out: there is no dropout"),
    "model.model_config.bos_token_id": _TOKENS,
    "model.model_config.eos_token_id": _TOKENS,
    "model.model_config.pad_token_id": Counterpart("preprocess.pad_id"),
    "model.model_config.eos_token": _TOKENS,
    "model.model_config.pad_token": _TOKENS,
    # tokenizer
    "processor.type": _TOKENS,
    "processor.return_tensors": _TOKENS,
    "processor.tokenizer.type": _TOKENS,
    "processor.tokenizer.unk_token": _TOKENS,
    "processor.tokenizer.bos_token": _TOKENS,
    "processor.tokenizer.eos_token": _TOKENS,
    "processor.tokenizer.pad_token": _TOKENS,
    "processor.tokenizer.vocab_file": _TOKENIZER,
    "processor.tokenizer.merge_file": _TOKENIZER,
    "processor.tokenizer.tokenizer_file": _TOKENIZER,
    # what has nothing to do with results
    "predict_data": _no("`mindrail evaluate` generates answers to a benchmark's problems"),
    "predict_batch_size": Counterpart("generate.batch_size"),
    "auto_tune": _TUNING,
    "filepath_prefix": _TUNING,
    "autotune_per_step": _TUNING,
    "profile": _PROFILE,
    "profile_start_step": _PROFILE,
    "profile_stop_step": _PROFILE,
    "init_start_profile": _PROFILE,
    "profile_communication": _PROFILE,
    "profile_memory": _PROFILE,
}
"""MindFormers' dotted key → what stands here for it."""

_OURS = {one.key.partition(".")[0] for one in MINDFORMERS.values() if "." in one.key}


def explain_name(name: str, value: Any) -> tuple[str, str] | None:
    """Explain an unknown key that is MindFormers' name, wherever it was written.

    Args:
        name: the dotted key as it was given.
        value: what was given for it; of a section of MindFormers', its keys are explained.

    Returns:
        What it is and what to do, or None if it is no name of MindFormers'.
    """
    found = MINDFORMERS.get(name) or _by_last_part(name)
    if found is not None:
        return None if found.key == name else _explain(found)
    if name in _OURS or not any(key.startswith(f"{name}.") for key in MINDFORMERS):
        return None
    inside = {key.removeprefix(f"{name}."): MINDFORMERS.get(key) for key in _keys_inside(name, value)}
    here = ", ".join(f"{key} is {one.key}" for key, one in inside.items() if one and one.key)
    without = ", ".join(key for key, one in inside.items() if one and not one.key)
    parts = (f"here {here}" if here else "", f"without a counterpart: {without}" if without else "")
    return "MindFormers' section", "; ".join(filter(None, parts)) or "it is not needed here: leave it out"


def _by_last_part(name: str) -> Counterpart | None:
    """Return what the last part of a key means wherever MindFormers has it; None if it means several."""
    last = name.rpartition(".")[2]
    meant = {one for key, one in MINDFORMERS.items() if key.rpartition(".")[2] == last}
    return meant.pop() if len({one.key or one.note for one in meant}) == 1 else None


def _explain(found: Counterpart) -> tuple[str, str]:
    if not found.key:
        return "MindFormers' name, without a counterpart here", found.note
    note = f" ({found.note})" if found.note else ""
    return "MindFormers' name", f"here it is {found.key}{note}"


def _keys_inside(name: str, value: Any) -> Iterator[str]:
    """Yield the dotted keys inside a value, in their order; the items of a list lie under its own name."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _keys_inside(f"{name}.{key}", inner)
    elif isinstance(value, list) and any(isinstance(one, Mapping) for one in value):
        for one in value:
            yield from _keys_inside(name, one)
    else:
        yield name
