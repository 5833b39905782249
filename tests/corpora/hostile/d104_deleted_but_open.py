# d104_deleted_but_open [disk] unlinked files that still take space
# expect: ok|error|disk|mem|signal|timeout ; invariants: bounded_disk
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
block = bytes(1 << 20)
keep = []
for i in range(50):
    def hold():
        f = open("gone", "wb"); os.unlink("gone"); [f.write(block) for _ in range(40)]; f.flush(); keep.append(f)
    safe(hold)
used = 0
for f in keep:
    try: used += os.fstat(f.fileno()).st_blocks * 512
    except OSError: pass
print("held", used >> 20, "MiB")
if used > 1 << 30: esc(f"{used >> 20} MiB in deleted files")
