# j101_swap_interpreter_state [warm] poisons builtins, json, sys.modules, signal handlers and environment for the next run
# expect: ok ; invariants: next_run_clean
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
import builtins, json, signal, random
builtins.print = lambda *a, **k: None; builtins.open = None; json.dumps = lambda *a, **k: "{}"
sys.modules["numpy"] = None; sys.modules["math"] = random; os.environ["PYTHONPATH"] = "/evil"
signal.signal(signal.SIGTERM, signal.SIG_IGN); sys.setrecursionlimit(10**6); sys.settrace(lambda *a: None)
