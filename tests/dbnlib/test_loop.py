"""The epoch loop: batches, interruption, checkpoints, a killed process."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from dbnlib import storage
from dbnlib.checks import StorageError
from dbnlib.gradients import CD, PCD
from dbnlib.loop import History, InterruptedTrainingWarning, minibatches
from dbnlib.rbm import RBM
from dbnlib.training import train_rbm


def test_each_epoch_visits_every_row_once(rng):
    batches = list(minibatches(10, 4, rng))
    assert [len(batch) for batch in batches] == [4, 4, 2]
    assert sorted(np.concatenate(batches)) == list(range(10))


@pytest.fixture
def data(rng):
    return rng.integers(0, 2, size=(50, 8)).astype(np.float32)


def trained(data, *, epochs, estimator=None, checkpoint=None, **settings):
    rng = np.random.default_rng(0)
    rbm = RBM.random(8, 5, rng)
    history = train_rbm(
        rbm,
        data,
        epochs=epochs,
        rng=rng,
        gradient=estimator or CD(1),
        batch_size=8,
        checkpoint=checkpoint,
        weight_decay=0.01,
        momentum=0.8,
        **settings,
    )
    return rbm, history, rng


@pytest.mark.parametrize("extra", [{}, {"centred": True}, {"sparsity": 0.2}], ids=str)
@pytest.mark.parametrize("make", [CD, PCD])
@pytest.mark.parametrize("generator", [np.random.PCG64, np.random.SFC64, np.random.MT19937])
def test_a_resumed_run_ends_in_the_same_bits(make, extra, generator, data, tmp_path):
    def run(epochs, checkpoint):
        rng = np.random.Generator(generator(3))
        rbm = RBM.random(8, 5, rng)
        settings = {"gradient": make(1), "batch_size": 8, "momentum": 0.8, **extra}
        history = train_rbm(rbm, data, epochs=epochs, rng=rng, checkpoint=checkpoint, **settings)
        return rbm.W, rbm.b, rbm.c, history["reconstruction_error"], rng.random(3)

    straight = run(6, None)
    run(2, tmp_path / "run.npz")
    resumed = run(6, tmp_path / "run.npz")
    for one, other in zip(straight, resumed, strict=True):
        np.testing.assert_array_equal(one, other)


def test_ctrl_c_leaves_the_last_finished_epoch(data):
    def interrupt(machine):
        interrupt.calls += 1
        if interrupt.calls == 3:
            machine.W += 100
            raise KeyboardInterrupt
        return 0.0

    interrupt.calls = 0
    with pytest.warns(InterruptedTrainingWarning, match="in epoch 3 of 9; the model is that of"):
        interrupted, history, _ = trained(data, epochs=9, monitors={"x": interrupt})
    two_epochs, _, _ = trained(data, epochs=2)
    assert history.interrupted
    assert len(history) == 2
    np.testing.assert_array_equal(interrupted.W, two_epochs.W)


KILLED = """
import signal, sys, time
# a job in the background of a shell ignores Ctrl-C, and so would what it starts
signal.signal(signal.SIGINT, signal.default_int_handler)
import numpy as np
from dbnlib.rbm import RBM
from dbnlib.training import train_rbm
rng = np.random.default_rng(0)
data = np.random.default_rng(1).integers(0, 2, size=(50, 8)).astype(np.float32)
rbm = RBM.random(8, 5, rng)
def slow(machine):
    print("epoch", flush=True)
    time.sleep(float(sys.argv[2]))
    return 0.0
