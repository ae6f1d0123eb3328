"""Weight files made to deceive or to run code: each is refused by one line, quickly, and nothing is run."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from modelcore.checkpoints.convert import convert_checkpoint
from modelcore.errors import MindrailError
from modelcore.weights.checkpoint import open_checkpoint, open_file
from modelcore.weights.protobuf import length_prefix, varint

CONFIG = {
    "model_type": "llama",
    "vocab_size": 4,
    "hidden_size": 4,
    "intermediate_size": 4,
    "num_hidden_layers": 1,
    "num_attention_heads": 1,
}


def safetensors(header: object, data: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def entry(begin: int, end: int, shape: object = None, dtype: object = "F32") -> dict[str, object]:
    return {
        "dtype": dtype,
        "shape": [(end - begin) // 4] if shape is None else shape,
        "data_offsets": [begin, end],
    }


SAFETENSORS: dict[str, tuple[bytes, str]] = {
    "empty file": (b"", "truncated"),
    "only a length": (b"\x08" + bytes(7), "truncated"),
    "a header longer than the file": (safetensors({}, length=1 << 60), "truncated"),
    "a header of all the file's claimed gigabytes": (safetensors({}, length=(1 << 64) - 1), "truncated"),
    "not JSON": (safetensors(b"{"), "not JSON"),
    "a list": (safetensors([]), "not a JSON object"),
    "JSON nested 100,000 deep": (safetensors(b'{"a":' * 100_000), "not JSON"),
    "a number of a million digits": (safetensors(b'{"a": ' + b"9" * 1_000_000 + b"}"), "not JSON"),
    "not UTF-8": (safetensors(b'{"\xff": 1}'), "not JSON"),
    "a tensor twice": (safetensors(b'{"a": 1, "a": 2}'), "a is in the header twice"),
    "overlapping tensors": (
        safetensors({"a": entry(0, 8), "b": entry(4, 12)}, bytes(12)),
        "b: its bytes overlap those of a",
    ),
    "the same bytes twice": (
        safetensors({"a": entry(0, 8), "b": entry(0, 8)}, bytes(8)),
        "b: its bytes overlap",
    ),
    "a hole": (
        safetensors({"a": entry(0, 4), "b": entry(8, 12)}, bytes(12)),
        "b: 4 bytes before it belong to no tensor",
    ),
    "bytes behind the end": (
        safetensors({"a": entry(0, 4)}, bytes(8)),
        "4 bytes after a belong to no tensor",
    ),
    "offsets beyond the file": (safetensors({"a": entry(0, 400)}, bytes(8)), "a: truncated"),
    "offsets backwards": (safetensors({"a": entry(8, 0, [])}, bytes(8)), "not whole numbers in order"),
    "negative offsets": (safetensors({"a": entry(-4, 0, [1])}, bytes(8)), "not whole numbers in order"),
    "offsets that are not integers": (
        safetensors({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0.0, 4.0]}}, bytes(4)),
        "not whole numbers in order",
    ),
    "a shape that multiplies to more than 64 bits": (
        safetensors({"a": entry(0, 4, [1 << 40, 1 << 40])}, bytes(4)),
        "a: 4 bytes, where fp32 of shape",
    ),
    "a shape of a million axes": (safetensors({"a": entry(0, 4, [1] * 1_000_000)}, bytes(4)), "a: shape"),
    "a negative shape": (safetensors({"a": entry(0, 4, [-1, -1])}, bytes(4)), "not whole numbers in order"),
    "true for 1": (safetensors({"a": entry(0, 4, [True])}, bytes(4)), "not whole numbers in order"),
    "an unknown type": (safetensors({"a": entry(0, 4, dtype="F4")}, bytes(4)), "dtype 'F4' is not known"),
    "a type that is not text": (
        safetensors({"a": entry(0, 4, dtype=["F32"])}, bytes(4)),
        "is not known here",
    ),
    "a further key": (
        safetensors({"a": entry(0, 4) | {"x": 1}}, bytes(4)),
        "not {dtype, shape, data_offsets}",
    ),
    "a name of a megabyte": (safetensors({"n" * (1 << 20): entry(0, 4)}, bytes(4)), "a name of 1048576"),
    "a control character in a name": (safetensors({"a\x1b[2J": 1}), r"a\\x1b\[2J"),
}


@pytest.mark.parametrize("attack", SAFETENSORS)
def test_a_lying_safetensors_header_is_refused(tmp_path: Path, attack: str) -> None:
    content, message = SAFETENSORS[attack]
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(MindrailError, match=message) as caught:
        open_file(tmp_path / "x.safetensors")
    assert str(caught.value).isprintable() and len(str(caught.value)) <= 290


def test_a_huge_header_is_refused_without_being_read(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes((1 << 30).to_bytes(8, "little"))
    os.truncate(path, 2 << 30)  # sparse: takes no room
    with pytest.raises(MindrailError, match="at most 16777216 are read"):
        open_file(path)


def tensor_proto(dims: list[int], kind: bytes, content: bytes, length: int | None = None) -> bytes:
    size = len(content) if length is None else length
    head = b"".join(b"\x08" + varint(dim) for dim in dims) + length_prefix(2, len(kind)) + kind
    return head + length_prefix(3, size) + content


def value(tag: bytes, tensor: bytes) -> bytes:
    body = length_prefix(1, len(tag)) + tag + length_prefix(2, len(tensor)) + tensor
    return length_prefix(1, len(body)) + body


GOOD = value(b"a", tensor_proto([2], b"Float32", bytes(8)))

CKPT: dict[str, tuple[bytes, str]] = {
    "empty file": (b"", "the file is empty"),
    "not protobuf": (b"\xff" * 100, "damaged or truncated"),
    "a value longer than the file": (length_prefix(1, 1 << 62) + b"x", "damaged or truncated"),
    "contents longer than their value": (
        value(b"a", tensor_proto([2], b"Float32", b"", length=1 << 40)),
        "damaged or truncated",
    ),
    "cut in the second tensor": (
        (GOOD + value(b"b", tensor_proto([2], b"Float32", bytes(8))))[:-3],
        "after a",
    ),
    "a number without end": (b"\x0a" + b"\x80" * 50, "more than 10 bytes"),
    "dims that do not fit the bytes": (
        value(b"a", tensor_proto([3], b"Float32", bytes(8))),
        "a: 8 bytes, where",
    ),
    "negative dims": (value(b"a", tensor_proto([-1, -8], b"Float32", bytes(8))), "a: 8 bytes, where"),
    "dims that multiply to more than 64 bits": (
        value(b"a", tensor_proto([1 << 62, 1 << 62], b"Float32", bytes(8))),
        "a: 8 bytes, where",
    ),
    "thousands of dims": (value(b"a", tensor_proto([1] * 5000, b"Float32", bytes(4))), "is not a tensor's"),
    "an unknown type": (value(b"a", tensor_proto([2], b"Float4", bytes(8))), "type 'Float4' is not known"),
    "no name": (value(b"", tensor_proto([2], b"Float32", bytes(8))), "no name or no tensor"),
    "a name of a megabyte": (
        value(b"n" * (1 << 20), tensor_proto([2], b"Float32", bytes(8))),
        "a name of 1048576",
    ),
    "a name that is not text": (value(b"\xff\xfe", tensor_proto([2], b"Float32", bytes(8))), "not UTF-8"),
    "the tensor twice": (GOOD + GOOD, "a: 16 bytes, .*twice"),
    "the tensor twice, another between": (
        GOOD + value(b"b", tensor_proto([1], b"Float32", bytes(4))) + GOOD,
        "a: the tensor is in the file twice",
    ),
    "slices that disagree": (
        GOOD + value(b"a", tensor_proto([4], b"Float32", bytes(8))),
        "a: its slices differ",
    ),
    "an encrypted or foreign file": (b"MindSpore\x00" * 10, "damaged or truncated"),
}


@pytest.mark.parametrize("attack", CKPT)
def test_a_lying_ckpt_is_refused(tmp_path: Path, attack: str) -> None:
    content, message = CKPT[attack]
    (tmp_path / "x.ckpt").write_bytes(content)
    with pytest.raises(MindrailError, match=message) as caught:
        open_file(tmp_path / "x.ckpt")
    assert str(caught.value).isprintable()


class Runs:
    """Pickles as a call."""

    def __init__(self, call: Callable[..., object], *arguments: object) -> None:
        self.call, self.arguments = call, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call, self.arguments


def archive(pickled: bytes, **entries: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("x/data.pkl", pickled)
        for name, content in entries.items():
            file.writestr(f"x/{name.replace('__', '/')}", content)
    return buffer.getvalue()


def tensor_pickle(key: str = "0", offset: int = 0, shape: str = "(2,)", count: int = 2) -> bytes:
    """A pickled {'a': tensor} in protocol 0-like opcodes, written by hand so that any part can lie."""
    rebuild = b"ctorch._utils\n_rebuild_tensor_v2\n"
    storage = (
        b"((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x00"
        + key.encode()
        + b"X\x03\x00\x00\x00cpu"
    )
    size = b"".join(
        b"J" + int(one).to_bytes(4, "little", signed=True) for one in shape.strip("(),").split(",") if one
    )
    stride = b"J\x01\x00\x00\x00" * (len(size) // 5)
    body = storage + b"J" + count.to_bytes(4, "little", signed=True) + b"tQ"
    body += b"J" + offset.to_bytes(4, "little", signed=True) + b"(" + size + b"t(" + stride + b"t\x89NtR"
    return b"\x80\x02}(X\x01\x00\x00\x00a" + rebuild + body + b"u."


def laughs() -> bytes:
    """Nested pairs of the same object: tiny as a pickle, 2 ** 60 elements when it is walked."""
    return b"\x80\x02}(X\x01\x00\x00\x00a)" + b"".join(b"q\x00h\x00\x86" for _ in range(60)) + b"u."


def pickles(trace: Path) -> dict[str, tuple[bytes, str]]:
    harm = f"open({str(trace)!r}, 'w')"
    return {
        "os.system": (
            pickle.dumps({"a": Runs(os.system, f"touch {trace}")}, 2),
            "would import or run posix.system",
        ),
        "eval": (pickle.dumps({"a": Runs(eval, harm)}, 2), "would import or run __builtin__.eval"),
        "protocol 4": (pickle.dumps({"a": Runs(eval, harm)}, 4), "uses STACK_GLOBAL"),
        "torch.load in the file": (
            b"\x80\x02ctorch\nload\n(X\x01\x00\x00\x00xtR.",
            "would import or run torch.load",
        ),
        "an instance with a state": (b"\x80\x02ccollections\nOrderedDict\n)\x81.", "uses NEWOBJ"),
        "a call of a call's result": (
            b"\x80\x02ccollections\nOrderedDict\n)R)R.",
            "calls something that is not a name",
        ),
        "an extension code": (b"\x80\x02\x82\x01.", "uses EXT1"),
        "a memo of four billion places": (b"\x80\x02}r\xff\xff\xff\xff.", ""),
        "nested pairs": (laughs(), "is a tuple, not a tensor"),
        "an empty stack": (b"\x80\x02R.", "not a valid pickle"),
        "no end": (b"\x80\x02}", "not a valid pickle"),
        "a storage that is not there": (tensor_pickle(key="7"), "its storage is not in the file"),
        "a shape beyond its storage": (tensor_pickle(shape="(3,)"), "takes bytes 0 to 12 of a storage of 8"),
        "an offset beyond its storage": (tensor_pickle(offset=1), "takes bytes 4 to 12 of a storage of 8"),
        "a negative offset": (tensor_pickle(offset=-1), "not whole numbers"),
        "a storage of another size": (tensor_pickle(count=100), "not what the pickle says"),
    }


@pytest.mark.parametrize("attack", pickles(Path("x")))
def test_a_pickle_is_read_but_never_run(tmp_path: Path, attack: str) -> None:
    trace = tmp_path / "it-ran"
    content, message = pickles(trace)[attack]
    (tmp_path / "x.bin").write_bytes(archive(content, data__0=bytes(8)))
    if message:
        with pytest.raises(MindrailError, match=message):
            open_file(tmp_path / "x.bin")
    else:
        assert open_file(tmp_path / "x.bin") == {}
    assert not trace.exists()


def test_the_handwritten_pickle_is_sound_when_it_does_not_lie(tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(archive(tensor_pickle(), data__0=bytes(8)))
    assert open_file(tmp_path / "x.bin")["a"].shape == (2,)


def test_a_compressed_archive_is_not_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.bin", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("x/data.pkl", tensor_pickle())
        file.writestr("x/data/0", bytes(100 << 20))
    with pytest.raises(MindrailError, match="is compressed or encrypted"):
        open_file(tmp_path / "x.bin")


def test_an_entry_that_lies_about_its_place_is_refused(tmp_path: Path) -> None:
    content = bytearray(archive(tensor_pickle(), data__0=bytes(8)))
    at = content.rindex(b"PK\x01\x02") + 42
    content[at : at + 4] = (5).to_bytes(4, "little")
    (tmp_path / "x.bin").write_bytes(content)
    with pytest.raises(MindrailError, match="no entry where the archive says"):
        open_file(tmp_path / "x.bin")


@pytest.mark.parametrize(
    "shard", ["../x.safetensors", "/etc/passwd", "a/b.safetensors", "..", "", "a\\b", 7, None]
)
def test_an_index_that_points_elsewhere_is_refused(tmp_path: Path, shard: object) -> None:
    (tmp_path / "x.safetensors").write_bytes(safetensors({}))
    inside = tmp_path / "model"
    inside.mkdir()
    (inside / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": shard}}))
    with pytest.raises(MindrailError, match="outside the index's directory"):
        open_checkpoint(inside)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"weight_map": []}', b'{"weight_map": ' + b"[" * 100_000]
)
def test_an_index_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.safetensors.index.json").write_bytes(content)
    with pytest.raises(MindrailError, match=r"index\.json"):
        open_checkpoint(tmp_path)


def test_a_shard_must_hold_exactly_what_the_index_says(tmp_path: Path) -> None:
    index = tmp_path / "model.safetensors.index.json"
    (tmp_path / "x.safetensors").write_bytes(safetensors({"a": entry(0, 4)}, bytes(4)))
    index.write_text(json.dumps({"weight_map": {"a": "x.safetensors", "b": "x.safetensors"}}))
    with pytest.raises(MindrailError, match=r"b is not in x\.safetensors"):
        open_checkpoint(tmp_path)
    index.write_text(json.dumps({"weight_map": {"a": "y.safetensors"}}))
    with pytest.raises(MindrailError, match=r"the shard y\.safetensors is missing"):
        open_checkpoint(tmp_path)
    (tmp_path / "y.safetensors").write_bytes(safetensors({"a": entry(0, 4), "c": entry(4, 8)}, bytes(8)))
    with pytest.raises(MindrailError, match=r"y\.safetensors holds c"):
        open_checkpoint(tmp_path)


def test_two_checkpoints_in_one_directory_are_refused(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(safetensors({}))
    (tmp_path / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(MindrailError, match="remove one of them"):
        open_checkpoint(tmp_path)
    (tmp_path / "model.safetensors.index.json").unlink()
    (tmp_path / "model.ckpt").write_bytes(GOOD)
    with pytest.raises(MindrailError, match="remove one of them"):
        open_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("key", "size", "message"),
    [
        ("vocab_size", 1 << 62, "not a positive integer below"),
        ("num_hidden_layers", 1 << 30, "1073741824 layers"),
    ],
)
def test_a_config_that_demands_the_impossible_writes_nothing(
    tmp_path: Path, key: str, size: int, message: str
) -> None:
    source = tmp_path / "hf"
    source.mkdir()
    (source / "config.json").write_text(json.dumps(CONFIG | {key: size}))
    (source / "model.safetensors").write_bytes(
        safetensors({"model.embed_tokens.weight": entry(0, 64, [4, 4])}, bytes(64))
    )
    with pytest.raises(MindrailError, match=message):
        convert_checkpoint(source, tmp_path / "out", to="mindspore")
    assert not (tmp_path / "out").exists()
