"""A job's functions travel with all they use, nothing that cannot go, nothing secret by accident."""

import pickle  # noqa: TID251 (reads what capture wrote, as the runner does)
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from lc_jupyter.packaging.capture import Capture, capture
from lc_jupyter.packaging.errors import CapturedTooLarge, UnpicklableCapture
from tests.jupyter.cells import Function, run_cell

PLAIN = """
    import numpy as np
    DATA = np.arange(1000.0)
    UNUSED = np.zeros(100_000)
    SCALE = 2

    def total():
        return SCALE * DATA.sum()

    def train(trial):
        return total()

    def evaluate(model):
        return [model]
"""


def captured(source: str, bytes_max: int = 10_000_000) -> Capture:
    names = run_cell(source)
    functions: dict[str, Function] = {
        key: names[key] for key in ("train", "evaluate") if key in names
    }
    return capture(functions, {"model_format": "raw"}, bytes_max)


def test_a_captured_function_gives_the_same_in_another_process(tmp_path: Path) -> None:
    (tmp_path / "job").write_bytes(captured(PLAIN).payload)
    program = "import pickle, sys; print(pickle.load(open(sys.argv[1], 'rb'))['train'](None))"

    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "job")], capture_output=True, check=True
    )

    assert float(done.stdout) == 2 * np.arange(1000.0).sum()


def test_only_names_that_a_function_uses_go_along_largest_first() -> None:
    assert [(n.name, n.holder, n.size) for n in captured(PLAIN).names] == [
        ("DATA", "total", 8000),
        ("SCALE", "total", 5),
    ]


def test_settings_lie_beside_the_functions() -> None:
    payload = pickle.loads(captured(PLAIN).payload)  # noqa: S301 (our own)

    assert sorted(payload) == ["evaluate", "model_format", "train"]


def test_the_same_functions_give_the_same_payload_although_the_cell_ran_twice() -> None:
    assert captured(PLAIN).payload == captured(PLAIN).payload


def test_no_file_name_of_this_machine_is_in_the_payload() -> None:
    assert b"<cell" not in captured(PLAIN).payload


def test_lines_of_captured_functions_go_along_at_their_numbers_and_no_others() -> None:
    (text,) = captured(PLAIN).sources.values()

    assert text.splitlines()[6] == "def total():"
    assert "UNUSED" not in text


@pytest.mark.parametrize(
    ("source", "module"),
    [
        ("import numpy.linalg\ndef train(t): return numpy.linalg.norm", "numpy"),
        ("def train(t):\n import sklearn.svm\n return sklearn", "sklearn.svm"),
        ("def train(t):\n from sklearn import svm\n return svm", "sklearn.svm"),
        ("def train(t):\n def inner():\n  import joblib\n return inner", "joblib"),
        ("class A:\n def f(self):\n  import joblib\ndef train(t): return A", "joblib"),
        ("import numpy\nX = [{'a': numpy.zeros(1)}]\ndef train(t): return X", "numpy"),
        ("def helper():\n import joblib\ndef train(t, f=helper): return f", "joblib"),
    ],
)
def test_modules_are_found_where_functions_or_values_need_them(source: str, module: str) -> None:
    assert module in captured(source).modules


def test_a_value_that_cannot_be_sent_is_named_by_the_way_to_it() -> None:
    source = """
        import threading
        STATE = {"pool": [1, {"lock": threading.Lock()}]}
        def helper():
            return STATE
        def train(trial):
            return helper()
    """
    with pytest.raises(UnpicklableCapture) as refusal:
        captured(source)

    assert refusal.value.trail == "STATE['pool'][1]['lock'], which helper uses,"
    assert "create it inside the function" in str(refusal.value)


def test_a_value_in_a_closure_that_cannot_be_sent_is_named() -> None:
    source = """
        def make():
            numbers = (n for n in range(3))
            def train(trial):
                return next(numbers)
            return train
        train = make()
    """
    with pytest.raises(UnpicklableCapture, match="numbers, which train uses, is a generator"):
        captured(source)


def test_an_attribute_that_cannot_be_sent_is_named() -> None:
    source = """
        import threading
        class Holder:
            def __init__(self):
                self.lock = threading.Lock()
        holder = Holder()
        def train(trial):
            return holder
    """
    with pytest.raises(UnpicklableCapture, match=r"holder\.lock, which train uses"):
        captured(source)


def test_captured_data_over_the_limit_is_refused_with_names_and_sizes() -> None:
    with pytest.raises(CapturedTooLarge) as refusal:
        captured(PLAIN, bytes_max=4000)

    assert refusal.value.names[0] == ("DATA", 8000)
    assert "--include" in str(refusal.value)


def test_a_captured_text_that_looks_like_a_key_is_found_by_name_without_its_value() -> None:
    key = "AKIA" + "ABCDEFGHIJKLMNOP"
    found = captured(f"CLOUD = {{'k': '{key}'}}\ndef train(t): return CLOUD").findings

    assert found == (("CLOUD['k']", "AWS access key"),)


def test_a_key_in_an_attribute_of_a_class_is_found() -> None:
    source = """
        class Settings:
            api_key = "0123456789"
        def train(trial):
            return Settings.api_key
    """

    assert ("api_key", "its name") in captured(source).findings


def test_a_function_whose_name_speaks_of_passwords_may_hold_words() -> None:
    assert not captured("def train(t, w=1):\n def password_words(): return 'open sesame'").findings


def test_a_key_written_inside_a_function_is_found() -> None:
    found = captured(f"def train(t): return 'hf_{'a' * 34}'").findings

    assert ("train", "Hugging Face token") in found


def test_a_module_made_by_hand_goes_by_value() -> None:
    module = types.ModuleType("by_hand")
    module.__dict__["answer"] = 42
    names = run_cell("def train(t): return by_hand.answer")
    names["by_hand"] = module

    payload = capture({"train": names["train"]}, {}).payload

    assert pickle.loads(payload)["train"](None) == 42  # noqa: S301 (our own)
