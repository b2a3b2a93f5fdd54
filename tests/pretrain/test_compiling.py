"""torch.compile where it pays, at the same steps when resumed, and never a crash."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.pretrain.rungs import rung, stop_at
from tests.pretrain.test_rung import curve_of
from transferscale.pretrain import compiling
from transferscale.pretrain.compiling import Plan, compile_networks, decompile, eagerly, pays

LONG = {"budget": 8 * 60, "trunk_end": 8 * 50}


def told(folder: Path) -> str:
    """What the sidecar says was chosen."""
    return str(json.loads((folder / "model.json.prov.json").read_text())["compiled"])


@pytest.fixture
def without_inductor(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """torch.compile with a backend that only traces: the choice is on trial here, not the code it makes."""
    made: list[Any] = []
    compiled = torch.compile

    def traced(function: Any) -> Any:
        made.append(function)
        return compiled(function, backend="eager")

    monkeypatch.setattr(torch, "compile", traced)
    return made


def test_it_pays_when_the_gain_is_twice_the_cost() -> None:
    # 10 % of 800 s is 80 s, twice the 40 s that compiling takes.
    assert pays(0.8, 1000, "cpu")
    assert not pays(0.79, 1000, "cpu")
    assert pays(0.48, 1000, "cuda")


def test_a_plan_says_which_steps_are_compiled() -> None:
    assert not any(Plan().compiled(step) for step in range(5))
    assert [Plan(first=2).compiled(step) for step in range(4)] == [False, False, True, True]
    assert [Plan(first=1, end=3).compiled(step) for step in range(4)] == [False, True, True, False]


def test_a_short_rung_stays_eager_and_says_why(corpus: Path, tmp_path: Path) -> None:
    made = rung(corpus, tmp_path / "auto", compile="auto", **LONG)
    assert told(made).startswith("eager: 42 steps of ")
    plain = rung(corpus, tmp_path / "off", **LONG)
    assert told(plain) == "off"
    assert (made / "model.safetensors").read_bytes() == (plain / "model.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("compiled_s", "expected"),
    [
        (0.004, "compiled: 4.0 ms a step, 5.0 ms eager"),
        (0.006, "eager: 5.0 ms a step, 6.0 ms compiled"),
    ],
)
def test_what_was_compiled_is_kept_only_if_it_is_faster(
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    without_inductor: list[Any],
    compiled_s: float,
    expected: str,
) -> None:
    monkeypatch.setattr(compiling, "pays", lambda *_: True)
    eager = [0.0, 0.005] * (compiling.WARM + compiling.MEASURED)
    clock = itertools.chain(eager, itertools.cycle([0.0, compiled_s]))
    monkeypatch.setattr(compiling, "_now", lambda _: next(clock))
    made = rung(corpus, tmp_path / "auto", compile="auto", **LONG)
    assert len(without_inductor) == 2
    assert told(made) == expected
    assert all(line["loss"] > 0 for line in curve_of(made))


def test_a_resumed_rung_switches_at_the_same_steps(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without_inductor: list[Any]
) -> None:
    monkeypatch.setattr(compiling, "pays", lambda *_: True)
    with monkeypatch.context() as patched:
        stop_at(45, patched)
        with pytest.raises(SystemExit):
            rung(corpus, tmp_path / "rung1", compile="auto", **LONG)
    (kept,) = tmp_path.glob(".resume-*/choices.json")
    plan = json.loads(kept.read_text())["compile"]
    assert plan["settled"]
    assert plan["first"] == 18
    # What was settled is not measured again.
    monkeypatch.setattr(compiling, "pays", lambda *_: pytest.fail("measured again"))
    made = rung(corpus, tmp_path / "rung1", compile="auto", **LONG)
    assert told(made) == plan["reason"]


def test_without_a_compiler_training_goes_on_with_a_line(
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from torch._inductor import config

    monkeypatch.setattr(compiling, "pays", lambda *_: True)
    monkeypatch.setattr(config.cpp, "cxx", ("/nowhere/c++",))
    monkeypatch.setattr(config, "force_disable_caches", True)
    made = rung(corpus, tmp_path / "auto", compile="auto", **LONG)
    assert "torch.compile does not work here (" in capsys.readouterr().err
    assert told(made).startswith("eager: torch.compile failed (")
    plain = rung(corpus, tmp_path / "off", **LONG)
    assert (made / "model.safetensors").read_bytes() == (plain / "model.safetensors").read_bytes()


def test_compiled_networks_keep_the_names_of_their_weights_and_run_eagerly_when_asked(
    without_inductor: list[Any],
) -> None:
    network = torch.nn.Linear(2, 2)
    names = list(network.state_dict())
    compile_networks([network])
    assert list(network.state_dict()) == names
    compiled = network.forward
    with eagerly([network]):
        assert "forward" not in network.__dict__
    assert network.forward is compiled
    decompile([network])
    assert network.forward == torch.nn.Linear.forward.__get__(network)
