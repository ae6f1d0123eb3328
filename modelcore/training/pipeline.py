"""One stage of a pipeline through the micro-batches of a step: the loss and its gradients.

The stage before the last keeps of a micro-batch only what came in, and computes its forward pass again when
the gradient of what went out comes back; the last stage does both at once. In which order, and when to meet
a neighbour, is `modelcore.parallel.pipeline`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import mindspore
from mindspore import Parameter, Tensor, nn, ops

from modelcore.parallel.groups import Groups
from modelcore.parallel.pipeline import forward_only, one_forward_one_backward
from modelcore.parallel.point_to_point import Receive, Send
from modelcore.training.gradients import Gradients, MicroBatch, Sum, Sums

__all__ = ["Pipeline"]

_NOTHING = Tensor(0.0, mindspore.float32)
"""The loss, and the number of tokens, of a stage that sees none."""


class StageGradients(nn.Cell):
    """The gradients of a stage that is not the last, from the gradient of what it gave.

    Args:
        network: construct(x, segments or none) -> hidden states.
        parameters: what the gradients are of.
        of_input: whether x, too, has a gradient; it then comes first.
    """

    def __init__(self, network: nn.Cell, parameters: Sequence[Parameter], *, of_input: bool) -> None:
        super().__init__(auto_prefix=False)
        self.network, self.of_input = network, of_input
        self.weights = mindspore.ParameterTuple(parameters)
        self.backward = ops.GradOperation(get_all=of_input, get_by_list=True, sens_param=True)

    def construct(self, x: Tensor, slope: Tensor, *segments: Tensor) -> tuple[Tensor, ...]:
        """Return the gradients.

        Args:
            x: what the stage was given.
            slope: the gradient of what the stage made of it.
            segments: of packed rows, int32 [rows, seq_length]; otherwise none.
        """
        found = self.backward(self.network, self.weights)(x, *segments, slope)
        return (found[0][0], *found[1]) if self.of_input else found


class Pipeline:
    """The sums over a step's micro-batches as one stage computes its part of them.

    Args:
        cell: in the last stage construct(hidden, labels) -> (loss summed over tokens, number of tokens), in
            others construct(x) -> hidden states; of packed rows both take their segments, too.
        parameters: the stage's.
        groups: this rank's.
        hidden: (width, dtype) of the hidden states that travel.
    """

    def __init__(
        self,
        cell: nn.Cell,
        parameters: Sequence[Parameter],
        groups: Groups,
        hidden: tuple[int, mindspore.Type],
    ) -> None:
        self._stage, self._stages = groups.pipeline.index, groups.pipeline.size
        self._first, self._last = self._stage == 0, self._stage == self._stages - 1
        self._groups, self._hidden = groups, hidden
        self._network = cell
        self._gradients = (
            Gradients(cell, parameters, of_input=True)
            if self._last
            else StageGradients(cell, parameters, of_input=not self._first)
        )
        self._sum = Sum()
        self._send_on, self._send_back = Send(groups.after), Send(groups.before)
        self._receive: dict[tuple[str, tuple[int, ...]], Receive] = {}

    def run(self, batches: Sequence[MicroBatch], loss_scale: Tensor) -> Sums:
        """Return the sums over `batches`; loss and number of tokens are 0 in all stages but the last."""
        step = _Step(batches, loss_scale)
        does: dict[str, Callable[[_Step, int], None]] = {
            "receive_forward": self._receive_forward,
            "forward": self._forward,
            "send_forward": self._send_forward,
            "receive_backward": self._receive_backward,
            "backward": self._backward,
            "send_backward": self._send_backward,
        }
        for action in one_forward_one_backward(self._stage, self._stages, len(batches)):
            does[action.work](step, action.micro_batch)
        if self._last:
            return step.total[0], step.total[1], step.total[2:]
        return _NOTHING, _NOTHING, step.total

    def evaluate(self, batches: Sequence[MicroBatch]) -> tuple[Tensor, Tensor]:
        """Return loss and number of tokens of `batches` as `run` does, without gradients."""
        step = _Step(batches, _NOTHING)
        does: dict[str, Callable[[_Step, int], None]] = {
            "receive_forward": self._receive_forward,
            "forward": self._judge if self._last else self._forward,
            "send_forward": self._send_forward,
        }
        for action in forward_only(self._stage, self._stages, len(batches)):
            does[action.work](step, action.micro_batch)
        return (step.total[0], step.total[1]) if self._last else (_NOTHING, _NOTHING)

    def _receive_forward(self, step: _Step, i: int) -> None:
        step.inputs[i] = self._receiver("before", step.batches[i])()

    def _forward(self, step: _Step, i: int) -> None:
        if self._first:
            step.inputs[i] = Tensor(step.batches[i][0])
        if not self._last:
            step.outputs[i] = self._network(step.inputs[i], *step.segments(i))

    def _judge(self, step: _Step, i: int) -> None:
        sums = self._network(step.inputs.pop(i), step.labels(i), *step.segments(i))
        step.total = self._sum(*step.total, *sums) if step.total else sums

    def _send_forward(self, step: _Step, i: int) -> None:
        self._send_on(step.outputs.pop(i))

    def _receive_backward(self, step: _Step, i: int) -> None:
        step.slopes[i] = self._receiver("after", step.batches[i])()

    def _backward(self, step: _Step, i: int) -> None:
        x = step.inputs.pop(i)
        sums: tuple[Tensor, ...] = ()
        if self._last:
            labels, segments = step.labels(i), step.segments(i)
            loss_sum, tokens, gradients = self._gradients(x, labels, step.loss_scale, *segments)
            sums = (loss_sum, tokens)
        else:
            gradients = self._gradients(x, step.slopes.pop(i), *step.segments(i))
        if not self._first:
            step.slopes_back[i], gradients = gradients[0], gradients[1:]
        step.total = self._sum(*step.total, *sums, *gradients) if step.total else (*sums, *gradients)

    def _send_backward(self, step: _Step, i: int) -> None:
        self._send_back(step.slopes_back.pop(i))

    def _receiver(self, side: str, batch: MicroBatch) -> Receive:
        """Return the cell that takes in one micro-batch's hidden states, or their gradient."""
        width, dtype = self._hidden
        shape = (*batch[0].shape, width)
        if (side, shape) not in self._receive:
            self._receive[side, shape] = Receive(getattr(self._groups, side), shape, dtype)
        return self._receive[side, shape]


class _Step:
    """What a stage keeps of the micro-batches that are under way, by their number."""

    def __init__(self, batches: Sequence[MicroBatch], loss_scale: Tensor) -> None:
        self.batches, self.loss_scale = batches, loss_scale
        self.inputs: dict[int, Tensor] = {}
        self.outputs: dict[int, Tensor] = {}
        self.slopes: dict[int, Tensor] = {}
        self.slopes_back: dict[int, Tensor] = {}
        self.total: tuple[Tensor, ...] = ()

    def labels(self, i: int) -> Tensor:
        return Tensor(self.batches[i][1])

    def segments(self, i: int) -> list[Tensor]:
        """Return the segments, or nothing if the rows are not packed."""
        return [Tensor(segments) for segments in self.batches[i][2:]]
