# o105_bidi_and_tags [output] Trojan Source: bidi overrides, tag characters, variation selectors, homoglyph walls
# expect: ok ; invariants: ansi_stripped
import json, os, sys, time, ctypes
C = json.load(open("_attack.json")) if os.path.exists("_attack.json") else {}
def esc(what): print("ESCAPED:" + what, flush=True)
def safe(f, *a, **k):
    try: return f(*a, **k)
    except BaseException as e: print("blocked:", type(e).__name__, str(e)[:120], flush=True); return None
l = ctypes.CDLL(None, use_errno=True)
x86 = os.uname().machine == "x86_64"
def call(n86, n64, *a):
    r = l.syscall(ctypes.c_long(n86 if x86 else n64), *a); print(n86, r, ctypes.get_errno()); return r
print("\u202e evil \u2066 x \u2069 \U000e0069\U000e0067\U000e006e \u200b\u200d \ufe0f \x1b]8;;http://evil\x07click\x1b]8;;\x07 \x9b2J")
