"""Messages arrive whole, and every way in which the other side can break off or misbehave is an exception."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from modelcore.sandbox.wire import ChannelClosed, MessageTooLarge, readable, receive, send


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:  # the test has closed it
            continue


@pytest.mark.parametrize("message", [None, {"a": [1, 2.5, "é"]}, "\ud800", ["x" * 5000] * 3])
def test_a_message_arrives_as_it_was_sent(pipe: tuple[int, int], message: Any) -> None:
    readable_end, writable_end = pipe
    send(writable_end, message)
    assert receive(readable_end, 1 << 20) == message


def test_a_message_is_four_bytes_of_length_and_json(pipe: tuple[int, int]) -> None:
    send(pipe[1], {"a": 1})
    assert os.read(pipe[0], 100) == b'\x00\x00\x00\x08{"a": 1}'


def test_a_message_larger_than_a_pipe_arrives_in_parts(pipe: tuple[int, int]) -> None:
    message = "x" * 1_000_000
    sender = threading.Thread(target=send, args=(pipe[1], message))
    sender.start()
    assert receive(pipe[0], 1_000_002) == message
    sender.join()


def test_messages_arrive_one_by_one_in_order(pipe: tuple[int, int]) -> None:
    send(pipe[1], 1)
    send(pipe[1], 2)
    assert [receive(pipe[0], 100), receive(pipe[0], 100)] == [1, 2]


def test_a_message_may_be_as_large_as_the_limit_and_no_larger(pipe: tuple[int, int]) -> None:
    send(pipe[1], "12345678")  # ten bytes with its quotation marks
    assert receive(pipe[0], 10) == "12345678"
    send(pipe[1], "12345678")
    with pytest.raises(MessageTooLarge) as error:
        receive(pipe[0], 9)
    assert error.value.args == (10,)


@pytest.mark.parametrize("beginning", [b"", b"\x00\x00", b"\x00\x00\x00\x05", b"\x00\x00\x00\x05123"])
def test_a_channel_that_closes_before_the_end_of_a_message_is_closed(
    pipe: tuple[int, int], beginning: bytes
) -> None:
    os.write(pipe[1], beginning)
    os.close(pipe[1])
    with pytest.raises(ChannelClosed):
        receive(pipe[0], 100)


def test_sending_to_a_closed_channel_is_reported_as_such(pipe: tuple[int, int]) -> None:
    os.close(pipe[0])
    with pytest.raises(ChannelClosed):
        send(pipe[1], 1)


def test_a_connection_that_is_reset_is_closed() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        send(ours.fileno(), "unread")
        theirs.close()  # with unread data, which resets the connection
        with pytest.raises(ChannelClosed):
            receive(ours.fileno(), 100)


@pytest.mark.parametrize("body", [b"\xff\xfe", b"{", b"[1]]"])
def test_bytes_that_are_not_json_are_a_value_error(pipe: tuple[int, int], body: bytes) -> None:
    os.write(pipe[1], len(body).to_bytes(4, "big") + body)
    with pytest.raises(ValueError):
        receive(pipe[0], 100)


def test_json_nested_too_deeply_is_a_recursion_error(pipe: tuple[int, int]) -> None:
    body = b"[" * 30_000
    os.write(pipe[1], len(body).to_bytes(4, "big") + body)
    with pytest.raises(RecursionError):
        receive(pipe[0], 1 << 20)


def test_a_message_that_contains_itself_cannot_be_sent(pipe: tuple[int, int]) -> None:
    cycle: list[object] = []
    cycle.append(cycle)
    with pytest.raises(RecursionError):
        send(pipe[1], cycle)
    assert readable([pipe[0]], 0) == []


def test_channels_with_data_and_closed_ones_are_readable(pipe: tuple[int, int]) -> None:
    quiet, closed = os.pipe(), os.pipe()
    os.close(closed[1])
    assert readable([quiet[0]], 0) == []
    send(pipe[1], 1)
    assert readable([pipe[0], quiet[0], closed[0]], 0) == [pipe[0], closed[0]]
    for end in (*quiet, closed[0]):
        os.close(end)


def test_waiting_for_a_channel_ends_when_data_arrives(pipe: tuple[int, int]) -> None:
    timer = threading.Timer(0.1, send, (pipe[1], 1))
    timer.start()
    assert readable([pipe[0]], 60) == [pipe[0]]
    timer.join()


def test_closed_is_not_an_exception_that_a_test_would_catch() -> None:
    assert not issubclass(ChannelClosed, Exception)
