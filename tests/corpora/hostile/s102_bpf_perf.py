# s102_bpf_perf [syscall] bpf program and perf_event_open
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
b = ctypes.create_string_buffer(128)
if call(321, 280, 0, b, 128) >= 0: esc("bpf")
b[4:8] = (128).to_bytes(4, "little")
if call(298, 241, b, 0, -1, -1, 0) >= 0: esc("perf_event_open")
