# s108_clock_and_host [syscall] sets clock, host name, domain name, reboots, swaps, loads modules
# expect: ok|error ; invariants: no_escape_text
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
t = (ctypes.c_long * 2)(1, 0)
if call(227, 112, 0, t) == 0: esc("clock_settime")
if call(170, 161, b"evil", 4) == 0: esc("sethostname")
if call(167, 224, b"/tmp/x", 0) == 0: esc("swapon")
if call(313, 273, 0, b"", 0) == 0: esc("finit_module")
if call(103, 116, 3, ctypes.create_string_buffer(9), 8) > 0: esc("syslog")
