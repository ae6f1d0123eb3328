"""What each rank of test_collectives.py runs: `collectives_program.py <output directory> <world size>`."""

import json
import os
import sys
from pathlib import Path

import mindspore
import numpy as np
from mindspore import Tensor, nn, ops

from modelcore.parallel.collectives import (
    FromTensorParallel,
    GroupGather,
    GroupMax,
    GroupSum,
    ToTensorParallel,
)
from modelcore.parallel.groups import create_groups
from modelcore.parallel.mesh import Layout, Mesh
from modelcore.training.agreement import Agreement

out, size, rank = Path(sys.argv[1]), int(sys.argv[2]), int(os.environ.get("RANK_ID", "0"))
mindspore.set_context(mode=mindspore.GRAPH_MODE)
if size > 1:
    from mindspore.communication import init

    init()
groups = create_groups(Mesh(Layout(model_parallel=size)), rank)
tensor = groups.tensor


class Net(nn.Cell):
    """leave(enter(x) * (index + 1)), summed."""

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.leave = ToTensorParallel(tensor), FromTensorParallel(tensor)
        self.factor = tensor.index + 1.0

    def construct(self, x: Tensor) -> Tensor:
        return self.leave(self.enter(x) * self.factor).sum()


class Gradient(nn.Cell):
    def __init__(self) -> None:
        super().__init__()
        self.net, self.grad = Net(), ops.GradOperation()

    def construct(self, x: Tensor) -> Tensor:
        return self.grad(self.net)(x)


x = Tensor(np.array([-3.0, 2.0], np.float32))
agreement = Agreement(groups.world)
found = {
    "index": [tensor.index, tensor.size],
    "value": float(Net()(x).asnumpy()),
    "gradient": Gradient()(x).asnumpy().tolist(),
    "sum": GroupSum(tensor)(x * (rank + 1)).asnumpy().tolist(),
    "max": GroupMax(tensor)(x * (rank + 1)).asnumpy().tolist(),
    "gather": GroupGather(tensor)(x * (rank + 1)).asnumpy().tolist(),
    "least": agreement.least(7 + rank),
    "ranks": agreement.ranks_where(rank == size - 1),
}
(out / f"{rank}.json").write_text(json.dumps(found))
agreement.barrier()
