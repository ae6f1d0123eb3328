"""The environment variables of a run's processes: which may be set, and the model cards' own sets by name.

A variable set here is exported to the processes that compute, and recorded in the manifest of what they
made. What a process needs before it starts (PATH, LD_LIBRARY_PATH: `source set_env.sh`) belongs to the shell.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

__all__ = [
    "ENVIRONMENT_SETS",
    "RESERVED",
    "EnvironmentSet",
    "MindSporeSet",
    "SetName",
    "Variables",
    "number_changing",
]

MindSporeSet = Literal["wizardcoder-train", "wizardcoder-predict", "codellama-finetune", "deepseek-coder"]
SetName = Literal[MindSporeSet, "mindie-atb"]


@dataclass(frozen=True)
class EnvironmentSet:
    """The variables that one model card sets.

    Attributes:
        card: the card's name, a page in docs/model_cards.
        use: what the card sets them for.
        variables: what is exported.
        unset: variables that must not be set beside them.
        engine: what reads them: MindSpore with CANN below it, or MindIE, which mindrail does not start.
    """

    card: str
    use: str
    variables: Mapping[str, str]
    unset: tuple[str, ...] = ()
    engine: Literal["mindspore", "mindie"] = "mindspore"


_WIZARDCODER = {
    "MS_ENABLE_FORMAT_MODE": "1",
    "MS_GE_ATOMIC_CLEAN_POLICY": "1",
    "GE_USE_STATIC_MEMORY": "2",
}

ENVIRONMENT_SETS: dict[SetName, EnvironmentSet] = {
    "wizardcoder-train": EnvironmentSet(
        "wizardcoder_15b",
        "pretraining and fine-tuning",
        {**_WIZARDCODER, "MS_DISABLE_REF_MODE": "1"},
        unset=("MS_ENABLE_REF_MODE",),
    ),
    "wizardcoder-predict": EnvironmentSet(
        "wizardcoder_15b",
        "prediction",
        {**_WIZARDCODER, "MS_ENABLE_REF_MODE": "1"},
        unset=("MS_DISABLE_REF_MODE",),
    ),
    "codellama-finetune": EnvironmentSet(
        "codellama_ranktable",
        "fine-tuning",
        {"MS_DEV_SIDE_EFFECT_LOAD_ELIM": "3", "MS_MEMORY_POOL_RECYCLE": "1", "GE_NOT_CUT": "1"},
    ),
    "deepseek-coder": EnvironmentSet(
        "deepseek_coder_7b_v1_5",
        "fine-tuning and prediction",
        {"MS_DEV_RUNTIME_CONF": "inline:false"},
    ),
    "mindie-atb": EnvironmentSet(
        "wizardcoder_python_34b_mindie",
        "prediction with MindIE's ATB models",
        {
            "ATB_LAYER_INTERNAL_TENSOR_REUSE": "1",
            "INF_NAN_MODE_ENABLE": "0",
            "ATB_OPERATION_EXECUTE_ASYNC": "1",
            "TASK_QUEUE_ENABLE": "1",
            "ATB_CONVERT_NCHW_TO_ND": "1",
            "ATB_WORKSPACE_MEM_ALLOC_GLOBAL": "1",
            "ATB_CONTEXT_WORKSPACE_SIZE": "0",
            "MASTER_PORT": "20030",
        },
        engine="mindie",
    ),
}
"""As the cards give them for their releases; docs/ascend.md says what MindSpore 2.10 knows of them."""

RESERVED = frozenset(
    {
        *("MS_ROLE", "MS_NODE_ID", "MS_WORKER_NUM", "MS_SCHED_HOST", "MS_SCHED_PORT", "MS_TOPO_TIMEOUT"),
        *("RANK_ID", "RANK_SIZE", "DEVICE_ID", "RANK_TABLE_FILE"),
    }
)
"""By these a rank knows its number and finds the others: mindrail sets them for each process."""

_OWN = "MINDRAIL_"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OF_SHELL = re.compile(r"PATH|HOME|SHELL|IFS|BASH_ENV|LD_.*|DYLD_.*|PYTHON.*")
_SECRET = re.compile(r"TOKEN|SECRET|PASSW|CREDENTIAL|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY", re.I)

_KEEPS_NUMBERS = re.compile(
    r"ASCEND_RT_VISIBLE_DEVICES|ASCEND_.*LOG.*|ASCEND_SLOG.*|GLOG_.*"  # which devices; logs
    r"|HCCL_(CONNECT_TIMEOUT|EXEC_TIMEOUT|IF_IP|IF_BASE_PORT|SOCKET_IFNAME|WHITELIST_DISABLE)|MASTER_PORT"
    r"|MS_(NODE_TIMEOUT|RECEIVE_MSG_TIMEOUT)"  # how long the others are waited for
    r"|MS_(MEMORY_POOL_RECYCLE|ALLOC_CONF|GE_ATOMIC_CLEAN_POLICY)|GE_(USE_STATIC_MEMORY|NOT_CUT)"  # memory
    r"|OMP_NUM_THREADS"
)


def number_changing(exported: Mapping[str, str]) -> dict[str, str]:
    """Return those of the exported variables that may change what is computed: all that are not known not to.

    They are part of an artifact's key: a variable may choose another kernel or another precision, and weights
    that were trained without it must not be taken for those trained with it. Device numbers, logs, timeouts
    and memory change no number, so a run that ran out of memory resumes with another setting of these.
    """
    return {name: value for name, value in exported.items() if not _KEEPS_NUMBERS.fullmatch(name)}


def _checked(variables: dict[str, str]) -> dict[str, str]:
    for name, value in variables.items():
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of an environment variable")
        if name in RESERVED or name.startswith(_OWN):
            raise ValueError(f"variable {name} is set by mindrail itself, for each process")
        if _OF_SHELL.fullmatch(name):
            raise ValueError(f"variable {name} must be set before mindrail starts: export it in the shell")
        if _SECRET.search(name):
            raise ValueError(
                f"variable {name} looks like a secret and would be recorded: export it in the shell"
            )
        if "\0" in value or "\n" in value:
            raise ValueError(f"the value of {name} has a line break or a zero byte in its value")
    return variables


Variables = Annotated[
    dict[str, str],
    AfterValidator(_checked),
    Field(description="Environment variables exported to the processes, over those of environment_set"),
]
