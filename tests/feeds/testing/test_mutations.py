"""Messages made wrong: each in one place, and all of them wrong."""

import json
import struct

import msgspec
import pytest

from ticktree.feeds.testing.mutations import NOT_JSON, is_json, wrong_floats, wrong_texts, wrong_values

MESSAGE = b'{"s":"BTC","p":"1.5","n":7,"l":[["1","2"],["3","0"]],"d":{"x":null}}'


def test_each_value_is_replaced_by_each_that_cannot_be() -> None:
    made = dict(wrong_values(MESSAGE))
    assert MESSAGE not in made.values()
    assert made["NaN in place of 7 at n"] == MESSAGE.replace(b":7,", b":NaN,")
    assert made["\"nan\" in place of '1.5' at p"] == MESSAGE.replace(b'"1.5"', b'"nan"')
    assert made["\"-1\" in place of '0' at l.1.1"] == MESSAGE.replace(b'["3","0"]', b'["3","-1"]')
    assert len(made) == len(set(made.values()))


def test_where_any_finite_number_will_do_only_others_are_wrong() -> None:
    values = [text for _, text in wrong_values(b'{"p":1}', any_finite=True)]
    assert b'{"p":-1}' not in values
    assert b'{"p":NaN}' in values


def test_a_key_comes_twice_at_every_depth() -> None:
    made = dict(wrong_texts(MESSAGE))
    twice = [name for name in made if "twice at" in name]
    assert sorted(twice) == sorted(
        [f"the key {key!r} twice at the top" for key in "spnld"] + ["the key 'x' twice at d"]
    )
    for name in twice:
        text = made[name]
        assert json.loads(text) == json.loads(MESSAGE)  # which is what lenient parsers make of it
        assert text.count(b":") > MESSAGE.count(b":")


def test_what_is_no_json_is_none() -> None:
    assert is_json(MESSAGE)
    assert not is_json(b"7")
    for text in [*NOT_JSON, *(text for name, text in wrong_texts(MESSAGE) if "twice at" not in name)]:
        with pytest.raises((ValueError, RecursionError)):
            msgspec.json.decode(text)


def test_doubles_are_found_in_either_order() -> None:
    for order in "<>":
        message = b"x" + struct.pack(order + "d", 1.5) + struct.pack(order + "d", 0.25)
        made = dict(wrong_floats(message, ("1.5",), ("0.25",)))
        assert sorted(made) == sorted(
            [f"{wrong} in place of 1.5" for wrong in ("nan", "inf", "-inf")]
            + [f"{wrong} in place of 0.25" for wrong in ("nan", "inf", "-1")]
        )
        assert struct.unpack_from(order + "d", made["-1 in place of 0.25"], 9) == (-1.0,)
