"""The port's own reader of checkpoints gives the bits that TensorFlow's gives, and finds what is damaged."""

from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnasnet_torch.checkpoint import Checkpoint, Files, prefixes, read_checkpoint
from pnasnet_torch.checkpoint.v2 import slice_key
from pnasnet_torch.errors import WeightsError
from tf_reference import checkpoint

RNG = np.random.default_rng(0)
VALUES: dict[str, np.ndarray] = {
    "conv0/weights": RNG.normal(size=(3, 3, 3, 8)).astype(np.float32),
    "conv0_bn/beta": np.array([0.0, -0.0, 1e-45, 3.4e38, -1.1754944e-38, np.nan, np.inf], np.float32),
    "doubles": RNG.normal(size=(2, 5)),
    "halves": RNG.normal(size=(70, 3)).astype(np.float16),
    "integers": np.array([[-(2**31), -1, 0], [1, 300, 2**31 - 1]], np.int32),
    "global_step": np.array(-(2**40), np.int64),
    "scalar": np.array(0.1, np.float32),
    "empty": np.zeros((0, 3), np.float32),
}
# Enough names that the index takes several blocks, with keys that share their beginnings.
VALUES |= {f"cell_{n}/comb_iter_{n % 5}/left/bn_sep_{n}/gamma": np.full(3, n, np.float32) for n in range(400)}
VERSIONS = pytest.mark.parametrize("version", [1, 2], ids=["V1", "V2"])


def files_in(folder: Path) -> Files:
    names = [path.name for path in folder.iterdir()]
    return Files(str(folder), names, lambda name: open(folder / name, "rb"))


def read(prefix: Path) -> Checkpoint:
    return read_checkpoint(files_in(prefix.parent), prefix.name)


def bits(variables: Mapping[str, Any]) -> dict[str, tuple[np.dtype[Any], tuple[int, ...], bytes]]:
    arrays = {name: np.asarray(array) for name, array in variables.items()}
    return {name: (array.dtype, array.shape, array.tobytes()) for name, array in arrays.items()}


def tensorflow_s(tf: Any, prefix: Path) -> dict[str, Any]:
    """What TensorFlow's own reader gives, by name."""
    reader = tf.train.load_checkpoint(str(prefix))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


@VERSIONS
def test_a_checkpoint_of_all_types(version: int, tmp_path: Path) -> None:
    checkpoint.write(tmp_path / "model.ckpt", VALUES, version)
    assert read(tmp_path / "model.ckpt").version == f"V{version}"
    assert bits(read(tmp_path / "model.ckpt").state.arrays) == bits(VALUES)


@VERSIONS
def test_tensorflow_s_reader_gives_the_same(tf: Any, version: int, tmp_path: Path) -> None:
    """Of V1 it does not take half precision."""
    values = {name: array for name, array in VALUES.items() if name != "halves" or version == 2}
    checkpoint.write(tmp_path / "model.ckpt", values, version)
    assert bits(read(tmp_path / "model.ckpt").state.arrays) == bits(tensorflow_s(tf, tmp_path / "model.ckpt"))


@pytest.fixture
def save(tf: Any, tmp_path: Path) -> Callable[..., tuple[Path, dict[str, Any]]]:
    """Has TensorFlow's saver write variables of (11, 6), partitioned, and others beside them; each device's in a file
    of its own if `sharded`. Gives the prefix and all values."""
    v1 = tf.compat.v1

    def write(version: int, shards: int, sharded: bool, axis: int = 0) -> tuple[Path, dict[str, Any]]:
        config, values = v1.ConfigProto(device_count={"CPU": 2}), {}
        with tf.Graph().as_default(), v1.Session(config=config) as session:
            for device, name in (("/cpu:0", "first"), ("/cpu:1", "second")):
                with tf.device(device):
                    partitioner = v1.fixed_size_partitioner(shards, axis) if shards > 1 else None
                    random = v1.random_normal_initializer(seed=1)
                    values[name] = v1.get_variable(name, (11, 6), None, random, partitioner=partitioner)
                    values[f"{name}/whole"] = v1.get_variable(f"{name}/whole", (300,), None, random)
            session.run(v1.global_variables_initializer())
            saver = v1.train.Saver(write_version=version, sharded=sharded)
            saver.save(session, str(tmp_path / "model.ckpt"), write_meta_graph=False, write_state=False)
            return tmp_path / "model.ckpt", session.run({name: tf.identity(row) for name, row in values.items()})

    return write


