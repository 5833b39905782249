# ruff: noqa: E501 - one program a line reads better than one wrapped over ten
"""Small functions for the benchmark: text, a second right version, typical inputs, blind tests."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FUNCTIONS", "Function"]


@dataclass(frozen=True)
class Function:
    """A function with what the benchmark needs to know of it.

    Attributes:
        source: the reference; its docstring has examples.
        other: another right version, written differently.
        tests: what somebody who saw only the docstring might test.
        inputs: an expression over `r` (random.Random): one argument list of its domain.
    """

    name: str
    source: str
    other: str
    tests: str
    inputs: str


_INTS = "[r.randint(-9, 9) for _ in range(r.randint(0, 9))]"
_NATURALS = "[r.randint(0, 30) for _ in range(r.randint(0, 9))]"
_WORD = "''.join(r.choice('abcAB xyz1') for _ in range(r.randint(0, 12)))"


def _make(
    signature: str, doc: str, body: str, other: str, tests: list[str], inputs: str
) -> Function:
    name = signature.partition("(")[0]

    def text(lines: str) -> str:
        indented = "\n".join("    " + line for line in lines.split("\n"))
        return f'def {signature}:\n    """{doc}"""\n{indented}\n'

    checks = "\n".join(f"    assert {t.replace(name + '(', 'candidate(')}" for t in tests)
    return Function(
        name, text(body), text(other), f"def check(candidate):\n{checks}\n", f"[{inputs}]"
    )


FUNCTIONS = [
    _make("running_max(xs: list[int]) -> list[int]", "Largest so far.\n\n    >>> running_max([1, 3, 2])\n    [1, 3, 3]\n    ",
          "out = []\nbest = None\nfor x in xs:\n    if best is None or x > best:\n        best = x\n    out.append(best)\nreturn out",
          "return [max(xs[:i + 1]) for i in range(len(xs))]",
          ["running_max([1, 3, 2]) == [1, 3, 3]", "running_max([]) == []", "running_max([-2, -5]) == [-2, -2]"], _INTS),
    _make("count_vowels(text: str) -> int", "How many of aeiou, any case.\n\n    >>> count_vowels('Area')\n    3\n    ",
          "total = 0\nfor c in text:\n    if c.lower() in 'aeiou':\n        total += 1\nreturn total",
          "return sum(text.lower().count(v) for v in 'aeiou')",
          ["count_vowels('Area') == 3", "count_vowels('') == 0", "count_vowels('xyz') == 0"], "''.join(r.choice('aeioubcdAEIOU ') for _ in range(r.randint(0, 12)))"),
    _make("is_prime(n: int) -> bool", "Whether n is prime.\n\n    >>> is_prime(7)\n    True\n    >>> is_prime(9)\n    False\n    >>> is_prime(1)\n    False\n    ",
          "if n < 2:\n    return False\nd = 2\nwhile d * d <= n:\n    if n % d == 0:\n        return False\n    d += 1\nreturn True",
          "return n > 1 and all(n % d for d in range(2, n))",
          ["is_prime(2) is True", "is_prime(9) is False", "is_prime(1) is False", "is_prime(13) is True"], "r.randint(0, 200)"),
    _make("gcd_of(a: int, b: int) -> int", "Greatest common divisor.\n\n    >>> gcd_of(12, 18)\n    6\n    >>> gcd_of(7, 1)\n    1\n    ",
          "while b:\n    a, b = b, a % b\nreturn a",
          "for d in range(max(a, b), 0, -1):\n    if a % d == 0 and b % d == 0:\n        return d\nreturn 0",
          ["gcd_of(12, 18) == 6", "gcd_of(7, 13) == 1", "gcd_of(5, 5) == 5"], "r.randint(1, 60), r.randint(1, 60)"),
    _make("unique_sorted(xs: list[int]) -> list[int]", "Each value once, ascending.\n\n    >>> unique_sorted([3, 1, 3])\n    [1, 3]\n    ",
          "return sorted(set(xs))",
          "out = []\nfor x in xs:\n    if x not in out:\n        out.append(x)\nout.sort()\nreturn out",
          ["unique_sorted([3, 1, 3]) == [1, 3]", "unique_sorted([]) == []", "unique_sorted([5, 4, 4, 2, 9]) == [2, 4, 5, 9]"], _INTS),
    _make("caesar(text: str, k: int) -> str", "Shift small letters by k, keep the rest.\n\n    >>> caesar('abz', 1)\n    'bca'\n    ",
          "out = ''\nfor c in text:\n    if 'a' <= c <= 'z':\n        out += chr((ord(c) - 97 + k) % 26 + 97)\n    else:\n        out += c\nreturn out",
          "letters = 'abcdefghijklmnopqrstuvwxyz'\nreturn ''.join(letters[(letters.index(c) + k) % 26] if c in letters else c for c in text)",
          ["caesar('abz', 1) == 'bca'", "caesar('A b', 2) == 'A d'"], _WORD + ", r.randint(0, 30)"),
    _make("below_zero_at(steps: list[int]) -> int", "Index where the running sum is first below 0, or -1.\n\n    >>> below_zero_at([1, -2, 3])\n    1\n    >>> below_zero_at([1])\n    -1\n    ",
          "total = 0\nfor i, s in enumerate(steps):\n    total += s\n    if total < 0:\n        return i\nreturn -1",
          "return next((i for i in range(len(steps)) if sum(steps[:i + 1]) < 0), -1)",
          ["below_zero_at([1, -2, 3]) == 1", "below_zero_at([]) == -1", "below_zero_at([2, -2, -1]) == 2"], _INTS),
    _make("mean_abs_dev(xs: list[float]) -> float", "Mean absolute deviation from the mean.\n\n    >>> mean_abs_dev([1.0, 2.0, 3.0, 4.0])\n    1.0\n    ",
          "if not xs:\n    return 0.0\nm = sum(xs) / len(xs)\nreturn sum(abs(x - m) for x in xs) / len(xs)",
          "n = len(xs)\nm = sum(x / n for x in xs)\nreturn float(sum(max(x, m) - min(x, m) for x in xs) / (n or 1))",
          ["abs(mean_abs_dev([1.0, 2.0, 3.0, 4.0]) - 1.0) < 1e-9", "mean_abs_dev([5.0]) == 0"], "[round(r.uniform(-9, 9), 2) for _ in range(r.randint(0, 8))]"),
    _make("is_palindrome(text: str) -> bool", "Whether it reads the same backwards, case ignored.\n\n    >>> is_palindrome('Anna')\n    True\n    >>> is_palindrome('ab')\n    False\n    ",
          "t = text.lower()\nfor i in range(len(t) // 2):\n    if t[i] != t[len(t) - 1 - i]:\n        return False\nreturn True",
          "t = text.lower()\nreturn t == t[::-1]",
          ["is_palindrome('Anna') is True", "is_palindrome('ab') is False", "is_palindrome('') is True"], "(lambda s: r.choice([s, s + s[::-1], s + 'x' + s[::-1]]))(''.join(r.choice('abAB') for _ in range(r.randint(0, 5))))"),
    _make("merge_intervals(spans: list[tuple[int, int]]) -> list[tuple[int, int]]", "Join spans that overlap or touch; each start <= end.\n\n    >>> merge_intervals([(1, 3), (2, 5), (8, 9)])\n    [(1, 5), (8, 9)]\n    ",
          "out = []\nfor a, b in sorted(spans):\n    if out and a <= out[-1][1]:\n        out[-1] = (out[-1][0], max(out[-1][1], b))\n    else:\n        out.append((a, b))\nreturn out",
          "spans = sorted(spans)\nout = []\nwhile spans:\n    a, b = spans.pop(0)\n    while spans and spans[0][0] <= b:\n        b = max(b, spans.pop(0)[1])\n    out.append((a, b))\nreturn out",
          ["merge_intervals([(1, 3), (2, 5), (8, 9)]) == [(1, 5), (8, 9)]", "merge_intervals([]) == []", "merge_intervals([(1, 2), (2, 3)]) == [(1, 3)]"], "[(a, a + r.randint(0, 5)) for a in (r.randint(0, 20) for _ in range(r.randint(0, 6)))]"),
    _make("digits_sum(n: int) -> int", "Sum of the decimal digits of |n|.\n\n    >>> digits_sum(-123)\n    6\n    >>> digits_sum(40)\n    4\n    ",
          "n = abs(n)\ntotal = 0\nwhile n > 0:\n    total += n % 10\n    n //= 10\nreturn total",
          "return sum(int(c) for c in str(abs(n)))",
          ["digits_sum(-123) == 6", "digits_sum(0) == 0", "digits_sum(99) == 18"], "r.randint(-5000, 5000)"),
    _make("rotate(xs: list[int], k: int) -> list[int]", "Rotate to the right by k.\n\n    >>> rotate([1, 2, 3], 1)\n    [3, 1, 2]\n    ",
          "if not xs:\n    return []\nk = k % len(xs)\nreturn xs[-k:] + xs[:-k] if k else list(xs)",
          "n = len(xs)\nreturn [xs[(i - k) % n] for i in range(n)]",
          ["rotate([1, 2, 3], 1) == [3, 1, 2]", "rotate([], 3) == []", "rotate([1, 2], 2) == [1, 2]"], _INTS + ", r.randint(0, 12)"),
    _make("balanced(text: str) -> bool", "Whether the brackets ( and ) are balanced.\n\n    >>> balanced('(())')\n    True\n    >>> balanced(')(')\n    False\n    >>> balanced('()()')\n    True\n    ",
          "depth = 0\nfor c in text:\n    if c == '(':\n        depth += 1\n    elif c == ')':\n        depth -= 1\n        if depth < 0:\n            return False\nreturn depth == 0",
          "t = ''.join(c for c in text if c in '()')\nwhile '()' in t:\n    t = t.replace('()', '')\nreturn not t",
          ["balanced('(())') is True", "balanced(')(') is False", "balanced('') is True", "balanced('(') is False"], "''.join(r.choice('()') for _ in range(r.randint(0, 8)))"),
    _make("second_largest(xs: list[int])", "The second largest distinct value, or None.\n\n    >>> second_largest([4, 7, 7, 1])\n    4\n    >>> second_largest([2, 2])\n    ",
          "best = second = None\nfor x in xs:\n    if best is None or x > best:\n        best, second = x, best\n    elif x != best and (second is None or x > second):\n        second = x\nreturn second",
          "ys = sorted(set(xs))\nreturn ys[-2] if len(ys) > 1 else None",
          ["second_largest([4, 7, 7, 1]) == 4", "second_largest([]) is None", "second_largest([1, 2]) == 1"], _INTS),
    _make("word_lengths(text: str) -> dict[str, int]", "Length of each word.\n\n    >>> word_lengths('to be')\n    {'to': 2, 'be': 2}\n    ",
          "out = {}\nfor word in text.split():\n    out[word] = len(word)\nreturn out",
          "return dict((w, len(w)) for w in text.split())",
          ["word_lengths('to be') == {'to': 2, 'be': 2}", "word_lengths('') == {}", "word_lengths('a abc') == {'a': 1, 'abc': 3}"], _WORD),
    _make("clamp(x: float, low: float, high: float) -> float", "x kept between low and high (low <= high).\n\n    >>> clamp(5.0, 0.0, 3.0)\n    3.0\n    ",
          "if low > high:\n    raise ValueError('low > high')\nif x < low:\n    return low\nif x > high:\n    return high\nreturn x",
          "if high < low:\n    raise ValueError\nreturn min(max(x, low), high)",
          ["clamp(5.0, 0.0, 3.0) == 3.0", "clamp(-1.0, 0.0, 3.0) == 0.0", "clamp(1.0, 0.0, 3.0) == 1.0"], "*(lambda a, b: (round(r.uniform(-9, 19), 1), min(a, b), max(a, b)))(round(r.uniform(0, 9), 1), round(r.uniform(0, 9), 1))"),
    _make("collatz(n: int) -> int", "Steps to 1.\n\n    >>> collatz(6)\n    8\n    >>> collatz(1)\n    0\n    ",
          "if n < 1:\n    raise ValueError('n < 1')\nsteps = 0\nwhile n != 1:\n    n = n // 2 if n % 2 == 0 else 3 * n + 1\n    steps += 1\nreturn steps",
          "if n <= 0:\n    raise ValueError\nreturn 0 if n == 1 else 1 + collatz(3 * n + 1 if n % 2 else n // 2)",
          ["collatz(6) == 8", "collatz(1) == 0", "collatz(7) == 16"], "r.randint(1, 90)"),
    _make("flatten(xss: list[list[int]]) -> list[int]", "One list out of many.\n\n    >>> flatten([[1], [2, 3]])\n    [1, 2, 3]\n    ",
          "out = []\nfor xs in xss:\n    for x in xs:\n        out.append(x)\nreturn out",
          "return sum(xss, [])",
          ["flatten([[1], [2, 3]]) == [1, 2, 3]", "flatten([]) == []"], f"[{_INTS} for _ in range(r.randint(0, 4))]"),
    _make("most_common(xs: list[int]) -> int", "The most frequent value, the smallest of equals; 0 for none.\n\n    >>> most_common([3, 1, 3])\n    3\n    ",
          "best, count = 0, 0\nfor x in sorted(set(xs)):\n    n = xs.count(x)\n    if n > count:\n        best, count = x, n\nreturn best",
          "return min(xs, key=lambda x: (-xs.count(x), x)) if xs else 0",
          ["most_common([3, 1, 3]) == 3", "most_common([]) == 0", "most_common([2, 1]) == 1"], _INTS),
    _make("compress(text: str) -> str", "Run lengths.\n\n    >>> compress('aab')\n    'a2b1'\n    ",
          "out = ''\ni = 0\nwhile i < len(text):\n    j = i\n    while j < len(text) and text[j] == text[i]:\n        j += 1\n    out += text[i] + str(j - i)\n    i = j\nreturn out",
          "import itertools\nreturn ''.join(k + str(len(list(g))) for k, g in itertools.groupby(text))",
          ["compress('aab') == 'a2b1'", "compress('') == ''", "compress('abb') == 'a1b2'"], "''.join(r.choice('aab') for _ in range(r.randint(0, 9)))"),
    _make("dot(a: list[int], b: list[int]) -> int", "Scalar product of the common length.\n\n    >>> dot([1, 2], [3, 4])\n    11\n    ",
          "total = 0\nfor x, y in zip(a, b):\n    total += x * y\nreturn total",
          "return sum(a[i] * b[i] for i in range(min(len(a), len(b))))",
          ["dot([1, 2], [3, 4]) == 11", "dot([], []) == 0"], _INTS + ", " + _INTS),
    _make("binary(n: int) -> str", "Binary digits of n >= 0.\n\n    >>> binary(5)\n    '101'\n    >>> binary(0)\n    '0'\n    ",
          "if n < 0:\n    raise ValueError('n < 0')\nif n == 0:\n    return '0'\nout = ''\nwhile n:\n    out = str(n % 2) + out\n    n //= 2\nreturn out",
          "if n < 0:\n    raise ValueError\nreturn format(n, 'b')",
          ["binary(5) == '101'", "binary(0) == '0'", "binary(8) == '1000'"], "r.randint(0, 300)"),
    _make("common_prefix(a: str, b: str) -> str", "The longest common start.\n\n    >>> common_prefix('abc', 'abd')\n    'ab'\n    ",
          "out = ''\nfor x, y in zip(a, b):\n    if x != y:\n        break\n    out += x\nreturn out",
          "n = 0\nwhile n < min(len(a), len(b)) and a[n] == b[n]:\n    n += 1\nreturn a[:n]",
          ["common_prefix('abc', 'abd') == 'ab'", "common_prefix('', 'a') == ''", "common_prefix('a', 'a') == 'a'"], "''.join(r.choice('ab') for _ in range(r.randint(0, 5))), ''.join(r.choice('ab') for _ in range(r.randint(0, 5)))"),
    _make("fib(n: int) -> int", "The n-th Fibonacci number.\n\n    >>> fib(10)\n    55\n    >>> fib(0)\n    0\n    ",
          "a, b = 0, 1\nfor _ in range(n):\n    a, b = b, a + b\nreturn a",
          "out = [0, 1]\nwhile len(out) <= n:\n    out.append(out[-1] + out[-2])\nreturn out[n]",
          ["fib(10) == 55", "fib(0) == 0", "fib(1) == 1"], "r.randint(0, 40)"),
    _make("split_even_odd(xs: list[int]) -> tuple[list[int], list[int]]", "Even and odd values.\n\n    >>> split_even_odd([1, 2, 4])\n    ([2, 4], [1])\n    ",
          "even = []\nodd = []\nfor x in xs:\n    if x % 2 == 0:\n        even.append(x)\n    else:\n        odd.append(x)\nreturn even, odd",
          "return [x for x in xs if not x & 1], [x for x in xs if x & 1]",
          ["split_even_odd([1, 2, 4]) == ([2, 4], [1])", "split_even_odd([]) == ([], [])"], _INTS),
    _make("pairs_with_sum(xs: list[int], total: int) -> int", "Number of index pairs i < j with that sum.\n\n    >>> pairs_with_sum([1, 2, 3, 1], 4)\n    2\n    ",
          "n = 0\nfor i in range(len(xs)):\n    for j in range(i + 1, len(xs)):\n        if xs[i] + xs[j] == total:\n            n += 1\nreturn n",
          "import itertools\nreturn sum(a + b == total for a, b in itertools.combinations(xs, 2))",
          ["pairs_with_sum([1, 2, 3, 1], 4) == 2", "pairs_with_sum([], 0) == 0", "pairs_with_sum([2, 2], 4) == 1"], _NATURALS + ", r.randint(0, 30)"),
    _make("title_case(text: str) -> str", "First letter of each word large, the rest small.\n\n    >>> title_case('hello wORLD')\n    'Hello World'\n    ",
          "words = []\nfor w in text.split(' '):\n    words.append(w[:1].upper() + w[1:].lower())\nreturn ' '.join(words)",
          "return ' '.join(w.capitalize() for w in text.split(' '))",
          ["title_case('hello wORLD') == 'Hello World'", "title_case('') == ''"], _WORD),
    _make("median_of(xs: list[int]) -> float", "The median; 0.0 for none.\n\n    >>> median_of([3, 1, 2])\n    2.0\n    >>> median_of([1, 2])\n    1.5\n    ",
          "if not xs:\n    return 0.0\nys = sorted(xs)\nm = len(ys) // 2\nif len(ys) % 2 == 1:\n    return float(ys[m])\nreturn (ys[m - 1] + ys[m]) / 2",
          "import statistics\nreturn float(statistics.median(xs)) if xs else 0.0",
          ["median_of([3, 1, 2]) == 2.0", "median_of([1, 2]) == 1.5", "median_of([]) == 0.0"], _INTS),
    _make("remove_all(xs: list[int], x: int) -> None", "Remove every x from the list in place.\n\n    >>> remove_all([1, 2], 3)\n    ",
          "i = 0\nwhile i < len(xs):\n    if xs[i] == x:\n        del xs[i]\n    else:\n        i += 1",
          "xs[:] = [y for y in xs if y != x]",
          ["(lambda v: (remove_all(v, 1), v)[1])([1, 2, 1]) == [2]", "(lambda v: (remove_all(v, 1), v)[1])([]) == []"], "[r.randint(0, 3) for _ in range(r.randint(0, 8))], r.randint(0, 3)"),
    _make("transpose(rows: list[list[int]]) -> list[list[int]]", "Columns of equally long rows.\n\n    >>> transpose([[1, 2], [3, 4]])\n    [[1, 3], [2, 4]]\n    ",
          "if not rows:\n    return []\nif any(len(row) != len(rows[0]) for row in rows):\n    raise ValueError('ragged')\nout = []\nfor c in range(len(rows[0])):\n    out.append([row[c] for row in rows])\nreturn out",
          "if len({len(row) for row in rows}) > 1:\n    raise ValueError\nreturn [list(column) for column in zip(*rows)]",
          ["transpose([[1, 2], [3, 4]]) == [[1, 3], [2, 4]]", "transpose([]) == []"], "(lambda n: [[r.randint(0, 9) for _ in range(n)] for _ in range(r.randint(0, 4))])(r.randint(0, 4))"),
]  # fmt: skip
