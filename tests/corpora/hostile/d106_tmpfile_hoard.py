# d106_tmpfile_hoard [disk] space without names: O_TMPFILE in children, fallocate, renamed over each other
# expect: ok|error|disk|mem|signal|timeout ; invariants: bounded_disk
import ctypes, fcntl, json, os, signal, socket, struct, sys, time
C = json.load(open("_attack.json")) if os.path.exists("_attack.json") else {}
def esc(what): print("ESCAPED:" + what, flush=True)
def safe(f, *a, **k):
    try: return f(*a, **k)
    except BaseException as e: print("blocked:", type(e).__name__, str(e)[:120], flush=True); return None
l = ctypes.CDLL(None, use_errno=True)
x86 = os.uname().machine == "x86_64"
def call(n86, n64, *a):
    r = l.syscall(ctypes.c_long(n86 if x86 else n64), *a); print(n86, r, ctypes.get_errno(), flush=True); return r

def hoard():
    kept = []
    for _ in range(12):
        fd = os.open(".", os.O_TMPFILE | os.O_RDWR, 0o600)
        kept.append(fd)
        for _ in range(12): os.write(fd, b"x" * (1 << 20))
    time.sleep(1)
for _ in range(6):
    if os.fork() == 0:
        safe(hoard); os._exit(0)
for _ in range(6): safe(os.wait)
def grow():
    for n in range(40):
        fd = os.open(f"f{n}", os.O_CREAT | os.O_RDWR, 0o600)
        os.posix_fallocate(fd, 0, 20 << 20); os.unlink(f"f{n}")
        grow.kept.append(fd)
grow.kept = []
safe(grow)
time.sleep(0.5)
