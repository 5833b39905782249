# o102_invalid_utf8_and_nul [output] NUL, invalid UTF-8, lone surrogates, overlong sequences
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
sys.stdout.buffer.write(b"\0\xff\xfe\xed\xa0\x80\xc0\xaf\xf5\x90\x80\x80" * 100 + b"\nend\n")