@VERSIONS
@pytest.mark.parametrize(("shards", "axis"), [(1, 0), (3, 0), (4, 1)], ids=["whole", "rows", "columns"])
@pytest.mark.parametrize("sharded", [False, True], ids=["one-file", "sharded"])
def test_partitioned_variables_in_several_files(
    save: Callable[..., tuple[Path, dict[str, Any]]], version: int, shards: int, axis: int, sharded: bool
) -> None:
    prefix, values = save(version, shards, sharded, axis)
    data = [path for path in prefix.parent.iterdir() if not path.name.endswith(".index")]
    assert len(data) == 1 + sharded
    assert bits(read(prefix).state.arrays) == bits(values)
    assert prefixes(files_in(prefix.parent).names) == ["model.ckpt"]


@given(starts=st.lists(st.tuples(st.integers(0, 2**40), st.integers(-1, 2**40)), max_size=3))
def test_keys_of_slices_sort_as_their_numbers_do(starts: list[tuple[int, int]]) -> None:
    key = slice_key("name", tuple(starts))
    for place in range(len(starts)):
        later = [*starts]
        later[place] = (starts[place][0] + 1, starts[place][1])
        assert slice_key("name", tuple(later)) > key


@pytest.fixture(scope="module", params=[1, 2], ids=["V1", "V2"])
def sound(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a checkpoint, by name."""
    folder = tmp_path_factory.mktemp("sound")
    checkpoint.write(folder / "model.ckpt", VALUES, request.param)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def refused(contents: dict[str, bytes]) -> str:
    files = Files("folder", contents, lambda name: BytesIO(contents[name]))
    with pytest.raises(WeightsError) as caught:
        read_checkpoint(files, "model.ckpt")
    return str(caught.value)


@given(data=st.data())
def test_any_flipped_bit_is_found_and_its_file_is_named(sound: dict[str, bytes], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(sound)))
    content = bytearray(sound[name])
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    said = refused(sound | {name: bytes(content)})
    assert f"folder/{name} is not a sound TensorFlow checkpoint" in said


@given(data=st.data())
def test_any_truncated_file_is_found_and_named(sound: dict[str, bytes], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(sound)))
    kept = data.draw(st.integers(0, len(sound[name]) - 1))
    assert f"folder/{name} is not a sound TensorFlow checkpoint" in refused(sound | {name: sound[name][:kept]})


@pytest.mark.parametrize("sound", [2], indirect=True, ids=["V2"])
def test_damaged_data_name_the_variable(sound: dict[str, bytes]) -> None:
    data = next(name for name in sound if ".data" in name)
    content = bytearray(sound[data])
    content[-1] ^= 1
    last = sorted(VALUES)[-1]
    assert f"(variable {last}): its checksum does not fit" in refused(sound | {data: bytes(content)})
    del sound[data]
    assert "there is no such file" in refused(sound)


@VERSIONS
def test_a_missing_shard_is_named(save: Callable[..., tuple[Path, dict[str, Any]]], version: int) -> None:
    prefix, _ = save(version, 3, True)
    prefix.with_name(f"model.ckpt{'.data' if version == 2 else ''}-00001-of-00002").unlink()
    with pytest.raises(WeightsError, match=r"there is no such file|1 of 2 files are there: model\.ckpt-00000-of-00002"):
        read(prefix)


@VERSIONS
def test_types_that_weights_do_not_have_are_told(tf: Any, version: int, tmp_path: Path) -> None:
    """TF2's object checkpoints have a string: it is no reason to refuse what lies beside it."""
    values = VALUES | {"flags": np.array([True]), "graph": np.array(b"text", object)}
    checkpoint.write(tmp_path / "model.ckpt", values, version)
    state = read(tmp_path / "model.ckpt").state
    assert bits(state.arrays) == bits(VALUES)
    assert state.others == {"flags": "bool", "graph": "string"}
