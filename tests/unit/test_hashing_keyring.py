"""The keyring: what it reads, what it refuses without quoting, and that no key comes out by accident."""

from __future__ import annotations

import base64
import copy
import json
import pickle
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from kyc_verify.errors import ConfigurationError, UsageError
from kyc_verify.hashing import Keyring
from kyc_verify.hashing.keyring import Label, hkdf

VECTORS = Path(__file__).parent.parent / "vectors" / "rfc5869_hkdf.json"
ONE, TWO, THREE = (bytes(range(start, start + 32)) for start in (0, 50, 100))
TEXT_1, TEXT_2, TEXT_3 = (base64.b64encode(key).decode() for key in (ONE, TWO, THREE))


def ring(text: str) -> Keyring:
    return Keyring.from_env("P", environ={"P": text})


@pytest.mark.parametrize("case", json.loads(VECTORS.read_text())["cases"], ids=lambda case: case["name"])
def test_hkdf_gives_the_values_of_rfc_5869(case: dict[str, str | int]) -> None:
    secret, salt, info = (bytes.fromhex(str(case[name])) for name in ("ikm", "salt", "info"))
    assert hkdf(secret, salt=salt, info=info, length=int(case["length"])).hex() == case["okm"]


def test_each_label_and_each_entry_has_a_key_of_its_own() -> None:
    keys = Keyring({"2": TWO, "1": ONE})
    derived = {keys.key(label, key_id) for label in Label for key_id in keys.ids}
    assert len(derived) == 2 * len(Label)
    assert not derived & {ONE, TWO}
    assert {len(key) for key in derived} == {32}


def test_the_first_entry_is_active_and_the_last_is_the_oldest() -> None:
    keys = Keyring([("3", THREE), ("2", TWO), ("1", ONE)], archived=["1"])
    assert (keys.active, keys.oldest, keys.ids) == ("3", "1", ("3", "2", "1"))
    assert (keys.peppers, keys.retired) == ({"3", "2"}, {"2"})
    assert keys.key(Label.PEPPER) == keys.key(Label.PEPPER, "3")
    assert set(keys.chain_keys()) == {"3", "2", "1"}
    assert keys.chain_keys()["1"] == Keyring({"1": ONE}).key(Label.CHAIN)


def test_a_staged_entry_verifies_but_is_not_active_yet() -> None:
    keys = Keyring([("3", THREE), ("2", TWO), ("1", ONE)], staged=["3"])
    assert (keys.active, keys.oldest, keys.ids) == ("2", "1", ("2", "3", "1"))
    assert (keys.peppers, keys.retired) == ({"3", "2", "1"}, {"1"})
    alone = Keyring([("2", TWO), ("1", ONE)], staged=["2"])
    assert (alone.active, alone.oldest, alone.ids, alone.retired) == ("1", "1", ("1", "2"), frozenset())
    both = Keyring([("2", TWO), ("1", ONE)], staged=["2"], archived=["2"])
    assert both.peppers == {"1"}


def test_an_unknown_key_id_is_an_error_and_never_no_key() -> None:
    with pytest.raises(ConfigurationError, match="not in the keyring"):
        Keyring({"1": ONE}).key(Label.PEPPER, "2")


@pytest.mark.parametrize(
    ("keys", "archived", "fault"),
    [
        ({}, (), "needs at least one key"),
        (7, (), "needs at least one key"),
        ("text", (), "key 1: a key id is"),
        ([("1", ONE, "x")], (), "key 1: a key id is"),
        ([["1", ONE]], (), "key 1: a key id is"),
        ({"": ONE}, (), "key 1: a key id is"),
        ({"a b": ONE}, (), "key 1: a key id is"),
        ({"a$b": ONE}, (), "key 1: a key id is"),
        ({"x" * 33: ONE}, (), "key 1: a key id is"),
        ({1: ONE}, (), "key 1: a key id is"),
        ({"1": ONE[:31]}, (), "key 1 must be 32 to 1024 random bytes"),
        ({"1": bytes(1025)}, (), "key 1 must be 32 to 1024 random bytes"),
        ({"1": "a" * 44}, (), "key 1 must be 32 to 1024 random bytes"),
        ({"1": b"\x00" * 32}, (), "key 1 must be 32 to 1024 random bytes"),
        ({"1": b"secret!" * 5}, (), "key 1 must be 32 to 1024 random bytes"),
        ([("1", ONE), ("1", TWO)], (), "key 2 has the id of another"),
        ([("1", ONE), ("2", ONE)], (), "key 2 has the value of another"),
        ({"1": ONE}, ["2"], "archived must be"),
        ({"1": ONE}, "1", "archived must be"),
        ({"1": ONE}, 1, "archived must be"),
        ({"2": TWO, "1": ONE}, ["2", "1"], "no key is active"),
    ],
)
def test_wrong_keys_are_refused(keys: object, archived: object, fault: str) -> None:
    with pytest.raises(ConfigurationError, match=fault):
        Keyring(keys, archived=archived)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("staged", "fault"),
    [
        (["3"], "staged must be"),
        ("2", "staged must be"),
        (2, "staged must be"),
        (["2", "1"], "no key is active"),
        (["1"], "the last key cannot be staged"),
    ],
)
def test_wrong_staging_is_refused(staged: list[str], fault: str) -> None:
    with pytest.raises(ConfigurationError, match=fault):
        Keyring({"2": TWO, "1": ONE}, staged=staged)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Keyring([("a b", ONE[:5]), ("2", TWO), ("2", TWO)])
    assert str(caught.value).count(";") == 3


