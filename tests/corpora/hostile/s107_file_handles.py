# s107_file_handles [syscall] name_to_handle_at and open_by_handle_at (the container breakout called Shocker)
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
b = ctypes.create_string_buffer((128).to_bytes(4, "little") + bytes(200), 204); m = ctypes.c_int()
call(303, 264, -100, b"/", b, ctypes.byref(m), 0)
fd = os.open(".", os.O_RDONLY)
if call(304, 265, fd, b, 0) >= 0: esc("open_by_handle_at")
