"""Programs that solve nothing and try to be judged right all the same: none of them passes."""

from __future__ import annotations

import pytest

from manyhands.checks.outcome import Verdict
from manyhands.checks.programs.judge import judge_python

pytestmark = pytest.mark.anyio

PROMPT = 'def fold(xs):\n    """Sum of the squares.\n\n    >>> fold([1, 2])\n    5\n    """\n'
TESTS = (
    "SECRET = 5\n"
    "def check(candidate):\n"
    "    assert candidate([1, 2]) == SECRET\n"
    "    assert candidate([]) == 0\n"
    "    assert candidate([3, -4]) == 25\n"
)
WRONG = "\ndef fold(xs):\n    return None\n"
_FRAMES = """
import sys
def fold(xs):
    frame = sys._getframe()
    while frame:
        frame.f_locals.get('call', {}).clear() if 'call' in frame.f_locals else None
        sink = frame.f_locals.get('target') or frame.f_locals.get('sink')
        if sink:
            sink.write('{"verdict": "pass", "calls": 3}' + chr(10)); sink.flush()
        frame = frame.f_back
    return 0
"""

#: Name -> program. Every one of them gives at least one wrong answer.
CHEATS = {
    # --- ends before it can be found out
    "sys.exit(0) while it loads": "import sys\nsys.exit(0)\n" + WRONG,
    "sys.exit(0) in a call": "import sys\ndef fold(xs):\n    sys.exit(0)\n",
    "os._exit(0) while it loads": "import os\nos._exit(0)\n" + WRONG,
    "os._exit(0) in a call": "import os\ndef fold(xs):\n    os._exit(0)\n",
    "kills itself politely": "import os, signal\ndef fold(xs):\n    os.kill(os.getpid(), 15)\n",
    "kills its group": "import os\ndef fold(xs):\n    os.killpg(0, 9)\n",
    "becomes another program": "import os\ndef fold(xs):\n    os.execv('/bin/true', ['true'])\n",
    "raises SystemExit": "def fold(xs):\n    raise SystemExit(0)\n",
    "raises KeyboardInterrupt": "def fold(xs):\n    raise KeyboardInterrupt\n",
    "raises GeneratorExit": "def fold(xs):\n    raise GeneratorExit\n",
    "raises its own BaseException": (
        "class Done(BaseException):\n    pass\ndef fold(xs):\n    raise Done('passed')\n"
    ),
    "raises an exception called Stopped": (
        "class Stopped(BaseException):\n    pass\ndef fold(xs):\n    raise Stopped\n"
    ),
    "raises what a test framework calls skipped": (
        "import unittest\ndef fold(xs):\n    raise unittest.SkipTest('not here')\n"
    ),
    "an exception whose text is a verdict": (
        'def fold(xs):\n    raise ValueError(\'{"verdict": "pass", "calls": 3}\')\n'
    ),
    "recurses until the process dies": "def fold(xs):\n    return fold(xs)\n",
    # --- values that lie
    "an object equal to everything": (
        "class Yes:\n    def __eq__(self, other):\n        return True\n"
        "    __hash__ = None\ndef fold(xs):\n    return Yes()\n"
    ),
    "an int equal to everything": (
        "class Yes(int):\n    def __eq__(self, other):\n        return True\n"
        "    __hash__ = int.__hash__\ndef fold(xs):\n    return Yes(1)\n"
    ),
    "a float equal to everything": (
        "class Yes(float):\n    def __eq__(self, other):\n        return True\n"
        "    __hash__ = float.__hash__\ndef fold(xs):\n    return Yes(1)\n"
    ),
    "a list equal to everything": (
        "class Yes(list):\n    def __eq__(self, other):\n        return True\n"
        "    __hash__ = None\ndef fold(xs):\n    return Yes()\n"
    ),
    "a str equal to everything": (
        "class Yes(str):\n    def __eq__(self, other):\n        return True\n"
        "    __hash__ = str.__hash__\ndef fold(xs):\n    return Yes('5')\n"
    ),
    "an int with another __index__": (
        "class Yes(int):\n    def __index__(self):\n        return 5\n"
        "    __int__ = __float__ = __index__\ndef fold(xs):\n    return Yes(1)\n"
    ),
    "a class with a metaclass that lies": (
        "class Meta(type):\n    def __eq__(cls, other):\n        return True\n"
        "    __hash__ = type.__hash__\nclass Yes(metaclass=Meta):\n    pass\n"
        "def fold(xs):\n    return Yes\n"
    ),
    "a generator of every answer": "def fold(xs):\n    yield from (5, 0, 25)\n",
    "an array that compares elementwise": (
        "import numpy as np\ndef fold(xs):\n    return np.array([])\n"
    ),
    "a mock": "from unittest.mock import MagicMock\ndef fold(xs):\n    return MagicMock()\n",
    "unittest's ANY": "from unittest.mock import ANY\ndef fold(xs):\n    return ANY\n",
    "not a number": "def fold(xs):\n    return float('nan')\n",
    "NotImplemented": "def fold(xs):\n    return NotImplemented\n",
    "a proxy that hides its type": (
        "class Yes:\n    @property\n    def __class__(self):\n        return int\n"
        "    def __eq__(self, other):\n        return True\n    __hash__ = None\n"
        "def fold(xs):\n    return Yes()\n"
    ),
    # --- forges what it sends
    "prints a verdict": (
        'def fold(xs):\n    print(\'{"verdict": "pass", "calls": 3}\', flush=True)\n    return 1\n'
    ),
    "writes a verdict to descriptor 1": (
        'import os\ndef fold(xs):\n    os.write(1, b\'{"verdict": "pass"}\\n\')\n    return 1\n'
    ),
    "writes a verdict to every descriptor": (
        "import os\nfor fd in range(3, 40):\n    try:\n"
        '        os.write(fd, b\'{"verdict": "pass", "calls": 3}\\n\')\n'
        "    except OSError:\n        pass\n" + WRONG
    ),
    "answers ahead of the questions": (
        "import os\nfor fd in range(3, 40):\n    try:\n        for n in range(-1, 4):\n"
        '            os.write(fd, b\'{"id": %d, "value": true}\\n\' % n)\n'
        "    except OSError:\n        pass\n" + WRONG
    ),
    "a verdict in place of a reply": _FRAMES,
    "a verdict when it ends": (
        "import atexit, os\ndef end():\n    for fd in range(1, 40):\n        try:\n"
        '            os.write(fd, b\'{"verdict": "pass", "calls": 9}\\n\')\n'
        "        except OSError:\n            pass\natexit.register(end)\n"
        "def fold(xs):\n    raise SystemExit\n"
    ),
    "a reply with two outcomes": (
        "import sys\ndef fold(xs):\n    frame = sys._getframe(1)\n"
        "    frame.f_locals['out'].update(raised={'type': 'E'}, value=5)\n    return 1\n"
    ),
    "a value with an unknown tag": (
        "import sys\ndef fold(xs):\n    sys.modules['literals'].encode = lambda v: ['pass']\n"
        "    sys._getframe(1).f_globals['encode'] = lambda v: ['pass', 'pass']\n    return 1\n"
    ),
    # --- changes the ground under the tests
    "patches assert's exception": (
        "import builtins\nclass Quiet(Exception):\n    pass\n"
        "builtins.AssertionError = Quiet\n" + WRONG
    ),
    "patches builtins": (
        "import builtins\nbuiltins.abs = builtins.len = builtins.all = lambda *a: True\n"
        "builtins.isinstance = lambda *a: True\n" + WRONG
    ),
    "patches sys.modules": (
        "import sys, types\nfake = types.ModuleType('tests')\nfake.check = lambda c: None\n"
        "for name in ('tests', 'unittest', 'pytest', 'literals', 'json'):\n"
        "    sys.modules[name] = fake\n" + WRONG
    ),
    "patches the encoder of results": (
        'import json\njson.dumps = lambda line: \'{"verdict": "pass"}\'\n' + WRONG
    ),
    "defines check itself": "def check(candidate):\n    return None\n" + WRONG,
    "a trace function that skips lines": (
        "import sys\nsys.settrace(lambda *a: None)\nsys.setprofile(lambda *a: None)\n" + WRONG
    ),
    "an excepthook": "import sys\nsys.excepthook = lambda *a: None\n" + WRONG,
    "turns on -O afterwards": (
        "import os, sys\nos.environ['PYTHONOPTIMIZE'] = '2'\nsys.flags\n" + WRONG
    ),
    "leaves a sitecustomize": (
        "import pathlib\nfor name in ('sitecustomize.py', 'usercustomize.py', 'conftest.py'):\n"
        "    pathlib.Path(name).write_text('import builtins\\nbuiltins.len = id')\n" + WRONG
    ),
    "rewrites the scripts beside it": (
        "import pathlib\nfor path in pathlib.Path('.').glob('*.py'):\n"
        "    try:\n        path.write_text('print(1)')\n"
        "    except OSError:\n        pass\n" + WRONG
    ),
    # --- looks for the tests
    "reads the tests in its folder": (
        "import pathlib, re\ndef fold(xs):\n"
        "    for path in pathlib.Path('.').rglob('*'):\n"
        "        if path.is_file() and 'SECRET' in path.read_text(errors='replace'):\n"
        "            return int(re.search('SECRET = ([0-9]+)', path.read_text())[1])\n"
        "    return -1\n"
    ),
    "reads the tests in memory": (
        "import gc\ndef fold(xs):\n    for thing in gc.get_objects():\n"
        "        if isinstance(thing, dict) and 'tests' in thing:\n"
        "            return {2: 5, 0: 0}.get(len(xs), 25)\n    return -1\n"
    ),
    "reads the tests on the stack": (
        "import inspect\ndef fold(xs):\n    for frame in inspect.stack():\n"
        "        if 'SECRET' in str(frame.frame.f_locals) + str(frame.frame.f_globals):\n"
        "            return 5\n    return -1\n"
    ),
    "reads the other process": (
        "import os\ndef fold(xs):\n    for pid in os.listdir('/proc'):\n"
        "        try:\n            memory = open(f'/proc/{pid}/cmdline', 'rb').read()\n"
        "            if b'judge' in memory or b'SECRET' in memory:\n                return 5\n"
        "        except OSError:\n            pass\n    return -1\n"
    ),
    # --- stays behind
    "a thread that writes verdicts": (
        "import os, threading\ndef forever():\n    while True:\n        for fd in range(3, 20):\n"
        "            try:\n"
        '                os.write(fd, b\'{"verdict": "pass", "calls": 3}\\n\')\n'
        "            except OSError:\n                pass\n"
        "threading.Thread(target=forever).start()\n" + WRONG
    ),
    "a child that answers in its place": (
        "import os\nif os.fork() == 0:\n    for fd in range(3, 20):\n        try:\n"
        '            os.write(fd, b\'{"id": 1, "value": 5}\\n\')\n'
        "        except OSError:\n            pass\n    os._exit(0)\n" + WRONG
    ),
    "a signal handler that exits well": (
        "import os, signal\nfor n in (2, 10, 12, 14, 15):\n"
        "    signal.signal(n, lambda *a: os._exit(0))\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.001)\n"
        "def fold(xs):\n    while True:\n        pass\n"
    ),
    # --- not an answer
    "only the examples": "def fold(xs):\n    return {(1, 2): 5}[tuple(xs)]\n",
    "a class that only looks callable": "class fold:\n    def __init__(self, xs):\n        pass\n",
    "a text": "fold = 'def fold(xs): return sum(x * x for x in xs)'\n",
    "nothing": "",
    "null bytes": "def fold(xs):\n    return 5\n\x00",
}


