# d101_shm_and_tmp [disk] fills /dev/shm, /tmp, /var/tmp, /run, /dev and / at once
# expect: ok|error|disk|signal ; invariants: bounded_disk
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
for d in ("/dev/shm", "/tmp", "/var/tmp", "/run", "/dev", "/", os.environ.get("TMPDIR", "."), os.environ.get("MPLCONFIGDIR", ".")):
    for i in range(10):
        def fill():
            with open(f"{d}/fill{i}", "wb") as f:
                for _ in range(40): f.write(bytes(1 << 20))
        safe(fill)
time.sleep(1)
