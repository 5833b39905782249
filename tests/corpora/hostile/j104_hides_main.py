# j104_hides_main [judge] replaces main.py, its own stack and the module __main__ while it runs
# expect: ok|error ; invariants: not_a_pass
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
open("main.py", "w").write("print('other')"); os.makedirs("json", exist_ok=True); open("json/__init__.py", "w").write("raise SystemExit(0)")
sys.modules["__main__"] = None; print("ran")