@pytest.mark.parametrize(
    "text",
    [
        f"2:{TEXT_2},1:{TEXT_1}",
        f" 2:{TEXT_2} ,\n1:{TEXT_1}\n",
        f"2:{TWO.hex()},1:{ONE.hex().upper()}",
        f"2:{base64.urlsafe_b64encode(TWO).decode().rstrip('=')},1:{TEXT_1}",
    ],
)
def test_entries_are_read_from_the_environment(text: str) -> None:
    keys, plain = ring(text), Keyring({"2": TWO, "1": ONE})
    assert keys.ids == ("2", "1")
    assert [keys.key(label, "1") for label in Label] == [plain.key(label, "1") for label in Label]
    assert keys.key(Label.SEAL) == plain.key(Label.SEAL)


@pytest.mark.parametrize("text", [TEXT_1, ONE.hex(), f"  {TEXT_1}\n"])
def test_a_value_alone_has_the_id_1(text: str) -> None:
    assert ring(text).chain_keys() == Keyring({"1": ONE}).chain_keys()


def test_states_of_entries_are_read() -> None:
    keys = ring(f"3:{TEXT_3}:staged,2:{TEXT_2},1:{TEXT_1}:archived")
    assert (keys.active, keys.peppers, keys.oldest) == ("2", {"3", "2"}, "1")


def test_the_default_is_the_variable_of_the_documentation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KYC_VERIFY_PEPPER", Keyring.new_entry("a"))
    assert Keyring.from_env().ids == ("a",)
    monkeypatch.delenv("KYC_VERIFY_PEPPER")
    with pytest.raises(ConfigurationError, match=r"^KYC_VERIFY_PEPPER is not set; .*Keyring.new_entry"):
        Keyring.from_env()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("CANARY", "entry 1 is neither base64 nor hexadecimal|random bytes"),
        ("2:CANARY%", "entry 1 is neither base64 nor hexadecimal"),
        ("2:CANARÉ", "entry 1 is neither base64 nor hexadecimal"),
        ("2:CANARYS", "key 1 must be 32 to 1024 random bytes"),
        (f"2:{TEXT_2},CANARY", "entry 2 must be id:value"),
        (f"2:{TEXT_2}:CANARY", "entry 1 must be id:value"),
        (f"2:{TEXT_2}:archived:CANARY", "entry 1 must be id:value"),
        (f"CANARY,{TEXT_2}", "entry 1 must be id:value"),
        (f"CANA$RY:{TEXT_2}", "key 1: a key id is"),
        (f"2:{TEXT_2}:archived", "no key is active"),
        (f"2:{TEXT_2},", "entry 2 must be id:value"),
        ("   ", "random bytes"),
    ],
)
def test_lk_02_04_a_wrong_variable_is_refused_and_never_quoted(text: str, fault: str) -> None:
    with pytest.raises(ConfigurationError, match=fault) as caught:
        ring(text)
    error = caught.value
    assert str(error).startswith("P: ")
    assert error.__context__ is None
    assert error.__cause__ is None
    # Of the library's frames only: the test's own holds the text.
    frames = traceback.TracebackException.from_exception(error, capture_locals=True).stack
    inside = [frame for frame in frames if Path(frame.filename).name == "keyring.py"]
    shown = "".join(str(frame.locals) for frame in inside) + str(error)
    assert inside
    assert "CANA" not in shown
    assert TEXT_2[:8] not in shown


def test_lk_02_a_wrong_key_is_not_in_the_traceback() -> None:
    key = b"CANARY-CANARY-CANARY-CANARY"
    with pytest.raises(ConfigurationError) as caught:
        Keyring({"1": key})
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True).stack
    assert "CANARY" not in "".join(str(frame.locals) for frame in frames if Path(frame.filename).name == "keyring.py")


def test_a_file_is_read_like_the_variable(tmp_path: Path) -> None:
    path = tmp_path / "pepper"
    path.write_text(f"2:{TEXT_2}\n1:{TEXT_1}:archived\n")
    assert Keyring.from_file(path).ids == ("2", "1")
    path.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ConfigurationError, match=r"^the keyring file: entry 1"):
        Keyring.from_file(str(path))
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        Keyring.from_file(tmp_path / "none")


def test_a_new_entry_is_an_entry_and_never_the_same() -> None:
    entry, other = Keyring.new_entry(), Keyring.new_entry()
    assert entry != other
    assert entry.startswith("1:")
    assert len(base64.b64decode(entry[2:])) == 32
    assert ring(f"{Keyring.new_entry('2')},{entry}").ids == ("2", "1")
    with pytest.raises(ConfigurationError, match="a key id is"):
        Keyring.new_entry("a:b")


def test_lk_01_printing_a_keyring_shows_nothing() -> None:
    keys = Keyring({"2": TWO, "1": ONE})
    for shown in (repr(keys), str(keys), f"{keys}", "%r" % keys, format(keys), ascii([keys])):  # noqa: UP031
        assert shown.strip("[]") == "Keyring(***)"


@pytest.mark.parametrize("act", [copy.copy, copy.deepcopy, pickle.dumps, lambda keys: pickle.dumps(keys, 0)])
def test_lk_03_a_keyring_is_not_copied_or_pickled(act: Callable[[object], object]) -> None:
    with pytest.raises(UsageError, match="never copied or serialised"):
        act(Keyring({"1": ONE}))


def test_lk_03_a_keyring_has_no_vars_and_no_json() -> None:
    with pytest.raises(TypeError):
        vars(Keyring({"1": ONE}))
    with pytest.raises(TypeError):
        json.dumps(Keyring({"1": ONE}))
