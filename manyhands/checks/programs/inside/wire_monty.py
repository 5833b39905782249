"""What a program in Monty is called with; written in the part of Python that Monty has."""
# mypy: ignore-errors


def _mh_wire(value, depth):
    """A value as lists with a tag in front, as `literals.encode` writes containers."""
    if value is None or value is ... or isinstance(value, (bool, int, float, str, bytes, complex)):
        return value
    if depth > 40:
        raise ValueError("a value nested deeper than 40")
    kind = type(value).__name__
    if isinstance(value, dict):
        return ["d"] + [
            [_mh_wire(key, depth + 1), _mh_wire(item, depth + 1)] for key, item in value.items()
        ]
    tag = ""
    if isinstance(value, list) or kind in ("dict_keys", "dict_values", "dict_items"):
        tag = "l"
    elif isinstance(value, tuple):
        tag = "t"
    elif isinstance(value, set):
        tag = "s"
    elif isinstance(value, frozenset):
        tag = "f"
    elif kind == "deque":
        tag = "q"
    elif kind.endswith("iterator"):
        tag = "g"
    if tag:
        return [tag] + [_mh_wire(item, depth + 1) for item in value]
    if kind == "range":
        return ["r", str(value.start), str(value.stop), str(value.step)]
    if kind in ("date", "datetime", "timedelta", "Decimal"):
        return value
    raise ValueError("a value of type " + kind)


def _mh_try(value):
    try:
        return ["value", _mh_wire(value, 0)]
    except Exception as error:
        return ["not_plain", str(error)]


def _mh_same(value, args):
    for at in range(len(args)):
        if value is args[at] and isinstance(value, (list, dict, set)):
            return at
    return -1


def _mh_back(old, new):
    """Make the tests' own object look as the answer left its copy."""
    if isinstance(old, list) and isinstance(new, list):
        if len(old) != len(new):
            old[:] = new
            return
        for at in range(len(old)):
            if type(old[at]) is type(new[at]) and isinstance(new[at], (list, dict, set)):
                _mh_back(old[at], new[at])
            else:
                old[at] = new[at]
    elif isinstance(old, (dict, set)) and type(old) is type(new):
        old.clear()
        old.update(new)


def _mh_candidate(*args, **kwargs):
    """Stands in for the answer in the tests."""
    given = [_mh_try(item) for item in args]
    named = {name: _mh_try(item) for name, item in kwargs.items()}
    value, same, changed = _mh_ask(given, named)  # noqa: F821
    for key, new in changed.items():
        _mh_back(kwargs[key] if key in kwargs else args[int(key)], new)
    return args[same] if same >= 0 else value