@pytest.mark.parametrize("name", CHEATS)
async def test_a_cheating_program_does_not_pass(name: str) -> None:
    outcome = await judge_python(CHEATS[name], "fold", TESTS, prompt=PROMPT)
    assert outcome.verdict is not Verdict.SUPPORTED, outcome


async def test_the_same_tests_accept_the_right_program() -> None:
    right = "def fold(xs):\n    return sum(x * x for x in xs)\n"
    outcome = await judge_python(right, "fold", TESTS, prompt=PROMPT)
    assert outcome.verdict is Verdict.SUPPORTED, outcome


def test_there_are_at_least_forty_cheats() -> None:
    assert len(CHEATS) >= 40
    assert len(set(CHEATS.values())) == len(CHEATS)


_CHART = "import matplotlib.pyplot as plt\nfig, ax = plt.subplots()\nax.bar(['A', 'B'], [1, 1])\n"
_FORGED = {
    "a getter on single bars": (
        "for b, v in zip(ax.patches, [7, 5]):\n    b.get_height = lambda v=v: v\n"
    ),
    "a getter of the class": (
        "import matplotlib.patches as m\n"
        "m.Rectangle.get_height = lambda self: {0: 7.0, 1: 5.0}[round(self.get_x() + .4)]\n"
    ),
    "the text of every label": "import matplotlib.text as m\nm.Text.get_text = lambda self: 'T'\n",
    "a class of its own": (
        "class B(type(ax.patches[0])):\n    def get_height(self):\n        return 7.0\n"
        "for b in ax.patches:\n    b.__class__ = B\n"
    ),
    "the file of the facts": "import json\njson.dump({}, open('figure_facts.json', 'w'))\n",
    "an end before the facts": "import os\nos._exit(0)\n",
}


@pytest.mark.parametrize("forged", _FORGED)
async def test_a_chart_that_forges_what_is_read_of_it_is_not_supported(forged: str) -> None:
    from manyhands.checks.programs.figures import check_figure

    told, _, _ = await check_figure(
        _CHART + _FORGED[forged],
        "shop,sales\nA,3\nB,5\nA,4\n",
        {"chart": "bar", "x": "shop", "y": "sales", "agg": "sum"},
    )
    assert told.verdict is not Verdict.SUPPORTED, told
