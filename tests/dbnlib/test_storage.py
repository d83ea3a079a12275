"""Files: the same bits back, and a clear word for every file that is not one of ours."""

import json
import zipfile

import numpy as np
import pytest

import dbnlib
from dbnlib import storage
from dbnlib.checks import StorageError
from dbnlib.dbn import DBN
from dbnlib.groups import Groups
from dbnlib.network import Network
from dbnlib.rbm import RBM
from dbnlib.storage import load, save, write
from dbnlib.units import Bernoulli, Softmax


@pytest.fixture
def saved(rbm, tmp_path):
    return save(tmp_path / "model.npz", rbm)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_loaded_rbm_computes_the_same_bits(dtype, rng, tmp_path):
    units = Groups([Bernoulli(4), Softmax(2)])
    rbm = RBM(rng.normal(size=(6, 3)).astype(dtype), rng.normal(size=6), visible=units)
    again = load(save(tmp_path / "rbm", rbm))
    v = np.hstack([rng.random((5, 4)), np.eye(2)[[0, 1, 0, 1, 0]]])
    np.testing.assert_array_equal(again.free_energy(v), rbm.free_energy(v))
    assert again.free_energy(v).dtype == dtype


@pytest.mark.parametrize("tied", [True, False])
def test_a_loaded_dbn_computes_the_same_bits(tied, rng, tmp_path):
    dbn = DBN([RBM.random(6, 5, rng, scale=1), RBM.random(5, 4, rng, scale=1)])
    if not tied:
        dbn = dbn.untied()
        dbn.recognition[0].W += 1
    again = load(save(tmp_path / "dbn", dbn))
    v = rng.random((3, 6))
    np.testing.assert_array_equal(again.reconstruct(v), dbn.reconstruct(v))
    assert again.tied is tied


def test_a_loaded_network_computes_the_same_bits(rng, tmp_path):
    network = Network.random([4, 5, 3], rng)
    again = load(save(tmp_path / "network", network))
    x = rng.random((3, 4)).astype(np.float32)
    np.testing.assert_array_equal(again.predict(x), network.predict(x))


def test_saving_replaces_the_older_file_and_leaves_nothing_beside_it(rbm, saved, tmp_path):
    save(saved, rbm.transposed())
    assert load(saved).n_visible == rbm.n_hidden
    assert [path.name for path in tmp_path.iterdir()] == ["model.npz"]


def test_a_write_that_fails_leaves_the_older_file_whole(rbm, saved, tmp_path, monkeypatch):
    def full_disk(*_args, **_kwargs):
        raise OSError("no space left on device")

    monkeypatch.setattr("numpy.savez", full_disk)
    with pytest.raises(OSError, match="no space left"):
        save(saved, rbm.transposed())
    assert load(saved).n_visible == rbm.n_visible
    assert [path.name for path in tmp_path.iterdir()] == ["model.npz"]


def test_every_truncation_is_found(saved):
    whole = saved.read_bytes()
    for length in range(0, len(whole), 37):
        saved.write_bytes(whole[:length])
        with pytest.raises(StorageError):
            load(saved)


def test_every_flipped_byte_is_found_or_harmless(rbm, saved):
    # harmless: the archive's time stamps and attributes, which say nothing about the model
    whole = saved.read_bytes()
    found = 0
    for position in range(0, len(whole), 11):
        damaged = bytearray(whole)
        damaged[position] ^= 0xFF
        saved.write_bytes(damaged)
        try:
            np.testing.assert_array_equal(load(saved).W, rbm.W)
        except StorageError:
            found += 1
    assert found > 0.8 * len(whole) / 11


def rewrite_header(path, **changes):
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    header = json.loads(str(arrays.pop("header"))) | changes
    np.savez(path, header=np.array(json.dumps(header)), **arrays)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 99}, "has version 99 .* install a newer dbnlib"),
        ({"format": "other"}, "is a 'other' file"),
        ({"kind": "transformer"}, "not one of the models known here"),
        ({"kind": "dbn"}, "parts do not fit together"),
        ({"config": {"visible": [["bernoulli", 9]], "hidden": []}}, "parts do not fit together"),
    ],
    ids=str,
)
def test_a_file_that_is_newer_or_anothers_is_named(changes, message, saved):
    rewrite_header(saved, **changes)
    with pytest.raises(StorageError, match=message):
        load(saved)


def test_an_archive_of_somebody_elses_arrays_is_refused(tmp_path):
    np.savez(tmp_path / "arrays.npz", W=np.ones(3))
    with pytest.raises(StorageError, match="not one of dbnlib's"):
        load(tmp_path / "arrays.npz")


@pytest.mark.parametrize("content", [b"", b"hello", b"\x80\x04pickle", b"PK\x03\x04"])
def test_a_foreign_file_is_refused(content, tmp_path):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(StorageError, match="no dbnlib file"):
        load(tmp_path / "file")


def test_pickles_inside_an_archive_are_not_opened(tmp_path):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("the pickle was opened",))

    np.savez(tmp_path / "trap.npz", header=np.array(Trap(), dtype=object))
    with pytest.raises(StorageError, match="damaged or foreign"):
        load(tmp_path / "trap.npz")


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file"):
        load(tmp_path / "nothing")
    with pytest.raises(StorageError, match="is a folder"):
        load(tmp_path)


def test_things_that_cannot_be_saved_are_named(tmp_path):
    with pytest.raises(TypeError, match="cannot save a dict; what can be saved: .*RBM"):
        save(tmp_path / "x", {})


def test_the_archive_holds_plain_arrays_only(saved):
    with zipfile.ZipFile(saved) as archive:
        assert all(name.endswith(".npy") for name in archive.namelist())


def test_a_stored_model_is_as_readable_as_any_file(saved, tmp_path):
    (tmp_path / "plain").write_bytes(b"")
    assert saved.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_settings_that_json_cannot_hold_are_named(tmp_path):
    with pytest.raises(StorageError, match="a setting of the rbm cannot be stored"):
        write(tmp_path / "x", "rbm", {"rate": object()}, {})


def test_a_file_is_read_once(tmp_path, monkeypatch):
    path = dbnlib.save(tmp_path / "model", RBM(np.ones((2, 1))))
    reads, original = [], storage.read
    monkeypatch.setattr(storage, "read", lambda path: reads.append(path) or original(path))
    dbnlib.load(path)
    assert len(reads) == 1


def test_what_loads_on_first_use_is_listed_too():
    assert {"DBNClassifier", "data", "plots", "RBM"} <= set(dir(dbnlib))
