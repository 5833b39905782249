# s106_mount_family [syscall] fsopen, fsmount, open_tree, move_mount, mount_setattr, umount2, pivot_root
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
if call(430, 430, b"tmpfs", 0) >= 0: esc("fsopen")
if call(428, 428, -100, b"/", 1) >= 0: esc("open_tree")
if call(442, 442, -100, b"/", 0, ctypes.create_string_buffer(32), 32) == 0: esc("mount_setattr")
if call(166, 39, b"/tmp", 2) == 0: esc("umount")
if l.mount(b"none", b"/tmp", b"tmpfs", 0, b"") == 0: esc("mount")