train_rbm(rbm, data, epochs=8, rng=rng, checkpoint=sys.argv[1], monitors={"slow": slow})
np.save(sys.argv[1] + ".npy", rbm.W)
"""


def run_script(checkpoint, pause):
    command = [sys.executable, "-c", KILLED, str(checkpoint), str(pause)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL on Windows")
def test_a_killed_run_resumed_ends_in_the_same_bits(tmp_path):
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    run_script(straight, 0).communicate()
    process = run_script(killed, 0.2)
    for _ in range(4):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "killed.npy").exists()
    output, errors = run_script(killed, 0).communicate()
    assert 1 <= output.count("epoch") < 8, errors
    np.testing.assert_array_equal(np.load(f"{straight}.npy"), np.load(f"{killed}.npy"))


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is not a signal on Windows")
def test_a_real_ctrl_c_ends_the_fit_with_a_warning_and_no_traceback(tmp_path):
    process = run_script(tmp_path / "run", 0.2)
    for _ in range(3):
        process.stdout.readline()
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "stopped by Ctrl-C" in errors
    assert "Traceback" not in errors
    assert (tmp_path / "run.npy").exists()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"learning_rate": 0.3}, "learning_rate"),
        ({"estimator": CD(2)}, "gradient"),
        ({"sparsity": 0.5}, "sparsity"),
    ],
    ids=str,
)
def test_a_checkpoint_of_another_run_is_refused(change, named, data, tmp_path):
    trained(data, epochs=1, checkpoint=tmp_path / "run.npz")
    with pytest.raises(StorageError, match=f"another run: .*{named}.* differ"):
        trained(data, epochs=2, checkpoint=tmp_path / "run.npz", **change)


def test_a_checkpoint_of_other_data_is_refused(data, tmp_path):
    trained(data, epochs=1, checkpoint=tmp_path / "run.npz")
    with pytest.raises(StorageError, match="another run: data differ"):
        trained(1 - data, epochs=2, checkpoint=tmp_path / "run.npz")


def test_a_finished_checkpoint_is_only_read(data, tmp_path):
    first, _, _ = trained(data, epochs=3, checkpoint=tmp_path / "run.npz")
    again, history, _ = trained(data, epochs=3, checkpoint=tmp_path / "run.npz")
    np.testing.assert_array_equal(first.W, again.W)
    assert len(history) == 3


def test_no_epochs_change_nothing(data):
    rbm, history, _ = trained(data, epochs=0)
    np.testing.assert_array_equal(rbm.W, RBM.random(8, 5, np.random.default_rng(0)).W)
    assert len(history) == 0


def test_history_gives_a_monitor_over_the_epochs():
    history = History([{"error": 3.0}, {"error": 2.0, "gap": 1.0}])
    assert history["error"].tolist() == [3.0, 2.0]
    assert np.isnan(history["gap"][0])
    assert history.names == ["error", "gap"]


def test_a_checkpoint_of_another_generator_is_refused_before_anything_changes(data, tmp_path):
    trained(data, epochs=1, checkpoint=tmp_path / "run.npz")
    rng = np.random.Generator(np.random.SFC64(0))
    rbm = RBM.random(8, 5, rng)
    before = rbm.W.copy()
    settings = {"gradient": CD(1), "batch_size": 8, "weight_decay": 0.01, "momentum": 0.8}
    with pytest.raises(StorageError, match="written with the generator PCG64, and rng is a SFC64"):
        train_rbm(rbm, data, epochs=2, rng=rng, checkpoint=tmp_path / "run.npz", **settings)
    np.testing.assert_array_equal(rbm.W, before)


def test_ctrl_c_while_a_checkpoint_is_written_keeps_the_finished_epoch(data, tmp_path, monkeypatch):
    def interrupt(*_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("dbnlib.loop.write_checkpoint", interrupt)
    with pytest.warns(InterruptedTrainingWarning, match="after epoch 1 of 5; the model is that of"):
        _, history, _ = trained(data, epochs=5, checkpoint=tmp_path / "run.npz")
    assert len(history) == 1
    assert history.interrupted


def test_ctrl_c_between_two_epochs_keeps_the_finished_one(data, monkeypatch):
    def interrupt(*_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("dbnlib.training.RBMJob.finished", interrupt)
    with pytest.warns(InterruptedTrainingWarning, match="after epoch 1 of 5"):
        _, history, _ = trained(data, epochs=5)
    assert len(history) == 1
    assert history.interrupted


# ---- whose checkpoint it is


def going_on(rbm, data, epochs, checkpoint):
    settings = {"gradient": CD(1), "rng": np.random.default_rng(0), "checkpoint": checkpoint}
    return train_rbm(rbm, data, epochs=epochs, **settings)


def test_a_checkpoint_of_a_run_with_another_start_is_refused(data, tmp_path):
    one, other = (RBM.random(8, 5, np.random.default_rng(seed)) for seed in (1, 2))
    before = other.W.copy()
    going_on(one, data, 1, tmp_path / "run.npz")
    with pytest.raises(StorageError, match="started from other parameters: another seed, or lower"):
        going_on(other, data, 2, tmp_path / "run.npz")
    np.testing.assert_array_equal(other.W, before)


def test_the_model_itself_goes_on_from_where_its_checkpoint_stands(data, tmp_path):
    straight, rbm = (RBM.random(8, 5, np.random.default_rng(1)) for _ in range(2))
    going_on(straight, data, 4, None)
    for epochs in (2, 3, 4):  # as when a notebook's cell is run again after Ctrl-C
        history = going_on(rbm, data, epochs, tmp_path / "run.npz")
    np.testing.assert_array_equal(rbm.W, straight.W)
    assert len(history) == 4


def test_a_checkpoint_of_a_run_in_another_precision_is_refused(data, tmp_path):
    rng = np.random.default_rng(1)
    going_on(RBM.random(8, 5, rng), data, 1, tmp_path / "run.npz")
    with pytest.raises(StorageError, match="another run: .*dtype differ"):
        going_on(RBM.random(8, 5, rng, dtype=np.float64), data, 2, tmp_path / "run.npz")


def test_a_checkpoint_that_does_not_know_its_start_is_refused(data, tmp_path):
    trained(data, epochs=1, checkpoint=tmp_path / "run.npz")
    kind, config, arrays = storage.read(tmp_path / "run.npz")
    del config["start"]
    storage.write(tmp_path / "run.npz", kind, config, arrays)
    with pytest.raises(StorageError, match="by an earlier dbnlib, .*remove the file to start over"):
        trained(data, epochs=2, checkpoint=tmp_path / "run.npz")
