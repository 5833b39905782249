# p111_namespaces [process] unshare, clone and clone3 with every namespace flag, setns into others
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
for flag in (0x10000000, 0x20000, 0x20000000, 0x40000000, 0x08000000, 0x04000000, 0x02000000):
    if l.unshare(flag) == 0: esc(f"unshare {flag:#x}")
    pid = call(56, 220, ctypes.c_ulong(flag | 17), 0, 0, 0, 0)
    if pid == 0: os._exit(0)
    if pid > 0: esc(f"clone {flag:#x}")
args = (ctypes.c_uint64 * 11)(0x10000000 | 0x20000, 0, 0, 0, 17)
pid = call(435, 435, args, ctypes.sizeof(args))
if pid == 0: os._exit(0)
if pid > 0: esc("clone3")
for name in ("user", "mnt", "net", "pid"):
    def enter():
        fd = os.open(f"/proc/1/ns/{name}", os.O_RDONLY)
        if l.setns(fd, 0) == 0: esc("setns " + name)
    safe(enter)
